//! Workflows webhooks of Teams: an Adaptive Card in a message, which cannot be changed later
//! (<https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).
//!
//! Whatever is not a constant of ours stands in text runs, in which nothing is Markdown
//! (<https://learn.microsoft.com/en-us/adaptive-cards/authoring-cards/text-features>). A card has no action, so nothing in it
//! can be pressed but the link, which is text.

use crate::call::{Answer, HttpCall, SecretUrl, word};
use crate::cut;
use crate::link::web_link;
use crate::summary::{Quote, Summary, Tone};
use countersign_delivery::outcome::{FailureClass, Outcome};
use serde_json::{Value, json};

/// The largest message that Teams takes, in bytes: about 28 KB.
pub const MAX_BYTES: usize = 28 * 1024;
/// What a message is cut to: a workflow puts an envelope of its own around the card.
const TARGET_BYTES: usize = 24 * 1024;
/// The domains of workflows' webhooks. A name ends in a dot and one of them.
const DOMAINS: [&str; 2] = ["logic.azure.com", "api.powerplatform.com"];
/// The domain of connectors' webhooks, which Microsoft has retired.
const RETIRED_DOMAIN: &str = "webhook.office.com";

/// What of a message is kept: each of these is tried in turn until it is small enough. The last one is, whatever is in it: at
/// most 28 lines with 80 characters each.
const SIZES: [Size; 5] = [
    Size { text: 8_000, value: 1_000, lines: 60, facts: 40, quotes: 4 },
    Size { text: 4_000, value: 600, lines: 40, facts: 20, quotes: 4 },
    Size { text: 2_000, value: 600, lines: 20, facts: 20, quotes: 2 },
    Size { text: 800, value: 200, lines: 10, facts: 20, quotes: 2 },
    Size { text: 240, value: 80, lines: 3, facts: 16, quotes: 2 },
];

#[derive(Debug, Clone, Copy)]
struct Size {
    /// The most characters of a text.
    text: usize,
    /// The most characters of a line of ours or of a value.
    value: usize,
    /// The most lines of a text: each is an element of its own.
    lines: usize,
    facts: usize,
    quotes: usize,
}

/// Why a text is no address of a workflow's webhook. It is not repeated: it is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTeamsWebhook {
    /// A connector's.
    #[error(
        "is the address of a Microsoft 365 connector at webhook.office.com, which Microsoft has retired in May 2026: make a \
         workflow in Teams with the trigger `When a Teams webhook request is received`, and name its address"
    )]
    Retired,
    /// Another.
    #[error(
        "must be the address of a workflow's webhook: https, at a name beneath logic.azure.com or api.powerplatform.com"
    )]
    Other,
}

/// A workflow's webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamsWebhook {
    url: SecretUrl,
}

impl TeamsWebhook {
    /// The webhook at an address as Teams shows it.
    ///
    /// # Errors
    /// Any other address.
    pub fn parse(text: &str) -> Result<Self, InvalidTeamsWebhook> {
        let url = SecretUrl::parse(text).map_err(|_| InvalidTeamsWebhook::Other)?;
        if is_at_or_beneath(url.host(), RETIRED_DOMAIN) {
            return Err(InvalidTeamsWebhook::Retired);
        }
        // Azure writes the port of https into these addresses, which `Url` leaves out.
        let is_workflow = DOMAINS.iter().any(|domain| is_beneath(url.host(), domain));
        if is_workflow && url.expose().port().is_none() {
            Ok(Self { url })
        } else {
            Err(InvalidTeamsWebhook::Other)
        }
    }

    /// What stands in for Teams at another address, which the operator has allowed.
    pub fn at(url: SecretUrl) -> Self {
        Self { url }
    }

    /// The call that posts a card: the first about a request, or the one that closes it.
    pub fn post(&self, summary: &Summary) -> HttpCall {
        HttpCall::json(self.url.clone(), &message(summary))
    }
}

