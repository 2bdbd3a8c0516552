//! Webhooks: what callers send, and what they are answered.

use super::Member;
use crate::openapi::values::{
    boolean, count, described, list, names, positive, reference, string, time, uuid, webhook_id,
};
use crate::operations::webhooks::states;
use countersign_core::event::EventType;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::status::Status;
use countersign_delivery::outcome::FailureClass;
use countersign_webhook::filter::{MAX_OPERATIONS, is_published};
use countersign_webhook::headers::MAX_HEADERS;
use countersign_webhook::secret::{DEFAULT_OVERLAP_SECONDS, MAX_OVERLAP_SECONDS};
use countersign_webhook::settings::{Content, Format, MAX_DESCRIPTION, MAX_URL_BYTES};
use countersign_webhook::webhook::{DisabledReason, MAX_WEBHOOKS};
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

fn published() -> Value {
    names(EventType::iter().filter(|event_type| is_published(*event_type)))
}

fn url() -> Value {
    described(
        json!({ "type": "string", "format": "uri", "maxLength": MAX_URL_BYTES, "pattern": "^[hH][tT][tT][pP][sS]://" }),
        "Where events are sent: https, to a public address unless the operator allows others.",
    )
}

fn set(items: Value) -> Value {
    json!({ "type": "array", "items": items, "uniqueItems": true })
}

/// A set of patterns.
fn patterns() -> Value {
    let pattern = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.:/@*?-]{1,128}$" });
    json!({ "type": "array", "items": pattern, "uniqueItems": true, "maxItems": MAX_OPERATIONS })
}

/// What may be taken back by `null`.
fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// The settings besides the address.
fn settings(of: impl Fn(Value) -> Value) -> Vec<Member> {
    let description =
        json!({ "type": "string", "minLength": 1, "maxLength": MAX_DESCRIPTION, "pattern": r"\S" });
    let headers = json!({
        "type": "object",
        "additionalProperties": { "type": "string", "minLength": 1, "maxLength": 1024 },
        "maxProperties": MAX_HEADERS,
    });
    vec![
        ("description", described(of(description), "What it is for.")),
        (
            "events",
            described(of(set(published())), "The types of events that it takes; all, if there is none."),
        ),
        ("statuses", described(of(set(reference("Status"))), "The statuses of requests after the event.")),
        ("risk_levels", described(of(set(reference("RiskLevel"))), "The risk levels of requests.")),
        ("environments", described(of(set(reference("Environment"))), "The environments of requests.")),
        (
            "operations",
            described(of(patterns()), "The operations of requests: names, or patterns with `*` and `?`."),
        ),
        ("content", described(of(names(Content::iter())), "How much a message says; `full` if left out.")),
        (
            "format",
            described(
                of(names(Format::iter())),
                "`cloudevents`, which is meant if it is left out, or its `data` alone.",
            ),
        ),
        (
            "headers",
            described(
                of(headers),
                "Headers that are sent with each message. Their values may be secrets, and are never shown.",
            ),
        ),
    ]
}

pub(super) fn create() -> Vec<Member> {
    [vec![("url*", url())], settings(|schema| schema)].concat()
}

pub(super) fn change() -> Vec<Member> {
    let version =
        described(positive(), "The `version` of what was shown; another one is `version_mismatch`.");
    [vec![("version*", version), ("url", url())], settings(or_null)].concat()
}

pub(super) fn rotate() -> Vec<Member> {
    let seconds = json!({
        "type": "integer", "minimum": 0, "maximum": MAX_OVERLAP_SECONDS, "default": DEFAULT_OVERLAP_SECONDS,
    });
    let about = "For how long the secret before signs as well; 0 for one that others have learnt.";
    vec![("overlap_seconds", described(seconds, about))]
}

pub(super) fn redeliver() -> Vec<Member> {
    let state = names(states());
    let several =
        json!({ "type": "array", "items": state, "minItems": 1, "maxItems": crate::fields::MAX_VALUES });
    vec![
        ("from*", described(time(), "The first time of events.")),
        ("to", described(time(), "The last time of events; now, if left out.")),
        (
            "statuses",
            described(
                json!({ "anyOf": [state, several] }),
                "Where the deliveries are in their lives: `dead` and `skipped`, if left out.",
            ),
        ),
        ("after", described(uuid(), "The `next` of the call before.")),
    ]
}

