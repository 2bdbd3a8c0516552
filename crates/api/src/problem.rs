//! Problems (RFC 9457): every refusal and failure as the caller sees it.
//!
//! `code` is stable and few; `detail` is safe for the caller. What a 5xx is really about goes to
//! the log under the same correlation id and never into the answer.

mod code;

pub use code::Code;

use crate::reply::Reply;
use crate::wire::{FieldError, ProblemBody};
use countersign_app::error::AppError;
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;
use countersign_core::requirements::Violation;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

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
    /// What happened, for the caller.
    pub detail: String,
    /// Why, one sentence each: of every 403, 409, 422 and 429.
    pub reasons: Vec<String>,
    /// The fields that break rules.
    pub errors: Vec<FieldError>,
    /// The request's status, where the refusal comes from it.
    pub current_status: Option<Status>,
    /// What happened, for the log alone.
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

    /// The caller is not known. The cause is for the log; the caller learns only that they must
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
        let header = match status {
            401 => Some(("www-authenticate", "Bearer".to_owned())),
            429 => Some(("retry-after", RETRY_AFTER_TOO_MANY.to_string())),
            503 => Some(("retry-after", RETRY_AFTER_UNAVAILABLE.to_string())),
            _ => None,
        };
        reply.headers.extend(header);
        reply
    }
}

impl From<Refusal> for Problem {
    /// The core says which code a refusal has ([`Refusal::code`]); a test holds every name against the table.
    fn from(refusal: Refusal) -> Self {
        let code = refusal.code().parse().unwrap_or(Code::Internal);
        match &refusal {
            Refusal::Violations(violations) => {
                let error = |violation: &Violation| {
                    FieldError::new(&format!("/{}", violation.field), &violation.rule)
                };
                Self::validation(violations.iter().map(error).collect())
            }
            Refusal::CommentsFull => Self::validation(vec![FieldError::new("/text", &refusal.to_string())]),
            // Only the expiry sweep meets it, and it answers no call.
            Refusal::NotDue => Self::internal(refusal.to_string()),
            // What exactly is damaged is for operators: it is in the log.
            Refusal::Integrity(finding) => {
                Self { cause: Some(finding.to_string()), ..Self::new(code, refusal.to_string()) }
            }
            Refusal::NotVisible
            | Refusal::NotYet(_)
            | Refusal::PermitInvalid(_)
            | Refusal::PermitSpent(_)
            | Refusal::PermitExpired(_)
            | Refusal::AlreadyObserved(_)
            | Refusal::WorkflowDisabled
            | Refusal::ClockSkew
            | Refusal::AgentCannotApprove
            | Refusal::SelfApproval
            | Refusal::NotPermitted(_)
            | Refusal::Expired
            | Refusal::NotPending(_)
            | Refusal::NotApproved(_)
            | Refusal::AlreadyDecided(_)
            | Refusal::NotDecided(_)
            | Refusal::ApprovalsInsufficient(_)
            | Refusal::DigestMismatch(_)
            | Refusal::VersionMismatch(_)
            | Refusal::ExecutionMismatch(_)
            | Refusal::Claimed { .. }
            | Refusal::IdempotencyConflict(_) => {
                let problem = Self::new(code, refusal.to_string());
                // `new` has decided whether problems of this status have reasons.
                let reasons = if problem.reasons.is_empty() { Vec::new() } else { refusal.reasons() };
                Self { current_status: refusal.current_status(), reasons, ..problem }
            }
        }
    }
}

impl From<AppError> for Problem {
    fn from(failure: AppError) -> Self {
        match failure {
            AppError::Refused(refusal) => refusal.into(),
            AppError::TooManyPending { .. } => Self::new(Code::TooManyPending, failure.to_string()),
            AppError::CannotBeCarriedOut(faults) => {
                let error = |pointer: &str, message: &str| FieldError::new(pointer, message);
                Self::validation(faults.iter().map(|fault| error(&fault.pointer, &fault.message)).collect())
            }
            AppError::TooManyApproved { .. } => Self::new(Code::TooManyApproved, failure.to_string()),
            AppError::NoSuchWebhook | AppError::NoSuchDelivery => {
                Self::new(Code::NotFound, failure.to_string())
            }
            AppError::InvalidWebhook(rules) => {
                Self::validation(rules.iter().map(|(pointer, rule)| FieldError::new(pointer, rule)).collect())
            }
            AppError::WebhookChanged { .. } => Self::new(Code::VersionMismatch, failure.to_string()),
            AppError::WebhookLimit { .. } => Self::new(Code::WebhookLimit, failure.to_string()),
            AppError::PeopleOnly => Self::new(Code::PeopleOnly, failure.to_string()),
            AppError::NotConfigured => Self::new(Code::NotConfigured, failure.to_string()),
            AppError::PreferencesChanged { .. } => Self::new(Code::VersionMismatch, failure.to_string()),
            AppError::WebhookDisabled => Self::new(Code::WebhookDisabled, failure.to_string()),
            AppError::MalformedCursor => Self::new(Code::MalformedCursor, failure.to_string()),
            AppError::Unavailable(cause) => Self::unavailable(cause),
            AppError::SigningUnavailable(cause) => {
                let detail = "the execution is started, and its permit cannot be signed at this moment; \
                              get it from `GET /v1/approvals/{id}/execution`";
                Self { cause: Some(cause), ..Self::new(Code::SigningUnavailable, detail) }
            }
            AppError::Corrupt(cause) => Self::internal(cause),
        }
    }
}
