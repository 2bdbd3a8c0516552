//! Deliveries to webhooks: each destination by itself, on its own schedule, whatever fails on the way.

use countersign_app::courier::{self, LastAnswer};
use countersign_app::deliver::DeliveryReport;
use countersign_app::host::{BoxFuture, Clock as _};
use countersign_app::ports::{
    DeliveryQuery, NewDelivery, Publish, PublishError, PutDelivery as _, ReadDeliveries as _,
    ReadWebhooks as _, StoredDelivery, WebhookChange, WebhookClient, WebhookCount, WebhookRecord,
    WriteWebhooks as _,
};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::health::Health;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::state::{Attempt, Delivery, DeliveryState};
use countersign_e2e::inspection;
use countersign_e2e::service::Service;
use countersign_e2e::transport::Fault;
use countersign_webhook::secret::{SealedSecret, SecretKey, Secrets, WebhookSecret};
use countersign_webhook::settings::{Draft, Settings};
use countersign_webhook::signature::SignedHeaders;
use countersign_webhook::trail::{Actor, TrailChange, TrailEvent, TrailHead};
use countersign_webhook::webhook::{DisabledReason, Webhook, WebhookId};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

const SECRET: [u8; 32] = [5; 32];

/// What a call of an endpoint brings.
pub(crate) type Answer = Result<u16, (FailureClass, Option<u16>)>;

/// Endpoints that answer as the test says, by their host, and what they have taken.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    answers: Mutex<BTreeMap<String, Answer>>,
    taken: Mutex<Vec<Taken>>,
    calls: Mutex<Vec<String>>,
}

/// What an endpoint has taken.
#[derive(Debug, Clone)]
struct Taken {
    host: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Endpoints {
    pub(crate) fn set(&self, host: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(host.to_owned(), answer);
    }

    /// The ids of the events that an endpoint has taken.
    pub(crate) fn taken(&self, host: &str) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .filter(|taken| taken.host == host)
            .map(|taken| taken.headers["webhook-id"].clone())
            .collect()
    }

    /// How often an endpoint was called since the last time this was asked.
    pub(crate) fn calls(&self, host: &str) -> usize {
        let mut calls = self.calls.lock().unwrap();
        let before = calls.len();
        calls.retain(|called| called != host);
        before - calls.len()
    }
}

impl WebhookClient for Endpoints {
    fn check(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(String, String)],
        body: Vec<u8>,
        _now: Timestamp,
    ) -> BoxFuture<'a, Attempt> {
        let host = url.split('/').nth(2).unwrap().to_owned();
        self.calls.lock().unwrap().push(host.clone());
        let answer = self.answers.lock().unwrap().get(&host).copied().unwrap_or(Ok(204));
        let outcome = match answer {
            Ok(status) => {
                let headers = headers.iter().cloned().collect();
                self.taken.lock().unwrap().push(Taken { host: host.clone(), headers, body });
                Outcome::Delivered { status: Some(status), reference: None }
            }
            Err((class, status)) => Outcome::Failed(Failure {
                class,
                status,
                retry_after: None,
                detail: "as the test says".to_owned(),
            }),
        };
        Box::pin(std::future::ready(Attempt { outcome, host: Some(host) }))
    }
}

/// Takes whatever is published.
pub(crate) struct Taker;

