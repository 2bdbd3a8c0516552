//! Names of closed sets, such as statuses and types of events, in the visitor's language. A name that is not known here is
//! shown as it is: the API may be newer.

use crate::shown::Shown;
use crate::words::{Words, filled};
use countersign_api::wire::{MissingBody, SlotBody};

/// A name with what the style sheet calls it. No colour says what the text does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Badge {
    pub class: &'static str,
    pub text: Shown,
}

/// A status.
pub(crate) fn status(words: &Words, status: &str) -> Badge {
    let (class, text) = match status {
        "pending" => ("open", words.pending),
        "approved" => ("good", words.approved_not_started),
        "executing" => ("open", words.executing),
        "rejected" => ("bad", words.rejected),
        "expired" => ("over", words.expired),
        "cancelled" => ("over", words.cancelled),
        "executed" => ("good", words.executed),
        "failed" => ("bad", words.failed),
        other => ("over", other),
    };
    Badge { class, text: Shown::line(text) }
}

/// What is to be done about a request of this status.
pub(crate) fn next_step(words: &Words, status: &str) -> &'static str {
    match status {
        "pending" => words.next_pending,
        "approved" => words.next_approved,
        "executing" => words.next_executing,
        _ => words.next_closed,
    }
}

/// What happens if no person does anything; nothing to a closed request.
pub(crate) fn otherwise(words: &Words, status: &str) -> Option<&'static str> {
    match status {
        "pending" => Some(words.then_pending),
        "approved" => Some(words.then_approved),
        "executing" => Some(words.then_executing),
        _ => None,
    }
}

/// A risk level.
pub(crate) fn risk(words: &Words, risk: &str) -> Badge {
    let (class, text) = match risk {
        "low" => ("good", words.low),
        "medium" => ("open", words.medium),
        "high" => ("bad", words.high),
        other => ("over", other),
    };
    Badge { class, text: Shown::line(text) }
}

/// An environment.
pub(crate) fn environment(words: &Words, environment: &str) -> Shown {
    Shown::line(match environment {
        "production" => words.production,
        "non-production" => words.non_production,
        other => other,
    })
}

/// A decision, or what a comment came with.
pub(crate) fn decision(words: &Words, decision: &str) -> Shown {
    Shown::line(match decision {
        "approved" => words.approved,
        "rejected" => words.rejected,
        "commented" => words.comment,
        other => other,
    })
}

/// A type of events.
pub(crate) fn event(words: &Words, event: &str) -> Shown {
    let language = words.language;
    Shown::line(match event {
        "APPROVAL_REQUEST_CREATED" => language.one_of("Requested", "요청함"),
        "APPROVAL_GRANTED" => language.one_of("Approved", "승인함"),
        "APPROVAL_REJECTED" => language.one_of("Rejected", "거부함"),
        "APPROVAL_WITHDRAWN" => language.one_of("Withdrew the approval", "승인을 철회함"),
        "APPROVAL_CANCELLED" => language.one_of("Cancelled", "취소함"),
        "APPROVAL_EXPIRED" => language.one_of("Expired", "만료됨"),
        "EXECUTION_STARTED" => language.one_of("Started the execution", "실행을 시작함"),
        "TARGET_OBSERVED" => language.one_of("Recorded the target", "대상을 기록함"),
        "EXECUTION_CLAIMED" => language.one_of("Claimed the execution", "실행을 맡음"),
        "EXECUTION_RENEWED" => language.one_of("Reported that it goes on", "계속 실행 중이라고 보고함"),
        "EXECUTION_UNKNOWN" => language.one_of("Was silent for too long", "너무 오래 응답이 없음"),
        "EXECUTION_SUCCEEDED" => language.one_of("Reported success", "성공을 보고함"),
        "EXECUTION_FAILED" => language.one_of("Reported failure", "실패를 보고함"),
        "COMMENT_ADDED" => language.one_of("Commented", "의견을 남김"),
        "PARAMETERS_ERASED" => language.one_of("Erased parameters and texts", "매개변수와 텍스트를 삭제함"),
        "ANOMALY_DETECTED" => {
            language.one_of("Something unusual or damaged was found", "이상 또는 손상이 발견됨")
        }
        "ATTEMPT_REFUSED" => language.one_of("An attempt was refused", "시도가 거부됨"),
        "AUDIT_READ" => language.one_of("Read the audit log", "감사 로그를 읽음"),
        other => other,
    })
}

/// What kind of principal acted.
pub(crate) fn kind(words: &Words, kind: &str) -> Shown {
    let language = words.language;
    Shown::line(match kind {
        "human" => language.one_of("person", "사람"),
        "agent" => language.one_of("agent", "에이전트"),
        "service" => language.one_of("service", "서비스"),
        "system" => language.one_of("system", "시스템"),
        other => other,
    })
}

/// Statuses of requests that are open.
pub(crate) const OPEN: [&str; 3] = ["pending", "approved", "executing"];

/// Statuses of closed requests.
pub(crate) const CLOSED: [&str; 5] = ["executed", "failed", "rejected", "expired", "cancelled"];

/// People of a slot, such as `1 of dba or security`.
pub(crate) fn slot(words: &Words, slot: &SlotBody) -> Shown {
    Shown::from(filled(words.people_of, &[&slot.approvals, &slot.groups.join(words.or)]))
}

/// Approvals that are still needed.
pub(crate) fn missing(words: &Words, missing: &MissingBody) -> Vec<Shown> {
    let of_any = (missing.from_anybody > 0).then(|| filled(words.any_approvers, &[&missing.from_anybody]));
    let slots = missing.slots.iter().map(|missing| slot(words, missing));
    slots.chain(of_any.map(Shown::from)).collect()
}

/// An amount of money, as short as it is.
pub(crate) fn amount(amount: Option<f64>) -> Option<Shown> {
    amount.map(|amount| Shown::from(amount.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;
    use countersign_core::caller::PrincipalKind;
    use countersign_core::event::EventType;
    use countersign_core::request::Status;
    use std::collections::BTreeSet;
    use strum::IntoEnumIterator as _;

    /// A name that only the API has would stand in a Korean page in English.
    #[test]
    fn every_status_kind_and_type_of_event_has_a_name_in_each_language() {
        let statuses: BTreeSet<_> = Status::iter().map(|status| status.as_str()).collect();
        assert_eq!(statuses, OPEN.into_iter().chain(CLOSED).collect());
        for language in Language::iter() {
            let words = language.words();
            for known in EventType::iter() {
                assert_ne!(event(words, known.as_str()).as_str(), known.as_str());
            }
            for name in statuses.iter().copied() {
                assert_ne!(status(words, name), status(words, "another"));
                assert_ne!(next_step(words, name), "");
            }
        }
        for known in PrincipalKind::iter() {
            let name = known.as_str();
            assert_ne!(kind(Language::Korean.words(), name).as_str(), name);
        }
    }
}
