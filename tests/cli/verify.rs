//! `countersign verify` of a running service.

use crate::Person;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_e2e::inspection::replace_attribute;
use countersign_e2e::service::Service;
use serde_json::json;

fn caller(service: &Service, name: &str, group: &str) -> Person {
    Person::at(service.base(), Some(service.token(&format!("{name}@example.com"), &[group])))
}

#[test]
fn requests_whose_trails_the_caller_may_not_read_are_counted_and_end_nothing() {
    let service = Service::start();
    let ann = service.requester("ann");
    Service::create(&ann, &Service::high());
    service.approved(&ann);
    let guest = caller(&service, "gus", "guest").run(&["verify", "--all"]);
    guest.expect(0, "0 requests checked: all as their trails have made them");
    guest.expect(0, "2 not checked: you may not read their trails");
    let auditor = caller(&service, "aud", "auditor").json(&["verify", "--all"]);
    assert_eq!(auditor, json!({ "verified": true, "requests": 2, "unread": 0, "findings": [] }));
}

#[test]
fn one_request_whose_trail_the_caller_may_not_read_is_refused() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let guest = caller(&service, "gus", "guest").run(&["verify", Service::id(&path)]);
    guest.expect(3, "no policy permits `audit` to group guest");
    assert_eq!(guest.stdout, "", "nothing was checked");
}

#[test]
fn rows_that_lists_leave_out_are_a_finding() {
    let service = Service::start();
    let ann = service.requester("ann");
    Service::create(&ann, &Service::high());
    let path = Service::create(&ann, &Service::medium());
    let replace = |value| {
        service.block_on(replace_attribute(&service.database, Service::id(&path), "expires_at", value))
    };
    let before = replace(Some(AttributeValue::S("<nonsense>".to_owned())));
    let auditor = caller(&service, "aud", "auditor").run(&["verify", "--all"]);
    auditor.expect(1, "lists  1 damaged and left out; the service's log names them");
    auditor.expect(1, "1 request checked: 1 finding");
    replace(before);
}