impl Publish for Taker {
    async fn publish(&self, _event: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

/// Registers a webhook at `https://HOST/hook` that takes these events; all if there are none.
pub(crate) fn register(service: &Service, host: &str, events: &[&str]) -> WebhookId {
    let number = u128::from(service.block_on(service.deliveries().webhooks()).unwrap().records.len() as u64);
    let id = WebhookId::new(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 | number));
    let key = SecretKey::derived(&inspection::deployment_key());
    let secret = SealedSecret::seal(&WebhookSecret::new(SECRET), &key, id, 1, [1; 12]).unwrap();
    let draft = Draft {
        url: format!("https://{host}/hook"),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        ..Draft::default()
    };
    let ann = PersonId::from_stored("ann@example.com").unwrap();
    let webhook = Webhook::new(id, Settings::new(&draft).unwrap(), ann.clone(), service.host.now());
    let created = TrailChange::Created { host: host.to_owned() };
    let event = TrailEvent::record(id, &TrailHead::EMPTY, Actor::Caller(ann), created, service.host.now());
    let record = WebhookRecord {
        webhook,
        secrets: Secrets::new(secret),
        health: Health::default(),
        trail: event.head(),
        deleted_at: None,
        seal: None,
        revision: 0,
    };
    let count = service.block_on(service.deliveries().webhook_count()).unwrap();
    let count = WebhookCount { webhooks: count.webhooks + 1, ..count };
    let change =
        WebhookChange::new(&record, Some(&event), Some(count), &inspection::deployment_key()).unwrap();
    service.block_on(service.deliveries().commit_webhook(change)).unwrap();
    id
}

fn record(service: &Service, id: WebhookId) -> WebhookRecord {
    service.block_on(service.deliveries().webhook(id)).unwrap().unwrap()
}

/// Every delivery to a webhook.
pub(crate) fn deliveries(service: &Service, id: WebhookId) -> Vec<StoredDelivery> {
    let query = DeliveryQuery {
        destination: id.destination().unwrap(),
        from: Timestamp::EARLIEST,
        to: Timestamp::LATEST,
        is_newest_first: false,
        after: None,
        limit: 1000,
    };
    service.block_on(service.deliveries().deliveries(&query)).unwrap().deliveries
}

pub(crate) fn states(service: &Service, id: WebhookId) -> Vec<DeliveryState> {
    deliveries(service, id).iter().map(|stored| stored.delivery.state).collect()
}

/// Makes a request, and gives what is committed to the topic and to deliveries.
pub(crate) fn create_and_route(service: &Service) -> DeliveryReport {
    let ann = service.requester("ann");
    Service::create(&ann, &Service::high());
    service.deliver(&Taker)
}

#[test]
fn an_event_goes_to_each_webhook_that_takes_it_signed_and_once() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    let all = register(&service, "all.example.com", &[]);
    let none = register(&service, "none.example.com", &["APPROVAL_REJECTED"]);
    assert_eq!(create_and_route(&service).routed, 1);
    assert_eq!(service.deliver(&Taker).routed, 0);
    for _ in 0..3 {
        service.send(&endpoints, &last_answer).unwrap();
    }
    assert_eq!(endpoints.taken("all.example.com").len(), 1);
    assert_eq!(endpoints.calls("none.example.com"), 0);
    assert_eq!((states(&service, all), states(&service, none)), (vec![DeliveryState::Delivered], vec![]));

    let taken = endpoints.taken.lock().unwrap()[0].clone();
    let header = |name: &str| taken.headers[name].clone();
    let signed = SignedHeaders {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    signed.verify(&taken.body, &WebhookSecret::new(SECRET), service.host.now()).unwrap();
    let body: Value = serde_json::from_slice(&taken.body).unwrap();
    assert_eq!(body["id"], header("webhook-id").as_str());
    assert_eq!(body["type"], "countersign.approval.created.v1");
    let link = body["data"]["link"].as_str().unwrap();
    assert!(link.starts_with("https://countersign.example.com/approvals/"), "{link}");
    let text = String::from_utf8(taken.body).unwrap();
    assert!(!text.contains("parameters") && !text.contains("db.r"), "{text}");
}

#[test]
fn what_happened_before_a_webhook_was_made_is_not_for_it() {
    let service = Service::start();
    let ann = service.requester("ann");
    Service::create(&ann, &Service::high());
    service.host.advance_milliseconds(1);
    let id = register(&service, "late.example.com", &[]);
    assert_eq!(service.deliver(&Taker).routed, 0);
    assert!(deliveries(&service, id).is_empty());
}

#[test]
fn an_endpoint_that_refuses_is_tried_ten_times_and_changes_nothing_for_another() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    endpoints.set("bad.example.com", Err((FailureClass::Refused, Some(500))));
    let bad = register(&service, "bad.example.com", &[]);
    let good = register(&service, "good.example.com", &[]);
    create_and_route(&service);
    let mut waits = Vec::new();
    loop {
        service.send(&endpoints, &last_answer).unwrap();
        // Not before its time.
        service.send(&endpoints, &last_answer).unwrap();
        assert_eq!(endpoints.calls("bad.example.com"), 1);
        let delivery = deliveries(&service, bad).remove(0).delivery;
        let Some(next) = delivery.next_attempt_at else { break };
        let wait = next.as_millisecond() - service.host.now().as_millisecond();
        waits.push(wait / 1000);
        service.host.advance_milliseconds(wait);
    }
    assert_eq!(states(&service, bad), [DeliveryState::Dead]);
    let planned = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
    assert_eq!(waits.len(), planned.len(), "{waits:?}");
    for (wait, planned) in waits.iter().zip(planned) {
        assert!((planned * 9 / 10..=planned * 11 / 10).contains(wait), "{waits:?}");
    }
    assert_eq!(endpoints.taken("good.example.com").len(), 1);
    assert_eq!(states(&service, good), [DeliveryState::Delivered]);
}

