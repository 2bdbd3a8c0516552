//! Damaged rows: one request whose item cannot be read breaks neither a list nor the sweep.

use aws_sdk_dynamodb::types::AttributeValue;
use countersign_e2e::client::Client;
use countersign_e2e::inspection;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const HOUR: i64 = 60 * 60 * 1000;

/// Every attribute that lists read and that is no key of the index or of the table.
const ATTRIBUTES: [&str; 11] = [
    "operation_type",
    "requested_at",
    "risk_level",
    "environment",
    "estimated_cost",
    "status",
    "approvals_required",
    "approved_by",
    "expires_at",
    "execute_by",
    "executed_at",
];

fn set(
    service: &Service,
    id: &str,
    attribute: &str,
    value: Option<AttributeValue>,
) -> Option<AttributeValue> {
    service.block_on(inspection::replace_attribute(&service.database, id, attribute, value))
}

fn page(client: &Client, list: &str) -> (Vec<String>, Value) {
    let body = client.get(list).expect(200);
    let ids = body["items"].as_array().unwrap().iter();
    (ids.map(|item| item["request_id"].as_str().unwrap().to_owned()).collect(), body["damaged"].clone())
}

/// THREATS 62: whichever attribute is damaged, and however, every list goes on without that request, and
/// says how many it has left out.
#[test]
fn a_damaged_row_is_left_out_of_every_list_and_counted() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let paths: Vec<_> = (0..3).map(|_| Service::create(&ann, &Service::medium())).collect();
    let mut whole: Vec<_> = paths.iter().map(|path| Service::id(path).to_owned()).collect();
    let damaged = whole.remove(1);
    for attribute in ATTRIBUTES {
        for value in [
            None,
            Some(AttributeValue::S("<nonsense>".to_owned())),
            Some(AttributeValue::N("-7".to_owned())),
            Some(AttributeValue::L(vec![AttributeValue::Bool(true)])),
        ] {
            let context = format!("{attribute}: {value:?}");
            let is_optional = ["estimated_cost", "execute_by", "executed_at"].contains(&attribute);
            if value.is_none() && is_optional {
                continue;
            }
            let before = set(&service, &damaged, attribute, value);
            for list in [
                "/v1/approvals",
                "/v1/approvals?requested_by=ann@example.com",
                "/v1/approvals?instance_id=dev-db-01",
                "/v1/approvals?status=pending&requested_by=ann@example.com",
            ] {
                for client in [&ann, &bob] {
                    let (mut ids, count) = page(client, list);
                    ids.sort();
                    let mut expected = whole.clone();
                    expected.sort();
                    assert_eq!((ids, count), (expected, json!(1)), "{context}: {list}");
                }
            }
            set(&service, &damaged, attribute, before);
        }
    }
    let body = bob.get("/v1/approvals").expect(200);
    assert_eq!((body["items"].as_array().unwrap().len(), body.get("damaged")), (3, None));
}

/// Each is counted on one page of a walk, wherever the pages end.
#[test]
fn a_walk_counts_each_damaged_row_once() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let mut damaged = Vec::new();
    for number in 0..20 {
        let path = Service::create(&ann, &Service::medium());
        if number % 3 != 1 {
            let id = Service::id(&path).to_owned();
            let before = set(&service, &id, "risk_level", None);
            damaged.push((id, before));
        }
    }
    for limit in [1, 2, 3, 7, 20] {
        let (mut seen, mut counted, mut cursor) = (0, 0, String::new());
        loop {
            let body = bob.get(&format!("/v1/approvals?limit={limit}{cursor}")).expect(200);
            seen += body["items"].as_array().unwrap().len();
            counted += body["damaged"].as_u64().unwrap_or(0);
            match body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!((seen, counted), (7, 13), "by {limit}");
    }
    for (id, before) in damaged {
        set(&service, &id, "risk_level", before);
    }
}

#[test]
fn the_sweep_goes_on_past_a_damaged_row() {
    let service = Service::start();
    let ann = service.requester("ann");
    let paths: Vec<_> = (0..3).map(|_| Service::create(&ann, &Service::medium())).collect();
    service.host.advance_milliseconds(80 * HOUR);
    let damaged = Service::id(&paths[1]);
    let before = set(&service, damaged, "justification", Some(AttributeValue::Bool(true)));
    let report = service.expire();
    assert_eq!((report.expired, report.failed), (2, 1));
    set(&service, damaged, "justification", before);
    assert_eq!(service.expire().expired, 1);
}
