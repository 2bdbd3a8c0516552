//! The bot of Slack's Web API: posts a message, changes it when the request changes, and finds it again
//! (<https://docs.slack.dev/reference/methods/chat.postMessage>).
//!
//! A message carries the request's id as metadata. After an attempt whose answer was lost, and after a crash, its sender
//! looks through the channel's history for it before it posts again.

use crate::call::{Answer, FORM, HttpCall, JSON, Secret, SecretUrl, word};
use crate::slack_answer::class_of_code;
use crate::slack_message::SlackMessage;
use crate::summary::Summary;
use countersign_core::ids::RequestId;
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use serde_json::{Map, Value, json};
use std::fmt;
use url::form_urlencoded;

/// Where the Web API is.
pub const API: &str = "https://slack.com/api";
/// Where the Web API of `GovSlack` is.
pub const GOV_API: &str = "https://slack-gov.com/api";
/// The type of our messages' metadata.
const EVENT_TYPE: &str = "countersign_request";
/// The most messages in one page of history: what Slack recommends.
const PAGE: &str = "200";
/// The longest token, in bytes: those of today have fewer than 100, and Slack asks for 255 to be stored.
const MAX_TOKEN: usize = 512;
/// The longest id and timestamp, in bytes: those of today have about 12 and 17.
const MAX_ID: usize = 64;

/// The text is no token of a bot. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a bot token of Slack, which begins with xoxb- or, if it is rotated, xoxe.xoxb-")]
pub struct InvalidBotToken;

/// The text is no id or reference of Slack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an id of Slack, such as C0123456789; a channel's is at the end of what Slack shows of it")]
pub struct InvalidSlackId;

/// The id of a channel, a conversation, a user or a bot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlackId(String);

impl SlackId {
    /// Checks that it is an id: capital letters and digits, not a name, which Slack takes in some places only.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidSlackId> {
        let is_id = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let is_long = (2..=MAX_ID).contains(&text.len());
        if is_id && is_long { Ok(Self(text.to_owned())) } else { Err(InvalidSlackId) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a message: the conversation it is in and its `ts`. As text, which is the reference of an
/// [`Outcome`], `C0123456789/1700000000.000100`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageReference {
    channel: SlackId,
    ts: String,
}

impl MessageReference {
    /// The reference of a message in a conversation.
    fn new(channel: &str, ts: &str) -> Result<Self, InvalidSlackId> {
        let channel = SlackId::parse(channel)?;
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let is_ts =
            ts.len() <= MAX_ID && ts.split_once('.').is_some_and(|(a, b)| is_number(a) && is_number(b));
        if is_ts { Ok(Self { channel, ts: ts.to_owned() }) } else { Err(InvalidSlackId) }
    }

    /// Reads the text of a reference.
    ///
    /// # Errors
    /// A text of another form.
    pub fn parse(text: &str) -> Result<Self, InvalidSlackId> {
        let (channel, ts) = text.split_once('/').ok_or(InvalidSlackId)?;
        Self::new(channel, ts)
    }

    /// The conversation, which of a direct message is not the user.
    pub fn channel(&self) -> &SlackId {
        &self.channel
    }
}

impl fmt::Display for MessageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.channel.as_str(), self.ts)
    }
}

/// The message of which request is looked for, and whose.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// The request.
    pub request_id: RequestId,
    /// The deployment: two may post into one channel.
    pub source: &'a Origin,
    /// Our bot, as [`read_identity`] has it: any app can put the metadata of ours on a message of its own.
    pub bot: &'a SlackId,
}

/// What a page of history shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The message.
    Message(MessageReference),
    /// It is not here; the next page begins at this cursor.
    More(String),
    /// It is not here, and this was the last page.
    Nothing,
}

/// A bot: a token, and where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackBot {
    api: SecretUrl,
    token: Secret,
}

impl SlackBot {
    /// The bot of a token. `api` is [`API`], or what stands in for it.
    ///
    /// # Errors
    /// A text that is no token of a bot: with one of a person the messages would be theirs.
    pub fn new(api: SecretUrl, token: &str) -> Result<Self, InvalidBotToken> {
        let token = token.trim();
        let is_bot = token.starts_with("xoxb-") || token.starts_with("xoxe.xoxb-");
        let is_printable = token.bytes().all(|b| b.is_ascii_graphic());
        if is_bot && is_printable && token.len() <= MAX_TOKEN {
            Ok(Self { api, token: Secret::new(token) })
        } else {
            Err(InvalidBotToken)
        }
    }