#[test]
fn an_outage_of_the_sender_makes_no_dead_letter_and_the_first_pass_after_it_delivers() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    let hosts = ["one.example.com", "two.example.com", "three.example.com"];
    let ids = hosts.map(|host| register(&service, host, &[]));
    for host in hosts {
        endpoints.set(host, Err((FailureClass::Connection, None)));
    }
    create_and_route(&service);
    for _ in 0..3 * 24 {
        service.send(&endpoints, &last_answer).unwrap();
        service.host.advance_milliseconds(60 * 60 * 1000);
    }
    for (host, id) in hosts.into_iter().zip(ids) {
        assert_eq!(states(&service, id), [DeliveryState::Waiting]);
        assert!(record(&service, id).webhook.is_enabled());
        endpoints.set(host, Ok(200));
    }
    service.send(&endpoints, &last_answer).unwrap();
    for (host, id) in hosts.into_iter().zip(ids) {
        assert_eq!(endpoints.taken(host).len(), 1);
        assert_eq!(states(&service, id), [DeliveryState::Delivered]);
    }
}

#[test]
fn what_another_sender_has_reached_shows_that_the_network_works() {
    let service = Service::start();
    let endpoints = Endpoints::default();
    register(&service, "good.example.com", &[]);
    let silent = register(&service, "silent.example.com", &[]);
    endpoints.set("silent.example.com", Err((FailureClass::Timeout, None)));
    create_and_route(&service);
    service.send(&endpoints, &LastAnswer::default()).unwrap();
    service.host.advance_milliseconds(30_000);
    // A sender of its own, which has only the endpoint that is silent to call.
    let attempts = |service: &Service| deliveries(service, silent).remove(0).delivery.attempts;
    let before = attempts(&service);
    service.host.advance_milliseconds(30_000);
    service.send(&endpoints, &LastAnswer::default()).unwrap();
    assert_eq!(attempts(&service), before + 1);
    // And long after the last success it shows nothing.
    service.host.advance_milliseconds(60 * 60 * 1000);
    service.send(&endpoints, &LastAnswer::default()).unwrap();
    assert_eq!(attempts(&service), before + 1);
}

#[test]
fn what_is_old_and_closed_is_forgotten_and_what_waits_is_not() {
    let service = Service::start();
    let id = register(&service, "all.example.com", &[]);
    let request = RequestId::parse("01930000-0000-7000-8000-000000000001").unwrap();
    let now = service.host.now();
    let put = |event: &str, is_closed: bool| {
        let event_id = EventId::parse(event).unwrap();
        let delivery = Delivery::new(
            id.destination().unwrap(),
            event_id,
            request,
            None,
            EventType::ApprovalGranted,
            now,
        );
        let delivery = if is_closed { delivery.skip() } else { delivery };
        let new = NewDelivery { delivery: &delivery, document: "{}", seal: None };
        assert!(service.block_on(service.deliveries().put_new(new)).unwrap());
        event_id
    };
    // The first 48 bits of an id are its time: 2025-11-01 and 2025-12-31, while it is 2026-01-01.
    put("019a3d20-5000-7000-8000-000000000001", true);
    let waits = put("019a3d20-5000-7000-8000-000000000002", false);
    let recent = put("019b7190-8c00-7000-8000-000000000003", true);
    let budget = Duration::from_secs(1);
    let forgotten = service.block_on(courier::forget(service.deliveries(), &service.host, budget)).unwrap();
    assert_eq!(forgotten, 1);
    let left: Vec<_> = deliveries(&service, id).iter().map(|stored| stored.delivery.event_id).collect();
    assert_eq!(left, [waits, recent]);
}

#[test]
fn an_endpoint_that_is_gone_is_disabled_and_what_comes_meanwhile_is_skipped() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    endpoints.set("gone.example.com", Err((FailureClass::Gone, Some(410))));
    let id = register(&service, "gone.example.com", &[]);
    create_and_route(&service);
    service.send(&endpoints, &last_answer).unwrap();
    let gone = record(&service, id);
    assert_eq!(gone.webhook.disabled.map(|disabled| disabled.reason), Some(DisabledReason::Gone));
    let trail = service.block_on(service.deliveries().webhook_trail(id, 0, 10)).unwrap();
    assert_eq!(trail.len(), 2);
    let last = TrailEvent::read(&trail[1]).unwrap();
    assert_eq!((last.actor.clone(), last.head()), (Actor::Service, gone.trail));
    assert_eq!(endpoints.calls("gone.example.com"), 1);

    create_and_route(&service);
    // The one that waited is not attempted any more either.
    service.host.advance_milliseconds(60_000);
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("gone.example.com"), 0);
    assert_eq!(states(&service, id), [DeliveryState::Skipped, DeliveryState::Skipped]);
}

