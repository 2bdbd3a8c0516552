//! Incoming webhooks of Slack: a channel is in the address, and a message cannot be changed later
//! (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use crate::call::{Answer, HttpCall, SecretUrl, word};
use crate::slack_answer::class_of_code;
use crate::slack_message::SlackMessage;
use crate::summary::Summary;
use countersign_delivery::outcome::{FailureClass, Outcome};
use serde_json::json;

/// The hosts of incoming webhooks, that of `GovSlack` too.
const HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];
/// The path of incoming webhooks. Others take no messages but start workflows.
const PATH: &str = "/services/";

/// The text is no address of an incoming webhook. It is not repeated: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the address of an incoming webhook, such as https://hooks.slack.com/services/TEAM/APP/SECRET"
)]
pub struct InvalidSlackWebhook;

/// An incoming webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackWebhook {
    url: SecretUrl,
}

impl SlackWebhook {
    /// The webhook at an address as Slack shows it.
    ///
    /// # Errors
    /// Any other address.
    pub fn parse(text: &str) -> Result<Self, InvalidSlackWebhook> {
        let url = SecretUrl::parse(text).map_err(|_| InvalidSlackWebhook)?;
        let is_whole = url.expose().path().strip_prefix(PATH).is_some_and(|rest| !rest.is_empty());
        let is_slack = HOSTS.contains(&url.host()) && url.expose().port().is_none();
        if is_slack && is_whole { Ok(Self { url }) } else { Err(InvalidSlackWebhook) }
    }

    /// What stands in for Slack at another address, which the operator has allowed.
    pub fn at(url: SecretUrl) -> Self {
        Self { url }
    }

    /// The call that posts a message.
    pub fn post(&self, summary: &Summary) -> HttpCall {
        let SlackMessage { text, blocks } = SlackMessage::of(summary);
        let document = json!({
            "text": text,
            "mrkdwn": false,
            "blocks": blocks,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        HttpCall::json(self.url.clone(), &document)
    }
}

/// What came of a call, which answers with a word as text.
pub fn outcome(answer: &Answer<'_>) -> Outcome {
    let text = std::str::from_utf8(answer.body).unwrap_or_default().trim();
    if answer.status == 200 && text == "ok" {
        return Outcome::Delivered { status: Some(200), reference: None };
    }
    let Some(code) = word(text) else {
        return Outcome::Failed(answer.failure_by_status("Slack"));
    };
    // Whatever the code, this status says when to come back.
    let class = match (answer.status, class_of_code(code)) {
        (429, _) => FailureClass::Overloaded,
        (_, Some(class)) => class,
        (status, None) => crate::call::class_of(status),
    };
    Outcome::Failed(answer.failure(class, format!("Slack answered {}: {code}", answer.status)))
}
