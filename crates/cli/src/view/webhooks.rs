//! Webhooks as people read them, what became of their messages, and who changed what.

use crate::view::page::View;
use crate::view::text::{Line, Text, Tone};
use countersign_api::wire::{
    DeliveriesBody, DeliveryBody, WebhookBody, WebhookEventsBody, WebhookTrialBody, WebhooksBody,
};
use serde_json::Value;

/// What is said with a secret.
const ONCE: &str = "This is the only time that the secret is shown. Keep it where the endpoint reads it, and nowhere else; \
                    `countersign webhooks rotate` makes another one.";

impl View {
    /// All webhooks, two lines each.
    pub fn webhooks(&self, all: &WebhooksBody) -> Text {
        let mut text = Text::default();
        for webhook in &all.webhooks {
            let (tone, state) = state(webhook);
            text.push(
                Line::new(Tone::Strong, &webhook.webhook_id)
                    .with(None, "  ")
                    .with(tone, &state)
                    .with(None, &webhook.description.iter().map(|it| format!("  {it}")).collect::<String>()),
            );
            for line in Line::broken(&webhook.url, self.width.saturating_sub(2)) {
                text.push(line.behind(None, "  "));
            }
        }
        for id in &all.damaged_ids {
            let what = "its record cannot be read, or is altered: nothing is sent to it";
            text.push(Line::new(Tone::Strong, id).with(None, "  ").with(Tone::Danger, what));
        }
        let noun = if all.webhooks.len() == 1 { "webhook" } else { "webhooks" };
        text.push(Line::new(Tone::Quiet, &format!("{} {noun} of at most {}", all.webhooks.len(), all.limit)));
        text
    }

    /// A webhook by itself; its secret too, where it is in the answer.
    pub fn webhook(&self, webhook: &WebhookBody) -> Text {
        let mut text = Text::default();
        text.push(Line::new(Tone::Strong, &webhook.webhook_id));
        let (tone, state) = state(webhook);
        self.line(&mut text, "state", &state, Some(tone));
        self.lines(&mut text, "address", [webhook.url.clone()]);
        self.optional(&mut text, "description", webhook.description.as_deref());
        for (name, list) in [
            ("events", &webhook.events),
            ("statuses", &webhook.statuses),
            ("risk levels", &webhook.risk_levels),
            ("environments", &webhook.environments),
            ("operations", &webhook.operations),
            ("headers", &webhook.header_names),
        ] {
            if !list.is_empty() {
                self.line(&mut text, name, &list.join(", "), None);
            }
        }
        self.line(&mut text, "content", &format!("{}, as {}", webhook.content, webhook.format), None);
        let ago = |time: &str| self.moment.ago(time);
        self.optional(&mut text, "last success", webhook.last_success_at.as_deref().map(ago).as_deref());
        self.optional(&mut text, "failing since", webhook.failing_since.as_deref().map(ago).as_deref());
        let paused = webhook.paused_until.as_deref().map(|until| self.moment.deadline(until));
        self.optional(&mut text, "paused", paused.as_deref());
        let made = format!("{} by {}", ago(&webhook.created_at), webhook.created_by);
        self.line(&mut text, "made", &made, None);
        self.line(&mut text, "version", &webhook.version.to_string(), None);
        let previous = webhook.previous_secret_until.as_deref().map(|until| self.moment.deadline(until));
        self.optional(&mut text, "old secret", previous.as_deref());
        if let Some(secret) = &webhook.secret {
            self.lines(&mut text, "secret", [secret.clone()]);
            text.wrapped(Tone::Warning, ONCE, self.width);
        }
        text
    }

    /// What an endpoint answered to a test message.
    pub fn trial(&self, trial: &WebhookTrialBody) -> Text {
        let mut text = Text::default();
        let (tone, outcome) = match &trial.failure {
            None => (Tone::Good, "taken".to_owned()),
            Some(failure) => (Tone::Danger, failure.replace('_', " ")),
        };
        self.line(&mut text, "outcome", &outcome, Some(tone));
        self.optional(&mut text, "status", trial.status.map(|status| status.to_string()).as_deref());
        self.line(&mut text, "took", &format!("{} ms", trial.milliseconds), None);
        self.optional(&mut text, "detail", trial.detail.as_deref());
        text
    }

