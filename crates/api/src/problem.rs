//! Problems (RFC 9457): every refusal and failure as the caller sees it.
//!
//! `code` is stable and few; `detail` is safe for the caller. What a 5xx is really about goes to
//! the log under the same correlation id and never into the answer.

use crate::call::Reply;
use crate::wire::{FieldError, ProblemBody};
use countersign_app::error::AppError;
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;
use countersign_core::requirements::Violation;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Every code there is, in the order of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is not JSON that can be read in one way.
    MalformedJson,
    /// The id is no UUID.
    MalformedId,
    /// The cursor was not given out to the caller for this list.
    MalformedCursor,
    /// Nobody knows who calls.
    Unauthenticated,
    /// The body names somebody else as the caller.
    IdentityMismatch,
    /// Agents and services never decide.
    AgentCannotApprove,
    /// Nobody decides their own request.
    SelfApproval,
    /// No group of the caller allows it.
    NotPermitted,
    /// Unknown, or not visible to the caller.
    NotFound,
    /// No such route.
    RouteNotFound,
    /// The route has other methods.
    MethodNotAllowed,
    /// A deadline has passed.
    Expired,
    /// Not pending any more.
    NotPending,
    /// Not approved.
    NotApproved,
    /// Each person counts once.
    AlreadyDecided,
    /// The caller has no approval to withdraw.
    NotDecided,
    /// The stored request is not what its events have made it.
    Integrity,
    /// Not a digest of the stored request.
    DigestMismatch,
    /// The approvals on record are not enough under the policy of now.
    ApprovalsInsufficient,
    /// No such execution is running.
    ExecutionMismatch,
    /// The key was used with another body.
    IdempotencyConflict,
    /// The body is over 256 KiB.
    PayloadTooLarge,
    /// The body is said to be something else than JSON.
    UnsupportedMediaType,
    /// Fields break rules.
    ValidationFailed,
    /// The requester has as many pending requests as one may have.
    TooManyPending,
    /// The requester has as many approved requests that were not started as one may have.
    TooManyApproved,
    /// A bug.
    Internal,
    /// Try again.
    StoreUnavailable,
    /// The clock of the service is behind the last event of the request.
    ClockSkew,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 29] = [
        Self::MalformedJson,
        Self::MalformedId,
        Self::MalformedCursor,
        Self::Unauthenticated,
        Self::IdentityMismatch,
        Self::AgentCannotApprove,
        Self::SelfApproval,
        Self::NotPermitted,
        Self::NotFound,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::Expired,
        Self::NotPending,
        Self::NotApproved,
        Self::AlreadyDecided,
        Self::NotDecided,
        Self::Integrity,
        Self::ApprovalsInsufficient,
        Self::DigestMismatch,
        Self::ExecutionMismatch,
        Self::IdempotencyConflict,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::TooManyPending,
        Self::TooManyApproved,
        Self::Internal,
        Self::StoreUnavailable,
        Self::ClockSkew,
    ];

    /// The name in answers, logs and Lambda errors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::MalformedId => "malformed_id",
            Self::MalformedCursor => "malformed_cursor",
            Self::Unauthenticated => "unauthenticated",
            Self::IdentityMismatch => "identity_mismatch",
            Self::AgentCannotApprove => "agent_cannot_approve",
            Self::SelfApproval => "self_approval",
            Self::NotPermitted => "not_permitted",
            Self::NotFound => "not_found",
            Self::RouteNotFound => "route_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Expired => "expired",
            Self::NotPending => "not_pending",
            Self::NotApproved => "not_approved",
            Self::AlreadyDecided => "already_decided",
            Self::NotDecided => "not_decided",
            Self::Integrity => "integrity",
            Self::ApprovalsInsufficient => "approvals_insufficient",
            Self::DigestMismatch => "digest_mismatch",
            Self::ExecutionMismatch => "execution_mismatch",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ValidationFailed => "validation_failed",
            Self::TooManyPending => "too_many_pending",
            Self::TooManyApproved => "too_many_approved",
            Self::Internal => "internal",
            Self::StoreUnavailable => "store_unavailable",
            Self::ClockSkew => "clock_skew",
        }
    }

    /// The HTTP status; always 4xx or 5xx.
    pub fn status(self) -> u16 {
        match self {
            Self::MalformedJson | Self::MalformedId | Self::MalformedCursor => 400,
            Self::Unauthenticated => 401,
            Self::IdentityMismatch | Self::AgentCannotApprove | Self::SelfApproval | Self::NotPermitted => {
                403
            }
            Self::NotFound | Self::RouteNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Expired
            | Self::NotPending
            | Self::NotApproved
            | Self::AlreadyDecided
            | Self::NotDecided
            | Self::Integrity
            | Self::ApprovalsInsufficient
            | Self::DigestMismatch
            | Self::ExecutionMismatch
            | Self::IdempotencyConflict => 409,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::ValidationFailed => 422,
            Self::TooManyPending | Self::TooManyApproved => 429,
            Self::Internal => 500,
            Self::StoreUnavailable | Self::ClockSkew => 503,
        }
    }

    /// The title: one for each code, whatever happened.
    pub fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body cannot be read",
            Self::MalformedId => "The id is malformed",
            Self::MalformedCursor => "The cursor is malformed",
            Self::Unauthenticated => "Authentication is required",
            Self::IdentityMismatch => "The body names somebody else as the caller",
            Self::AgentCannotApprove => "Only people decide",
            Self::SelfApproval => "Nobody decides their own request",
            Self::NotPermitted => "Not permitted",
            Self::NotFound => "Not found",
            Self::RouteNotFound => "No such route",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Expired => "The request has expired",
            Self::NotPending => "The request is not pending",
            Self::NotApproved => "The request is not approved",
            Self::AlreadyDecided => "Already decided",
            Self::NotDecided => "No approval to withdraw",
            Self::Integrity => "The stored request is damaged",
            Self::ApprovalsInsufficient => "The approvals are not enough any more",
            Self::DigestMismatch => "The request is not what was shown",
            Self::ExecutionMismatch => "No such execution is running",
            Self::IdempotencyConflict => "The idempotency key was used for something else",
            Self::PayloadTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body is not JSON",
            Self::ValidationFailed => "Fields break rules",
            Self::TooManyPending => "Too many pending requests",
            Self::TooManyApproved => "Too many approved requests",
            Self::Internal => "Internal error",
            Self::StoreUnavailable => "Temporarily unavailable",
            Self::ClockSkew => "The clock of the service is wrong",
        }
    }
}

