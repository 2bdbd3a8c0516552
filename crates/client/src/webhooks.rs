//! The calls about webhooks. An answer about another webhook than the one that was asked for is not believed.

use crate::answer::Answer;
use crate::connection::Connection;
use crate::error::Error;
use crate::list_query::{one_of, query_string};
use countersign_api::bodies::{
    ChangeWebhookBody, CreateWebhookBody, RedeliverWebhookBody, RotateWebhookBody,
};
use countersign_api::operation::Operation;
use countersign_api::wire::{
    DeliveriesBody, DeliveryBody, RedeliveredBody, WebhookBody, WebhookEventsBody, WebhookTrialBody,
    WebhooksBody,
};
use countersign_core::ids::EventId;
use countersign_webhook::webhook::WebhookId;
use serde::Serialize;
use serde_json::{Value, json};

/// What the log of deliveries is asked for. What is left out filters nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveriesQuery {
    /// Not before this time.
    pub from: Option<String>,
    /// Not after this time.
    pub to: Option<String>,
    /// One of these statuses.
    pub status: Vec<String>,
    /// At most so many on a page.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub after: Option<String>,
}

impl DeliveriesQuery {
    fn text(&self) -> String {
        query_string([
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("status", one_of(self.status.iter().map(String::as_str))),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("after", self.after.clone()),
        ])
    }
}

fn path(operation: Operation, id: WebhookId) -> String {
    operation.path_template().replace("{webhook_id}", &id.to_string())
}

impl Connection {
    /// Makes a webhook. It is sent once: each time would make another.
    ///
    /// # Errors
    /// What the service refuses or cannot do, or that it cannot be reached.
    pub fn create_webhook(&self, body: &CreateWebhookBody) -> Result<WebhookBody, Error> {
        let operation = Operation::CreateWebhook;
        self.send(operation, operation.path_template(), Some(&json!(body)))
    }

    /// All webhooks.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn webhooks(&self) -> Result<WebhooksBody, Error> {
        self.get(Operation::ListWebhooks.path_template())
    }

    /// A webhook.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn webhook(&self, id: WebhookId) -> Result<WebhookBody, Error> {
        self.of_webhook(Operation::GetWebhook, id, None)
    }

    /// Changes settings of a webhook.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn change_webhook(&self, id: WebhookId, body: &ChangeWebhookBody) -> Result<WebhookBody, Error> {
        self.of_webhook(Operation::ChangeWebhook, id, Some(json!(body)))
    }

    /// Deletes a webhook: what is left of it.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn delete_webhook(&self, id: WebhookId) -> Result<WebhookBody, Error> {
        self.of_webhook(Operation::DeleteWebhook, id, None)
    }

    /// Replaces the secret of a webhook. It is sent once: each time would make another.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn rotate_webhook(&self, id: WebhookId, body: &RotateWebhookBody) -> Result<WebhookBody, Error> {
        self.of_webhook(Operation::RotateWebhook, id, Some(json!(body)))
    }

    /// Has deliveries to a webhook attempted, or attempted no more.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn switch_webhook(&self, id: WebhookId, is_enabled: bool) -> Result<WebhookBody, Error> {
        let operation = if is_enabled { Operation::EnableWebhook } else { Operation::DisableWebhook };
        self.of_webhook(operation, id, None)
    }

    /// Tries a webhook out.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn test_webhook(&self, id: WebhookId) -> Result<WebhookTrialBody, Error> {
        self.below(Operation::TestWebhook, id, "", None::<&Value>)
    }

    /// Begins deliveries anew.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn redeliver(&self, id: WebhookId, body: &RedeliverWebhookBody) -> Result<RedeliveredBody, Error> {
        self.below(Operation::RedeliverWebhook, id, "", Some(body))
    }

    /// Begins one delivery anew.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn redeliver_one(&self, id: WebhookId, event_id: EventId) -> Result<DeliveryBody, Error> {
        let operation = Operation::RedeliverDelivery;
        let path = path(operation, id).replace("{delivery_id}", &event_id.to_string());
        let delivery: DeliveryBody = self.send(operation, &path, None)?;
        if delivery.delivery_id == event_id.to_string() {
            Ok(delivery)
        } else {
            Err(self.odd("it is about another delivery than the one that was asked for"))
        }
    }

    /// A page of the log of deliveries.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn deliveries(&self, id: WebhookId, query: &DeliveriesQuery) -> Result<DeliveriesBody, Error> {
        self.below(Operation::WebhookDeliveries, id, &query.text(), None::<&Value>)
    }

    /// The trail of a webhook.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`].
    pub fn webhook_events(&self, id: WebhookId) -> Result<WebhookEventsBody, Error> {
        self.below(Operation::WebhookEvents, id, "", None::<&Value>)
    }

    /// A call about something that no key names. What makes something new each time is sent once.
    fn send<T: Answer>(&self, operation: Operation, target: &str, body: Option<&Value>) -> Result<T, Error> {
        let makes_more = matches!(operation, Operation::CreateWebhook | Operation::RotateWebhook);
        let retries = if makes_more { 0 } else { self.retries };
        Ok(self.sized_call(operation.method().into(), target, body, None, retries)?.0)
    }

    fn below<T: Answer>(
        &self,
        operation: Operation,
        id: WebhookId,
        query: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Error> {
        let body = body.map(|body| json!(body));
        self.send(operation, &format!("{}{query}", path(operation, id)), body.as_ref())
    }

    fn of_webhook(
        &self,
        operation: Operation,
        id: WebhookId,
        body: Option<Value>,
    ) -> Result<WebhookBody, Error> {
        let webhook: WebhookBody = self.send(operation, &path(operation, id), body.as_ref())?;
        if webhook.webhook_id == id.to_string() {
            Ok(webhook)
        } else {
            Err(self.odd("it is about another webhook than the one that was asked for"))
        }
    }
}
