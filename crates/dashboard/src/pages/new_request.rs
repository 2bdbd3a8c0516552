//! `/requests/new`: asking for an operation. `Check` says what the policy would demand; `Submit request` asks.

use crate::answer::Answer;
use crate::calls::Failure;
use crate::fields::Fields;
use crate::frame::Frame;
use crate::labels;
use crate::pages::request::act::number;
use crate::pages::request::view::RuleView;
use crate::ports::Api;
use crate::problems::Alert;
use crate::shown::Shown;
use crate::ticket::{Action, Invalid};
use crate::times::{Moment, Times};
use crate::visitor::Visitor;
use crate::words::Words;
use askama::Template;
use countersign_api::wire::{RequestBody, SimulateBody};
use countersign_core::canonical;
use http::{Method, StatusCode};
use serde_json::{Map, Value};

#[derive(Template)]
#[template(path = "new_request.html")]
struct NewRequestPage {
    words: &'static Words,
    frame: Frame,
    draft: Draft,
    ticket: String,
    check: Option<Check>,
}

/// What is in the form.
#[derive(Debug)]
struct Draft {
    operation: String,
    instance: String,
    environment: String,
    parameters: String,
    justification: String,
    risk: String,
    cost: String,
    duration: String,
    ticket: String,
    rollback_plan: String,
    priority: String,
}

/// What the policy says of it.
#[derive(Debug)]
struct Check {
    is_permitted: bool,
    refusals: Vec<Shown>,
    is_satisfiable: bool,
    is_approved_at_once: bool,
    risk: labels::Badge,
    environment: Shown,
    required: u8,
    slots: Vec<Shown>,
    fields: Vec<Shown>,
    expires: Moment,
    rules: Vec<RuleView>,
}

impl Draft {
    /// What a query prefills, or a form brought along.
    fn of(fields: &Fields) -> Self {
        let get = |name: &str| fields.get(name).to_owned();
        let parameters = Some(get("parameters")).filter(|text| !text.is_empty());
        Self {
            operation: get("operation"),
            instance: get("instance"),
            environment: get("environment"),
            parameters: parameters.unwrap_or_else(|| "{}".to_owned()),
            justification: get("justification"),
            risk: get("risk"),
            cost: get("cost"),
            duration: get("duration"),
            ticket: get("ticket_name"),
            rollback_plan: get("rollback_plan"),
            priority: get("priority"),
        }
    }
}

impl Draft {
    /// Whether the environment is one that can be chosen, or none was named. What cannot be chosen is chosen by the requester.
    fn has_environment(&self) -> bool {
        ["", "production", "non-production"].contains(&self.environment.as_str())
    }
}

impl Check {
    fn of(simulation: &SimulateBody, times: &Times) -> Self {
        let words = times.words;
        let refusals = simulation.refusals.iter().flat_map(|refusal| {
            let reasons = if refusal.reasons.is_empty() {
                std::slice::from_ref(&refusal.detail)
            } else {
                refusal.reasons.as_slice()
            };
            reasons.iter().map(Shown::from)
        });
        Self {
            is_permitted: simulation.permitted,
            refusals: refusals.collect(),
            is_satisfiable: simulation.satisfiable,
            is_approved_at_once: simulation.permitted && simulation.status == "approved",
            risk: labels::risk(words, &simulation.risk_level),
            environment: labels::environment(words, &simulation.environment),
            required: simulation.approvals_required,
            slots: simulation.slots.iter().map(|slot| labels::slot(words, slot)).collect(),
            fields: simulation.required_fields.iter().map(Shown::from).collect(),
            expires: times.moment(&simulation.expires_at),
            rules: simulation.rules.iter().map(RuleView::of).collect(),
        }
    }
}

/// The form, prefilled by the query.
pub(crate) fn page<P>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    rendered(visitor, StatusCode::OK, None, None, None)
}