    /// A page of deliveries, and how to get the next.
    pub fn deliveries(&self, page: &DeliveriesBody) -> Text {
        let mut text = Text::default();
        text.extend(page.deliveries.iter().map(|delivery| self.delivery(delivery)));
        let count = page.deliveries.len();
        let noun = if count == 1 { "delivery" } else { "deliveries" };
        let more = match &page.next {
            Some(next) => format!("; more with --after {next}"),
            None => String::new(),
        };
        text.push(Line::new(Tone::Quiet, &format!("{count} {noun} shown{more}")));
        text
    }

    /// One delivery: which, where it stands, and what came of its last attempt.
    pub fn delivery(&self, delivery: &DeliveryBody) -> Line {
        let tone = match delivery.status.as_str() {
            "delivered" => Tone::Good,
            "dead" => Tone::Danger,
            "waiting" => Tone::Warning,
            _ => Tone::Quiet,
        };
        let attempts = match delivery.attempts {
            1 => "1 attempt".to_owned(),
            attempts => format!("{attempts} attempts"),
        };
        let last = delivery.last_attempt.as_ref().map(|last| {
            let status = last.status.map(|status| format!(" {status}")).unwrap_or_default();
            let failure = last.failure.as_deref().unwrap_or("taken").replace('_', " ");
            format!(", {}: {failure}{status}", self.moment.ago(&last.at))
        });
        let next =
            delivery.next_attempt_at.as_deref().map(|at| format!(", next {}", self.moment.deadline(at)));
        Line::new(Tone::Quiet, &delivery.delivery_id)
            .with(None, "  ")
            .with(Tone::Strong, &delivery.event_type)
            .with(None, "  ")
            .with(tone, &delivery.status)
            .with(None, &format!("  {attempts}{}{}", last.unwrap_or_default(), next.unwrap_or_default()))
            .with(Tone::Quiet, &format!("  {}", delivery.request_id))
    }

    /// How many deliveries were begun anew.
    pub fn redelivered(&self, count: u64) -> Text {
        let noun = if count == 1 { "message is" } else { "messages are" };
        Text::from(vec![Line::plain(&format!("{count} {noun} sent again"))])
    }

    /// Who changed what of a webhook, the oldest first.
    pub fn webhook_events(&self, trail: &WebhookEventsBody) -> Text {
        let mut text = Text::default();
        for event in &trail.events {
            let member = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
            let mut change = event.get("change").cloned().unwrap_or_default();
            let kind = change.as_object_mut().and_then(|change| change.remove("type"));
            let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default().replace('_', " ");
            let rest = match change.as_object() {
                Some(members) if !members.is_empty() => format!("  {change}"),
                Some(_) | None => String::new(),
            };
            text.push(
                Line::new(Tone::Quiet, member("at"))
                    .with(None, "  ")
                    .with(Tone::Strong, &kind)
                    .with(None, &format!("  {}", member("actor")))
                    .with(Tone::Quiet, &rest),
            );
        }
        let (tone, verdict) = match trail.verified {
            true => (Tone::Good, "the trail is whole"),
            false => (Tone::Danger, "the trail is NOT whole"),
        };
        text.push(Line::new(tone, verdict));
        text
    }
}

/// Whether messages are sent, and why not.
fn state(webhook: &WebhookBody) -> (Tone, String) {
    if webhook.deleted_at.is_some() {
        return (Tone::Quiet, "deleted".to_owned());
    }
    match webhook.disabled_reason.as_deref() {
        None if webhook.failing_since.is_some() => (Tone::Warning, "enabled, and failing".to_owned()),
        None if webhook.enabled => (Tone::Good, "enabled".to_owned()),
        None => (Tone::Danger, "disabled".to_owned()),
        Some("operator") => (Tone::Danger, "disabled by an operator".to_owned()),
        Some("gone") => (Tone::Danger, "disabled: the endpoint says that it is gone".to_owned()),
        Some("no_success") => (Tone::Danger, "disabled: the endpoint took nothing for 5 days".to_owned()),
        Some(other) => (Tone::Danger, format!("disabled: {other}")),
    }
}
