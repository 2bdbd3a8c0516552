//! From the outbox to the subscribers: each committed event at least once, or a dead letter in the list.

use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::deliver::{DeliveryReport, MAX_ATTEMPTS};
use countersign_app::ports::{Outbox as _, Publish, PublishError};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::ids::EventId;
use countersign_core::notification::{Notice, Notification};
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_e2e::inspection::{self, tables};
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Remembers what was published, and fails when the script says so.
struct Scripted<F> {
    fails: F,
    published: Mutex<Vec<Notification>>,
    /// Looked up at each publication, if given: what is published must have been committed.
    database: Option<aws_sdk_dynamodb::Client>,
}

impl<F: Fn(&Notification) -> bool> Scripted<F> {
    fn new(fails: F) -> Self {
        Self { fails, published: Mutex::default(), database: None }
    }

    fn ids(&self) -> Vec<String> {
        self.published.lock().unwrap().iter().map(|notification| notification.event_id.to_string()).collect()
    }
}

impl<F: Fn(&Notification) -> bool + Send + Sync> Publish for Scripted<F> {
    async fn publish(&self, event: &CloudEvent) -> Result<(), PublishError> {
        let Notice::Event(notification) = &event.notice else { panic!("nothing here is damaged: {event:?}") };
        if let Some(database) = &self.database {
            let committed = inspection::events(database).await;
            assert!(committed.contains(&notification.event_id.to_string()), "told before it was committed");
        }
        if (self.fails)(notification) {
            return Err(PublishError::Refused("scripted".to_owned()));
        }
        self.published.lock().unwrap().push(notification.as_ref().clone());
        Ok(())
    }
}

/// Some traffic of every kind.
fn traffic(service: &Service) {
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for _ in 0..4 {
        let path = service.approved(&ann);
        let body = json!({ "execution_id": Service::started(&ann, &path), "outcome": "succeeded" });
        ann.put(&format!("{path}/execution"), &body).expect(200);
        let path = Service::create(&ann, &Service::high());
        bob.post(&format!("{path}/comments"), &json!({ "text": "hm" })).expect(200);
        bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
        service.host.advance_milliseconds(1);
    }
}

fn events(service: &Service) -> BTreeSet<String> {
    service.block_on(inspection::events(&service.database))
}

fn outbox(service: &Service) -> BTreeSet<String> {
    service.block_on(inspection::outbox(&service.database))
}

fn store(service: &Service) -> DynamoOutbox {
    DynamoOutbox::new(service.database.clone(), tables().outbox)
}

/// The dead letters' event ids.
fn dead(service: &Service) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = service.block_on(store(service).dead(after.as_ref())).unwrap();
        ids.extend(page.entries.into_iter().map(|entry| entry.key.event_id));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

fn report(published: usize, failed: usize, dead_lettered: usize) -> DeliveryReport {
    DeliveryReport { published, failed, dead_lettered, ..DeliveryReport::default() }
}

#[test]
fn every_event_is_published_once_when_nothing_fails() {
    let service = Service::start();
    traffic(&service);
    let all = events(&service);
    assert_eq!(outbox(&service), all, "every event waits");
    let publisher = Scripted { database: Some(service.database.clone()), ..Scripted::new(|_| false) };
    assert_eq!(service.deliver(&publisher), report(28, 0, 0));
    let told = publisher.ids();
    assert_eq!((told.len(), told.into_iter().collect::<BTreeSet<_>>()), (28, all));
    assert!(outbox(&service).is_empty());
    assert_eq!(service.deliver(&publisher), report(0, 0, 0));
}

#[test]
fn a_notification_tells_enough_to_understand_the_event() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    bob.post(&format!("{path}/approve"), &json!({ "comments": "fine" })).expect(200);
    let publisher = Scripted::new(|_| false);
    service.deliver(&publisher);
    let published = publisher.published.lock().unwrap();
    let granted = published.iter().find(|notification| notification.sequence == 2).unwrap();
    assert_eq!(granted.request_id.to_string(), Service::id(&path));
    assert_eq!(granted.event_type.as_str(), "APPROVAL_GRANTED");
    assert_eq!((granted.status.as_str(), granted.user.as_str()), ("pending", "bob@example.com"));
    assert_eq!((granted.requested_by.as_str(), granted.approvals_required), ("ann@example.com", 2));
    assert_eq!(granted.remark.as_ref().unwrap().as_str(), "fine");
    assert!(!format!("{published:?}").contains("xlarge"), "parameters are not told");
}

