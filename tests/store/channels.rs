//! Destinations of `notifications.toml`, end to end: who is told what, once, by services that fail in every way.

use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::courier::{CourierReport, LastAnswer};
use countersign_app::host::Clock as _;
use countersign_app::ports::{DeliveryQuery, Publish, PublishError, ReadDeliveries as _};
use countersign_channels::sender::ConfiguredSender;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::outcome::FailureClass;
use countersign_delivery::state::{Delivery, DeliveryState};
use countersign_e2e::chat_services::{ChatServices, KnownSecrets, Weather};
use countersign_e2e::inspection;
use countersign_e2e::service::Service;
use countersign_e2e::transport::Fault;
use countersign_notifications::configuration::Configuration;
use countersign_policy::load;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const HOOK: &str = "hooks.slack.com";
const SLACK: &str = "slack.com";
const TEAMS: &str = "prod-1.westeurope.logic.azure.com";
const PAGER: &str = "events.pagerduty.com";

const PEOPLE: &str = r#"
[groups.approver]
members = ["bob@example.com", "carol@example.com"]
"#;
const CHANNEL: &str = r#"
[destinations.bot]
kind = "slack_bot"
token = "env:BOT"
channel = "C0123456789"

[routes.approvals]
to = ["approvers"]
via = ["bot"]
"#;
pub(crate) const DIRECT: &str = r#"
[destinations.dm]
kind = "slack_bot"
token = "env:BOT"

[routes.approvals]
to = ["approvers"]
via = ["dm"]
"#;

/// Takes whatever is published.
pub(crate) struct Taker;

