//! The members of a simulation and of its parts.

use super::{Member, approvals_required, slots};
use crate::openapi::values::{
    boolean, cost, described, digest, environment, identifier, instance_id, list, names, positive, reference,
    risk_level, string, time,
};
use crate::problem::Code;
use countersign_core::request::Status;
use countersign_core::requirements::RequiredField;
use serde_json::json;
use strum::IntoEnumIterator;

pub(super) fn simulation() -> Vec<Member> {
    let head = vec![
        ("permitted*", described(boolean(), "Whether it could be made.")),
        (
            "refusals*",
            described(
                list(reference("Refusal")),
                "The problems that it would meet; the first would be the answer. Empty if it could be made.",
            ),
        ),
        (
            "satisfiable*",
            described(boolean(), "Whether policy lets people approve it who fill what is demanded."),
        ),
        (
            "status*",
            described(names([Status::Pending, Status::Approved]), "The status that it would begin with."),
        ),
        ("operation_type*", identifier()),
        ("instance_id*", instance_id()),
        ("environment*", described(environment(), "The effective one.")),
        ("risk_level*", described(risk_level(), "The effective one.")),
        ("requested_by*", string()),
        ("requester_groups*", list(string())),
        ("requested_at*", described(time(), "When it would be made.")),
        ("parameters_digest*", described(digest(), "SHA-256 of the parameters' canonical JSON (RFC 8785).")),
        approvals_required(),
    ];
    let rest = vec![
        ("expires_at*", described(time(), "By when it would have to be decided.")),
        ("execute_by", described(time(), "By when it would have to be started, if it is approved at once.")),
        ("execute_within_seconds*", described(positive(), "How long an approval of it would last.")),
        (
            "required_fields*",
            described(list(names(RequiredField::iter())), "The fields that policy demands."),
        ),
        ("cost_limit", described(cost(), "The most it may be expected to cost.")),
        (
            "justification_min",
            described(positive(), "How long its justification must be, in characters that can be read."),
        ),
        (
            "pending_limit*",
            described(positive(), "How many pending requests its requester may have, this one included."),
        ),
        (
            "approved_limit*",
            described(
                positive(),
                "How many approved requests that were not started its requester may have, this one included, \
                 if it is approved at once.",
            ),
        ),
        ("policy_version*", described(digest(), "SHA-256 of the policy.")),
        ("rules*", described(list(reference("Rule")), "What each part of it demands.")),
        (
            "calls",
            described(
                list(reference("Call")),
                "The calls to come, if it is known who carries it out. Several are alternatives, each with its `when`.",
            ),
        ),
        (
            "notifies",
            described(reference("Notifies"), "How many would hear of it: none, if it could not be made."),
        ),
    ];
    [head, slots(), rest].concat()
}

pub(super) fn call() -> Vec<Member> {
    vec![
        ("action*", described(string(), "Such as `rds:ModifyDBInstance`.")),
        (
            "parameters*",
            described(
                json!({ "type": "object" }),
                "What it would be called with, as the called system names it. `${execution_id}` stands for the id \
                 of the execution.",
            ),
        ),
        ("configured", described(list(string()), "Parameters that the executor's configuration adds.")),
        ("when", described(string(), "In which state of the target it would be made.")),
    ]
}

pub(super) fn refusal() -> Vec<Member> {
    vec![
        ("code*", names(Code::iter())),
        ("detail*", string()),
        ("reasons*", described(list(string()), "Why, one sentence each.")),
        ("errors", list(reference("FieldError"))),
    ]
}