/// The one sentence of every 500.
const INTERNAL_DETAIL: &str = "something went wrong here; the problem's instance names it in the log";
/// The one sentence of every 503.
const UNAVAILABLE_DETAIL: &str =
    "nothing was changed, or asking again shows what was; an Idempotency-Key makes asking again safe";

/// How long to wait before asking again, in seconds.
const RETRY_AFTER_UNAVAILABLE: u32 = 1;
/// How long until it is worth looking whether an open request was decided or started, in seconds.
const RETRY_AFTER_TOO_MANY: u32 = 60;

/// A refusal or failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it is.
    pub code: Code,
    /// What the caller is told.
    pub detail: String,
    /// Why, one sentence each: of every 403, 409, 422 and 429.
    pub reasons: Vec<String>,
    /// The fields that break rules.
    pub errors: Vec<FieldError>,
    /// The request's status, where the refusal comes from it.
    pub current_status: Option<Status>,
    /// What only the log is told.
    pub cause: Option<String>,
}

impl Problem {
    /// A problem with a detail that is safe for the caller.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let reasons = match code.status() {
            403 | 409 | 422 | 429 => vec![detail.clone()],
            _ => Vec::new(),
        };
        Self { code, detail, reasons, errors: Vec::new(), current_status: None, cause: None }
    }

    /// Nobody knows who calls. The cause is for the log; the caller learns only that they must
    /// authenticate.
    pub fn unauthenticated(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Unauthenticated, "send a valid bearer token") }
    }

    /// What is needed to answer is away. The cause goes to the log only.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::StoreUnavailable, UNAVAILABLE_DETAIL) }
    }

    /// A bug. The cause goes to the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal, INTERNAL_DETAIL) }
    }

    /// Fields that break rules, all of them.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let names: Vec<_> = errors.iter().map(|error| error.pointer.trim_start_matches('/')).collect();
        let detail = match names.as_slice() {
            [] | [""] => "the body breaks a rule, see errors".to_owned(),
            names => format!("see errors: {}", names.join(", ")),
        };
        let reason = |error: &FieldError| match error.pointer.trim_start_matches('/') {
            "" => error.message.clone(),
            name => format!("{name} {}", error.message),
        };
        Self {
            reasons: errors.iter().map(reason).collect(),
            errors,
            ..Self::new(Code::ValidationFailed, detail)
        }
    }

    /// The reply, as `application/problem+json`.
    pub fn into_reply(self, correlation_id: &str) -> Reply {
        let status = self.code.status();
        let body = ProblemBody {
            problem_type: format!("urn:countersign:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status,
            detail: self.detail,
            instance: format!("urn:uuid:{correlation_id}"),
            code: self.code.as_str().to_owned(),
            current_status: self.current_status.map(|status| status.as_str().to_owned()),
            reasons: self.reasons,
            errors: self.errors,
        };
        let mut reply = Reply { content_type: PROBLEM_JSON, ..Reply::json(status, &body) };
        match self.code {
            Code::Unauthenticated => reply.headers.push(("www-authenticate", "Bearer".to_owned())),
            Code::StoreUnavailable | Code::ClockSkew => {
                reply.headers.push(("retry-after", RETRY_AFTER_UNAVAILABLE.to_string()))
            }
            Code::TooManyPending | Code::TooManyApproved => {
                reply.headers.push(("retry-after", RETRY_AFTER_TOO_MANY.to_string()))
            }
            Code::MalformedJson
            | Code::MalformedId
            | Code::MalformedCursor
            | Code::IdentityMismatch
            | Code::AgentCannotApprove
            | Code::SelfApproval
            | Code::NotPermitted
            | Code::NotFound
            | Code::RouteNotFound
            | Code::MethodNotAllowed
            | Code::Expired
            | Code::NotPending
            | Code::NotApproved
            | Code::AlreadyDecided
            | Code::NotDecided
            | Code::Integrity
            | Code::ApprovalsInsufficient
            | Code::DigestMismatch
            | Code::ExecutionMismatch
            | Code::IdempotencyConflict
            | Code::PayloadTooLarge
            | Code::UnsupportedMediaType
            | Code::ValidationFailed
            | Code::Internal => {}
        }
        reply
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::NotVisible => return Self::new(Code::NotFound, refusal.to_string()),
            Refusal::AgentCannotApprove => Code::AgentCannotApprove,
            Refusal::SelfApproval => Code::SelfApproval,
            Refusal::NotPermitted(_) => Code::NotPermitted,
            Refusal::Expired => Code::Expired,
            Refusal::NotPending(_) => Code::NotPending,
            Refusal::NotApproved(_) => Code::NotApproved,
            Refusal::AlreadyDecided(_) => Code::AlreadyDecided,
            Refusal::NotDecided(_) => Code::NotDecided,
            Refusal::ClockSkew => return Self::new(Code::ClockSkew, refusal.to_string()),
            // What exactly is damaged is for operators: it is in the log.
            Refusal::Integrity(finding) => {
                let cause = Some(finding.to_string());
                return Self { cause, ..Self::new(Code::Integrity, refusal.to_string()) };
            }
            Refusal::ApprovalsInsufficient(_) => Code::ApprovalsInsufficient,
            Refusal::Violations(violations) => {
                let error = |violations: &Violation| {
                    FieldError::new(&format!("/{}", violations.field), &violations.rule)
                };
                return Self::validation(violations.iter().map(error).collect());
            }
            Refusal::DigestMismatch(_) => Code::DigestMismatch,
            Refusal::ExecutionMismatch(_) => Code::ExecutionMismatch,
            Refusal::IdempotencyConflict(_) => Code::IdempotencyConflict,
            Refusal::CommentsFull => {
                return Self::validation(vec![FieldError::new("/text", &refusal.to_string())]);
            }
            // Only the expiry sweep can meet it, and it does not answer anybody.
            Refusal::NotDue => return Self::internal(refusal.to_string()),
        };
        Self {
            current_status: refusal.current_status(),
            reasons: refusal.reasons(),
            ..Self::new(code, refusal.to_string())
        }
    }
}

impl From<AppError> for Problem {
    fn from(failure: AppError) -> Self {
        match failure {
            AppError::Refused(refusal) => refusal.into(),
            AppError::TooManyPending { .. } => Self::new(Code::TooManyPending, failure.to_string()),
            AppError::TooManyApproved { .. } => Self::new(Code::TooManyApproved, failure.to_string()),
            AppError::MalformedCursor => Self::new(Code::MalformedCursor, failure.to_string()),
            AppError::Unavailable(cause) => Self::unavailable(cause),
            AppError::Corrupt(cause) => Self::internal(cause),
        }
    }
}
