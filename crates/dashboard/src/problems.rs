//! Problems of the API in sentences: what it is, and what to do next. One row for each code.

use crate::shown::Shown;
use crate::words::Language;
use countersign_api::problem::Code;
use countersign_api::wire::ProblemBody;

/// A problem as a page says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Alert {
    /// What it is.
    pub sentence: Shown,
    /// What to do.
    pub next_step: Shown,
    /// Why, as the API says it.
    pub reasons: Vec<Shown>,
}

impl Alert {
    /// A sentence of ours, with nothing more to say.
    pub(crate) fn of(sentence: &str) -> Self {
        Self { sentence: Shown::line(sentence), ..Self::default() }
    }

    /// A problem that the API answered with.
    pub(crate) fn of_problem(problem: &ProblemBody, language: Language) -> Self {
        let (sentence, next_step) = match problem.code.parse() {
            Ok(code) => sentences(code, language),
            Err(_) => (problem.title.as_str(), ""),
        };
        let errors = problem.errors.iter().map(|error| format!("{}: {}", error.pointer, error.message));
        let reasons: Vec<_> = match errors.map(Shown::from).collect::<Vec<_>>() {
            errors if errors.is_empty() => problem.reasons.iter().map(Shown::from).collect(),
            errors => errors,
        };
        Self { sentence: Shown::line(sentence), next_step: Shown::line(next_step), reasons }
    }
}

impl Language {
    fn pair(self, english: [&'static str; 2], korean: [&'static str; 2]) -> (&'static str, &'static str) {
        let [sentence, next_step] = match self {
            Self::English => english,
            Self::Korean => korean,
        };
        (sentence, next_step)
    }
}

/// Whether a problem says that the request is not what the page showed.
pub(crate) fn is_change(problem: &ProblemBody) -> bool {
    const CODES: [&str; 9] = [
        "version_mismatch",
        "digest_mismatch",
        "expired",
        "not_pending",
        "not_approved",
        "already_decided",
        "not_decided",
        "approvals_insufficient",
        "execution_mismatch",
    ];
    CODES.contains(&problem.code.as_str())
}

