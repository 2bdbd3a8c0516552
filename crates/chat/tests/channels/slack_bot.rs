//! The bot of Slack: its calls, how it finds its message again, and what Slack answers.

use crate::events::{EVENT, REQUEST, answer, body, class, full, person, slow, source, summary};
use countersign_chat::call::{HttpCall, SecretUrl};
use countersign_chat::slack_bot::{
    API, Found, MessageReference, SlackBot, SlackId, Sought, find, is_lost, outcome, read_conversation,
    read_identity, read_user,
};
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::RequestId;
use countersign_core::origin::Origin;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{FailureClass, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const TOKEN: &str = "xoxb-1-2-s3cret";

fn bot() -> SlackBot {
    SlackBot::new(SecretUrl::parse(API).unwrap(), TOKEN).unwrap()
}

fn id(text: &str) -> SlackId {
    SlackId::parse(text).unwrap()
}

fn form(call: &HttpCall) -> BTreeMap<String, String> {
    assert_eq!(content_type(call), "application/x-www-form-urlencoded");
    url::form_urlencoded::parse(&call.body).into_owned().collect()
}

fn content_type(call: &HttpCall) -> &str {
    let headers: Vec<_> = call.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(headers, ["content-type", "authorization"]);
    assert_eq!(call.headers[1].1.expose(), format!("Bearer {TOKEN}"));
    assert!(!format!("{call:?}").contains("s3cret"));
    call.headers[0].1.expose()
}

#[test]
fn a_token_is_that_of_a_bot_and_is_not_printed() {
    let api = || SecretUrl::parse(API).unwrap();
    for token in [TOKEN, "xoxe.xoxb-1-s3cret", "xoxb-1-s3cret\n"] {
        let bot = SlackBot::new(api(), token).unwrap();
        assert!(!format!("{bot:?}").contains("s3cret"));
    }
    for token in
        ["", "xoxp-1-2-3", "xapp-1", "xoxb-1\r\nx: y", "xoxb-é", &format!("xoxb-{}", "a".repeat(512))]
    {
        assert!(SlackBot::new(api(), token).is_err(), "{token}");
    }
}

#[test]
fn a_message_is_posted_with_the_id_of_its_request() {
    let call = bot().post(&id("C0123456789"), &summary(full()));
    assert_eq!(call.url.expose().as_str(), "https://slack.com/api/chat.postMessage");
    assert_eq!(content_type(&call), "application/json; charset=utf-8");
    let document = body(&call);
    assert_eq!(document["channel"], "C0123456789");
    let payload = json!({ "request_id": REQUEST, "event_id": EVENT, "source": source().as_str() });
    assert_eq!(
        document["metadata"],
        json!({ "event_type": "countersign_request", "event_payload": payload })
    );
    for (name, value) in [("parse", json!("none")), ("mrkdwn", json!(false)), ("link_names", json!(false))] {
        assert_eq!(document[name], value, "{name}");
    }
    assert!(document["blocks"].is_array() && document["text"].is_string() && document.get("ts").is_none());
}

#[test]
fn a_message_is_changed_where_it_is() {
    let reference = MessageReference::parse("D0123456789/1700000000.000100").unwrap();
    let call = bot().update(&reference, &summary(full()));
    assert_eq!(call.url.expose().as_str(), "https://slack.com/api/chat.update");
    let document = body(&call);
    assert_eq!((&document["channel"], &document["ts"]), (&json!("D0123456789"), &json!("1700000000.000100")));
    assert_eq!(document["metadata"]["event_payload"]["request_id"], REQUEST);
    assert!(document["blocks"].is_array());
}

#[test]
fn references_read_back() {
    let text = "C0123456789/1700000000.000100";
    assert_eq!(MessageReference::parse(text).unwrap().to_string(), text);
    for text in ["", "C0123456789", "C1/17", "C1/.1", "C1/1.", "C1/a.b", "c1/1.1", "/1.1", "#general/1.1"] {
        assert!(MessageReference::parse(text).is_err(), "{text}");
    }
}

#[test]
fn questions_are_forms() {
    let oldest = Timestamp::parse("2026-01-31T09:30:15.250Z").unwrap();
    let call = bot().history(&id("C1"), oldest, None);
    assert_eq!(call.url.expose().as_str(), "https://slack.com/api/conversations.history");
    let fields = form(&call);
    let expected = [
        ("channel", "C1"),
        ("include_all_metadata", "true"),
        ("inclusive", "true"),
        ("limit", "200"),
        ("oldest", "1769851815.250000"),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(form(&bot().history(&id("C1"), oldest, Some("dXNlcg==")))["cursor"], "dXNlcg==");

    let call = bot().user_of(&person("ann+ops@example.com"));
    assert_eq!(call.url.expose().as_str(), "https://slack.com/api/users.lookupByEmail");
    assert_eq!(form(&call)["email"], "ann+ops@example.com");
    assert_eq!(bot().identity().url.expose().as_str(), "https://slack.com/api/auth.test");
    let call = bot().open(&id("U1"));
    assert_eq!(call.url.expose().as_str(), "https://slack.com/api/conversations.open");
    assert_eq!(body(&call), json!({ "users": "U1" }));
}

#[test]
fn a_stand_in_is_called_at_its_own_path() {
    let api = SecretUrl::parse("https://127.0.0.1:9443/fake/api/").unwrap();
    let call = SlackBot::new(api, TOKEN).unwrap().identity();
    assert_eq!(call.url.expose().as_str(), "https://127.0.0.1:9443/fake/api/auth.test");
}

fn history(messages: &Value, cursor: &str) -> String {
    json!({ "ok": true, "messages": messages, "response_metadata": { "next_cursor": cursor } }).to_string()
}

fn post(ts: &str, bot_id: &str, request_id: &str, source: &str) -> Value {
    json!({
        "type": "message",
        "ts": ts,
        "bot_id": bot_id,
        "metadata": {
            "event_type": "countersign_request",
            "event_payload": { "request_id": request_id, "source": source },
        },
    })
}

#[test]
fn our_message_is_found_among_others() {
    let origin = source();
    let us = id("B1");
    let request_id = RequestId::parse(REQUEST).unwrap();
    let sought = Sought { request_id, source: &origin, bot: &us };
    let other = Origin::of(&DeploymentKey::new([8; 32]));
    let ours = post("1700000000.000100", "B1", REQUEST, origin.as_str());
    let others = vec![
        json!({ "type": "message", "ts": "1.1", "text": "hello" }),
        post("1.2", "B2", REQUEST, origin.as_str()),
        post("1.3", "B1", "01930000-0000-4000-8000-0000000000cc", origin.as_str()),
        post("1.4", "B1", REQUEST, other.as_str()),
        json!({ "ts": "1.5", "bot_id": "B1", "metadata": { "event_type": "other", "event_payload": { "request_id": REQUEST } } }),
    ];
    let look = |messages: &Value, cursor| find(&answer(200, &history(messages, cursor)), &id("C1"), &sought);
    assert_eq!(look(&json!(others), ""), Ok(Found::Nothing));
    assert_eq!(look(&json!(others), "next"), Ok(Found::More("next".to_owned())));
    let mut all = others;
    all.push(ours);
    let reference = MessageReference::parse("C1/1700000000.000100").unwrap();
    assert_eq!(look(&json!(all), "next"), Ok(Found::Message(reference)));
    let failure = find(&answer(200, "{\"ok\":true}"), &id("C1"), &sought).unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    let failure = find(&slow(429, ""), &id("C1"), &sought).unwrap_err();
    assert_eq!(
        (failure.class, failure.retry_after),
        (FailureClass::Overloaded, Some(Duration::from_secs(30)))
    );
}

#[test]
fn ids_are_read_from_answers() {
    assert_eq!(read_identity(&answer(200, r#"{"ok":true,"bot_id":"B1"}"#)), Ok(id("B1")));
    assert_eq!(read_user(&answer(200, r#"{"ok":true,"user":{"id":"U1","deleted":false}}"#)), Ok(id("U1")));
    assert_eq!(read_conversation(&answer(200, r#"{"ok":true,"channel":{"id":"D1"}}"#)), Ok(id("D1")));
    let gone = read_user(&answer(200, r#"{"ok":true,"user":{"id":"U1","deleted":true}}"#)).unwrap_err();
    assert_eq!(gone.class, FailureClass::Refused);
    let unknown = read_user(&answer(200, r#"{"ok":false,"error":"users_not_found"}"#)).unwrap_err();
    assert_eq!(
        (unknown.class, unknown.detail.as_str()),
        (FailureClass::Refused, "Slack answered 200: users_not_found")
    );
    for body in [r#"{"ok":true}"#, r#"{"ok":true,"user":{"id":"<!channel>"}}"#] {
        assert_eq!(read_user(&answer(200, body)).unwrap_err().class, FailureClass::Refused, "{body}");
    }
}

#[test]
fn an_answer_means_this() {
    let ok = r#"{"ok":true,"channel":"C1","ts":"1700000000.000100","message":{}}"#;
    let reference = Some("C1/1700000000.000100".to_owned());
    assert_eq!(outcome(&answer(200, ok)), Outcome::Delivered { status: Some(200), reference });
    let without = Outcome::Delivered { status: Some(200), reference: None };
    assert_eq!(outcome(&answer(200, r#"{"ok":true}"#)), without);
    for (code, expected) in [
        ("ratelimited", FailureClass::Overloaded),
        ("fatal_error", FailureClass::Overloaded),
        ("internal_error", FailureClass::Overloaded),
        ("service_unavailable", FailureClass::Overloaded),
        ("request_timeout", FailureClass::Overloaded),
        ("message_limit_exceeded", FailureClass::Overloaded),
        ("invalid_auth", FailureClass::Credentials),
        ("not_authed", FailureClass::Credentials),
        ("account_inactive", FailureClass::Credentials),
        ("token_revoked", FailureClass::Credentials),
        ("token_expired", FailureClass::Credentials),
        ("missing_scope", FailureClass::Credentials),
        ("not_in_channel", FailureClass::Credentials),
        ("channel_not_found", FailureClass::Gone),
        ("is_archived", FailureClass::Gone),
        ("msg_too_long", FailureClass::Refused),
        ("msg_blocks_too_long", FailureClass::Refused),
        ("message_not_found", FailureClass::Refused),
        ("cant_update_message", FailureClass::Refused),
        ("invalid_blocks", FailureClass::Refused),
        ("something_new", FailureClass::Refused),
        ("a sentence for ann@example.com", FailureClass::Refused),
    ] {
        let body = json!({ "ok": false, "error": code }).to_string();
        let outcome = outcome(&slow(200, &body));
        assert_eq!(class(&outcome), expected, "{code}");
        let Outcome::Failed(failure) = outcome else { panic!() };
        assert_eq!(failure.retry_after, Some(Duration::from_secs(30)));
        assert!(!failure.detail.contains("ann@example.com"), "{failure:?}");
    }
    for (status, body, expected) in [
        (200, "", FailureClass::Refused),
        (200, "ok", FailureClass::Refused),
        (200, "{\"ok\":\"true\"}", FailureClass::Refused),
        (302, "", FailureClass::Refused),
        (401, "", FailureClass::Credentials),
        (429, ok, FailureClass::Overloaded),
        (429, "{\"ok\":false,\"error\":\"invalid_auth\"}", FailureClass::Overloaded),
        (500, "", FailureClass::Overloaded),
        (503, "{\"ok\":false,\"error\":\"something_new\"}", FailureClass::Overloaded),
        (500, ok, FailureClass::Overloaded),
    ] {
        assert_eq!(class(&outcome(&answer(status, body))), expected, "{status} {body}");
    }
}

#[test]
fn a_message_that_can_never_be_changed_is_lost() {
    for (code, lost) in [
        ("message_not_found", true),
        ("cant_update_message", true),
        ("edit_window_closed", true),
        ("ratelimited", false),
        ("channel_not_found", false),
    ] {
        let body = json!({ "ok": false, "error": code }).to_string();
        assert_eq!(is_lost(&answer(200, &body)), lost, "{code}");
    }
    assert!(!is_lost(&answer(500, "")));
}
