//! Messages to people: how a person hears, and who would hear of a request.

use super::Member;
use crate::openapi::values::{boolean, count, described, digest, list, names, reference, string, time, uuid};
use countersign_core::event::EventType;
use countersign_core::period::Period;
use countersign_core::priority::Priority;
use countersign_notifications::destination::Kind;
use countersign_notifications::local_time::Day;
use countersign_notifications::quiet::MAX_SPANS;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

fn set(items: Value) -> Value {
    json!({ "type": "array", "items": items, "uniqueItems": true })
}

fn events() -> Value {
    names(EventType::iter())
}

fn kinds() -> Value {
    names(Kind::iter())
}

/// `HH:MM`, to the end of the day.
fn time_of_day() -> Value {
    json!({ "type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$" })
}

fn zone() -> Value {
    described(string(), "A time zone of the IANA database, such as `Europe/Vienna`; UTC if it is left out.")
}

/// What a person may say, of which `null` says nothing in a call.
fn said(of: impl Fn(Value) -> Value) -> Vec<Member> {
    let digest = json!({ "anyOf": [{ "type": "string", "const": "off" }, reference("DigestTime")] });
    let spans = json!({ "type": "array", "items": reference("QuietHours"), "maxItems": MAX_SPANS });
    vec![
        (
            "channels",
            described(
                of(set(string())),
                "The names of destinations that write to people. By none, if it is empty.",
            ),
        ),
        (
            "quiet_hours",
            described(of(spans), "When messages wait: not urgent ones, nor what would expire first."),
        ),
        (
            "muted_events",
            described(
                of(set(events())),
                "The events that they do not hear of. What became of their own requests they hear all the same.",
            ),
        ),
        ("digest", described(of(digest), "When what is for their information only is sent, as one message.")),
    ]
}

pub(super) fn set_notifications() -> Vec<Member> {
    let version = described(
        count(),
        "The `version` of what was shown, 0 of a person who has said nothing; another one is `version_mismatch`.",
    );
    let or_null = |schema| json!({ "anyOf": [schema, { "type": "null" }] });
    [vec![("version*", version)], said(or_null)].concat()
}

pub(super) fn preferences() -> Vec<Member> {
    said(|schema| schema)
}

pub(super) fn quiet_hours() -> Vec<Member> {
    let days = json!({ "type": "array", "items": names(Day::iter()), "uniqueItems": true, "minItems": 1 });
    vec![
        ("days", described(days, "The days on which it begins; all, if they are left out.")),
        ("from*", described(time_of_day(), "The time at which it begins.")),
        ("to*", described(time_of_day(), "The time at which it ends: on the next day, if that is no later.")),
        ("zone", zone()),
    ]
}

pub(super) fn digest_time() -> Vec<Member> {
    vec![
        ("period*", described(names(Period::iter()), "Weekly is on Mondays, monthly on the first day.")),
        ("at*", time_of_day()),
        ("zone", zone()),
    ]
}

pub(super) fn settings() -> Vec<Member> {
    vec![
        ("channels*", described(list(string()), "The names of the destinations by which they hear.")),
        ("channels_chosen*", described(boolean(), "Whether they have chosen these themselves.")),
        ("quiet_hours*", list(reference("QuietHours"))),
        ("muted_events*", list(events())),
        ("digest", described(reference("DigestTime"), "Absent if what informs is sent at once.")),
    ]
}

pub(super) fn channel() -> Vec<Member> {
    vec![("name*", string()), ("kind*", kinds())]
}

pub(super) fn notifications() -> Vec<Member> {
    vec![
        (
            "version*",
            described(count(), "Counts the changes: what a change names. 0 if nothing has been said."),
        ),
        ("said*", reference("Preferences")),
        ("in_force*", reference("NotificationSettings")),
        (
            "available_channels*",
            described(list(reference("Channel")), "The destinations that can be chosen."),
        ),
        (
            "ignored",
            described(
                list(reference("FieldError")),
                "What of `said` does not hold and why, such as a destination that `notifications.toml` has no more.",
            ),
        ),
    ]
}

pub(super) fn notifies() -> Vec<Member> {
    vec![
        ("people*", described(count(), "How many people.")),
        ("destinations*", described(count(), "By how many destinations of `notifications.toml`.")),
    ]
}

pub(super) fn preview() -> Vec<Member> {
    vec![
        ("request_id*", uuid()),
        ("status*", reference("Status")),
        ("priority*", described(names(Priority::iter()), "It decides who is reminded and when.")),
        ("notifications_version*", described(digest(), "SHA-256 of `notifications.toml`.")),
        (
            "no_approver_found*",
            described(
                boolean(),
                "Whether it waits for an approver and none is found: the fallback hears of it.",
            ),
        ),
        (
            "occasions*",
            described(
                list(reference("Occasion")),
                "The request as it stands, and then each reminder and escalation to come, the earliest first.",
            ),
        ),
    ]
}

pub(super) fn occasion() -> Vec<Member> {
    vec![
        ("occasion*", names(["now", "reminder", "escalation"])),
        ("name", described(string(), "The name of its table in `notifications.toml`.")),
        ("at*", time()),
        ("messages*", list(reference("PlannedMessage"))),
    ]
}

pub(super) fn planned_message() -> Vec<Member> {
    vec![
        ("destination*", described(string(), "The name of the destination.")),
        ("kind*", kinds()),
        (
            "recipient*",
            described(
                names(["shared", "person", "group"]),
                "Whether all who look there get it, one person, or a group by a place of its own.",
            ),
        ),
        ("group", described(string(), "The group that gets it.")),
        ("people*", described(list(string()), "For whom it is.")),
        (
            "why*",
            described(
                names(["asks", "closes", "outcome", "updates", "informs"]),
                "`asks` for an approval; `closes` what has asked; says the `outcome` to the requester; `updates` a \
                 message that is there; `informs`.",
            ),
        ),
        (
            "when*",
            described(
                names(["at_once", "after_quiet_hours", "in_digest"]),
                "At once is within some seconds, so that what changes meanwhile is one message.",
            ),
        ),
        ("not_before*", described(time(), "The time before which it is not sent.")),
    ]
}