#[test]
fn an_endpoint_without_a_success_for_five_days_is_disabled() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    endpoints.set("bad.example.com", Err((FailureClass::Refused, Some(500))));
    let id = register(&service, "bad.example.com", &[]);
    for _ in 0..5 {
        create_and_route(&service);
        service.send(&endpoints, &last_answer).unwrap();
        assert!(record(&service, id).webhook.is_enabled());
        service.host.advance_milliseconds(24 * 60 * 60 * 1000);
    }
    service.send(&endpoints, &last_answer).unwrap();
    let reason = record(&service, id).webhook.disabled.map(|disabled| disabled.reason);
    assert_eq!(reason, Some(DisabledReason::NoSuccess));
}

#[test]
fn an_overloaded_endpoint_is_left_alone_for_a_while() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    endpoints.set("busy.example.com", Err((FailureClass::Overloaded, Some(503))));
    let id = register(&service, "busy.example.com", &[]);
    create_and_route(&service);
    service.send(&endpoints, &last_answer).unwrap();
    create_and_route(&service);
    endpoints.set("busy.example.com", Ok(200));
    service.host.advance_milliseconds(20_000);
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("busy.example.com"), 1);
    service.host.advance_milliseconds(20_000);
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(states(&service, id), [DeliveryState::Delivered, DeliveryState::Delivered]);
}

#[test]
fn what_this_deployment_did_not_write_is_not_sent() {
    let service = Service::start();
    let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
    let id = register(&service, "all.example.com", &[]);
    create_and_route(&service);
    let item = deliveries(&service, id).remove(0);
    let edited = item.document.replace("production", "elsewhere_");
    let table = inspection::tables().deliveries.unwrap();
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    service
        .block_on(
            service
                .database
                .update_item()
                .table_name(table)
                .key("destination", text(item.delivery.destination.as_str()))
                .key("event_id", text(&item.delivery.event_id.to_string()))
                .update_expression("SET message = :edited")
                .expression_attribute_values(":edited", text(&edited))
                .send(),
        )
        .unwrap();
    service.send(&endpoints, &last_answer).unwrap();
    assert_eq!(endpoints.calls("all.example.com"), 0);
    let failure = deliveries(&service, id).remove(0).delivery.last_attempt.unwrap().failure;
    assert_eq!(failure, Some(FailureClass::Unusable));
}

/// Stops the courier at each call of the store in turn. Nothing is lost, and what is sent twice was sent and not marked.
#[test]
fn a_sender_that_stops_anywhere_loses_nothing() {
    for stop in 0.. {
        let service = Service::start();
        let (endpoints, last_answer) = (Endpoints::default(), LastAnswer::default());
        let id = register(&service, "all.example.com", &[]);
        let ann = service.requester("ann");
        Service::create(&ann, &Service::high());

        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        service
            .transport
            .set_plan(move |_| (counted.fetch_add(1, Ordering::SeqCst) >= stop).then_some(Fault::Refused));
        let routed = service.try_deliver(&Taker);
        let sent = service.send(&endpoints, &last_answer);
        let was_stopped = calls.load(Ordering::SeqCst) > stop;
        service.transport.heal();
        let before = endpoints.taken("all.example.com").len();
        if routed.is_err() || sent.is_err() {
            service.deliver(&Taker);
        }
        service.deliver(&Taker);
        // A claim is over after a while.
        service.host.advance_milliseconds(60_000);
        service.send(&endpoints, &last_answer).unwrap();
        let taken = endpoints.taken("all.example.com");
        assert_eq!(states(&service, id), [DeliveryState::Delivered], "stopped at call {stop}");
        assert!(taken.len() == 1 || (taken.len() == 2 && before == 1), "stopped at call {stop}: {taken:?}");
        assert!(taken.iter().all(|id| *id == taken[0]));
        if !was_stopped {
            assert!(stop > 8, "the plan stopped nothing");
            return;
        }
    }
}

#[test]
fn two_senders_deliver_once() {
    let service = Service::start();
    let endpoints = Endpoints::default();
    register(&service, "all.example.com", &[]);
    for _ in 0..20 {
        create_and_route(&service);
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| service.send(&endpoints, &LastAnswer::default()).unwrap());
        }
    });
    let mut taken = endpoints.taken("all.example.com");
    assert_eq!(taken.len(), 20);
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 20);
}
