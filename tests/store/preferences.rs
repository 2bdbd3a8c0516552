//! What people have said of how they want to hear, end to end: from `PUT /v1/me/notifications` to the message that is sent.

use crate::channels::{DIRECT, Stage};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_delivery::state::DeliveryState;
use countersign_dynamodb::keys::{DESTINATION, EVENT_ID, PREFERENCES, REVISION};
use countersign_e2e::inspection::tables;
use countersign_e2e::service::Service;
use countersign_e2e::transport::Fault;
use serde_json::{Value, json};

const MINE: &str = "/v1/me/notifications";
/// Another way to write to people.
const OTHER: &str = "[destinations.other]\nkind = \"slack_bot\"\ntoken = \"env:BOT\"\n";

/// What a person says the first time.
fn say(stage: &Stage, name: &str, members: &Value) {
    let mut body = members.clone();
    body["version"] = json!(0);
    stage.service.person(name, &["approver"]).put(MINE, &body).expect(200);
}

/// Who has got a message of their own, in the order of sending.
fn posted(stage: &Stage) -> Vec<String> {
    let taken = stage.services.taken("slack.com").into_iter();
    let posts = taken.filter(|taken| taken.method == "chat.postMessage");
    posts.map(|taken| taken.body["channel"].as_str().unwrap().to_owned()).collect()
}

fn request(stage: &Stage) -> String {
    Service::create(&stage.service.requester("ann"), &Service::medium())
}

#[test]
fn who_has_muted_an_event_does_not_hear_of_it() {
    let stage = Stage::of(&[DIRECT]);
    say(&stage, "bob", &json!({ "muted_events": ["APPROVAL_REQUEST_CREATED"] }));
    request(&stage);
    stage.settle();
    assert_eq!(posted(&stage), ["U00CAROL"]);
    assert_eq!(stage.states("dm#bob@example.com"), []);
}

#[test]
fn messages_go_by_the_channels_that_a_person_has_chosen() {
    let stage = Stage::of(&[DIRECT, OTHER]);
    say(&stage, "bob", &json!({ "channels": ["other"] }));
    say(&stage, "carol", &json!({ "channels": [] }));
    request(&stage);
    stage.settle();
    assert_eq!(stage.states("other#bob@example.com"), [DeliveryState::Delivered]);
    for destination in ["dm#bob@example.com", "dm#carol@example.com", "other#carol@example.com"] {
        assert_eq!(stage.states(destination), [], "{destination}");
    }
    assert_eq!(posted(&stage), ["U00BOB"]);
}

#[test]
fn messages_wait_for_the_end_of_a_persons_own_quiet_hours_and_become_one() {
    let stage = Stage::of(&[DIRECT]);
    say(&stage, "bob", &json!({ "quiet_hours": [{ "from": "00:00", "to": "23:59" }] }));
    for _ in 0..2 {
        request(&stage);
        stage.settle();
    }
    assert_eq!(posted(&stage), ["U00CAROL", "U00CAROL"]);
    for _ in 0..24 {
        stage.pass_seconds(3600);
        stage.send();
    }
    assert_eq!(posted(&stage), ["U00CAROL", "U00CAROL", "U00BOB"]);
    let last = stage.services.taken("slack.com").pop().unwrap();
    assert!(last.body.to_string().contains("2 messages about requests"), "{:?}", last.body);
}

#[test]
fn what_informs_is_held_for_the_digest_and_what_asks_is_not() {
    let informed = "[routes.informed]\nto = [\"person:walter@example.com\"]\nvia = [\"dm\"]\n";
    let stage = Stage::of(&[DIRECT, informed]);
    say(&stage, "walter", &json!({ "digest": { "period": "daily", "at": "08:00" } }));
    say(&stage, "bob", &json!({ "digest": { "period": "daily", "at": "08:00" } }));
    for _ in 0..2 {
        request(&stage);
        stage.settle();
    }
    assert_eq!(posted(&stage).iter().filter(|to| *to == "U00BOB").count(), 2, "{:?}", posted(&stage));
    assert!(!posted(&stage).contains(&"U00WALTER".to_owned()), "{:?}", posted(&stage));
    let waiting = stage.deliveries("dm#walter@example.com").remove(0);
    assert!(waiting.next_attempt_at.unwrap().to_string().contains("T08:00:00"), "{waiting:?}");
    for _ in 0..25 {
        stage.pass_seconds(3600);
        stage.send();
    }
    assert_eq!(posted(&stage).iter().filter(|to| *to == "U00WALTER").count(), 1, "{:?}", posted(&stage));
}

#[test]
fn a_change_counts_within_ten_seconds() {
    let stage = Stage::of(&[DIRECT]);
    request(&stage);
    // What people have said is read, and known for some seconds.
    stage.service.deliver(&crate::channels::Taker);
    say(&stage, "bob", &json!({ "channels": [] }));
    stage.pass_seconds(9);
    request(&stage);
    stage.settle();
    let mut posted = posted(&stage);
    posted.sort();
    assert_eq!(posted, ["U00BOB", "U00CAROL", "U00CAROL"]);
}