#[test]
fn what_fails_is_tried_again_and_holds_up_nothing_else() {
    let service = Service::start();
    traffic(&service);
    let all = events(&service);
    let unlucky = all.iter().nth(9).unwrap().clone();
    let failures = Mutex::new(0);
    let publisher = Scripted::new(|notification| {
        let mut failures = failures.lock().unwrap();
        let fails = notification.event_id.to_string() == unlucky && *failures < 9;
        *failures += u32::from(fails);
        fails
    });
    assert_eq!(service.deliver(&publisher), report(27, 1, 0));
    assert_eq!(outbox(&service), BTreeSet::from([unlucky.clone()]));
    for _ in 1..9 {
        assert_eq!(service.deliver(&publisher), report(0, 1, 0));
    }
    assert_eq!(service.deliver(&publisher), report(1, 0, 0));
    assert_eq!(publisher.ids().into_iter().collect::<BTreeSet<_>>(), all);
    assert!(outbox(&service).is_empty() && dead(&service).is_empty());
}

#[test]
fn after_ten_failures_it_is_a_dead_letter_that_can_be_replayed() {
    let service = Service::start();
    traffic(&service);
    let all = events(&service);
    let down = Scripted::new(|_| true);
    for _ in 1..MAX_ATTEMPTS {
        assert_eq!(service.deliver(&down), report(0, 28, 0));
        assert!(dead(&service).is_empty());
    }
    assert_eq!(service.deliver(&down), report(0, 0, 28));
    assert_eq!(service.deliver(&down), report(0, 0, 0));
    assert_eq!(outbox(&service), all, "dead letters are kept");
    assert_eq!(dead(&service).into_iter().collect::<BTreeSet<_>>(), all);

    let up = Scripted::new(|_| false);
    assert_eq!(service.deliver(&up), report(0, 0, 0));
    for id in &all {
        let id = EventId::parse(id).unwrap();
        assert!(service.block_on(store(&service).redrive(id)).unwrap());
        assert!(!service.block_on(store(&service).redrive(id)).unwrap(), "it is no longer dead");
    }
    // With its failures forgotten, it may fail again nine times.
    assert_eq!(service.deliver(&down), report(0, 28, 0));
    assert_eq!(service.deliver(&up), report(28, 0, 0));
    assert_eq!(up.ids().into_iter().collect::<BTreeSet<_>>(), all);
    assert!(outbox(&service).is_empty());
}

/// Replaces the message of an entry.
fn poison(service: &Service, event_id: &str, message: &str) {
    let items = service.block_on(inspection::scan(&service.database, &tables().outbox));
    let mut item = items.into_iter().find(|item| item["event_id"].as_s().unwrap() == event_id).unwrap();
    item.insert("message".to_owned(), AttributeValue::S(message.to_owned()));
    let put = service.database.put_item().table_name(tables().outbox).set_item(Some(item));
    service.block_on(async { put.send().await }).unwrap();
}

