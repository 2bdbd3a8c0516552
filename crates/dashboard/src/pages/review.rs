//! `/review`: up to 20 requests, each whole, decided one by one in one go.

use super::request::act::{body, send};
use super::request::forms::{ticket, withheld};
use super::request::loaded::{Loaded, load_without_trail};
use super::request::view::RequestView;
use crate::answer::Answer;
use crate::calls::Failure;
use crate::frame::Frame;
use crate::ports::Api;
use crate::problems::Alert;
use crate::return_path::is_request_id;
use crate::shown::Shown;
use crate::ticket::{Action, Invalid};
use crate::visitor::Visitor;
use crate::words::{Words, filled};
use askama::Template;
use futures_util::future::join_all;

/// How many requests are reviewed at once.
const MOST: usize = 20;

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    words: &'static Words,
    frame: Frame,
    items: Vec<Item>,
    results: Vec<ResultView>,
    /// How many requests were left out of the page.
    left_out: Option<String>,
    is_uniform: bool,
    can_approve: bool,
    can_reject: bool,
    reason: String,
}

/// A request of the page.
#[derive(Debug)]
struct Item {
    request: RequestView,
    select: Shown,
    is_selected: bool,
    approve: Option<String>,
    reject: Option<String>,
}

/// What came of a decision.
#[derive(Debug)]
struct ResultView {
    id: Shown,
    name: Shown,
    text: Shown,
}

/// The page.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    rendered(visitor, Vec::new(), None).await
}

/// What comes of the form: a decision and a result for each request that is selected.
pub(crate) async fn decide<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let words = visitor.words();
    let fields = &visitor.fields;
    let action = if fields.get("do") == "approve" { Action::Approve } else { Action::Reject };
    if action == Action::Reject && fields.filled("reason").is_none() {
        return rendered(visitor, Vec::new(), Some(Alert::of(words.reason_needed))).await;
    }
    let mut results = Vec::new();
    for id in fields.all("selected").filter(|id| is_request_id(id)).take(MOST) {
        let sealed = fields.get(&format!("{}-{id}", action.name()));
        let mut has_ended = false;
        let (name, text) = match visitor.tickets()?.open(sealed, action, id) {
            Ok(ticket) => match body(&ticket, fields, visitor.session()?, words) {
                Ok(body) => match send(visitor, &ticket, body).await {
                    Ok(request) => {
                        let place: [&dyn std::fmt::Display; 2] =
                            [&request.operation_type, &request.instance_id];
                        (filled(words.on, &place), words.result_done.to_owned())
                    }
                    Err(Failure::Problem(problem)) => {
                        let alert = Alert::of_problem(&problem, words.language);
                        (id.to_owned(), format!("{} {}", alert.sentence, alert.next_step))
                    }
                    Err(Failure::SignedOut) => {
                        has_ended = true;
                        (id.to_owned(), words.session_ended.to_owned())
                    }
                    Err(Failure::NotFound) => (id.to_owned(), words.not_found.to_owned()),
                    Err(Failure::Unavailable) => (id.to_owned(), words.outcome_unknown.to_owned()),
                },
                Err(sentence) => (id.to_owned(), sentence.to_owned()),
            },
            Err(Invalid::Old(_)) => {
                (id.to_owned(), format!("{} {}", words.ticket_old, words.nothing_decided))
            }
            // The page had no form for it.
            Err(Invalid::Foreign) if sealed.is_empty() => (id.to_owned(), words.cannot_decide.to_owned()),
            Err(Invalid::Foreign) => (id.to_owned(), words.ticket_foreign.to_owned()),
        };
        results.push(ResultView { id: Shown::line(id), name: Shown::from(name), text: Shown::from(text) });
        if has_ended {
            break;
        }
    }
    let alert = results.is_empty().then(|| Alert::of(words.none_selected));
    rendered(visitor, results, alert).await
}

/// Whether these requests may be approved together: what differs, or is of high risk, is approved on its own page.
fn is_uniform(loaded: &[Loaded]) -> bool {
    let Some(first) = loaded.first() else { return false };
    loaded.iter().all(|one| {
        let [request, model] = [&one.request, &first.request];
        request.operation_type == model.operation_type
            && request.environment == model.environment
            && request.rules == model.rules
            && one.explanation.current_rules == first.explanation.current_rules
            && request.risk_level != "high"
            && one.explanation.risk_level != "high"
    })
}

async fn rendered<P: Api>(
    visitor: &Visitor<'_, P>,
    results: Vec<ResultView>,
    alert: Option<Alert>,
) -> Result<Answer, Failure> {
    let words = visitor.words();
    let mut ids: Vec<_> = visitor.fields.all("id").filter(|id| is_request_id(id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let left_out = ids.len().saturating_sub(MOST);
    ids.truncate(MOST);
    let loaded = join_all(ids.iter().map(|id| load_without_trail(visitor, id))).await;
    let loaded = if results.is_empty() {
        loaded.into_iter().collect::<Result<Vec<_>, _>>()?
    } else {
        // What was recorded is said, whatever can be read again.
        loaded.into_iter().flatten().collect()
    };
    let is_uniform = is_uniform(&loaded);
    let tickets = visitor.tickets()?;
    let times = visitor.times();
    let item = |loaded: &Loaded| {
        let request = RequestView::of(&loaded.request, &loaded.explanation, visitor.site, &times);
        let sealed = |action: Action| {
            let actions = &loaded.explanation.actions;
            let is_permitted = actions.iter().any(|found| found.action == action.name() && found.permitted);
            let is_offered = is_permitted && withheld(&request, words).is_none();
            is_offered.then(|| tickets.seal(&ticket(loaded, action, &tickets))).flatten()
        };
        let (approve, reject) = (sealed(Action::Approve).filter(|_| is_uniform), sealed(Action::Reject));
        let place: [&dyn std::fmt::Display; 2] =
            [&loaded.request.operation_type, &loaded.request.instance_id];
        let is_selected = visitor.fields.all("selected").any(|id| id == loaded.request.request_id);
        Item { select: Shown::from(filled(words.select, &place)), is_selected, request, approve, reject }
    };
    let items: Vec<_> = loaded.iter().map(item).collect();
    let heading = filled(words.review_heading, &[&items.len()]);
    let page = ReviewPage {
        words,
        frame: visitor.frame(heading).with_alert(alert),
        left_out: (left_out > 0).then(|| filled(words.review_left_out, &[&left_out])),
        is_uniform,
        can_approve: items.iter().any(|item| item.approve.is_some()),
        can_reject: items.iter().any(|item| item.reject.is_some()),
        items,
        results,
        reason: visitor.fields.get("reason").to_owned(),
    };
    Ok(visitor.page(&page))
}
