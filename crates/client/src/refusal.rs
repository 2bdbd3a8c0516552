//! What the service says no with: a problem of Countersign's, or an answer of the gateway before it.

use crate::credential::TokenFault;
use countersign_api::problem::Code;
use countersign_api::wire::{FieldError, ProblemBody};
use countersign_core::text::escaped_line;
use serde_json::{Value, json};
use std::fmt;

/// What the service says no with. Its words are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// Which refusal it is, if it is one that is known here.
    pub code: Option<Code>,
    /// The problem, as the service gave it; nothing if the gateway answered.
    pub problem: Option<Box<Value>>,
    /// Why the token may not be accepted, where it was not.
    pub fault: Option<TokenFault>,
    /// What is wrong, and what to do about it.
    message: String,
}

impl Refusal {
    /// Reads an answer. API Gateway's own refusals have another shape than ours: `{"message": …}`.
    pub fn read(status: u16, text: &str) -> Self {
        let Ok(problem) = serde_json::from_str::<ProblemBody>(text) else {
            return Self::of_gateway(status, text);
        };
        let mut message =
            problem_in_lines(&problem.detail, &problem.code, &problem.reasons, &problem.errors).join("\n  ");
        let code = problem.code.parse::<Code>().ok();
        let advice = match code {
            Some(Code::Expired | Code::NotPending | Code::NotApproved) => {
                "see `countersign get` for what has become of it"
            }
            Some(Code::ApprovalsInsufficient) => {
                "`countersign explain` says which approvals count, and what is missing"
            }
            Some(Code::Internal | Code::StoreUnavailable) => "ask the operator, and name the instance",
            _ => "",
        };
        if status >= 500 {
            message.push_str(&format!("\n  {}", escaped_line(&problem.instance)));
        }
        if !advice.is_empty() {
            message.push_str(&format!("\n  {advice}"));
        }
        Self { status, code, problem: Some(Box::new(json!(problem))), fault: None, message }
    }

    fn of_gateway(status: u16, text: &str) -> Self {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let said = body.get("message").and_then(Value::as_str).map(escaped_line).unwrap_or_default();
        let advice = match status {
            300..=399 => {
                "it redirects, which is not followed, as your token would go there; give the URL itself"
            }
            401 | 403 => "the gateway does not accept your token",
            404 => "there is no such route; is the URL right?",
            429 => "too many calls; wait a moment",
            _ => "this is not an answer of Countersign; is the URL right?",
        };
        let message = format!("status {status} {said}\n  {advice}");
        Self { status, code: None, problem: None, fault: None, message }
    }

    /// The same of a call that was signed: what the gateway's refusal says of a token is not about it.
    pub(crate) fn of_signed_call(self) -> Self {
        let message = match self.code {
            None => self.message.lines().next().unwrap_or_default().to_owned(),
            Some(_) => self.message,
        };
        Self { message, fault: Some(TokenFault::Signed), ..self }
    }

    /// The same with one more thing to do about it, on lines of its own.
    pub(crate) fn advised(mut self, advice: &str) -> Self {
        self.message.push_str(advice);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.fault.as_ref().map_or(Ok(()), |fault| write!(f, "\n  {fault}"))
    }
}

/// A problem in lines: the detail with its code, each field that breaks a rule, and each reason if
/// there is more than one or the detail does not say it. Nothing is said twice. All of it is escaped.
pub fn problem_in_lines(detail: &str, code: &str, reasons: &[String], errors: &[FieldError]) -> Vec<String> {
    let name = |error: &FieldError| error.pointer.trim_start_matches('/').to_owned();
    let of_field = |error: &FieldError| format!("{} {}", name(error), error.message).trim().to_owned();
    let of_fields: Vec<_> = errors.iter().map(of_field).collect();
    let reasons: Vec<&str> = reasons
        .iter()
        .map(String::as_str)
        .filter(|reason| !of_fields.iter().any(|field| field == reason))
        .collect();
    let all = reasons.join("; ");
    let detail = match (errors.len(), reasons.len()) {
        (1.., _) => "fields break rules".to_owned(),
        // Each of them gets a line of its own.
        (0, count @ 2..) if detail == all => format!("refused for {count} reasons"),
        (0, count @ 2..) => detail.replacen(&all, &format!("{count} reasons"), 1),
        _ => detail.to_owned(),
    };
    let mut lines = vec![format!("{} ({})", escaped_line(&detail), escaped_line(code))];
    let rule =
        |error: &FieldError| format!("{}: {}", escaped_line(&name(error)), escaped_line(&error.message));
    lines.extend(errors.iter().map(rule));
    if reasons.len() > 1 || reasons.iter().any(|reason| !detail.contains(reason)) {
        lines.extend(reasons.iter().map(|reason| format!("why: {}", escaped_line(reason))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(problem: serde_json::Value) -> String {
        let mut whole = serde_json::json!({
            "type": "urn:countersign:problem:x", "title": "X", "status": 403, "instance": "urn:uuid:0",
        });
        let members = problem.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(members);
        Refusal::read(403, &whole.to_string()).to_string()
    }

    #[test]
    fn a_reason_is_said_once() {
        let said = message(serde_json::json!({
            "code": "not_permitted", "detail": "guests may not create", "reasons": ["guests may not create"],
        }));
        assert_eq!(said, "guests may not create (not_permitted)");
        let said = message(serde_json::json!({ "code": "not_permitted", "detail": "no" }));
        assert_eq!(said, "no (not_permitted)", "an older service gives no reasons");
        let said = message(serde_json::json!({
            "code": "validation_failed", "detail": "see errors: ticket",
            "reasons": ["ticket is required", "and more"],
            "errors": [{ "pointer": "/ticket", "message": "is required" }],
        }));
        assert_eq!(said, "fields break rules (validation_failed)\n  ticket: is required\n  why: and more");
    }

    #[test]
    fn what_the_service_advises_is_not_advised_again() {
        for code in ["digest_mismatch", "idempotency_conflict"] {
            let said = message(serde_json::json!({ "code": code, "detail": "no; do something else" }));
            assert_eq!(said, format!("no; do something else ({code})"));
        }
    }

    #[test]
    fn every_reason_beyond_the_detail_has_its_line() {
        let said = message(serde_json::json!({
            "code": "not_permitted", "detail": "guests may not; nobody may at night",
            "reasons": ["guests may not", "nobody may at night"],
        }));
        assert_eq!(
            said,
            "refused for 2 reasons (not_permitted)\n  why: guests may not\n  why: nobody may at night"
        );
        let said = message(serde_json::json!({
            "code": "approvals_insufficient", "detail": "not enough: one; two; make a new request",
            "reasons": ["one", "two"],
        }));
        let expected = "not enough: 2 reasons; make a new request (approvals_insufficient)\n  \
                        why: one\n  why: two\n  `countersign explain` says";
        assert!(said.starts_with(expected), "{said}");
        let said = message(serde_json::json!({
            "code": "not_permitted", "detail": "no", "reasons": ["because\u{1b}[2J\nwhy: of that\u{202e}"],
        }));
        assert_eq!(said, "no (not_permitted)\n  why: because\\u{1b}[2J\\nwhy: of that\\u{202e}");
    }
}
