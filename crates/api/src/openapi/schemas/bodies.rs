//! The fields of what callers send: of each operation, and of the original ones.

use super::Member;
use crate::openapi::values::{
    boolean, caller, cost, described, environment, expected_version, identifier, instance_id, limit, names,
    one_or_several, parameters, person, reference, result, risk_level, shown_content, shown_parameters,
    string, target, text, ticket, time, uuid,
};
use crate::operation::OriginalOperation;
use crate::operations::finish::Report;
use countersign_core::continuation::{MAX_CALLBACK_ID, MAX_TASK_TOKEN, ResumeOn};
use countersign_core::execution::ExecutionMode;
use countersign_core::hold::{DEFAULT_MINUTES, MAX_MINUTES};
use countersign_core::priority::Priority;
use serde_json::{Value, json};
use strum::IntoEnumIterator;

pub(super) fn create() -> Vec<Member> {
    vec![
        ("operation_type*", described(identifier(), "What is to be done.")),
        ("instance_id*", described(instance_id(), "The target of the operation.")),
        ("parameters*", parameters()),
        (
            "environment*",
            described(environment(), "Raises what policy says of the instance, never lowers it."),
        ),
        ("justification*", described(text(4000), "Why the operation is needed.")),
        ("risk_level", described(risk_level(), "Raises what policy says of the operation, never lowers it.")),
        ("estimated_cost", cost()),
        ("estimated_duration", described(text(200), "How long it is expected to take, as text.")),
        ("ticket", described(ticket(), "The ticket it belongs to, in some other system.")),
        ("rollback_plan", described(text(4000), "How to undo the operation.")),
        (
            "priority",
            described(
                names(Priority::iter()),
                "How soon it needs an answer. Decides who is reminded and when, never what is demanded.",
            ),
        ),
        (
            "execution",
            described(
                names(ExecutionMode::iter()),
                "Who starts it once it is approved: the requester, or the executor that policy names. `manual` if left out.",
            ),
        ),
        (
            "execute_at",
            described(time(), "Not started before this time, which is within `execute_within_seconds`."),
        ),
        (
            "window",
            described(
                reference("Window"),
                "Started within this span alone, which ends within `execute_within_seconds`.",
            ),
        ),
        (
            "task_token",
            described(
                secret(MAX_TASK_TOKEN, "^[!-~]+$"),
                "The token of a task of Step Functions, which is resumed. Never shown. Not together with `callback_id`.",
            ),
        ),
        (
            "callback_id",
            described(
                secret(MAX_CALLBACK_ID, "^[A-Za-z0-9+/]+={0,2}$"),
                "The id of a callback of a durable function, which is resumed. Never shown.",
            ),
        ),
        (
            "resume_on",
            described(
                names(ResumeOn::iter()),
                "When it is resumed: at the decision, which is meant if it is left out, or at the end.",
            ),
        ),
        ("requested_by", caller()),
    ]
}

/// What is written and never shown.
fn secret(max: usize, pattern: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": pattern, "writeOnly": true })
}

/// What the caller names of what they were shown.
fn shown() -> Vec<Member> {
    vec![
        ("content_digest", shown_content()),
        ("parameters_digest", shown_parameters()),
        ("expected_version", expected_version()),
    ]
}

pub(super) fn approve() -> Vec<Member> {
    [vec![("comments", text(2000)), ("approved_by", caller())], shown()].concat()
}

pub(super) fn reject() -> Vec<Member> {
    [vec![("reason*", text(2000)), ("rejected_by", caller())], shown()].concat()
}

pub(super) fn withdraw() -> Vec<Member> {
    vec![("reason", text(2000)), ("withdrawn_by", caller())]
}

pub(super) fn cancel() -> Vec<Member> {
    vec![("reason", text(2000)), ("cancelled_by", caller())]
}

pub(super) fn comment() -> Vec<Member> {
    vec![("text*", text(2000)), ("comment_by", caller())]
}

pub(super) fn start() -> Vec<Member> {
    [vec![("executed_by", caller())], shown()].concat()
}

pub(super) fn finish() -> Vec<Member> {
    let members = vec![
        ("execution_id*", described(uuid(), "As the start of the execution answered.")),
        ("outcome*", described(names(Report::iter()), "`running` moves `lease_until`, and is sent alone.")),
        ("result", result()),
        ("actual_cost", cost()),
        (
            "note",
            described(
                text(2000),
                "What was found out. Required of an admin who settles an execution that is unknown.",
            ),
        ),
        ("executed_by", caller()),
    ];
    [members, shown()].concat()
}

pub(super) fn claim() -> Vec<Member> {
    let permit = described(string(), "The permit, as the start answered it.");
    [vec![("permit*", permit), ("executed_by", caller())], shown()].concat()
}

pub(super) fn hold() -> Vec<Member> {
    let minutes =
        json!({ "type": "integer", "minimum": 1, "maximum": MAX_MINUTES, "default": DEFAULT_MINUTES });
    vec![
        ("minutes", described(minutes, "How long the claim lasts.")),
        ("take", described(boolean(), "Whether it replaces the claim of another approver.")),
    ]
}

pub(super) fn observe() -> Vec<Member> {
    vec![("target*", target()), ("executed_by", caller())]
}

/// The fields of an original operation, `operation` itself excepted.
pub(super) fn original(original: OriginalOperation) -> Vec<Member> {
    let of_one = |members: Vec<Member>| [vec![("request_id*", uuid())], members].concat();
    // A query string has only text, and some clients treat a body likewise.
    let digits = json!({ "type": "string", "pattern": "^0*([1-9][0-9]?|100)$" });
    let page = || {
        vec![
            ("operation_type", one_or_several(identifier())),
            ("risk_level", one_or_several(reference("RiskLevel"))),
            ("environment", one_or_several(reference("Environment"))),
            ("limit", json!({ "anyOf": [limit(), digits.clone()] })),
            ("cursor", string()),
        ]
    };
    let filtered =
        |member: Member| [vec![member, ("status", one_or_several(reference("Status")))], page()].concat();
    match original {
        OriginalOperation::CreateRequest => create(),
        OriginalOperation::ApproveRequest => of_one(approve()),
        OriginalOperation::RejectRequest => of_one(reject()),
        OriginalOperation::WithdrawApproval => of_one(withdraw()),
        OriginalOperation::CancelRequest => of_one(cancel()),
        OriginalOperation::AddComment => of_one(comment()),
        OriginalOperation::GetPendingApprovals => {
            let hides = "Leaves out what this person made or has approved, what was filed for them, and what their agents and services made.";
            [vec![("user_email", described(string(), hides))], page()].concat()
        }
        OriginalOperation::GetUserRequests => filtered(("user_email*", person())),
        OriginalOperation::GetInstanceRequests => filtered(("instance_id*", instance_id())),
        OriginalOperation::StartExecution => of_one(start()),
        OriginalOperation::FinishExecution => of_one(finish()),
        OriginalOperation::MarkExecuted => {
            let members =
                vec![("executed_by", caller()), ("execution_result", result()), ("actual_cost", cost())];
            of_one([members, shown()].concat())
        }
        OriginalOperation::GetRequest | OriginalOperation::GetRequestEvents => of_one(Vec::new()),
    }
}
