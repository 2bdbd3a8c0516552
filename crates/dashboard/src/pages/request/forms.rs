//! What a visitor may do about a request: a form for each, with its ticket, or the reason why not.

use super::loaded::Loaded;
use super::view::RequestView;
use crate::fields::Fields;
use crate::shown::Shown;
use crate::ticket::{Action, Ticket, Tickets};
use crate::words::Words;

/// The forms of a request.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    /// Their tickets; absent is what is not permitted.
    pub approve: Option<String>,
    pub reject: Option<String>,
    pub withdraw: Option<String>,
    pub comment: Option<String>,
    pub cancel: Option<String>,
    pub start: Option<String>,
    pub finish: Option<String>,
    /// Whether approving needs a tick.
    pub needs_reading: bool,
    /// Why there is no form to decide, whatever policy permits.
    pub withheld: Option<&'static str>,
    pub refusals: Vec<RefusedAction>,
    pub kept: Kept,
    pub csrf: String,
}

/// Why an action is not permitted.
#[derive(Debug)]
pub(crate) struct RefusedAction {
    pub name: &'static str,
    pub reasons: Vec<Shown>,
}

/// What a visitor wrote in forms that were not taken.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub comment: String,
    pub reason: String,
    pub withdraw_reason: String,
    pub text: String,
    pub cancel_reason: String,
    pub result: String,
    pub actual_cost: String,
    /// The key of a form that may have had its effect.
    pub key: Option<(Action, String)>,
}

impl Kept {
    /// What a form brought along.
    pub(crate) fn of(fields: &Fields) -> Self {
        let get = |name: &str| fields.get(name).to_owned();
        Self {
            comment: get("comment"),
            reason: get("reason"),
            withdraw_reason: get("withdraw_reason"),
            text: get("text"),
            cancel_reason: get("cancel_reason"),
            result: get("result"),
            actual_cost: get("actual_cost"),
            key: None,
        }
    }
}

impl Forms {
    /// The forms of a request for the session of these tickets.
    pub(crate) fn of(
        loaded: &Loaded,
        view: &RequestView,
        tickets: Tickets<'_>,
        words: &'static Words,
        kept: Kept,
    ) -> Self {
        let withheld = withheld(view, words);
        let ticket = |action: Action| {
            let is_permitted = loaded
                .explanation
                .actions
                .iter()
                .any(|found| found.action == action.name() && found.permitted);
            let is_offered = is_permitted && !(action.is_of_content() && withheld.is_some());
            let mut ticket = self::ticket(loaded, action, &tickets);
            if let Some((of, key)) = &kept.key
                && *of == action
            {
                ticket.key.clone_from(key);
            }
            is_offered.then(|| tickets.seal(&ticket)).flatten()
        };
        Self {
            approve: ticket(Action::Approve),
            reject: ticket(Action::Reject),
            withdraw: ticket(Action::Withdraw),
            comment: ticket(Action::Comment),
            cancel: ticket(Action::Cancel),
            start: ticket(Action::Start),
            finish: ticket(Action::Finish),
            needs_reading: needs_reading(loaded),
            withheld,
            refusals: refusals(loaded, words),
            kept,
            csrf: tickets.session.csrf.clone(),
        }
    }
}

/// Why nothing can be decided on the page.
pub(crate) fn withheld(view: &RequestView, words: &'static Words) -> Option<&'static str> {
    if view.parameters.is_none() || view.content_digest.is_none() {
        return Some(words.hidden);
    }
    (!view.is_whole).then_some(words.damaged)
}

/// The risk of the request as it was made, and as policy has it now: the higher one counts.
fn needs_reading(loaded: &Loaded) -> bool {
    [&loaded.request.risk_level, &loaded.explanation.risk_level].into_iter().any(|risk| risk == "high")
}

/// The ticket of an action on what was loaded.
pub(crate) fn ticket(loaded: &Loaded, action: Action, tickets: &Tickets<'_>) -> Ticket {
    let request = &loaded.request;
    Ticket {
        session: tickets.session.id.clone(),
        action,
        request: request.request_id.clone(),
        version: request.version,
        content_digest: request.content_digest.clone(),
        needs_reading: needs_reading(loaded),
        execution_id: request.execution_id.clone(),
        key: tickets.key(action, &request.request_id),
        at: tickets.visit.now.as_millisecond(),
    }
}

fn refusals(loaded: &Loaded, words: &Words) -> Vec<RefusedAction> {
    let actions = loaded.explanation.actions.iter().filter(|action| !action.permitted);
    let named = actions.filter_map(|action| {
        let name = match action.action.as_str() {
            "approve" => words.approve,
            "reject" => words.reject,
            "withdraw" => words.withdraw,
            "comment" => words.add_comment,
            "cancel" => words.cancel_request,
            "start" => words.start_execution,
            "finish" => words.report_success,
            _ => return None,
        };
        Some(RefusedAction { name, reasons: action.reasons.iter().map(Shown::from).collect() })
    });
    named.collect()
}
