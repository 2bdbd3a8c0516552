//! Which operation can answer with which problems, and what they look like.
//!
//! The match over the codes is exhaustive: a new code has to say from what it follows.

use super::values::{names, reference};
use super::{example, header_references};
use crate::operation::{Body, DirectCaller, Operation};
use crate::problem::{Code, PROBLEM_JSON, Problem};
use crate::wire::FieldError;
use countersign_app::error::AppError;
use countersign_core::audit::Finding;
use countersign_core::person::PersonId;
use countersign_core::policy::rules::{DEFAULT_APPROVED_LIMIT, DEFAULT_PENDING_LIMIT};
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use countersign_webhook::webhook::MAX_WEBHOOKS;
use serde_json::{Map, Value, json};
use strum::IntoEnumIterator;

/// The correlation id of the examples.
const CORRELATION_ID: &str = "019c1339-a5c0-7000-8000-0000000000ff";

/// Whether an operation itself can answer with a code. What does not follow from the shape of an operation
/// stands in its row.
pub(super) fn may_answer(operation: Operation, code: Code) -> bool {
    // It carries out all the others.
    let is_dispatch = operation == Operation::Dispatch;
    let has_body = operation.body() != Body::None;
    let is_listed = is_dispatch || operation.definition().problems.contains(&code);
    match code {
        Code::MalformedJson | Code::PayloadTooLarge | Code::UnsupportedMediaType => has_body,
        Code::IdentityMismatch => has_body && operation.definition().direct != DirectCaller::Never,
        Code::Unauthenticated
        | Code::ValidationFailed
        | Code::Internal
        | Code::StoreUnavailable
        | Code::NotPermitted => !operation.is_public(),
        Code::MalformedId | Code::NotFound => is_dispatch || operation.is_on_something(),
        Code::ClockSkew | Code::Expired => is_dispatch || (operation.is_on_one() && operation.changes()),
        Code::IdempotencyConflict => operation.takes_idempotency_key(),
        Code::Claimed
        | Code::WebhookLimit
        | Code::WebhookDisabled
        | Code::PeopleOnly
        | Code::NotConfigured => operation.definition().problems.contains(&code),
        // Every operation on one request reads it. A list leaves out what it cannot read.
        Code::Integrity => is_listed || operation.is_on_one(),
        Code::MalformedCursor
        | Code::AgentCannotApprove
        | Code::SelfApproval
        | Code::AlreadyDecided
        | Code::NotDecided
        | Code::NotPending
        | Code::NotApproved
        | Code::ApprovalsInsufficient
        | Code::DigestMismatch
        | Code::VersionMismatch
        | Code::ExecutionMismatch
        | Code::NotYet
        | Code::PermitInvalid
        | Code::PermitSpent
        | Code::PermitExpired
        | Code::AlreadyObserved
        | Code::SigningUnavailable
        | Code::WorkflowDisabled
        | Code::TooManyPending
        | Code::TooManyApproved => is_listed,
        Code::RouteNotFound | Code::MethodNotAllowed => false,
    }
}