#[test]
fn a_message_that_cannot_be_read_is_a_dead_letter_at_once_and_the_others_are_published() {
    let service = Service::start();
    traffic(&service);
    let all = events(&service);
    let poisons = ["{", "", "null", "[]", "{}", r#"{"event_id":"x"}"#, "\u{0}"];
    let poisoned: BTreeSet<_> = all.iter().step_by(4).cloned().collect();
    assert_eq!(poisoned.len(), poisons.len());
    for (event_id, message) in poisoned.iter().zip(poisons) {
        poison(&service, event_id, message);
    }
    let publisher = Scripted::new(|_| false);
    assert_eq!(service.deliver(&publisher), report(21, 0, 7));
    assert_eq!(dead(&service).into_iter().collect::<BTreeSet<_>>(), poisoned);
    let told: BTreeSet<_> = publisher.ids().into_iter().collect();
    assert_eq!(told.union(&poisoned).cloned().collect::<BTreeSet<_>>(), all);
    assert!(told.is_disjoint(&poisoned));
}

#[test]
fn a_message_with_an_impossible_value_is_not_published() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let event_id = events(&service).pop_first().unwrap();
    let items = service.block_on(inspection::scan(&service.database, &tables().outbox));
    let message: Value = serde_json::from_str(items[0]["message"].as_s().unwrap()).unwrap();
    for (place, value) in [
        ("/data/status", json!("approved!")),
        ("/data/event_type", json!("APPROVAL_GRANTED_BY_MAGIC")),
        ("/data/user", json!("Ann@Example.com")),
        ("/data/request_id", json!(Service::id(&path).to_uppercase())),
        ("/data/timestamp", json!("yesterday")),
        ("/data/sequence", json!(-1)),
        ("/data/sequence", json!(2)),
        ("/data/approved_by", json!(["nobody"])),
        ("/data", json!(null)),
        ("/specversion", json!("0.3")),
        ("/id", json!("01930000-0000-7000-8000-0000000000aa")),
        ("/source", json!("no origin")),
        ("/type", json!("countersign.approval.granted.v1")),
        ("/type", json!("countersign.anomaly.detected.v1")),
        ("/subject", json!("01930000-0000-4000-8000-0000000000bb")),
        ("/sequence", json!("0000000002")),
        ("/time", json!("2026-01-31T09:30:15.250Z")),
    ] {
        let mut edited = message.clone();
        *edited.pointer_mut(place).unwrap() = value;
        poison(&service, &event_id, &edited.to_string());
        let publisher = Scripted::new(|_| false);
        assert_eq!(service.deliver(&publisher), report(0, 0, 1), "{place}");
        poison(&service, &event_id, &message.to_string());
        assert!(service.block_on(store(&service).redrive(EventId::parse(&event_id).unwrap())).unwrap());
    }
    assert_eq!(service.deliver(&Scripted::new(|_| false)), report(1, 0, 0));
}

#[test]
fn more_than_a_page_of_failures_does_not_hide_what_comes_after() {
    let service = Service::start();
    for name in ["ann", "ben", "cat", "dora", "emil", "finn", "gus", "hal", "ida", "jo", "kay", "lee"] {
        let requester = service.requester(name);
        for _ in 0..40 {
            Service::create(&requester, &Service::medium());
        }
    }
    let all = events(&service);
    assert_eq!(all.len(), 480);
    // The later half of each shard is deliverable.
    let earlier: BTreeSet<_> = all.iter().take(430).cloned().collect();
    let publisher = Scripted::new(|notification| earlier.contains(&notification.event_id.to_string()));
    assert_eq!(service.deliver(&publisher), report(50, 430, 0));
    assert_eq!(outbox(&service), earlier);
}

/// Events go on while the sweep runs: each is published or waits, at every moment.
#[test]
fn nothing_is_lost_between_writers_and_a_sweep() {
    let service = Service::start();
    let publisher = Scripted::new(|notification| notification.sequence == 2);
    std::thread::scope(|scope| {
        for name in ["ann", "ben", "cat"] {
            let service = &service;
            scope.spawn(move || {
                let requester = service.requester(name);
                for _ in 0..10 {
                    let path = Service::create(&requester, &Service::medium());
                    requester.post(&format!("{path}/comments"), &json!({ "text": "hm" })).expect(200);
                    requester.post(&format!("{path}/cancel"), &json!({})).expect(200);
                }
            });
        }
        for _ in 0..5 {
            service.deliver(&publisher);
        }
    });
    let told: BTreeSet<_> = publisher.ids().into_iter().collect();
    assert_eq!(told.union(&outbox(&service)).cloned().collect::<BTreeSet<_>>(), events(&service));
    service.deliver(&Scripted::new(|_| false));
    assert!(outbox(&service).difference(&dead(&service).into_iter().collect()).next().is_none());
}

#[test]
fn what_was_refused_is_not_published() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    Service::approve(&service.approver("ann"), &path).expect_problem(403, "self_approval");
    ann.post(&format!("{path}/execution"), &json!({})).expect_problem(409, "not_approved");
    ann.post("/v1/approvals", &json!({})).expect_problem(422, "validation_failed");
    let publisher = Scripted::new(|_| false);
    assert_eq!(service.deliver(&publisher), report(1, 0, 0));
}