fn is_beneath(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

fn is_at_or_beneath(host: &str, domain: &str) -> bool {
    host == domain || is_beneath(host, domain)
}

/// The message, small enough for Teams.
fn message(summary: &Summary) -> Value {
    let mut document = Value::Null;
    for size in SIZES {
        document = message_of(summary, size);
        if document.to_string().len() <= TARGET_BYTES {
            break;
        }
    }
    document
}

fn message_of(summary: &Summary, size: Size) -> Value {
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body(summary, size),
        "msteams": { "width": "Full" },
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

fn body(summary: &Summary, size: Size) -> Vec<Value> {
    let color = match summary.tone {
        Tone::Waiting => "warning",
        Tone::Good => "good",
        Tone::Bad => "attention",
        Tone::Neutral => "default",
    };
    let mut title = run(&summary.title(), size.value);
    set(&mut title, "size", json!("large"));
    set(&mut title, "weight", json!("bolder"));
    set(&mut title, "color", json!(color));
    let mut body = vec![rich_text(vec![title], "default")];
    let notes: Vec<_> = summary.ask_line().into_iter().chain(summary.notes.iter().cloned()).collect();
    for note in notes.iter().take(size.lines) {
        body.push(rich_text(vec![run(note, size.value)], "small"));
    }
    for (index, fact) in summary.facts.iter().take(size.facts).enumerate() {
        let mut name = run(&format!("{}: ", fact.name), size.value);
        set(&mut name, "weight", json!("bolder"));
        let spacing = if index == 0 { "medium" } else { "none" };
        body.push(rich_text(vec![name, run(&fact.value, size.value)], spacing));
    }
    let rows = summary.table.as_ref().map_or(0, |table| table.rows.len());
    if let Some(table) = summary.table.as_ref().filter(|_| rows > 0) {
        let mut title = run(table.title, size.value);
        set(&mut title, "weight", json!("bolder"));
        body.push(rich_text(vec![title], "medium"));
        for row in table.rows.iter().take(size.lines) {
            let mut name = run(&format!("{}: ", row.name), size.value);
            set(&mut name, "weight", json!("bolder"));
            body.push(rich_text(vec![name, run(&table.words(row), size.value)], "none"));
        }
    }
    for Quote { title, text } in summary.quotes.iter().take(size.quotes) {
        let mut title = run(title, size.value);
        set(&mut title, "weight", json!("bolder"));
        body.push(rich_text(vec![title], "medium"));
        body.extend(text_lines(&cut::quoted(text, size.text, cut::characters), size));
    }
    let left_out = summary.facts.len().saturating_sub(size.facts)
        + summary.quotes.len().saturating_sub(size.quotes)
        + notes.len().saturating_sub(size.lines)
        + rows.saturating_sub(size.lines);
    if left_out > 0 {
        body.push(rich_text(
            vec![run(&format!("[{left_out} more are left out here]"), size.value)],
            "medium",
        ));
    }
    if let Some(advice) = &summary.advice {
        body.extend(text_lines(&cut::lines(advice, size.text, cut::characters), size));
    }
    if let Some(link) = summary.link.as_deref().and_then(web_link) {
        // The only Markdown: the words are ours, and nothing in the link ends it.
        let text = format!("[{}]({link})", summary.link_title.trim_end_matches(':'));
        body.push(json!({ "type": "TextBlock", "text": text, "wrap": true, "spacing": "medium" }));
    }
    body
}

/// Lines that are escaped and cut already, as elements of their own: a text run may show a line break as a space.
fn text_lines(text: &str, size: Size) -> Vec<Value> {
    let all: Vec<_> = text.lines().collect();
    let notice = cut::CUT_LINES.trim_start();
    let mut lines: Vec<_> = all.iter().copied().take(size.lines).collect();
    if all.len() > size.lines {
        lines.pop();
        lines.push(notice);
    }
    lines.iter().map(|line| rich_text(vec![run(line, size.text)], "none")).collect()
}

fn run(text: &str, limit: usize) -> Value {
    let text = without_functions(&cut::line(text, limit, cut::characters));
    json!({ "type": "TextRun", "text": text })
}

fn rich_text(runs: Vec<Value>, spacing: &str) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs, "spacing": spacing })
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

/// Takes the meaning from `{{DATE(...)}}`, which cards show as a time.
fn without_functions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '{' && out.ends_with('{') {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// What came of a call. 202 means that the workflow has begun: whether it has posted the card is not told.
pub fn outcome(answer: &Answer<'_>) -> Outcome {
    let status = answer.status;
    if matches!(status, 200 | 202) {
        return Outcome::Delivered { status: Some(status), reference: None };
    }
    let document = answer.json().unwrap_or_default();
    let code = document.pointer("/error/code").and_then(Value::as_str).and_then(word);
    let class = match code {
        // A workflow that is turned off, which Azure answers with 400 or 404: its owner has to act.
        Some("WorkflowTriggerIsNotEnabled" | "WorkflowDisabled" | "FlowSuspended") => {
            FailureClass::Credentials
        }
        Some(_) | None => crate::call::class_of(status),
    };
    let detail = match code {
        Some(code) => format!("Teams answered {status}: {code}"),
        None => format!("Teams answered {status}"),
    };
    Outcome::Failed(answer.failure(class, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_computes_nothing() {
        assert_eq!(without_functions("{{DATE(2026-01-31T00:00:00Z)}}"), "{ {DATE(2026-01-31T00:00:00Z)}}");
        assert_eq!(without_functions("{{{"), "{ { {");
    }

    #[test]
    fn domains_end_at_dots() {
        assert!(is_beneath("prod-01.westeurope.logic.azure.com", "logic.azure.com"));
        for host in
            ["logic.azure.com", ".logic.azure.com", "evillogic.azure.com", "logic.azure.com.evil.example"]
        {
            assert!(!is_beneath(host, "logic.azure.com"), "{host}");
        }
    }
}