    /// The call that asks who the bot is, for [`read_identity`].
    pub fn identity(&self) -> HttpCall {
        self.form("auth.test", &[])
    }

    /// The call that posts a message, for [`outcome`].
    pub fn post(&self, channel: &SlackId, summary: &Summary) -> HttpCall {
        let mut document = message(summary);
        document.insert("channel".to_owned(), json!(channel.as_str()));
        // Otherwise Slack makes mentions of names that begin with @.
        document.insert("link_names".to_owned(), json!(false));
        document.insert("unfurl_links".to_owned(), json!(false));
        document.insert("unfurl_media".to_owned(), json!(false));
        self.json("chat.postMessage", document)
    }

    /// The call that changes a message to say what it says now, for [`outcome`].
    pub fn update(&self, reference: &MessageReference, summary: &Summary) -> HttpCall {
        let mut document = message(summary);
        document.insert("channel".to_owned(), json!(reference.channel.as_str()));
        document.insert("ts".to_owned(), json!(reference.ts));
        document.insert("link_names".to_owned(), json!(false));
        self.json("chat.update", document)
    }

    /// The call for a page of a conversation's history since a time, for [`find`]. `oldest` is when the message may have been posted
    /// first, and `cursor` what the page before has named.
    pub fn history(&self, channel: &SlackId, oldest: Timestamp, cursor: Option<&str>) -> HttpCall {
        let millisecond = oldest.as_millisecond();
        let oldest = format!("{}.{:0>6}", millisecond.div_euclid(1000), millisecond.rem_euclid(1000) * 1000);
        let mut fields = vec![
            ("channel", channel.as_str()),
            ("include_all_metadata", "true"),
            ("inclusive", "true"),
            ("limit", PAGE),
            ("oldest", &oldest),
        ];
        fields.extend(cursor.map(|cursor| ("cursor", cursor)));
        self.form("conversations.history", &fields)
    }

    /// The call that looks a person up by their address, for [`read_user`].
    pub fn user_of(&self, person: &PersonId) -> HttpCall {
        self.form("users.lookupByEmail", &[("email", person.as_str())])
    }

    /// The call that opens the conversation with a user, for [`read_conversation`]: a history is read by its id, not by
    /// that of the user.
    pub fn open(&self, user: &SlackId) -> HttpCall {
        let mut document = Map::new();
        document.insert("users".to_owned(), json!(user.as_str()));
        self.json("conversations.open", document)
    }

    fn json(&self, method: &'static str, document: Map<String, Value>) -> HttpCall {
        self.call(method, JSON, Value::Object(document).to_string())
    }