#[test]
fn what_people_have_said_is_read_once_for_many_messages() {
    let stage = Stage::of(&[DIRECT]);
    say(&stage, "bob", &json!({ "channels": [] }));
    let queries = |requests: usize| {
        for number in 0..requests {
            Service::create(&stage.service.requester(&format!("ann{number}")), &Service::medium());
        }
        stage.pass_seconds(60);
        stage.service.transport.take_calls();
        stage.service.deliver(&crate::channels::Taker);
        stage.service.transport.take_calls().iter().filter(|call| *call == "Query").count()
    };
    // Each request is one more message to carol.
    assert_eq!(queries(5), queries(1));
    assert_eq!(stage.states("dm#carol@example.com").len(), 6);
}

#[test]
fn making_a_request_takes_as_many_calls_as_without_the_file() {
    let service = Service::start();
    let calls = |service: &Service| {
        let ann = service.requester("ann");
        service.transport.take_calls();
        Service::create(&ann, &Service::medium());
        service.transport.take_calls()
    };
    let stage = Stage::of(&[DIRECT]);
    say(&stage, "bob", &json!({ "channels": [] }));
    assert_eq!(calls(&stage.service), calls(&service));
}

#[test]
fn a_reminder_goes_by_the_channels_that_a_person_has_chosen() {
    let reminder = "[reminders.soon]\nbefore_expiry_seconds = [3600]\n";
    let stage = Stage::of(&[DIRECT, OTHER, reminder]);
    say(&stage, "bob", &json!({ "channels": ["other"] }));
    let path = request(&stage);
    stage.settle();
    let ann = stage.service.requester("ann");
    let expires_at = ann.get(&path).expect(200)["expires_at"].as_str().unwrap().to_owned();
    let expires_at = countersign_core::timestamp::Timestamp::parse(&expires_at).unwrap();
    let left = expires_at.as_millisecond() - stage.service.now().as_millisecond();
    stage.pass_seconds(left / 1000 - 3500);
    assert_eq!(stage.service.urge().fired, 1);
    assert_eq!(stage.states("other#bob@example.com").len(), 2);
    assert_eq!(stage.states("dm#carol@example.com").len(), 2);
    assert_eq!(stage.states("dm#bob@example.com"), []);
}

/// Damages what a person has said: no caller can.
fn damage(stage: &Stage, person: &str, attribute: &str, value: AttributeValue) {
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let update = stage
        .service
        .database
        .update_item()
        .table_name(tables().deliveries.unwrap())
        .key(DESTINATION, key(PREFERENCES))
        .key(EVENT_ID, key(person))
        .update_expression("SET #attribute = :value")
        .expression_attribute_names("#attribute", attribute)
        .expression_attribute_values(":value", value);
    stage.service.block_on(update.send()).unwrap();
}

#[test]
fn one_who_has_said_what_cannot_be_read_hears_by_the_defaults_and_can_say_it_anew() {
    for (attribute, can_be_replaced) in [("document", true), ("format", true), (REVISION, false)] {
        let stage = Stage::of(&[DIRECT]);
        for name in ["bob", "carol"] {
            say(&stage, name, &json!({ "channels": [] }));
        }
        damage(&stage, "bob@example.com", attribute, AttributeValue::S("{".to_owned()));
        request(&stage);
        stage.settle();
        assert_eq!(posted(&stage), ["U00BOB"], "{attribute}");
        let bob = stage.service.approver("bob");
        if !can_be_replaced {
            bob.get(MINE).expect_problem(500, "internal");
            continue;
        }
        let mine = bob.get(MINE).expect(200);
        assert_eq!(mine["version"], 1, "{mine}");
        assert!(mine["ignored"][0]["message"].as_str().unwrap().contains("cannot be read"), "{mine}");
        let again = bob.put(MINE, &json!({ "version": 1, "channels": [] })).expect(200);
        assert_eq!((&again["version"], &again["ignored"]), (&json!(2), &Value::Null), "{again}");
    }
}

/// What people have said is read after the request: a store that does not answer loses nothing.
#[test]
fn a_store_that_does_not_say_what_people_have_said_delays_messages_and_loses_none() {
    let stage = Stage::of(&[DIRECT]);
    say(&stage, "bob", &json!({ "channels": [] }));
    request(&stage);
    // The query after the request was read.
    let mut is_request_read = false;
    stage.service.transport.set_plan(move |call| {
        is_request_read |= call == "GetItem";
        (is_request_read && call == "Query").then_some(Fault::Refused)
    });
    assert!(stage.service.try_deliver(&crate::channels::Taker).is_err());
    stage.service.transport.heal();
    stage.settle();
    assert_eq!(posted(&stage), ["U00CAROL"]);
}
