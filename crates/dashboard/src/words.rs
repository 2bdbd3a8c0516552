//! The texts of pages, each in English and Korean. What people wrote is shown as they wrote it.

use strum::{EnumIter, EnumString, IntoStaticStr};

/// A language of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    #[strum(serialize = "en")]
    English,
    /// Korean.
    #[strum(serialize = "ko")]
    Korean,
}

impl Language {
    /// The texts.
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Korean => &KOREAN,
        }
    }

    /// Its name in HTML.
    pub(crate) fn tag(self) -> &'static str {
        self.into()
    }

    /// One of two texts.
    pub(crate) fn one_of(self, english: &'static str, korean: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::Korean => korean,
        }
    }
}

macro_rules! words {
    ($($name:ident: $english:literal, $korean:literal;)*) => {
        /// The texts of a language.
        #[derive(Debug)]
        pub(crate) struct Words {
            /// The language.
            pub language: Language,
            $(#[doc = $english] pub $name: &'static str,)*
        }

        static ENGLISH: Words = Words { language: Language::English, $($name: $english,)* };
        static KOREAN: Words = Words { language: Language::Korean, $($name: $korean,)* };

        #[cfg(test)]
        pub(crate) const ROWS: &[[&str; 2]] = &[$([$english, $korean],)*];
    };
}

impl Words {
    /// A count, of which there may be more.
    pub(crate) fn counted(&self, count: usize, is_more: bool) -> String {
        if is_more { filled(self.or_more, &[&count]) } else { count.to_string() }
    }
}

/// A text with values in its places, which are written `{}`.
pub(crate) fn filled(text: &str, values: &[&dyn std::fmt::Display]) -> String {
    let mut parts = text.split("{}");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.zip(values).fold(first, |filled, (part, value)| format!("{filled}{value}{part}"))
}

words! {
    // Claims.
    held_by: "Looked at by", "살펴보는 사람";
    held_since: "since", "시작";
    held_until: "until", "종료";
    // Frame.
    skip: "Skip to content", "본문으로 건너뛰기";
    main: "Main", "주 메뉴";
    updates: "Updates", "새 소식";
    problem: "There is a problem", "문제가 있습니다";
    sign_out: "Sign out", "로그아웃";
    refresh: "Refresh", "새로 고침";
    pause: "Pause updates", "새 소식 멈추기";
    resume: "Resume updates", "새 소식 다시 받기";
    show_changes: "Show changes", "변경 사항 보기";
    lost: "Connection lost since {}", "{}부터 연결이 끊겼습니다";
    changed: "This page has changed.", "이 페이지의 내용이 바뀌었습니다.";
    more_to_decide: "A request waits for you.", "결정을 기다리는 요청이 있습니다.";
    time_over: "The time to decide is over.", "결정할 수 있는 시간이 끝났습니다.";
    // Headings.
    inbox: "Inbox", "받은 요청";
    my_requests: "My requests", "내 요청";
    new_request: "New request", "새 요청";
    instances: "Instances", "인스턴스";
    history: "History", "이력";
    insights: "Insights", "통계";
    audit: "Audit", "감사";
    settings: "Settings", "설정";
    sign_in: "Sign in", "로그인";
    signed_out: "Signed out", "로그아웃됨";
    not_found: "Not found", "찾을 수 없음";
    not_permitted: "Not permitted", "허용되지 않음";
    went_wrong: "Something went wrong", "문제가 발생했습니다";
    review_heading: "Review {} requests", "요청 {}건 검토";
    on: "{} on {}", "{} · {}";
    // Signing in.
    sign_in_at_issuer: "Sign in with your organisation’s account.", "조직 계정으로 로그인하세요.";
    sign_in_with_token: "Sign in with a token", "토큰으로 로그인";
    token: "Token", "토큰";
    token_hint: "A token that the API takes, as “countersign login” or an administrator gives it.", "API가 받는 토큰입니다. countersign login 명령이나 관리자에게서 받습니다.";
    token_refused: "The service does not take this token. Paste one that has not expired.", "서비스가 이 토큰을 받지 않습니다. 만료되지 않은 토큰을 붙여 넣으세요.";
    token_too_large: "The token is too large for the cookies of a session. Ask for one with fewer claims.", "토큰이 세션 쿠키에 담기에 너무 큽니다. 더 작은 토큰을 요청하세요.";
    sign_in_failed: "Signing in did not work. Begin again on this page.", "로그인하지 못했습니다. 이 페이지에서 다시 시작하세요.";
    code_expired: "This link has been used or is older than a minute. Run “countersign dashboard” again.", "이미 사용했거나 1분이 지난 링크입니다. countersign dashboard 명령을 다시 실행하세요.";
    code_person: "You are about to sign in as", "다음 사용자로 로그인합니다:";
    signed_out_text: "You are signed out of this dashboard in this browser.", "이 브라우저에서 대시보드를 로그아웃했습니다.";
    sign_in_again: "Sign in again", "다시 로그인";
    // Messages.
    not_found_text: "There is no such page or request, or it is not visible to you. Check the link, or ask its sender.", "그런 페이지나 요청이 없거나 볼 수 없습니다. 링크를 확인하거나 보낸 사람에게 물어보세요.";
    not_permitted_text: "The policy does not permit this to you. An administrator can tell you who may.", "정책이 허용하지 않습니다. 누가 할 수 있는지는 관리자에게 문의하세요.";
    went_wrong_text: "The service did not answer as it should. Nothing was decided. Refresh the page in a minute.", "서비스가 올바르게 응답하지 않았습니다. 아무것도 결정되지 않았습니다. 잠시 뒤 새로 고치세요.";
    outcome_unknown: "The service did not answer, so that it is not known whether this was recorded.", "서비스가 응답하지 않아 기록되었는지 알 수 없습니다.";
    outcome_unknown_next: "Read below how the request stands now. Sending the same form again counts once.", "아래에서 현재 상태를 확인하세요. 같은 양식을 다시 보내도 한 번만 기록됩니다.";
    outcome_unknown_text: "The service did not answer, so that it is not known whether this was recorded. Go back in a minute and send the form again: it counts once.", "서비스가 응답하지 않아 기록되었는지 알 수 없습니다. 잠시 뒤 뒤로 가서 양식을 다시 보내세요. 한 번만 기록됩니다.";
    request_unknown_next: "Send the form again as it is: it makes one request. Or look for it in My requests.", "양식을 그대로 다시 보내면 요청은 하나만 만들어집니다. 또는 내 요청에서 확인하세요.";
    filters_refused: "The service does not take what the address asks for. Go back and correct the filters.", "주소에 적힌 조건을 서비스가 받지 않습니다. 뒤로 가서 조건을 고치세요.";
    session_ended: "Your session had ended, so nothing was sent. Sign in, and do it again.", "세션이 끝나 아무것도 보내지 않았습니다. 로그인한 뒤 다시 하세요.";
    form_refused: "This form was not sent by a page of this session, so nothing was done. Open the page again and repeat.", "이 세션의 페이지에서 보낸 양식이 아니므로 처리하지 않았습니다. 페이지를 다시 열어 반복하세요.";
    wrong_host: "This service does not answer for this host name.", "이 호스트 이름으로는 응답하지 않습니다.";
    wrong_method: "This address takes no such call.", "이 주소는 그런 호출을 받지 않습니다.";
    go_to_inbox: "Go to the inbox", "받은 요청으로 가기";
    // Members of requests.
    operation: "Operation", "작업";
    instance: "Instance", "인스턴스";
    environment: "Environment", "환경";
    production: "production", "운영";
    non_production: "non-production", "비운영";
    risk: "Risk", "위험도";
    low: "low", "낮음";
    medium: "medium", "보통";
    high: "high", "높음";
    requester: "Requester", "요청자";
    status: "Status", "상태";
    requested: "Requested", "요청 시각";
    closed: "Closed", "종료 시각";
    deadline: "Deadline", "기한";
    left: "{} left", "{} 남음";
    over: "over", "지남";
    days: "{} d {} h", "{}일 {}시간";
    hours: "{} h {} min", "{}시간 {}분";
    minutes: "{} min", "{}분";
    under_a_minute: "under a minute", "1분 미만";
    approvals: "Approvals", "승인";
    k_of_n: "{} of {}", "{}/{}";
    among_them: "Must be among them", "반드시 포함할 사람";
    open_slots: "Still needed", "더 필요한 승인";
    people_of: "{} of {}", "{}명 ({})";
    any_approvers: "{} of any approvers", "승인자 {}명";
    or: " or ", " 또는 ";
    cost: "Estimated cost", "예상 비용";
    duration: "Estimated duration", "예상 소요 시간";
    ticket: "Ticket", "티켓";
    rollback_plan: "Rollback plan", "롤백 계획";
    priority: "Priority", "우선순위";
    as_configured: "as configured", "설정에 따름";
    justification: "Justification", "사유";
    parameters: "Parameters (JSON)", "매개변수 (JSON)";
    owner: "Owner", "책임자";
    filed_by: "Filed by", "대신 요청한 서비스";
    groups: "Groups", "그룹";
    next_step: "Next step", "다음 단계";
    // Statuses.
    pending: "pending", "대기 중";
    approved: "approved", "승인됨";
    approved_not_started: "approved, not started", "승인됨, 시작 전";
    executing: "executing", "실행 중";
    rejected: "rejected", "거부됨";
    expired: "expired", "만료됨";
    cancelled: "cancelled", "취소됨";
    executed: "executed", "실행 완료";
    failed: "failed", "실패";
    next_pending: "Approvers decide by the deadline.", "승인자가 기한까지 결정합니다.";
    next_approved: "Start the execution before the deadline.", "기한 전에 실행을 시작하세요.";
    next_executing: "Report what came of it.", "실행 결과를 보고하세요.";
    next_closed: "Nothing: it is closed.", "없음: 종료되었습니다.";
    // Inbox.
    inbox_empty: "No request waits for your decision.", "결정을 기다리는 요청이 없습니다.";
    inbox_empty_all: "No request is pending.", "대기 중인 요청이 없습니다.";
    inbox_empty_next: "This page shows by itself what comes. See also:", "새 요청은 이 페이지에 저절로 나타납니다. 다음도 확인하세요:";
    inbox_waiting: "Requests that wait for you: {}.", "결정을 기다리는 요청이 {}건 있습니다.";
    inbox_pending: "Pending requests: {}.", "대기 중인 요청이 {}건 있습니다.";
    view_mine: "What I can decide", "내가 결정할 수 있는 요청";
    view_all: "All pending", "대기 중인 모든 요청";
    filters: "Filters", "필터";
    apply_filters: "Apply filters", "필터 적용";
    any: "Any", "전체";
    risk_at_least: "Risk at least", "최소 위험도";
    review_selected: "Review selected", "선택한 요청 검토";
    select: "Select {} on {}", "선택: {} · {}";
    next_page: "Next page", "다음 페이지";
    damaged_rows: "Rows that cannot be read and are left out: {}.", "읽을 수 없는 {}건은 표시하지 않았습니다.";
    // A request.
    what_will_run: "What will run", "실행할 내용";
    why: "Why", "사유와 규칙";
    activity: "Activity", "활동";
    decide: "Decide", "결정";
    parameters_of: "Parameters", "매개변수";
    digest_of_parameters: "SHA-256 of the parameters", "매개변수의 SHA-256";
    digest_of_content: "SHA-256 of the whole request", "요청 전체의 SHA-256";
    erased: "Erased, because it is kept no longer. The digests are left.", "보관 기간이 지나 삭제되었습니다. 다이제스트만 남아 있습니다.";
    hidden: "The policy does not show you the parameters, so that you cannot decide.", "정책상 매개변수를 볼 수 없으므로 결정할 수 없습니다.";
    damaged: "What is shown does not have the digest on record, so that nothing can be decided here. Tell an operator.", "표시된 내용이 기록된 다이제스트와 다르므로 여기서 결정할 수 없습니다. 운영자에게 알리세요.";
    target: "Target as the executor found it", "실행자가 확인한 대상";
    executor: "Executor", "실행자";
    starts_itself: "The executor starts it by itself.", "실행자가 스스로 시작합니다.";
    execute_at: "Not before", "이 시각 이후 실행";
    window: "Window", "실행 가능 시간";
    rules: "Rules that apply", "적용되는 규칙";
    rule_none: "No rule demands anything.", "요구하는 규칙이 없습니다.";
    who_counts: "Decisions", "결정 내역";
    no_decisions: "No person has decided yet.", "아직 결정한 사람이 없습니다.";
    person: "Person", "사람";
    counts: "counts", "유효함";
    counts_not: "does not count", "유효하지 않음";
    who_still_can: "Who still can approve", "아직 승인할 수 있는 사람";
    who_nobody: "No person that the policy knows can still approve it.", "정책이 아는 사람 중 승인할 수 있는 사람이 없습니다.";
    members_of: "Members of", "다음 그룹의 구성원:";
    and: " and ", " 및 ";
    blocked: "Blocked", "막힘";
    then_pending: "Then it expires, and nothing is run.", "기한이 지나면 만료되고 아무것도 실행되지 않습니다.";
    then_approved: "Then it expires, and would have to be requested again.", "기한이 지나면 만료되어 다시 요청해야 합니다.";
    then_executing: "It stays executing until its outcome is reported.", "결과가 보고될 때까지 실행 중으로 남습니다.";
    trail_hidden: "The policy does not show you the audit trail: these are comments and decisions.", "정책상 감사 기록을 볼 수 없습니다. 의견과 결정만 표시합니다.";
    trail_verified: "The chain of events is whole.", "이벤트 체인이 온전합니다.";
    trail_broken: "The chain of events is not whole.", "이벤트 체인이 온전하지 않습니다.";
    by_way_of: "by way of {}", "경로: {}";
    you_decided: "You have decided on this request.", "이미 이 요청을 결정했습니다.";
    approve: "Approve", "승인";
    reject: "Reject", "거부";
    comment_optional: "Comment (optional)", "의견 (선택)";
    reason: "Reason", "거부 사유";
    read_all: "I have read all of it", "모두 읽었습니다";
    read_hint: "It can be ticked once the last line of the parameters was on the screen.", "매개변수의 마지막 줄까지 화면에 나타난 뒤에 선택할 수 있습니다.";
    read_all_needed: "This request is of high risk: confirm that you have read all of it, then approve.", "위험도가 높은 요청입니다. 모두 읽었음을 확인한 뒤 승인하세요.";
    reason_needed: "Write the reason for the rejection.", "거부 사유를 적으세요.";
    comment_needed: "Write the comment.", "의견을 적으세요.";
    comment: "Comment", "의견";
    add_comment: "Add comment", "의견 추가";
    withdraw: "Withdraw approval", "승인 철회";
    withdraw_reason: "Reason for the withdrawal (optional)", "철회 사유 (선택)";
    cancel_request: "Cancel request", "요청 취소";
    cancel_reason: "Reason for the cancellation (optional)", "취소 사유 (선택)";
    start_execution: "Start execution", "실행 시작";
    report_success: "Report success", "성공 보고";
    report_failure: "Report failure", "실패 보고";
    result: "Result (JSON, optional)", "결과 (JSON, 선택)";
    actual_cost: "Actual cost", "실제 비용";
    result_of: "Result", "결과";
    result_malformed: "The result is not JSON that can be read in one way.", "결과가 한 가지로 읽히는 JSON이 아닙니다.";
    number_malformed: "The cost is not a number.", "비용이 숫자가 아닙니다.";
    cannot: "Not available to you", "할 수 없는 작업";
    what_changed: "What changed", "바뀐 내용";
    nothing_decided: "Nothing was decided. Read the request as it is now, and decide again.", "아무것도 결정되지 않았습니다. 현재 요청을 읽고 다시 결정하세요.";
    ticket_old: "This page is older than 30 minutes.", "이 페이지를 연 지 30분이 지났습니다.";
    ticket_foreign: "This form belongs to another page or another session.", "다른 페이지나 다른 세션의 양식입니다.";
    no_events_since: "No event was recorded since. The rules that apply may have changed.", "그 뒤에 기록된 이벤트가 없습니다. 적용되는 규칙이 바뀌었을 수 있습니다.";
    changes_unknown: "The form does not say which version its page showed. Read the request as it is now.", "양식에 페이지가 보여 준 버전이 없습니다. 현재 요청을 읽으세요.";
    changes_hidden: "The policy does not show you the events, so that it is not known here what changed. Read the request as it is now.", "정책상 이벤트를 볼 수 없어 무엇이 바뀌었는지 알 수 없습니다. 현재 요청을 읽으세요.";
    // Review.
    review_none: "No request is selected. Select some in the inbox.", "선택한 요청이 없습니다. 받은 요청에서 선택하세요.";
    none_selected: "No request is selected, so nothing was decided. Tick those that you have read.", "선택한 요청이 없어 아무것도 결정되지 않았습니다. 읽은 요청을 선택하세요.";
    review_differs: "These requests differ in operation, environment or rules, or one is of high risk: approve each on its own page.", "작업, 환경, 규칙이 서로 다르거나 위험도가 높은 요청이 있습니다. 각 페이지에서 따로 승인하세요.";
    approve_selected: "Approve selected", "선택한 요청 승인";
    reject_selected: "Reject selected", "선택한 요청 거부";
    results: "Results", "결과";
    review_left_out: "Requests that are left out, since at most 20 are reviewed at once: {}.", "한 번에 20건까지만 검토하므로 {}건은 제외되었습니다.";
    result_done: "Recorded", "기록됨";
    cannot_decide: "You cannot decide this request.", "이 요청은 결정할 수 없습니다.";
    // Requests.
    requests_empty: "You have no open request, and none was closed in the last 90 days. Make one, or look further back in the history.", "진행 중인 요청이 없고 최근 90일 동안 종료된 요청도 없습니다. 새로 요청하거나 이력에서 더 이전을 확인하세요.";
    requests_unknown: "The service does not say who you are, so that your requests cannot be listed. Look in the history by requester.", "서비스가 사용자를 알려 주지 않아 요청을 나열할 수 없습니다. 이력에서 요청자로 찾으세요.";
    check: "Check", "확인";
    submit: "Submit request", "요청 제출";
    new_hint: "Check says what the policy would demand, and changes nothing.", "확인은 정책의 요구 사항을 보여 주며 아무것도 바꾸지 않습니다.";
    check_heading: "What the policy says", "정책의 판단";
    check_permitted: "The request can be submitted.", "제출할 수 있는 요청입니다.";
    check_refused: "The request would be refused.", "정책상 제출할 수 없는 요청입니다.";
    check_unsatisfiable: "No people could be found to approve it.", "승인할 수 있는 사람을 찾을 수 없습니다.";
    check_at_once: "It would be approved at once.", "즉시 승인됩니다.";
    check_needs: "Approvals needed", "필요한 승인";
    check_fields: "Fields demanded", "필수 항목";
    check_expires: "Would expire", "만료 시각";
    parameters_malformed: "The parameters are not a JSON object that can be read in one way.", "매개변수가 한 가지로 읽히는 JSON 객체가 아닙니다.";
    // Instances.
    instances_hint: "Enter the id of an instance, or choose one with pending requests.", "인스턴스 ID를 입력하거나 대기 중인 요청이 있는 인스턴스를 고르세요.";
    instances_empty: "No instance has pending requests. Enter an id to see what was done for it.", "대기 중인 요청이 있는 인스턴스가 없습니다. ID를 입력하면 처리된 요청을 볼 수 있습니다.";
    show: "Show", "보기";
    review: "Review", "검토";
    pending_here: "Open", "진행 중";
    closed_here: "Closed requests", "종료된 요청";
    nothing_open: "Nothing is open for this instance. You may ask for something:", "이 인스턴스에 진행 중인 요청이 없습니다. 새로 요청할 수 있습니다:";
    nothing_closed: "Nothing was closed here in the last 90 days. Earlier requests are in the history:", "최근 90일 동안 종료된 요청이 없습니다. 이전 요청은 이력에 있습니다:";
    // History.
    from: "From", "시작일";
    to: "To", "종료일";
    days_in_utc: "Days begin and end in UTC.", "날짜는 UTC 기준입니다.";
    history_empty: "No closed request fits these filters. Leave one out, or choose earlier days.", "조건에 맞는 종료된 요청이 없습니다. 조건을 줄이거나 더 이른 기간을 선택하세요.";
    earlier: "Earlier", "이전 기간";
    csv: "Download as CSV", "CSV로 내려받기";
    // Audit.
    audit_empty: "No event fits these filters. Leave one out, or choose earlier days.", "조건에 맞는 이벤트가 없습니다. 조건을 줄이거나 더 이른 날짜를 선택하세요.";
    event: "Event", "이벤트";
    event_type: "Type of event", "이벤트 종류";
    request_id: "Request id", "요청 ID";
    user: "Actor", "행위자";
    chain: "Chain", "체인";
    evidence: "Download evidence", "증거 내려받기";
    settled: "Complete until", "다음 시각까지 완전함:";
    findings: "Findings", "발견 사항";
    // Settings.
    time_zone: "Time zone", "시간대";
    zone_hint: "Such as Asia/Seoul. Empty: that of the browser, or else UTC.", "예: Asia/Seoul. 비워 두면 브라우저의 시간대, 없으면 UTC를 씁니다.";
    zone_unknown: "There is no such time zone. Write it like Asia/Seoul, or leave it empty.", "그런 시간대가 없습니다. Asia/Seoul처럼 쓰거나 비워 두세요.";
    language_: "Language", "언어";
    of_browser: "As the browser says", "브라우저 설정";
    theme: "Theme", "테마";
    theme_system: "As the system says", "시스템 설정";
    theme_light: "Light", "밝게";
    theme_dark: "Dark", "어둡게";
    shortcuts: "Single-key shortcuts", "단일 키 단축키";
    shortcuts_hint: "j, k: next, previous row. Enter: open. x: select. /: filters. ?: this page. a, r: move to the form. No key decides.", "j, k: 다음, 이전 줄. Enter: 열기. x: 선택. /: 필터. ?: 이 페이지. a, r: 양식으로 이동. 키로 결정되지는 않습니다.";
    notifications: "Desktop notifications", "데스크톱 알림";
    notifications_hint: "Says that a request waits, and nothing of what it holds.", "요청이 기다린다는 사실만 알리며 내용은 알리지 않습니다.";
    save_settings: "Save settings", "설정 저장";
    saved: "The settings are saved in this browser.", "설정을 이 브라우저에 저장했습니다.";
    // Insights.
    show_as_table: "Show as table", "표로 보기";
    day: "Day", "날짜";
    total: "Requests", "요청";
    chart_requests: "Requests a day", "일별 요청";
    chart_time: "Time to decision, in hours", "결정까지 걸린 시간 (시간)";
    chart_time_mark: "Mark: 24 hours", "기준선: 24시간";
    chart_outcomes: "Approved, rejected, expired", "승인, 거부, 만료";
    chart_rejections: "Rejected of decided, in percent", "결정 중 거부 비율 (%)";
    chart_rejections_mark: "Mark: 30 percent", "기준선: 30%";
    chart_by: "Decided by policy, by people", "정책에 의한 결정, 사람에 의한 결정";
    chart_operations: "Slowest operations (p95, hours)", "가장 느린 작업 (p95, 시간)";
    chart_slow_groups: "Slowest groups (mean, hours)", "가장 느린 그룹 (평균, 시간)";
    chart_slow_approvers: "Slowest approvers (mean, hours)", "가장 느린 승인자 (평균, 시간)";
    chart_costs: "Costs: estimated of requests, actual of executions", "비용: 요청의 예상, 실행의 실제";
    chart_waiting: "Waiting now, by operation", "지금 대기 중인 요청 (작업별)";
    mean_hours: "Mean, hours", "평균 (시간)";
    group: "Group", "그룹";
    chart_approvers: "Busiest approvers", "가장 많이 결정한 승인자";
    by_policy: "By policy", "정책";
    by_people: "By people", "사람";
    mean: "Mean", "평균";
    median: "Median", "중앙값";
    p95: "95 of 100", "95번째 백분위";
    decisions: "Decisions", "결정 수";
    insights_empty: "Nothing is counted in this range. Choose another one.", "이 기간에 집계된 내용이 없습니다. 다른 기간을 선택하세요.";
    totals: "In all", "전체";
    hours_saved: "Hours saved, at {} hours a ticket", "절약한 시간 (티켓당 {}시간 기준)";
    waiting_now: "Waiting now", "지금 대기 중";
    or_more: "{} or more", "{}건 이상";
    gaps: "What these figures do not say", "이 통계가 알려 주지 않는 것";
    gap_time: "Time to decision has no point on a day without a decision of people: what the policy approves at once takes no time.", "사람이 결정하지 않은 날에는 결정 시간이 없습니다. 정책이 즉시 승인한 요청은 시간이 걸리지 않습니다.";
    gap_groups: "The log names the groups of those who approved, and not of those who rejected: groups are timed by approvals alone. An approver in several groups counts in each.", "로그에는 승인한 사람의 그룹만 있고 거부한 사람의 그룹은 없습니다. 그룹별 시간은 승인만으로 계산하며, 여러 그룹에 속한 사람은 각 그룹에 포함됩니다.";
    gap_costs: "An estimated cost was named by {} of {} requests, an actual cost by {} of {} executions that ended. The others are in no sum, and the two sums are not of the same requests.", "예상 비용은 요청 {}/{}건, 실제 비용은 끝난 실행 {}/{}건에 있습니다. 나머지는 합계에 없으며 두 합계는 같은 요청의 것이 아닙니다.";
    gap_waiting: "What waits now is shown for the first 100 pending requests.", "지금 대기 중인 요청은 처음 100건만 보여 줍니다.";
    gap_waiting_hidden: "What waits now is not shown, because the policy does not let you list requests.", "정책상 요청을 나열할 수 없어 지금 대기 중인 요청은 보여 주지 않습니다.";
    gap_hours: "Hours saved take each approved request for one ticket. The time that it took here is not subtracted.", "절약한 시간은 승인된 요청 하나를 티켓 하나로 계산합니다. 여기서 걸린 시간은 빼지 않습니다.";
    gap_no_hours: "Hours saved are not known: an operator sets by --ticket-hours what a ticket took before.", "절약한 시간은 알 수 없습니다. 이전에 티켓 하나에 걸린 시간은 운영자가 --ticket-hours로 정합니다.";
    log_size: "Counted are the first {} events of the audit log. Later ones follow.", "감사 로그의 처음 {}개 이벤트까지 집계했습니다. 이후 이벤트는 곧 반영됩니다.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_in_both_languages_with_as_many_places() {
        for [english, korean] in ROWS {
            assert!(!english.is_empty() && !korean.is_empty(), "{english}");
            assert_eq!(english.matches("{}").count(), korean.matches("{}").count(), "{english}");
        }
    }

    #[test]
    fn values_stand_in_their_places() {
        assert_eq!(filled("{} of {}", &[&1, &2]), "1 of 2");
        assert_eq!(filled("all", &[]), "all");
        assert_eq!(filled("{}", &[&"{}"]), "{}");
    }
}