/// A problem as the code makes it.
fn sample(code: Code) -> Problem {
    match code {
        Code::MalformedJson => Problem::new(code, "expected value at line 1 column 1"),
        Code::MalformedId => crate::fields::malformed_id(),
        Code::MalformedCursor => AppError::MalformedCursor.into(),
        Code::Unauthenticated => Problem::unauthenticated(""),
        Code::IdentityMismatch => {
            Problem::new(code, "`approved_by` must be left out or name you, whose token this is")
        }
        Code::AgentCannotApprove => Refusal::AgentCannotApprove.into(),
        Code::SelfApproval => Refusal::SelfApproval.into(),
        Code::NotPermitted => Refusal::not_permitted("no policy permits `approve` to group developer").into(),
        Code::NotFound => Refusal::NotVisible.into(),
        Code::RouteNotFound => Problem::new(code, "see GET /openapi.json for the routes there are"),
        Code::MethodNotAllowed => Problem::new(code, "this path has other methods; see the Allow header"),
        Code::Expired => Refusal::Expired.into(),
        Code::NotPending => Refusal::NotPending(Status::Approved).into(),
        Code::NotApproved => Refusal::NotApproved(Status::Pending).into(),
        Code::AlreadyDecided => Refusal::AlreadyDecided(Status::Pending).into(),
        Code::NotDecided => Refusal::NotDecided(Status::Pending).into(),
        Code::Integrity => Refusal::Integrity(Finding::Seal).into(),
        Code::ClockSkew => Refusal::ClockSkew.into(),
        Code::ApprovalsInsufficient => Refusal::ApprovalsInsufficient(vec![
            "`bob@example.com` has been disabled".to_owned(),
            "missing: 1 of anybody who may approve".to_owned(),
        ])
        .into(),
        Code::DigestMismatch => Refusal::DigestMismatch(Status::Pending).into(),
        Code::VersionMismatch => Refusal::VersionMismatch(Status::Pending).into(),
        Code::NotYet => Refusal::NotYet(Timestamp::from_millisecond(1_769_900_400_000)).into(),
        Code::PermitInvalid => Refusal::PermitInvalid("its signature is wrong".to_owned()).into(),
        Code::PermitSpent => Refusal::PermitSpent(Status::Executing).into(),
        Code::PermitExpired => Refusal::PermitExpired(Status::Executing).into(),
        Code::AlreadyObserved => Refusal::AlreadyObserved(Status::Pending).into(),
        Code::SigningUnavailable => AppError::SigningUnavailable(String::new()).into(),
        Code::WorkflowDisabled => Refusal::WorkflowDisabled.into(),
        Code::ExecutionMismatch => Refusal::ExecutionMismatch(Status::Executed).into(),
        Code::IdempotencyConflict => Refusal::IdempotencyConflict(Status::Pending).into(),
        Code::Claimed => Refusal::Claimed {
            holder: PersonId::from_email("bob@example.com").unwrap_or_else(|_| PersonId::somebody()),
            until: Timestamp::from_millisecond(1_769_900_400_000),
        }
        .into(),
        Code::WebhookLimit => AppError::WebhookLimit { limit: MAX_WEBHOOKS }.into(),
        Code::WebhookDisabled => AppError::WebhookDisabled.into(),
        Code::PeopleOnly => AppError::PeopleOnly.into(),
        Code::NotConfigured => AppError::NotConfigured.into(),
        Code::PayloadTooLarge => Problem::new(code, "a body is at most 262144 bytes"),
        Code::UnsupportedMediaType => crate::fields::unsupported_media_type(),
        Code::ValidationFailed => Problem::validation(vec![
            FieldError::new("/justification", "is required"),
            FieldError::new("/price", "is not a field of this operation"),
        ]),
        Code::TooManyPending => AppError::TooManyPending { limit: usize::from(DEFAULT_PENDING_LIMIT) }.into(),
        Code::TooManyApproved => {
            AppError::TooManyApproved { limit: usize::from(DEFAULT_APPROVED_LIMIT) }.into()
        }
        Code::Internal => Problem::internal(""),
        Code::StoreUnavailable => AppError::Unavailable(String::new()).into(),
    }
}

/// An example of every problem, by its code.
pub(super) fn examples() -> Vec<(&'static str, Value)> {
    let body = |code| serde_json::from_str(&sample(code).into_reply(CORRELATION_ID).body).unwrap_or_default();
    Code::iter().map(|code| (code.as_str(), body(code))).collect()
}

/// The problems of an operation, by HTTP status.
pub(super) fn responses(operation: Operation) -> Map<String, Value> {
    let mut by_status: Map<String, Value> = Map::new();
    let codes: Vec<_> = Code::iter().filter(|code| may_answer(operation, *code)).collect();
    for status in codes.iter().map(|code| code.status()) {
        let codes: Vec<_> = codes.iter().copied().filter(|code| code.status() == status).collect();
        by_status.insert(status.to_string(), response(status, &codes));
    }
    by_status
}

fn response(status: u16, codes: &[Code]) -> Value {
    let lines: Vec<_> = codes.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.when())).collect();
    let mut headers = vec!["x-correlation-id"];
    for code in codes {
        headers.extend(sample(*code).into_reply(CORRELATION_ID).headers.iter().map(|(name, _)| name));
    }
    // What stands beside `$ref` narrows it (JSON Schema 2020-12 section 8.2.3.1).
    let mut schema = reference("Problem");
    if let Some(schema) = schema.as_object_mut() {
        let code = names(codes);
        schema.insert("properties".to_owned(), json!({ "code": code, "status": { "const": status } }));
    }
    let examples: Map<_, _> =
        codes.iter().map(|code| (code.as_str().to_owned(), example(code.as_str()))).collect();
    json!({
        "description": lines.join("\n"),
        "headers": header_references(&headers),
        "content": { PROBLEM_JSON: { "schema": schema, "examples": examples } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_answered_by_some_operation_or_by_the_router() {
        for code in Code::iter() {
            let by_the_router = matches!(code, Code::RouteNotFound | Code::MethodNotAllowed);
            let by_an_operation = Operation::iter().any(|operation| may_answer(operation, code));
            assert_eq!(by_an_operation, !by_the_router, "{code:?}");
        }
    }

    #[test]
    fn every_sample_is_of_its_code() {
        for code in Code::iter() {
            assert_eq!(sample(code).code, code);
        }
        for (name, body) in examples() {
            assert_eq!(body["code"], name);
        }
    }

    /// The original endpoint runs all operations on requests, so it answers with all of their problems.
    #[test]
    fn the_original_endpoint_answers_with_what_the_others_do() {
        for code in Code::iter() {
            let is_of_requests = |operation: &Operation| operation.definition().direct != DirectCaller::Never;
            let others =
                Operation::iter().filter(is_of_requests).any(|operation| may_answer(operation, code));
            assert_eq!(may_answer(Operation::Dispatch, code), others, "{code:?}");
        }
    }
}
