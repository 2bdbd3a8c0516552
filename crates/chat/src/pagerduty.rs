//! `PagerDuty`'s Events API v2: one incident per request
//! (<https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>).

use crate::call::{Answer, HttpCall, Secret, SecretUrl};
use crate::cut;
use crate::link::web_link;
use crate::summary::{Quote, Summary, Tone};
use countersign_core::risk::RiskLevel;
use countersign_delivery::outcome::{FailureClass, Outcome};
use serde_json::{Map, Value, json};

/// Where events are sent.
pub const ENDPOINT: &str = "https://events.pagerduty.com/v2/enqueue";
/// Where events of accounts in the EU are sent.
pub const EU_ENDPOINT: &str = "https://events.eu.pagerduty.com/v2/enqueue";
/// The largest event, in bytes.
pub const MAX_BYTES: usize = 512 * 1024;
/// The longest summary, in characters.
pub const MAX_SUMMARY: usize = 1024;
/// The longest text among the details, in characters: with as many of them as there may be, far less than an event may have.
const MAX_TEXT: usize = 4_000;
/// The longest line among the details, in characters.
const MAX_LINE: usize = 600;
/// The most details of one kind.
const MAX_DETAILS: usize = 20;
/// The length of an integration key, in characters.
const KEY_LENGTH: usize = 32;

/// The text is no integration key. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the integration key of an Events API v2 integration: 32 letters and digits")]
pub struct InvalidIntegrationKey;

/// The message is about no request, so that no incident is it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("PagerDuty is told of requests alone")]
pub struct NoRequest;

/// What becomes of the incident of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It begins, when a request is escalated. Once more it changes nothing but the incident's log.
    Trigger,
    /// An approver has claimed the request.
    Acknowledge,
    /// Nothing is left to decide.
    Resolve,
}

impl Action {
    /// The name in an event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

/// A service of `PagerDuty`: the key of its integration, and where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagerDuty {
    endpoint: SecretUrl,
    integration_key: Secret,
}

impl PagerDuty {
    /// The service of a key. `endpoint` is [`ENDPOINT`], [`EU_ENDPOINT`], or what stands in for them.
    ///
    /// # Errors
    /// A text that is no key.
    pub fn new(endpoint: SecretUrl, integration_key: &str) -> Result<Self, InvalidIntegrationKey> {
        let key = integration_key.trim();
        if key.len() == KEY_LENGTH && key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self { endpoint, integration_key: Secret::new(key) })
        } else {
            Err(InvalidIntegrationKey)
        }
    }

    /// The call that sends an event. Its `dedup_key` is the id of the request, so a repeated call begins no second incident.
    ///
    /// # Errors
    /// A message that is about no request.
    pub fn enqueue(&self, action: Action, summary: &Summary) -> Result<HttpCall, NoRequest> {
        let request_id = summary.request_id.ok_or(NoRequest)?;
        let mut event = json!({
            "routing_key": self.integration_key.expose(),
            "event_action": action.as_str(),
            "dedup_key": request_id.to_string(),
        });
        if let (Action::Trigger, Value::Object(event)) = (action, &mut event) {
            event.insert("client".to_owned(), json!("Countersign"));
            event.insert("payload".to_owned(), payload(summary));
            if let Some(link) = summary.link.as_deref().and_then(web_link) {
                event.insert("client_url".to_owned(), json!(link));
                event.insert("links".to_owned(), json!([{ "href": link, "text": "The request" }]));
            }
        }
        Ok(HttpCall::json(self.endpoint.clone(), &event))
    }
}

fn payload(summary: &Summary) -> Value {
    let mut payload = json!({
        "summary": cut::line(&summary.title(), MAX_SUMMARY, cut::characters),
        "source": summary.source.as_str(),
        "severity": severity(summary),
        "timestamp": summary.timestamp.to_string(),
        "custom_details": details(summary),
    });
    if let (Some(target), Value::Object(payload)) = (&summary.target, &mut payload) {
        payload.insert("component".to_owned(), json!(cut::line(&target.instance, MAX_LINE, cut::characters)));
        payload.insert("class".to_owned(), json!(cut::line(&target.operation, MAX_LINE, cut::characters)));
        payload.insert("group".to_owned(), json!(target.environment));
    }
    payload
}

/// Of the four severities, that of the risk; a damaged request is the worst.
fn severity(summary: &Summary) -> &'static str {
    match (summary.risk_level, summary.tone) {
        (Some(RiskLevel::High), _) => "error",
        (Some(RiskLevel::Medium), _) => "warning",
        (Some(RiskLevel::Low), _) => "info",
        (None, Tone::Bad) => "critical",
        (None, Tone::Waiting | Tone::Good | Tone::Neutral) => "info",
    }
}

fn details(summary: &Summary) -> Value {
    let line = |text: &str| cut::line(text, MAX_LINE, cut::characters);
    let mut details = Map::new();
    let notes = summary.ask_line().into_iter().chain(summary.notes.iter().cloned());
    let notes: Vec<_> = notes.take(MAX_DETAILS).map(|note| line(&note)).collect();
    if !notes.is_empty() {
        details.insert("Notes".to_owned(), json!(notes));
    }
    for fact in summary.facts.iter().take(MAX_DETAILS) {
        details.insert(fact.name.to_owned(), json!(line(&fact.value)));
    }
    for Quote { title, text } in summary.quotes.iter().take(MAX_DETAILS) {
        details.insert(line(title), json!(cut::quoted(text, MAX_TEXT, cut::characters)));
    }
    if let Some(advice) = &summary.advice {
        details.insert("Advice".to_owned(), json!(cut::lines(advice, MAX_TEXT, cut::characters)));
    }
    Value::Object(details)
}

/// What came of a call. The reference is the key of the incident, which is the id of the request.
pub fn outcome(answer: &Answer<'_>) -> Outcome {
    let status = answer.status;
    let document = answer.json().unwrap_or_default();
    if status == 202 {
        let key = document.get("dedup_key").and_then(Value::as_str).map(str::to_owned);
        return Outcome::Delivered { status: Some(status), reference: key };
    }
    let class = match status {
        // A key that is not known is one of the mistakes of an event, and the one that an operator can mend.
        400 if names_the_key(&document) => FailureClass::Credentials,
        // Nothing that PagerDuty says of its one address is about an integration.
        404 | 410 => FailureClass::Refused,
        status => crate::call::class_of(status),
    };
    let detail = match class {
        FailureClass::Credentials => format!("PagerDuty answered {status}: the integration key is not taken"),
        FailureClass::ForbiddenAddress
        | FailureClass::Name
        | FailureClass::Connection
        | FailureClass::ConnectionRefused
        | FailureClass::Tls
        | FailureClass::Timeout
        | FailureClass::Overloaded
        | FailureClass::Refused
        | FailureClass::Gone
        | FailureClass::Unusable => format!("PagerDuty answered {status}"),
    };
    Outcome::Failed(answer.failure(class, detail))
}

fn names_the_key(document: &Value) -> bool {
    let errors = document.get("errors").and_then(Value::as_array);
    let texts = errors.into_iter().flatten().filter_map(Value::as_str).map(str::to_ascii_lowercase);
    texts.into_iter().any(|text| text.contains("routing_key") || text.contains("routing key"))
}