    /// Methods that only read take no JSON.
    fn form(&self, method: &'static str, fields: &[(&str, &str)]) -> HttpCall {
        self.call(method, FORM, form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
    }

    fn call(&self, method: &'static str, content_type: &'static str, body: String) -> HttpCall {
        let authorization = Secret::new(format!("Bearer {}", self.token.expose()));
        HttpCall {
            url: self.api.beneath(method),
            headers: vec![("content-type", Secret::new(content_type)), ("authorization", authorization)],
            body: body.into_bytes(),
        }
    }
}

/// What a message that is posted and one that is changed have in common.
fn message(summary: &Summary) -> Map<String, Value> {
    let SlackMessage { text, blocks } = SlackMessage::of(summary);
    let mut document = Map::new();
    document.insert("text".to_owned(), json!(text));
    document.insert("mrkdwn".to_owned(), json!(false));
    document.insert("parse".to_owned(), json!("none"));
    document.insert("blocks".to_owned(), json!(blocks));
    if let Some(request_id) = summary.request_id {
        let payload = json!({
            "request_id": request_id.to_string(),
            "event_id": summary.event_id.to_string(),
            "source": summary.source.as_str(),
        });
        document.insert("metadata".to_owned(), json!({ "event_type": EVENT_TYPE, "event_payload": payload }));
    }
    document
}

/// What came of a call that posts or changes a message. The reference is that of the message.
pub fn outcome(answer: &Answer<'_>) -> Outcome {
    match read(answer) {
        Err(failure) => Outcome::Failed(failure),
        Ok(document) => {
            let text = |name| document.get(name).and_then(Value::as_str).unwrap_or_default();
            let reference = MessageReference::new(text("channel"), text("ts")).ok();
            Outcome::Delivered {
                status: Some(answer.status),
                reference: reference.map(|reference| reference.to_string()),
            }
        }
    }
}

/// Whether the message that was to be changed can never be: it has been deleted, or may not be changed. Another has to be posted.
pub fn is_lost(answer: &Answer<'_>) -> bool {
    let document = answer.json().unwrap_or_default();
    let code = document.get("error").and_then(Value::as_str);
    matches!(code, Some("message_not_found" | "cant_update_message" | "edit_window_closed"))
}

/// The id of the bot itself.
///
/// # Errors
/// As [`outcome`] has them.
pub fn read_identity(answer: &Answer<'_>) -> Result<SlackId, Failure> {
    id_at(answer, "/bot_id")
}

/// The id of a person's user.
///
/// # Errors
/// As [`outcome`] has them; a person who is not in the workspace, or not any more, is a refusal.
pub fn read_user(answer: &Answer<'_>) -> Result<SlackId, Failure> {
    let document = read(answer)?;
    if document.pointer("/user/deleted").and_then(Value::as_bool) == Some(true) {
        return Err(answer.failure(FailureClass::Refused, "the user of this address has left the workspace"));
    }
    id_at(answer, "/user/id")
}

/// The id of the conversation with a user.
///
/// # Errors
/// As [`outcome`] has them.
pub fn read_conversation(answer: &Answer<'_>) -> Result<SlackId, Failure> {
    id_at(answer, "/channel/id")
}

/// Looks for our message about a request in a page of the history of `channel`.
///
/// # Errors
/// As [`outcome`] has them.
pub fn find(answer: &Answer<'_>, channel: &SlackId, sought: &Sought<'_>) -> Result<Found, Failure> {
    let document = read(answer)?;
    let request_id = sought.request_id.to_string();
    let is_ours = |message: &&Value| {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        text("/bot_id") == Some(sought.bot.as_str())
            && text("/metadata/event_type") == Some(EVENT_TYPE)
            && text("/metadata/event_payload/request_id") == Some(request_id.as_str())
            && text("/metadata/event_payload/source") == Some(sought.source.as_str())
    };
    let messages = document.get("messages").and_then(Value::as_array);
    let Some(messages) = messages else {
        return Err(unreadable(answer));
    };
    if let Some(message) = messages.iter().find(is_ours) {
        let ts = message.get("ts").and_then(Value::as_str).unwrap_or_default();
        let reference = MessageReference::new(channel.as_str(), ts).map_err(|_| unreadable(answer))?;
        return Ok(Found::Message(reference));
    }
    let cursor =
        document.pointer("/response_metadata/next_cursor").and_then(Value::as_str).unwrap_or_default();
    Ok(if cursor.is_empty() { Found::Nothing } else { Found::More(cursor.to_owned()) })
}

/// An answer that says `ok`. Slack says with 200 that something has failed.
fn read(answer: &Answer<'_>) -> Result<Value, Failure> {
    let document = answer.json();
    let flag = document.as_ref().and_then(|document| document.get("ok")).and_then(Value::as_bool);
    match (answer.status, document, flag) {
        (200, Some(document), Some(true)) => Ok(document),
        (429, _, _) => Err(answer.failure(FailureClass::Overloaded, "Slack answered 429")),
        (status, Some(document), Some(false)) => {
            let code =
                document.get("error").and_then(Value::as_str).and_then(word).unwrap_or("unknown error");
            let by_status = if status == 200 { FailureClass::Refused } else { crate::call::class_of(status) };
            let class = class_of_code(code).unwrap_or(by_status);
            Err(answer.failure(class, format!("Slack answered {status}: {code}")))
        }
        (200, _, _) => Err(unreadable(answer)),
        _ => Err(answer.failure_by_status("Slack")),
    }
}

fn id_at(answer: &Answer<'_>, pointer: &str) -> Result<SlackId, Failure> {
    let document = read(answer)?;
    let id = document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    SlackId::parse(id).map_err(|_| unreadable(answer))
}

fn unreadable(answer: &Answer<'_>) -> Failure {
    answer.failure(FailureClass::Refused, "Slack's answer is not as documented")
}