/// What comes of the form.
pub(crate) async fn send<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let words = visitor.words();
    let again = |status, alert| rendered(visitor, status, Some(alert), None, None);
    let body = match body(&visitor.fields, words) {
        Ok(body) => body,
        Err(sentence) => return again(StatusCode::UNPROCESSABLE_ENTITY, Alert::of(sentence)),
    };
    let is_submitted = visitor.fields.get("do") == "submit";
    let failure = if is_submitted {
        let ticket = match visitor.tickets()?.open(visitor.fields.get("ticket"), Action::Create, "") {
            Ok(ticket) => ticket,
            Err(Invalid::Old(_)) => return again(StatusCode::CONFLICT, Alert::of(words.ticket_old)),
            Err(Invalid::Foreign) => return again(StatusCode::CONFLICT, Alert::of(words.ticket_foreign)),
        };
        let calls = visitor.calls()?;
        let made: Result<RequestBody, _> =
            calls.send_body(Method::POST, "/v1/approvals", Some(&ticket.key), body).await;
        match made {
            // What the API names is a path of ours only if it looks like an id.
            Ok(made) if crate::return_path::is_request_id(&made.request_id) => {
                return Ok(Answer::redirect(&format!("/approvals/{}", made.request_id)));
            }
            Ok(_) => Failure::Unavailable,
            Err(failure) => failure,
        }
    } else {
        let calls = visitor.calls()?;
        let simulated: Result<SimulateBody, _> =
            calls.send_body(Method::POST, "/v1/approvals/simulate", None, body).await;
        match simulated {
            Ok(simulation) => {
                let check = Check::of(&simulation, &visitor.times());
                return rendered(visitor, StatusCode::OK, None, Some(check), None);
            }
            Err(failure) => failure,
        }
    };
    // A request may have been made though no answer says so: its form keeps its key.
    let sent = Some(visitor.fields.get("ticket")).filter(|_| is_submitted);
    match failure {
        Failure::Problem(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let alert = Alert::of_problem(&problem, words.language);
            rendered(visitor, status, Some(alert), None, sent.filter(|_| status.is_server_error()))
        }
        Failure::Unavailable if is_submitted => {
            let next_step = words.request_unknown_next.to_owned().into();
            let alert = Alert { next_step, ..Alert::of(words.outcome_unknown) };
            rendered(visitor, StatusCode::BAD_GATEWAY, Some(alert), None, sent)
        }
        failure => Err(failure),
    }
}

fn rendered<P>(
    visitor: &Visitor<'_, P>,
    status: StatusCode,
    alert: Option<Alert>,
    check: Option<Check>,
    ticket: Option<&str>,
) -> Result<Answer, Failure> {
    let words = visitor.words();
    let update = check.as_ref().map(|check| match (check.is_permitted, check.is_satisfiable) {
        (false, _) => words.check_refused,
        (true, false) => words.check_unsatisfiable,
        (true, true) => words.check_permitted,
    });
    let page = NewRequestPage {
        words,
        frame: visitor
            .frame(words.new_request.to_owned())
            .with_alert(alert)
            .with_update(update.unwrap_or_default().to_owned()),
        draft: Draft::of(&visitor.fields),
        ticket: match ticket {
            Some(ticket) => ticket.to_owned(),
            None => visitor.tickets()?.for_creation().unwrap_or_default(),
        },
        check,
    };
    Ok(visitor.page_with(status, &page))
}

/// The body of a creation, or what is wrong with the form.
fn body(fields: &Fields, words: &'static Words) -> Result<Value, &'static str> {
    let parameters = fields.filled("parameters").unwrap_or("{}");
    let parameters = canonical::read(parameters.as_bytes()).map_err(|_| words.parameters_malformed)?;
    if !parameters.is_object() {
        return Err(words.parameters_malformed);
    }
    let mut body = Map::new();
    // What policy demands is said by the API: these it reads in any case.
    for (name, field) in
        [("operation_type", "operation"), ("instance_id", "instance"), ("environment", "environment")]
    {
        body.insert(name.to_owned(), Value::from(fields.trimmed(field)));
    }
    body.insert("justification".to_owned(), Value::from(fields.get("justification")));
    body.insert("parameters".to_owned(), parameters);
    for (name, field) in [
        ("risk_level", "risk"),
        ("estimated_duration", "duration"),
        ("ticket", "ticket_name"),
        ("rollback_plan", "rollback_plan"),
        ("priority", "priority"),
    ] {
        if let Some(value) = fields.filled(field) {
            body.insert(name.to_owned(), Value::from(value));
        }
    }
    if let Some(cost) = number(fields, "cost").map_err(|()| words.number_malformed)? {
        body.insert("estimated_cost".to_owned(), cost);
    }
    Ok(Value::Object(body))
}
