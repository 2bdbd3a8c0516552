//! A webhook, made as callers make one, and what is answered of it.

use super::{REQUEST_ID, REQUESTER, fields};
use crate::operations::webhooks::draft;
use crate::wire::{
    DeliveriesBody, DeliveryBody, RedeliveredBody, WebhookBody, WebhookEventsBody, WebhookTrialBody,
    WebhooksBody,
};
use countersign_app::ports::{AllWebhooks, WebhookRecord};
use countersign_app::webhooks::{DeliveryLog, Redelivered, Trial, WebhookTrail, WithSecret};
use countersign_core::digest::DeploymentKey;
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::health::Health;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::schedule::Schedule;
use countersign_delivery::state::{Attempt, Delivery};
use countersign_webhook::secret::{SealedSecret, SecretKey, Secrets, WebhookSecret};
use countersign_webhook::settings::{Draft, Settings};
use countersign_webhook::trail::{Actor, TrailChange, TrailEvent, TrailHead};
use countersign_webhook::webhook::{DisabledReason, Webhook, WebhookId};
use serde_json::{Value, json};

/// The webhook of the examples.
pub(in crate::openapi) const WEBHOOK_ID: &str = "wh_019c1339-a5c0-7000-8000-0000000000f1";
/// The event of its delivery.
pub(in crate::openapi) const DELIVERY_ID: &str = "019c1339-a5c0-7000-8000-000000000102";

pub(super) fn creations() -> Vec<(&'static str, Value)> {
    vec![
        (
            "everything",
            json!({
                "url": "https://hooks.example.com/countersign",
                "description": "Change calendar",
                "events": ["APPROVAL_GRANTED", "APPROVAL_REJECTED"],
                "statuses": ["approved", "rejected"],
                "risk_levels": ["high"],
                "environments": ["production"],
                "operations": ["modify_*"],
                "content": "thin",
                "format": "cloudevents",
                "headers": { "x-gateway-token": "s3cret" },
            }),
        ),
        ("what_is_required", json!({ "url": "https://hooks.example.com/countersign" })),
    ]
}

pub(super) fn changes() -> Vec<(&'static str, Value)> {
    vec![
        ("filter", json!({ "version": 1, "statuses": ["approved"], "description": null })),
        ("address", json!({ "version": 1, "url": "https://hooks.example.com/v2" })),
    ]
}

pub(super) fn redeliveries() -> Vec<(&'static str, Value)> {
    vec![
        ("an_outage", json!({ "from": "2026-01-31T08:00:00.000Z", "to": "2026-01-31T10:00:00.000Z" })),
        (
            "everything",
            json!({ "from": "2026-01-31T08:00:00.000Z", "statuses": ["delivered", "dead", "skipped"] }),
        ),
    ]
}

