//! Audit events: of one request, and pages of any.

use super::Member;
use crate::openapi::values::{
    boolean, described, digest, environment, identifier, instance_id, list, names, reference, risk_level,
    string, time, uuid,
};
use countersign_core::audit;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::event::EventType;
use serde_json::json;
use strum::IntoEnumIterator;

pub(super) fn events() -> Vec<Member> {
    vec![
        (
            "items*",
            described(list(reference("Event")), "Oldest first. Those that cannot be read are left out."),
        ),
        (
            "verified*",
            described(boolean(), "Whether the trail is whole and has made the request what it is."),
        ),
        ("findings", described(list(string()), "What is not as it was written; absent if it is verified.")),
    ]
}

pub(super) fn audit_page() -> Vec<Member> {
    vec![
        (
            "items*",
            described(list(reference("AuditEvent")), "In order. Those that cannot be read are left out."),
        ),
        ("next_cursor", described(string(), "The cursor of the next page; absent on the last.")),
        (
            "settled_until*",
            described(time(), "Nothing later is given. All that happened until then is on one of the pages."),
        ),
        ("findings", described(list(string()), "What cannot be read; absent if there is none.")),
    ]
}

/// Any audit event: the members of [`event`], of which those that repeat a request are there together or not at all.
pub(super) fn audit_event() -> Vec<Member> {
    let only_of_request = [
        "request_id*",
        "instance_id*",
        "operation_type*",
        "environment*",
        "risk_level*",
        "requested_by*",
        "status*",
        "state_digest*",
    ];
    let optional = |(name, schema): Member| match only_of_request.contains(&name) {
        true => (name.trim_end_matches('*'), schema),
        false => (name, schema),
    };
    event().into_iter().map(optional).collect()
}

pub(super) fn event() -> Vec<Member> {
    vec![
        ("format*", json!({ "type": "string", "const": audit::FORMAT })),
        ("origin", described(string(), "The deployment that recorded it: a URN.")),
        (
            "stream*",
            described(
                string(),
                "The chain that it belongs to: a kind, `/` and an id. Of a request, `request/` and its id.",
            ),
        ),
        ("event_id*", uuid()),
        ("request_id*", uuid()),
        ("sequence*", json!({ "type": "integer", "minimum": 1 })),
        ("timestamp*", time()),
        ("event_type*", names(EventType::iter())),
        ("user*", described(string(), "Who acted; `system:expiry` and `system:retention` are sweeps.")),
        ("kind*", names(PrincipalKind::iter())),
        ("channel*", names(Channel::iter())),
        (
            "source_ip",
            described(
                string(),
                "The caller's address, as far as the service can vouch for it; `unknown` if a proxy has not given one that can be read.",
            ),
        ),
        (
            "auth",
            described(
                json!({
                    "type": "object", "required": ["issuer", "subject"],
                    "properties": { "issuer": string(), "subject": string(), "at": time() },
                }),
                "How the caller was proven: issuer and subject of the verified token, and when the subject signed \
                 in, or else when the token was issued; of a signed call, `iam.amazonaws.com` and the ARN that has \
                 signed. Absent for direct invocations and sweeps.",
            ),
        ),
        ("instance_id*", instance_id()),
        ("operation_type*", identifier()),
        ("environment*", environment()),
        ("risk_level*", risk_level()),
        ("requested_by*", string()),
        ("status*", described(reference("Status"), "The status after the event.")),
        ("details*", described(json!({ "type": "object" }), "Digests, numbers, times, ids and groups.")),
        (
            "state_digest*",
            described(digest(), "SHA-256 of the canonical state of the request after the event."),
        ),
        ("prev_hash*", described(digest(), "The hash of the event before; zeros for the first.")),
        ("hash*", described(digest(), "SHA-256 of the canonical JSON of all other members.")),
    ]
}
