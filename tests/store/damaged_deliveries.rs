//! Items of the deliveries table that cannot be read, or that another writer has altered: each is found, and holds up no other.

use crate::courier::{Endpoints, create_and_route, deliveries, register, states};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::courier::{self, DeliveryFigures, LastAnswer};
use countersign_app::ports::UNREADABLE;
use countersign_delivery::state::DeliveryState;
use countersign_e2e::inspection::{deployment_key, tables};
use countersign_e2e::service::Service;
use countersign_webhook::webhook::WebhookId;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

type Item = HashMap<String, AttributeValue>;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn table() -> String {
    tables().deliveries.unwrap()
}

fn put(service: &Service, item: Item) {
    let put = service.database.put_item().table_name(table()).set_item(Some(item));
    service.block_on(put.send()).unwrap();
}

fn item(service: &Service, destination: &str, event_id: &str) -> Item {
    let key = [("destination", destination), ("event_id", event_id)];
    let key = key.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
    let get = service.database.get_item().table_name(table()).set_key(Some(key));
    service.block_on(get.send()).unwrap().item.unwrap()
}

fn webhook_item(service: &Service, id: WebhookId) -> Item {
    item(service, "#webhooks", &id.to_string())
}

/// The same item with one attribute as another writer would leave it.
fn with(item: &Item, name: &str, value: AttributeValue) -> Item {
    let mut altered = item.clone();
    altered.insert(name.to_owned(), value);
    altered
}

fn all(service: &Service) -> Value {
    service.person("root", &["admin"]).get("/v1/webhooks").expect(200)
}

fn failing(service: &Service) -> usize {
    service.block_on(DeliveryFigures::read(service.deliveries(), None, &deployment_key())).unwrap().failing
}

#[test]
fn a_webhook_that_cannot_be_read_holds_up_no_other_and_its_events_can_be_redelivered() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    let good = register(&service, "good.example.com", &[]);
    let damaged = register(&service, "damaged.example.com", &["APPROVAL_REQUEST_CREATED"]);
    let whole = webhook_item(&service, damaged);
    put(&service, with(&whole, "document", text("{")));
    put(&service, with(&with(&whole, "document", text("{")), "event_id", text("no-webhook")));
    assert_eq!(create_and_route(&service).routed, 2);
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("good.example.com"), 1);
    assert_eq!(states(&service, good), [DeliveryState::Delivered]);
    assert_eq!(states(&service, damaged), [DeliveryState::Skipped]);
    // An administrator is shown which one it is.
    let list = all(&service);
    assert_eq!(list["damaged_ids"], json!([damaged.to_string()]));
    assert_eq!(list["webhooks"][0]["webhook_id"], json!(good.to_string()));
    assert_eq!(failing(&service), 2);
    let root = service.person("root", &["admin"]);
    root.get(&format!("/v1/webhooks/{damaged}")).expect_problem(500, "internal");
    // Once it is mended, nothing is lost, and nothing is sent that it does not take.
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    service.deliver(&crate::courier::Taker);
    put(&service, whole);
    let from = json!({ "from": "2025-12-31T00:00:00Z" });
    let redelivered = root.post(&format!("/v1/webhooks/{damaged}/redeliver"), &from).expect(200);
    assert_eq!(redelivered["redelivered"], 2);
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("damaged.example.com"), 2);
    let of_other_events = deliveries(&service, damaged);
    assert_eq!(
        of_other_events.iter().filter(|stored| stored.delivery.state == DeliveryState::Skipped).count(),
        1
    );
}

/// A writer of the table who does not have the deployment's key sends events nowhere else.
#[test]
fn nothing_is_sent_by_settings_that_another_writer_has_altered() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    let id = register(&service, "good.example.com", &[]);
    let whole = webhook_item(&service, id);
    let document = whole["document"].as_s().unwrap();
    let elsewhere = text(&document.replace("good.example.com", "evil.example.com"));
    let forged = with(&whole, "document", elsewhere);
    let other = "wh_01930000-0000-7000-8000-0000000000ff";
    let copy = with(&forged, "event_id", text(other));
    let copy = with(&copy, "document", text(&document.replace(&id.to_string(), other)));
    let mut without_seal = forged.clone();
    without_seal.remove("seal");
    create_and_route(&service);
    for altered in [forged, without_seal] {
        put(&service, altered);
        service.host.advance_milliseconds(120_000);
        let report = service.send(&endpoints, &last_answer).unwrap();
        assert_eq!((report.postponed, report.delivered), (1, 0), "{report:?}");
        assert_eq!(all(&service)["damaged_ids"], json!([id.to_string()]));
        assert_eq!(failing(&service), 1);
    }
    // One more webhook, which takes the deliveries of its own.
    put(&service, copy);
    create_and_route(&service);
    service.host.advance_milliseconds(120_000);
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("evil.example.com") + endpoints.calls("good.example.com"), 0);
    // No change by an administrator binds what another writer has made of it.
    let root = service.person("root", &["admin"]);
    let change = json!({ "version": 1, "description": "x" });
    root.patch(&format!("/v1/webhooks/{id}"), &change).expect_problem(500, "internal");
    put(&service, whole);
    service.host.advance_milliseconds(120_000);
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("good.example.com"), 2);
}

#[test]
fn a_due_item_that_is_no_delivery_hides_none() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    let id = register(&service, "good.example.com", &[]);
    create_and_route(&service);
    let event_id = deliveries(&service, id)[0].delivery.event_id.to_string();
    let due = item(&service, id.destination().unwrap().as_str(), &event_id);
    for (destination, event_id) in [("nowhere at all", event_id.as_str()), ("webhook:x", "no-event")] {
        put(&service, with(&with(&due, "destination", text(destination)), "event_id", text(event_id)));
    }
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("good.example.com"), 1);
    let figures =
        service.block_on(DeliveryFigures::read(service.deliveries(), None, &deployment_key())).unwrap();
    assert_eq!(figures.backlogs[UNREADABLE].waiting, 2);
}

#[test]
fn a_delivery_that_cannot_be_read_is_left_out_of_the_log_and_forgotten_in_its_time() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    let id = register(&service, "good.example.com", &[]);
    for _ in 0..2 {
        create_and_route(&service);
        service.host.advance_milliseconds(1000);
    }
    let destination = id.destination().unwrap();
    let event_ids: Vec<_> =
        deliveries(&service, id).iter().map(|stored| stored.delivery.event_id.to_string()).collect();
    let whole = item(&service, destination.as_str(), &event_ids[0]);
    put(&service, with(&whole, "state", text("<nonsense>")));
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("good.example.com"), 1);
    let root = service.person("root", &["admin"]);
    let log = root.get(&format!("/v1/webhooks/{id}/deliveries")).expect(200);
    let listed: Vec<_> =
        log["deliveries"].as_array().unwrap().iter().map(|one| &one["delivery_id"]).collect();
    assert_eq!(listed, [&json!(event_ids[1])]);
    let all_states = json!({ "from": "2025-12-31T00:00:00Z", "statuses": ["delivered"] });
    let again = root.post(&format!("/v1/webhooks/{id}/redeliver"), &all_states).expect(200);
    assert_eq!(again["redelivered"], 1);
    service.send(&endpoints, &last_answer).unwrap();
    service.host.advance_milliseconds(31 * 24 * 60 * 60 * 1000);
    let budget = Duration::from_secs(5);
    let forgotten = service.block_on(courier::forget(service.deliveries(), &service.host, budget)).unwrap();
    assert_eq!(forgotten, 2, "the one that cannot be read is among them");
}