/// Answers, by name.
pub(super) fn answers() -> Option<Vec<(&'static str, Value)>> {
    let now = Timestamp::parse("2026-01-31T09:30:00Z").ok()?;
    let later = now.plus_seconds(600);
    let ann = PersonId::from_email(REQUESTER).ok()?;
    let id = WebhookId::parse(WEBHOOK_ID).ok()?;
    let (_, body) = creations().into_iter().next()?;
    let draft = draft(&mut fields(&body)?)?;
    let settings = Settings::new(&draft).ok()?;
    let key = SecretKey::derived(&DeploymentKey::new([0; 32]));
    let seal = |secret: &WebhookSecret, generation| SealedSecret::seal(secret, &key, id, generation, [0; 12]);
    let (first, second) = (WebhookSecret::new([1; 32]), WebhookSecret::new([2; 32]));
    let made = TrailChange::Created { host: settings.url.host().to_owned() };
    let made = TrailEvent::record(id, &TrailHead::EMPTY, Actor::Caller(ann.clone()), made, now);
    let record = WebhookRecord {
        webhook: Webhook::new(id, settings, ann.clone(), now),
        secrets: Secrets::new(seal(&first, 1).ok()?),
        health: Health::default(),
        trail: made.head(),
        deleted_at: None,
        seal: None,
        revision: 1,
    };
    let rotated = TrailChange::Rotated { generation: 2, overlap_seconds: 86_400 };
    let rotated = TrailEvent::record(id, &made.head(), Actor::Caller(ann), rotated, later);
    let after = WebhookRecord {
        webhook: record.webhook.clone().updated(later),
        secrets: record.secrets.clone().rotate(seal(&second, 2).ok()?, 86_400, later).ok()?,
        ..record.clone()
    };
    let disabled = record.webhook.clone().disable(DisabledReason::Operator, later);
    let disabled = WebhookRecord { webhook: disabled, ..record.clone() };
    let erased = Draft {
        url: "https://hooks.example.com/".to_owned(),
        headers: std::collections::BTreeMap::new(),
        ..draft
    };
    let erased = Webhook { settings: Settings::new(&erased).ok()?, ..record.webhook.clone() };
    let deleted = WebhookRecord { webhook: erased.updated(later), deleted_at: Some(later), ..record.clone() };
    let documents = [&made, &rotated].map(|event| event.document().as_str().to_owned()).to_vec();
    let trail = WebhookTrail { documents, finding: None };
    let event_id = EventId::parse(DELIVERY_ID).ok()?;
    let trial = Trial { id: event_id, status: Some(204), milliseconds: 87, failure: None, detail: None };
    let not_taken = Trial {
        status: None,
        failure: Some(FailureClass::Timeout),
        detail: Some("no answer in time".to_owned()),
        milliseconds: 15_000,
        ..trial
    };
    let delivery = Delivery::new(
        id.destination().ok()?,
        event_id,
        RequestId::parse(REQUEST_ID).ok()?,
        Some(2),
        EventType::ApprovalGranted,
        now,
    );
    let failure =
        Failure { class: FailureClass::Refused, status: Some(500), retry_after: None, detail: String::new() };
    let attempt = Attempt { outcome: Outcome::Failed(failure), host: Some("hooks.example.com".to_owned()) };
    let delivery = delivery.attempted(attempt, &Schedule::CONTINUOUS, now, 0);
    let log = DeliveryLog { deliveries: vec![delivery.clone()], next: None };
    let shown = |record: &WebhookRecord| serde_json::to_value(WebhookBody::of(record, later)).ok();
    let with_secret = |record: &WebhookRecord, secret: &WebhookSecret| {
        let made = WithSecret { record: record.clone(), secret: secret.clone() };
        serde_json::to_value(WebhookBody::with_secret(&made, later)).ok()
    };
    let redelivered = Redelivered { redelivered: 12, next: None };
    Some(vec![
        ("webhook", shown(&record)?),
        ("webhook_created", with_secret(&record, &first)?),
        ("webhook_rotated", with_secret(&after, &second)?),
        ("webhook_disabled_by_operator", shown(&disabled)?),
        ("webhook_deleted", shown(&deleted)?),
        (
            "webhooks",
            serde_json::to_value(WebhooksBody::of(
                &AllWebhooks { records: vec![record], damaged: Vec::new() },
                later,
            ))
            .ok()?,
        ),
        ("webhook_taken", serde_json::to_value(WebhookTrialBody::of(&trial)).ok()?),
        ("webhook_not_taken", serde_json::to_value(WebhookTrialBody::of(&not_taken)).ok()?),
        ("redelivered", serde_json::to_value(RedeliveredBody::of(&redelivered)).ok()?),
        ("delivery", serde_json::to_value(DeliveryBody::of(&delivery)).ok()?),
        ("deliveries", serde_json::to_value(DeliveriesBody::of(&log)).ok()?),
        ("webhook_events", serde_json::to_value(WebhookEventsBody::of(&trail)).ok()?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_shows_its_secret_where_it_is_made_alone() {
        for (name, answer) in answers().unwrap() {
            let has_secret = matches!(name, "webhook_created" | "webhook_rotated");
            assert_eq!(answer.get("secret").is_some(), has_secret, "{name}");
            let text = answer.to_string();
            assert_eq!(text.contains("whsec_"), has_secret, "{name}");
            assert!(!text.contains("s3cret"), "{name}");
        }
    }
}