pub(super) fn webhook() -> Vec<Member> {
    vec![
        ("webhook_id*", webhook_id()),
        ("version*", described(positive(), "Counts its changes: what a change names.")),
        ("url*", string()),
        ("description", string()),
        ("events*", list(published())),
        ("statuses*", list(names(Status::iter()))),
        ("risk_levels*", list(names(RiskLevel::iter()))),
        ("environments*", list(names(Environment::iter()))),
        ("operations*", list(string())),
        ("content*", names(Content::iter())),
        ("format*", names(Format::iter())),
        ("header_names*", described(list(string()), "The names of its headers; values are not shown.")),
        ("enabled*", described(boolean(), "Whether deliveries to it are attempted.")),
        ("disabled_at", time()),
        ("disabled_reason", names(DisabledReason::iter().map(<&'static str>::from))),
        (
            "secret",
            described(
                json!({ "type": "string", "pattern": "^whsec_[A-Za-z0-9+/]{43}=$" }),
                "What its messages are signed with. In the answers to its creation and rotation alone.",
            ),
        ),
        ("secret_generation*", described(positive(), "1, and one more with each rotation.")),
        ("previous_secret_until", described(time(), "Until when the secret before signs as well.")),
        ("last_success_at", described(time(), "When a message was taken last, give or take a minute.")),
        ("failing_since", described(time(), "Since when its endpoint takes nothing.")),
        ("paused_until", described(time(), "Until when nothing is attempted: its endpoint is overloaded.")),
        ("created_at*", time()),
        ("created_by*", string()),
        ("updated_at*", time()),
        ("deleted_at", time()),
    ]
}

pub(super) fn webhooks() -> Vec<Member> {
    vec![
        ("webhooks*", json!({ "type": "array", "items": reference("Webhook"), "maxItems": MAX_WEBHOOKS })),
        (
            "damaged_ids",
            described(
                list(string()),
                "The ids of those whose records cannot be read, or were not written by this service. Nothing is sent to them.",
            ),
        ),
        ("limit*", described(positive(), "How many there may be.")),
    ]
}

fn status() -> Value {
    described(
        json!({ "type": "integer", "minimum": 100, "maximum": 999 }),
        "The HTTP status of the answer, if there was one.",
    )
}

fn failure() -> Value {
    described(names(FailureClass::iter()), "The class of the failure, if it failed.")
}

pub(super) fn trial() -> Vec<Member> {
    vec![
        ("event_id*", described(uuid(), "The `webhook-id` of the message.")),
        ("status", status()),
        ("milliseconds*", described(count(), "How long it took.")),
        ("failure", failure()),
        ("detail", described(string(), "The failure in words.")),
    ]
}

fn next(about: &str) -> Value {
    described(or_null(uuid()), about)
}

pub(super) fn redelivered() -> Vec<Member> {
    vec![
        ("redelivered*", count()),
        ("next*", next("Send the same with it as `after` for the rest; null if that was all.")),
    ]
}

pub(super) fn delivery() -> Vec<Member> {
    vec![
        ("delivery_id*", described(uuid(), "The id of its event, and its `webhook-id`.")),
        ("event_type*", published()),
        ("request_id*", uuid()),
        ("sequence", described(positive(), "The place of the event in the trail of the request.")),
        ("created_at*", time()),
        ("status*", names(states())),
        ("round*", described(positive(), "The round of attempts: each redelivery begins another.")),
        ("attempts*", described(count(), "How many attempts of the round have been counted.")),
        ("next_attempt_at", time()),
        ("last_attempt", reference("Attempt")),
    ]
}

pub(super) fn attempt() -> Vec<Member> {
    vec![
        ("at*", time()),
        ("status", status()),
        ("failure", failure()),
        ("host", described(string(), "The host that was called.")),
    ]
}

pub(super) fn deliveries() -> Vec<Member> {
    vec![
        ("deliveries*", list(reference("Delivery"))),
        ("next*", next("Send it as `after` for the next page; null on the last.")),
    ]
}

pub(super) fn events() -> Vec<Member> {
    let event = json!({
        "type": "object",
        "required": ["version", "webhook_id", "sequence", "at", "actor", "change", "previous_hash", "hash"],
    });
    vec![
        ("events*", described(list(event), "As they are stored; docs/webhooks.md has their members.")),
        ("verified*", described(boolean(), "Whether the trail is whole.")),
        ("findings", described(list(string()), "What is not as it was written.")),
    ]
}