/// The sentence of a code and its next step.
fn sentences(code: Code, language: Language) -> (&'static str, &'static str) {
    let (english, korean) = match code {
        Code::MalformedJson => (
            ["The service could not read what was sent.", "Open the page again and repeat."],
            ["서비스가 보낸 내용을 읽지 못했습니다.", "페이지를 다시 열어 반복하세요."],
        ),
        Code::MalformedId => (
            ["The link does not name a request.", "Check the link."],
            ["요청을 가리키는 링크가 아닙니다.", "링크를 확인하세요."],
        ),
        Code::MalformedCursor => (
            ["This page of the list is not there any more.", "Begin again with the first page."],
            ["목록의 이 페이지가 더 이상 없습니다.", "첫 페이지부터 다시 시작하세요."],
        ),
        Code::Unauthenticated => (
            ["The service does not accept your sign-in any more.", "Sign in again."],
            ["로그인이 더 이상 유효하지 않습니다.", "다시 로그인하세요."],
        ),
        Code::IdentityMismatch => (
            [
                "The form names another person than the one who is signed in.",
                "Open the page again and repeat.",
            ],
            ["양식의 사람이 로그인한 사람과 다릅니다.", "페이지를 다시 열어 반복하세요."],
        ),
        Code::AgentCannotApprove => (
            ["Only people decide.", "Sign in as a person, or leave the request to one."],
            ["사람만 결정할 수 있습니다.", "사람으로 로그인하거나 사람에게 맡기세요."],
        ),
        Code::SelfApproval => (
            ["You cannot decide your own request.", "Send the link to another approver."],
            ["자신의 요청은 결정할 수 없습니다.", "다른 승인자에게 링크를 보내세요."],
        ),
        Code::NotPermitted => (
            [
                "The policy does not permit this to you.",
                "Leave it to those who may, or ask an administrator.",
            ],
            ["정책이 허용하지 않습니다.", "권한이 있는 사람에게 맡기거나 관리자에게 문의하세요."],
        ),
        Code::NotFound => (
            ["There is no such request, or it is not visible to you.", "Check the link."],
            ["그런 요청이 없거나 볼 수 없습니다.", "링크를 확인하세요."],
        ),
        Code::RouteNotFound | Code::MethodNotAllowed => (
            ["The service does not offer this.", "It may be older than this dashboard: ask an operator."],
            [
                "서비스가 제공하지 않는 기능입니다.",
                "서비스가 대시보드보다 오래되었을 수 있습니다. 운영자에게 문의하세요.",
            ],
        ),
        Code::Expired => (
            ["The deadline has passed.", "Make a new request if the operation is still needed."],
            ["기한이 지났습니다.", "여전히 필요한 작업이면 새로 요청하세요."],
        ),
        Code::NotPending => (
            ["The request is not pending any more.", "Read below what became of it."],
            ["더 이상 대기 중인 요청이 아닙니다.", "아래에서 결과를 확인하세요."],
        ),
        Code::NotApproved => (
            ["The request is not approved, or was started already.", "Read below where it stands."],
            ["승인되지 않았거나 이미 시작된 요청입니다.", "아래에서 현재 상태를 확인하세요."],
        ),
        Code::AlreadyDecided => (
            [
                "You have decided on this request already; each person counts once.",
                "Leave it to the other approvers.",
            ],
            ["이미 결정한 요청입니다. 한 사람은 한 번만 유효합니다.", "다른 승인자에게 맡기세요."],
        ),
        Code::NotDecided => (
            ["You have no approval on this request.", "There is nothing to withdraw."],
            ["이 요청에 승인한 기록이 없습니다.", "철회할 것이 없습니다."],
        ),
        Code::Integrity => (
            ["The stored request is damaged, so that nothing is decided about it.", "Tell an operator."],
            ["저장된 요청이 손상되어 결정할 수 없습니다.", "운영자에게 알리세요."],
        ),
        Code::ApprovalsInsufficient => (
            [
                "The approvals on record are not enough under the policy of now.",
                "Read below which ones are still needed.",
            ],
            ["현재 정책으로는 기록된 승인이 충분하지 않습니다.", "아래에서 더 필요한 승인을 확인하세요."],
        ),
        Code::DigestMismatch => (
            ["The request is not what the page showed.", "Read it as it is now, and decide again."],
            ["요청이 페이지에 표시된 것과 다릅니다.", "현재 내용을 읽고 다시 결정하세요."],
        ),
        Code::VersionMismatch => (
            ["The request has changed since the page was opened.", "Read what changed, and decide again."],
            ["페이지를 연 뒤 요청이 바뀌었습니다.", "바뀐 내용을 읽고 다시 결정하세요."],
        ),
        Code::NotYet => (
            ["Its time has not come.", "Start it within the window that the request names."],
            ["아직 실행할 시간이 아닙니다.", "요청에 적힌 시간에 시작하세요."],
        ),
        Code::PermitInvalid | Code::PermitSpent | Code::PermitExpired => (
            ["The permit of this execution cannot be used any more.", "Read below how far the execution is."],
            ["이 실행의 허가를 더 이상 쓸 수 없습니다.", "아래에서 실행 상태를 확인하세요."],
        ),
        Code::AlreadyObserved => (
            ["An executor has recorded the target before.", "There is nothing to do."],
            ["실행자가 이미 대상을 기록했습니다.", "할 일이 없습니다."],
        ),
        Code::ExecutionMismatch => (
            ["No such execution is running.", "Read below what was reported."],
            ["그런 실행이 진행 중이 아닙니다.", "아래에서 보고된 내용을 확인하세요."],
        ),
        Code::IdempotencyConflict => (
            [
                "This form was sent before with other text.",
                "Read below what was recorded; write again if something is missing.",
            ],
            [
                "같은 양식을 다른 내용으로 이미 보냈습니다.",
                "아래에서 기록된 내용을 확인하고 빠진 것이 있으면 다시 쓰세요.",
            ],
        ),
        Code::PayloadTooLarge => {
            (["What was sent is too large.", "Shorten it."], ["보낸 내용이 너무 큽니다.", "내용을 줄이세요."])
        }
        Code::UnsupportedMediaType => (
            ["The service could not read what was sent.", "Tell an operator."],
            ["서비스가 보낸 내용을 읽지 못했습니다.", "운영자에게 알리세요."],
        ),
        Code::ValidationFailed => (
            ["Some fields break rules.", "Correct what is listed and send the form again."],
            ["규칙에 맞지 않는 항목이 있습니다.", "아래 항목을 고쳐 다시 보내세요."],
        ),
        Code::TooManyPending => (
            [
                "You have as many pending requests as the policy allows.",
                "Cancel one, or wait until one is decided.",
            ],
            [
                "정책이 허용하는 만큼 대기 중인 요청이 있습니다.",
                "하나를 취소하거나 결정될 때까지 기다리세요.",
            ],
        ),
        Code::Claimed => (
            ["Another approver is looking at the request.", "You can decide on it all the same."],
            ["다른 승인자가 요청을 살펴보고 있습니다.", "그래도 결정할 수 있습니다."],
        ),
        Code::WebhookLimit => (
            ["There are as many webhooks as there may be.", "Delete one of them."],
            ["웹훅이 허용된 수만큼 있습니다.", "그중 하나를 삭제하세요."],
        ),
        Code::WebhookDisabled => (
            ["The webhook is disabled.", "Enable it first."],
            ["웹훅이 비활성화되어 있습니다.", "먼저 활성화하세요."],
        ),
        Code::PeopleOnly => (
            ["Only people have settings of notifications.", "Sign in as a person."],
            ["알림 설정은 사람에게만 있습니다.", "사람으로 로그인하세요."],
        ),
        Code::NotConfigured => (
            ["The service sends no messages to people.", "Ask an operator if it should."],
            ["서비스가 사람에게 메시지를 보내지 않습니다.", "필요하면 운영자에게 문의하세요."],
        ),
        Code::TooManyApproved => (
            ["You have as many approved requests as the policy allows.", "Start or cancel one of them."],
            ["정책이 허용하는 만큼 승인된 요청이 있습니다.", "하나를 시작하거나 취소하세요."],
        ),
        Code::Internal => (
            ["The service met an error of its own.", "Try again in a minute; tell an operator if it stays."],
            ["서비스 내부 오류입니다.", "잠시 뒤 다시 시도하고 계속되면 운영자에게 알리세요."],
        ),
        Code::StoreUnavailable => (
            ["The service cannot reach its database.", "Send the form again in a minute: it counts once."],
            ["서비스가 데이터베이스에 연결하지 못했습니다.", "잠시 뒤 다시 보내세요. 한 번만 기록됩니다."],
        ),
        Code::SigningUnavailable => (
            [
                "The execution is started, and its permit cannot be signed now.",
                "Get the permit by the command line in a minute.",
            ],
            ["실행은 시작되었으나 지금 허가에 서명할 수 없습니다.", "잠시 뒤 명령줄에서 허가를 받으세요."],
        ),
        Code::WorkflowDisabled => (
            ["Approvals are switched off.", "Wait until an operator switches them on."],
            ["승인 기능이 꺼져 있습니다.", "운영자가 켤 때까지 기다리세요."],
        ),
        Code::ClockSkew => (
            ["The clock of the service is wrong.", "Try again in a minute; tell an operator if it stays."],
            ["서비스의 시계가 맞지 않습니다.", "잠시 뒤 다시 시도하고 계속되면 운영자에게 알리세요."],
        ),
    };
    language.pair(english, korean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator as _;

    #[test]
    fn every_code_has_a_sentence_and_a_next_step_in_each_language() {
        for code in Code::iter() {
            for language in Language::iter() {
                let (sentence, next_step) = sentences(code, language);
                assert!(sentence.ends_with('.') && next_step.ends_with('.'), "{code:?}");
            }
        }
    }
}