impl Publish for Taker {
    async fn publish(&self, _event: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

/// A service with a file, and what it sends to.
pub(crate) struct Stage {
    pub(crate) service: Service,
    pub(crate) services: ChatServices,
    last_answer: LastAnswer,
}

impl Stage {
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut service = Service::start();
        let services = ChatServices::default();
        let policy = load::bundled().unwrap();
        let text = [&[PEOPLE], parts].concat().join("\n");
        let configuration = Configuration::parse(&text, policy.people().groups()).unwrap();
        let call = Arc::new(services.clone());
        let sender =
            ConfiguredSender::new(Arc::new(configuration.clone()), call, Arc::new(KnownSecrets), None);
        service.notify_by(configuration, Arc::new(sender));
        Self { service, services, last_answer: LastAnswer::default() }
    }

    pub(crate) fn pass_seconds(&self, seconds: i64) {
        self.service.host.advance_milliseconds(seconds * 1000);
    }

    pub(crate) fn send(&self) -> CourierReport {
        self.service.send(&countersign_app::ports::NoWebhookClient, &self.last_answer).unwrap()
    }

    /// Routes what is committed, lets it settle, and sends.
    pub(crate) fn settle(&self) -> CourierReport {
        self.service.deliver(&Taker);
        self.pass_seconds(11);
        self.send()
    }

    pub(crate) fn deliveries(&self, destination: &str) -> Vec<Delivery> {
        let query = DeliveryQuery {
            destination: DestinationId::parse(destination).unwrap(),
            from: Timestamp::EARLIEST,
            to: Timestamp::LATEST,
            is_newest_first: false,
            after: None,
            limit: 1000,
        };
        let page = self.service.block_on(self.service.deliveries().deliveries(&query)).unwrap();
        page.deliveries.into_iter().map(|stored| stored.delivery).collect()
    }

    pub(crate) fn states(&self, destination: &str) -> Vec<DeliveryState> {
        self.deliveries(destination).iter().map(|delivery| delivery.state).collect()
    }

    fn methods(&self) -> Vec<String> {
        self.services.taken(SLACK).into_iter().map(|taken| taken.method).collect()
    }
}

#[test]
fn the_version_of_the_file_is_in_health() {
    let stage = Stage::of(&[CHANNEL]);
    let health = stage.service.anonymous().get("/health").expect(200);
    assert_eq!(health["notifications_version"].as_str().unwrap().len(), 64);
}

#[test]
fn a_bot_posts_once_and_changes_its_message_until_the_end() {
    let stage = Stage::of(&[CHANNEL]);
    let path = Service::create(&stage.service.requester("ann"), &Service::high());
    stage.service.deliver(&Taker);
    stage.send();
    assert_eq!(stage.services.calls(SLACK), 0, "it settles first");
    stage.settle();
    stage.send();
    assert_eq!(stage.methods(), ["chat.postMessage"]);
    let posted = stage.services.taken(SLACK).remove(0).body.to_string();
    assert!(posted.contains("bob@example.com") && posted.contains("Approval needed"), "{posted}");
    assert!(!posted.contains("target_instance_class"), "{posted}");

    Service::approve(&stage.service.approver("bob"), &path).expect(200);
    stage.settle();
    assert_eq!(stage.methods(), ["chat.postMessage", "chat.update"]);
    Service::approve(&stage.service.approver("carol"), &path).expect(200);
    stage.settle();
    let taken = stage.services.taken(SLACK);
    assert_eq!(taken.len(), 3);
    assert!(taken.iter().skip(1).all(|taken| taken.body["ts"] == "1700000000.000001"), "{taken:?}");
    assert!(taken[2].body.to_string().contains("Closed, approved"), "{:?}", taken[2].body);
}

#[test]
fn changes_in_quick_succession_are_one_message() {
    let stage = Stage::of(&[CHANNEL]);
    let ann = stage.service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    stage.service.deliver(&Taker);
    stage.pass_seconds(3);
    ann.post(&format!("{path}/comments"), &json!({ "text": "soon, please" }));
    Service::approve(&stage.service.approver("bob"), &path).expect(200);
    stage.service.deliver(&Taker);
    stage.pass_seconds(8);
    stage.send();
    stage.pass_seconds(60);
    stage.send();
    assert_eq!(stage.methods(), ["chat.postMessage"]);
}

#[test]
fn a_message_whose_answer_was_lost_is_found_and_not_posted_again() {
    for channel in [CHANNEL, DIRECT] {
        let stage = Stage::of(&[channel]);
        Service::create(&stage.service.requester("ann"), &Service::high());
        stage.services.set(SLACK, Weather::LosesAnswer);
        // What only reads is lost as well, so that a person is not even found: the first attempt posts to a channel alone.
        stage.settle();
        stage.services.set(SLACK, Weather::Fair);
        for _ in 0..3 {
            stage.pass_seconds(120);
            stage.send();
        }
        let posts = stage.methods().iter().filter(|method| *method == "chat.postMessage").count();
        assert_eq!(posts, if channel == CHANNEL { 1 } else { 2 }, "{:?}", stage.methods());
    }
}

#[test]
fn what_services_refuse_or_cannot_take_now_is_tried_again() {
    let file = r#"
[destinations.hook]
kind = "slack_webhook"
url = "env:HOOK"
[destinations.teams]
kind = "teams"
url = "env:TEAMS"
[routes.approvals]
to = ["approvers"]
via = ["hook", "teams", "bot"]
[destinations.bot]
kind = "slack_bot"
token = "env:BOT"
channel = "C0123456789"
"#;
    for (weather, class) in [
        (Weather::Status(429), FailureClass::Overloaded),
        (Weather::Status(500), FailureClass::Overloaded),
        (Weather::Hangs, FailureClass::Timeout),
    ] {
        let stage = Stage::of(&[file]);
        stage.services.set(HOOK, weather);
        Service::create(&stage.service.requester("ann"), &Service::high());
        stage.settle();
        // The others have it.
        assert_eq!(stage.services.taken(TEAMS).len(), 1, "{weather:?}");
        assert_eq!(stage.services.taken(SLACK).len(), 1, "{weather:?}");
        let failed = stage.deliveries("hook").remove(0);
        assert_eq!(failed.state, DeliveryState::Waiting, "{weather:?}");
        assert_eq!(failed.last_attempt.unwrap().failure, Some(class), "{weather:?}");
        stage.services.set(HOOK, Weather::Fair);
        for _ in 0..6 {
            stage.pass_seconds(60);
            stage.send();
        }
        assert_eq!(stage.services.taken(HOOK).len(), 1, "{weather:?}");
        assert_eq!(stage.states("hook"), [DeliveryState::Delivered], "{weather:?}");
    }
    let stage = Stage::of(&[file]);
    stage.services.set(SLACK, Weather::SaysNo("channel_not_found"));
    Service::create(&stage.service.requester("ann"), &Service::high());
    stage.settle();
    let failed = stage.deliveries("bot").remove(0);
    assert_eq!(failed.last_attempt.unwrap().failure, Some(FailureClass::Gone));
    assert_eq!(stage.states("teams"), [DeliveryState::Delivered]);
}

#[test]
fn a_filled_slot_closes_the_messages_of_those_who_were_asked() {
    let stage = Stage::of(&[DIRECT]);
    let path = Service::create(&stage.service.requester("ann"), &Service::medium());
    stage.settle();
    let channels = |method: &str| -> Vec<String> {
        let taken = stage.services.taken(SLACK).into_iter().filter(|taken| taken.method == method);
        taken.map(|taken| taken.body["channel"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(channels("chat.postMessage"), ["U00BOB", "U00CAROL"]);
    Service::approve(&stage.service.approver("bob"), &path).expect(200);
    stage.settle();
    let mut closed = channels("chat.update");
    closed.sort();
    assert_eq!(closed, ["D00BOB", "D00CAROL"]);
}

#[test]
fn an_escalation_fires_once_and_its_incident_is_resolved_at_the_end() {
    let file = r#"
[destinations.pager]
kind = "pagerduty"
routing_key = "env:PAGER"
[escalations.urgent]
priority = "P2"
after_seconds = 3600
to = ["approvers"]
via = ["pager"]
"#;
    let stage = Stage::of(&[file]);
    let path = Service::create(&stage.service.requester("ann"), &Service::high());
    stage.settle();
    stage.service.urge();
    stage.send();
    assert_eq!(stage.services.calls(PAGER), 0);
    stage.pass_seconds(3600);
    assert_eq!(stage.service.urge().fired, 1);
    assert_eq!(stage.service.urge().fired, 0);
    stage.send();
    let actions = || -> Vec<String> {
        let taken = stage.services.taken(PAGER).into_iter();
        taken.map(|taken| taken.body["event_action"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(actions(), ["trigger"]);
    stage
        .service
        .approver("bob")
        .post(&format!("{path}/reject"), &json!({ "reason": "not in office hours, sorry" }))
        .expect(200);
    stage.settle();
    assert_eq!(actions(), ["trigger", "resolve"]);
    let keys: Vec<_> =
        stage.services.taken(PAGER).iter().map(|taken| taken.body["dedup_key"].clone()).collect();
    assert_eq!(keys, [json!(Service::id(&path)), json!(Service::id(&path))]);
    stage.pass_seconds(7200);
    assert_eq!(stage.service.urge().fired, 0);
}

/// What the requester has named comes before what the file says of risk and environment.
#[test]
fn a_priority_that_the_requester_has_named_decides_when_it_is_escalated() {
    let file = r#"
[destinations.pager]
kind = "pagerduty"
routing_key = "env:PAGER"
[escalations.emergency]
priority = "P1"
after_seconds = 0
to = ["approvers"]
via = ["pager"]
"#;
    let stage = Stage::of(&[file]);
    let ann = stage.service.requester("ann");
    for (priority, fired) in [(None, 0), (Some("P4"), 0), (Some("P1"), 1)] {
        let mut body = Service::high();
        if let Some(priority) = priority {
            body["priority"] = json!(priority);
        }
        ann.post("/v1/approvals", &body).expect(201);
        stage.settle();
        assert_eq!(stage.service.urge().fired, fired, "{priority:?}");
        stage.send();
        assert_eq!(stage.services.calls(PAGER), fired, "{priority:?}");
    }
}

#[test]
fn a_reminder_warns_once_before_the_expiry() {
    let stage = Stage::of(&[CHANNEL, "[reminders.soon]\nbefore_expiry_seconds = [3600]\n"]);
    let ann = stage.service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    stage.settle();
    let expires_at = Timestamp::parse(ann.get(&path).expect(200)["expires_at"].as_str().unwrap()).unwrap();
    let left = expires_at.as_millisecond() - stage.service.host.now().as_millisecond();
    stage.pass_seconds(left / 1000 - 3500);
    assert_eq!(stage.service.urge().fired, 1);
    assert_eq!(stage.service.urge().fired, 0);
    stage.settle();
    let taken = stage.services.taken(SLACK);
    assert_eq!(taken.len(), 2);
    assert!(taken[1].body.to_string().contains("Expires in"), "{:?}", taken[1].body);
}

const PAGED: &str = r#"
[destinations.pager]
kind = "pagerduty"
routing_key = "env:PAGER"
[escalations.urgent]
priority = "P2"
after_seconds = 3600
to = ["approvers"]
via = ["pager"]
[escalations.late]
priority = "P2"
after_seconds = 7200
to = ["approvers"]
via = ["bot"]
"#;

#[test]
fn a_claim_acknowledges_the_open_incident_once() {
    let stage = Stage::of(&[CHANNEL, PAGED]);
    let path = Service::create(&stage.service.requester("ann"), &Service::high());
    let claim = |name: &str| {
        let body = json!({ "minutes": 30, "take": true });
        stage.service.approver(name).post(&format!("{path}/claim"), &body).expect(200);
    };
    let actions = || -> Vec<String> {
        stage.service.urge();
        stage.settle();
        let taken = stage.services.taken(PAGER).into_iter();
        taken.map(|taken| taken.body["event_action"].as_str().unwrap().to_owned()).collect()
    };
    claim("bob");
    assert!(actions().is_empty(), "no incident is open");
    stage.pass_seconds(3600);
    assert_eq!(actions(), ["trigger"]);
    assert_eq!(actions(), ["trigger"], "the claim has ended");
    claim("carol");
    assert_eq!(actions(), ["trigger", "acknowledge"]);
    assert_eq!(actions(), ["trigger", "acknowledge"]);
    claim("bob");
    assert_eq!(actions(), ["trigger", "acknowledge", "acknowledge"]);
    let reject = json!({ "reason": "not in office hours, sorry" });
    stage.service.approver("carol").post(&format!("{path}/reject"), &reject).expect(200);
    assert_eq!(actions(), ["trigger", "acknowledge", "acknowledge", "resolve"]);
    let keys: std::collections::BTreeSet<_> =
        stage.services.taken(PAGER).iter().map(|taken| taken.body["dedup_key"].to_string()).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[test]
fn a_claim_pauses_escalations_to_others_and_says_in_messages_who_is_looking() {
    let file = "[escalations.late]\npriority = \"P2\"\nafter_seconds = 3600\nto = [\"approvers\"]\nvia = [\"bot\"]\n";
    let stage = Stage::of(&[CHANNEL, file]);
    let path = Service::create(&stage.service.requester("ann"), &Service::high());
    stage.settle();
    stage.pass_seconds(3500);
    let bob = stage.service.approver("bob");
    bob.post(&format!("{path}/claim"), &json!({ "minutes": 30 })).expect(200);
    stage.pass_seconds(1700);
    assert_eq!(stage.service.urge().fired, 0, "bob is looking at it");
    // An event that asks others says who is looking.
    Service::approve(&stage.service.approver("dan"), &path).expect(200);
    stage.settle();
    let last = stage.services.taken(SLACK).pop().unwrap().body.to_string();
    assert!(last.contains("bob@example.com is looking at it until"), "{last}");
    stage.pass_seconds(100);
    assert_eq!(stage.service.urge().fired, 1, "the claim is over");
    stage.settle();
    let last = stage.services.taken(SLACK).pop().unwrap().body.to_string();
    assert!(last.contains("Escalated") && !last.contains("is looking at it"), "{last}");
}

#[test]
fn a_claim_that_is_given_back_pauses_nothing() {
    let stage = Stage::of(&[CHANNEL, PAGED]);
    let path = Service::create(&stage.service.requester("ann"), &Service::high());
    let bob = stage.service.approver("bob");
    stage.pass_seconds(3600);
    bob.post(&format!("{path}/claim"), &json!({})).expect(200);
    assert_eq!(stage.service.urge().fired, 0);
    bob.delete(&format!("{path}/claim")).expect(200);
    assert_eq!(stage.service.urge().fired, 1);
}

#[test]
fn a_claim_does_not_pause_the_warning_before_the_expiry() {
    let stage = Stage::of(&[CHANNEL, "[reminders.soon]\nbefore_expiry_seconds = [3600]\n"]);
    let ann = stage.service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    stage.settle();
    let expires_at = Timestamp::parse(ann.get(&path).expect(200)["expires_at"].as_str().unwrap()).unwrap();
    let left = expires_at.as_millisecond() - stage.service.host.now().as_millisecond();
    stage.pass_seconds(left / 1000 - 3700);
    stage.service.approver("bob").post(&format!("{path}/claim"), &json!({ "minutes": 60 })).expect(200);
    stage.pass_seconds(200);
    assert_eq!(stage.service.urge().fired, 1);
    stage.settle();
    let last = stage.services.taken(SLACK).pop().unwrap().body.to_string();
    assert!(last.contains("Expires in") && last.contains("bob@example.com is looking at it until"), "{last}");
}

#[test]
fn what_waits_in_quiet_hours_becomes_one_message() {
    let quiet = "[defaults]\nquiet_hours = [{ from = \"00:00\", to = \"23:59\" }]\n";
    let stage = Stage::of(&[DIRECT, quiet]);
    let ann = stage.service.requester("ann");
    for _ in 0..3 {
        Service::create(&ann, &Service::medium());
        stage.settle();
    }
    // Urgent messages do not wait: a high risk in production.
    Service::create(&ann, &Service::high());
    stage.settle();
    assert_eq!(stage.methods().len(), 2, "bob and carol: {:?}", stage.methods());
    for _ in 0..24 {
        stage.pass_seconds(3600);
        stage.send();
    }
    let taken = stage.services.taken(SLACK);
    assert_eq!(taken.len(), 4, "{:?}", stage.methods());
    assert!(taken[2].body.to_string().contains("3 messages about requests"), "{:?}", taken[2].body);
}

#[test]
fn more_than_twenty_an_hour_become_one_summary() {
    let stage = Stage::of(&[DIRECT]);
    for number in 0..30 {
        let name = format!("ann{}", number % 10);
        Service::create(&stage.service.requester(&name), &Service::medium());
        stage.settle();
    }
    let to_bob = || {
        let taken = stage.services.taken(SLACK).into_iter();
        taken.filter(|taken| taken.body["channel"] == "U00BOB").collect::<Vec<_>>()
    };
    assert_eq!(to_bob().len(), 20);
    for _ in 0..10 {
        stage.pass_seconds(600);
        stage.send();
    }
    assert_eq!(to_bob().len(), 21);
    assert!(to_bob()[20].body.to_string().contains("10 messages about requests"));
}

#[test]
fn a_destination_gets_no_more_than_its_rate() {
    let stage = Stage::of(&[&CHANNEL.replace("channel =", "rate_per_minute = 2\nchannel =")]);
    for number in 0..5 {
        Service::create(&stage.service.requester(&format!("ann{number}")), &Service::high());
    }
    stage.settle();
    let mut sent = vec![stage.services.taken(SLACK).len()];
    for _ in 0..3 {
        stage.pass_seconds(60);
        stage.send();
        sent.push(stage.services.taken(SLACK).len());
    }
    assert_eq!(sent, [2, 4, 5, 5]);
}

/// Stops routing and sending at each call of the store in turn. Nothing is lost, and a bot posts once.
#[test]
fn a_sender_that_stops_anywhere_loses_nothing_and_posts_once() {
    for stop in 0.. {
        let stage = Stage::of(&[CHANNEL]);
        Service::create(&stage.service.requester("ann"), &Service::high());
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        stage
            .service
            .transport
            .set_plan(move |_| (counted.fetch_add(1, Ordering::SeqCst) >= stop).then_some(Fault::Refused));
        let _ = stage.service.try_deliver(&Taker);
        stage.pass_seconds(11);
        let _ = stage.service.send(&countersign_app::ports::NoWebhookClient, &stage.last_answer);
        let was_stopped = calls.load(Ordering::SeqCst) > stop;
        stage.service.transport.heal();
        stage.service.deliver(&Taker);
        for _ in 0..3 {
            stage.pass_seconds(60);
            stage.send();
        }
        assert_eq!(stage.states("bot"), [DeliveryState::Delivered], "stopped at call {stop}");
        let posts = stage.methods().iter().filter(|method| *method == "chat.postMessage").count();
        assert_eq!(posts, 1, "stopped at call {stop}: {:?}", stage.methods());
        if !was_stopped {
            assert!(stop > 10, "the plan stopped nothing");
            return;
        }
    }
}

/// What could not be sent while it was wanted opens no incident once it is not: nothing would ever resolve that.
#[test]
fn what_waits_for_another_attempt_is_not_sent_once_it_is_decided() {
    let file = r#"
[destinations.pager]
kind = "pagerduty"
routing_key = "env:PAGER"
[escalations.urgent]
priority = "P2"
after_seconds = 60
to = ["approvers"]
via = ["pager"]
"#;
    let stage = Stage::of(&[file]);
    let path = Service::create(&stage.service.requester("ann"), &Service::high());
    stage.settle();
    stage.services.set(PAGER, Weather::Status(400));
    stage.pass_seconds(60);
    assert_eq!(stage.service.urge().fired, 1);
    stage.send();
    stage.pass_seconds(1);
    let reject = json!({ "reason": "not in office hours, sorry" });
    stage.service.approver("bob").post(&format!("{path}/reject"), &reject).expect(200);
    stage.settle();
    stage.services.set(PAGER, Weather::Fair);
    for _ in 0..12 {
        stage.pass_seconds(4 * 60 * 60);
        stage.send();
    }
    assert_eq!(stage.services.taken(PAGER).len(), 0, "{:?}", stage.services.taken(PAGER));
}

/// A request that cannot be read holds up no other: operators hear of it.
#[test]
fn an_event_of_a_damaged_request_holds_up_no_other() {
    let stage = Stage::of(&[CHANNEL]);
    let ann = stage.service.requester("ann");
    let (damaged, whole) = (Service::create(&ann, &Service::high()), Service::create(&ann, &Service::high()));
    let nonsense = Some(AttributeValue::S("<nonsense>".to_owned()));
    let (database, id) = (&stage.service.database, Service::id(&damaged));
    let before = stage.service.block_on(inspection::replace_attribute(database, id, "status", nonsense));
    stage.settle();
    let posts = stage.services.taken(SLACK);
    assert!(posts.iter().any(|post| post.body.to_string().contains(Service::id(&whole))), "{posts:?}");
    assert!(!posts.iter().any(|post| post.body.to_string().contains(Service::id(&damaged))), "{posts:?}");
    stage.service.block_on(inspection::replace_attribute(database, id, "status", before));
}
