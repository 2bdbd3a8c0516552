//! What comes of the forms of a request: one call of the API, with what the ticket says of the page that was read.

use super::page::{Changed, Refused, page_again};
use crate::answer::Answer;
use crate::calls::Failure;
use crate::fields::Fields;
use crate::ports::Api;
use crate::problems::{self, Alert};
use crate::session::Session;
use crate::ticket::{Action, Invalid, Ticket};
use crate::visitor::Visitor;
use crate::words::Words;
use countersign_api::wire::RequestBody;
use countersign_core::canonical;
use http::{Method, StatusCode};
use serde_json::{Map, Number, Value};

/// Carries out a form on a request.
pub(crate) async fn act<P: Api>(
    visitor: &Visitor<'_, P>,
    id: &str,
    action: Action,
) -> Result<Answer, Failure> {
    let words = visitor.words();
    let fields = &visitor.fields;
    let ticket = match visitor.tickets()?.open(fields.get("ticket"), action, id) {
        Ok(ticket) => ticket,
        Err(invalid) => return page_again(visitor, id, action, refused(words, &invalid)).await,
    };
    let body = match body(&ticket, fields, visitor.session()?, words) {
        Ok(body) => body,
        Err(sentence) => {
            let (status, alert) = (StatusCode::UNPROCESSABLE_ENTITY, Alert::of(sentence));
            return page_again(visitor, id, action, Refused { status, alert, changed: None, key: None })
                .await;
        }
    };
    match send(visitor, &ticket, body).await {
        Ok(_) => Ok(Answer::redirect(&format!("/approvals/{id}"))),
        Err(Failure::Problem(problem)) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let refused = Refused {
                status,
                key: status.is_server_error().then(|| ticket.key.clone()),
                alert: Alert::of_problem(&problem, words.language),
                changed: problems::is_change(&problem).then_some(Changed::Since(ticket.version)),
            };
            page_again(visitor, id, action, refused).await
        }
        Err(Failure::Unavailable) => {
            let refused = Refused {
                status: StatusCode::BAD_GATEWAY,
                alert: Alert {
                    next_step: words.outcome_unknown_next.to_owned().into(),
                    ..Alert::of(words.outcome_unknown)
                },
                changed: Some(Changed::Since(ticket.version)),
                key: Some(ticket.key),
            };
            page_again(visitor, id, action, refused).await
        }
        Err(failure) => Err(failure),
    }
}

/// Sends an action to the API, once for each ticket.
pub(crate) async fn send<P: Api>(
    visitor: &Visitor<'_, P>,
    ticket: &Ticket,
    body: Value,
) -> Result<RequestBody, Failure> {
    let (method, path) = match ticket.action {
        Action::Approve => (Method::POST, "/approve"),
        Action::Reject => (Method::POST, "/reject"),
        Action::Withdraw => (Method::POST, "/withdraw"),
        Action::Comment => (Method::POST, "/comments"),
        Action::Cancel => (Method::POST, "/cancel"),
        Action::Start => (Method::POST, "/execution"),
        Action::Finish => (Method::PUT, "/execution"),
        Action::Create => return Err(Failure::NotFound),
    };
    let path = format!("/v1/approvals/{}{path}", ticket.request);
    visitor.calls()?.send_body(method, &path, Some(&ticket.key), body).await
}

/// Why a ticket is not taken, for the page.
fn refused(words: &Words, invalid: &Invalid) -> Refused {
    let (sentence, changed) = match invalid {
        Invalid::Foreign => (words.ticket_foreign, Changed::Unknown),
        Invalid::Old(ticket) => (words.ticket_old, Changed::Since(ticket.version)),
    };
    let alert = Alert { next_step: words.nothing_decided.to_owned().into(), ..Alert::of(sentence) };
    Refused { status: StatusCode::CONFLICT, alert, changed: Some(changed), key: None }
}

/// The body of a call, or what is missing in the form.
pub(crate) fn body(
    ticket: &Ticket,
    fields: &Fields,
    session: &Session,
    words: &'static Words,
) -> Result<Value, &'static str> {
    let mut body = Map::new();
    let mut text = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), Value::from(value));
        }
    };
    match ticket.action {
        Action::Approve => {
            if ticket.needs_reading && fields.get("read") != "yes" {
                return Err(words.read_all_needed);
            }
            text("comments", fields.filled("comment"));
        }
        Action::Reject => text("reason", Some(fields.filled("reason").ok_or(words.reason_needed)?)),
        Action::Withdraw => text("reason", fields.filled("withdraw_reason")),
        Action::Comment => text("text", Some(fields.filled("text").ok_or(words.comment_needed)?)),
        Action::Cancel => text("reason", fields.filled("cancel_reason")),
        Action::Start | Action::Create => {}
        Action::Finish => {
            let has_succeeded = fields.get("outcome") == "succeeded";
            text("execution_id", ticket.execution_id.as_deref());
            text("outcome", Some(if has_succeeded { "succeeded" } else { "failed" }));
            if let Some(result) = fields.filled("result") {
                let result = canonical::read(result.as_bytes()).map_err(|_| words.result_malformed)?;
                body.insert("result".to_owned(), result);
            }
            if let Some(cost) = number(fields, "actual_cost").map_err(|()| words.number_malformed)? {
                body.insert("actual_cost".to_owned(), cost);
            }
        }
    }
    // The API takes no digest with what is of the request, whatever it holds.
    if ticket.action.is_of_content()
        && let Some(digest) = &ticket.content_digest
    {
        body.insert("content_digest".to_owned(), Value::from(digest.as_str()));
    }
    // What was read is decided and started. A report is of what has happened, however often the executor was heard of since.
    let is_of_version = matches!(ticket.action, Action::Approve | Action::Reject | Action::Start);
    if is_of_version && session.is_known_by_name {
        body.insert("expected_version".to_owned(), Value::from(ticket.version));
    }
    Ok(Value::Object(body))
}

/// A number that a field holds, if any.
pub(crate) fn number(fields: &Fields, name: &str) -> Result<Option<Value>, ()> {
    let Some(text) = fields.filled(name) else { return Ok(None) };
    let number: f64 = text.parse().map_err(|_| ())?;
    Number::from_f64(number).map(|number| Some(Value::Number(number))).ok_or(())
}
