//! What a destination is called: the first half of the key of a delivery.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest id, in bytes.
pub const MAX_BYTES: usize = 300;
/// The longest name, in bytes. With `#` and any e-mail address (254 bytes, RFC 5321 section 4.5.3.1) it is within
/// [`MAX_BYTES`].
pub const MAX_NAME_BYTES: usize = 40;

const WEBHOOK: &str = "webhook";
const SNS: &str = "sns";
const LOG: &str = "log";

/// Names a destination, and the recipient there if it has several.
///
/// | text | what it names |
/// |---|---|
/// | `webhook:ID` | the webhook with this id: letters, digits, `_` and `-` |
/// | `NAME` | the destination of this name |
/// | `NAME#RECIPIENT` | one recipient at the destination of this name, such as an address or a channel |
///
/// A name is 1 to 40 lower-case letters, digits, `-` and `_`, and begins with a letter; `webhook` is none. `sns` and `log` are
/// names like others: of the topic, and of the line in the log. A recipient is visible ASCII without spaces, `#` included: the
/// first `#` of the text ends the name. All of it is at most 300 bytes, and one destination has one text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DestinationId(String);

/// The text names no destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDestinationId {
    /// It is longer than [`MAX_BYTES`].
    #[error("must be at most 300 bytes")]
    TooLong,
    /// What stands before `#` or `:` is no name.
    #[error("must begin with a name of 1 to 40 lower-case letters, digits, - and _, starting with a letter")]
    Name,
    /// `webhook` without the id of a webhook.
    #[error("must name a webhook as webhook:ID, with an ID of letters, digits, _ and -")]
    Webhook,
    /// What stands after `#` is no recipient.
    #[error("must name a recipient in visible ASCII without spaces")]
    Recipient,
}

impl DestinationId {
    /// The topic that all events go to.
    pub fn sns() -> Self {
        Self(SNS.to_owned())
    }

    /// The log of the process.
    pub fn log() -> Self {
        Self(LOG.to_owned())
    }

    /// The webhook with this id.
    ///
    /// # Errors
    /// A text that is no id of a webhook.
    pub fn webhook(id: &str) -> Result<Self, InvalidDestinationId> {
        Self::parse(&format!("{WEBHOOK}:{id}"))
    }

    /// A destination by its name, and one recipient there.
    ///
    /// # Errors
    /// What is no name or no recipient.
    pub fn named(name: &str, recipient: Option<&str>) -> Result<Self, InvalidDestinationId> {
        // The name alone first: one with a `#` or `:` would be read as something else.
        if !is_name(name) {
            return Err(InvalidDestinationId::Name);
        }
        match recipient {
            None => Self::parse(name),
            Some(recipient) => Self::parse(&format!("{name}#{recipient}")),
        }
    }

    /// Reads the text of an id.
    ///
    /// # Errors
    /// A text that names no destination.
    pub fn parse(text: &str) -> Result<Self, InvalidDestinationId> {
        if text.len() > MAX_BYTES {
            return Err(InvalidDestinationId::TooLong);
        }
        let (name, recipient) = match text.split_once('#') {
            None => (text, None),
            Some((name, recipient)) => (name, Some(recipient)),
        };
        if let Some(id) = name.strip_prefix("webhook:") {
            let is_id =
                !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            return if is_id && recipient.is_none() {
                Ok(Self(text.to_owned()))
            } else {
                Err(InvalidDestinationId::Webhook)
            };
        }
        if name == WEBHOOK {
            return Err(InvalidDestinationId::Webhook);
        }
        if !is_name(name) {
            return Err(InvalidDestinationId::Name);
        }
        let is_recipient = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if !recipient.is_none_or(is_recipient) {
            return Err(InvalidDestinationId::Recipient);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name of the destination; `webhook` of a webhook. Good as a label of a metric: there are few.
    pub fn name(&self) -> &str {
        self.0.split(['#', ':']).next().unwrap_or_default()
    }

    /// The destination without its recipient: `webhook:ID` of a webhook. Good as a label of a metric, too: there are a hundred at most.
    pub fn without_recipient(&self) -> &str {
        self.0.split('#').next().unwrap_or_default()
    }

    /// The id of the webhook, if it is one.
    pub fn webhook_id(&self) -> Option<&str> {
        self.0.strip_prefix("webhook:")
    }

    /// The recipient at the destination, if it has several.
    pub fn recipient(&self) -> Option<&str> {
        self.0.split_once('#').map(|(_, recipient)| recipient)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name(text: &str) -> bool {
    let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    starts_well && text.len() <= MAX_NAME_BYTES && text.bytes().all(allowed)
}

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DestinationId {
    type Error = InvalidDestinationId;

    fn try_from(text: String) -> Result<Self, InvalidDestinationId> {
        Self::parse(&text)
    }
}

impl From<DestinationId> for String {
    fn from(id: DestinationId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_destination_is_read_into_its_parts() {
        let longest = format!("{}#{}", "n".repeat(40), "r".repeat(259));
        for (text, name, webhook, recipient) in [
            ("sns", "sns", None, None),
            ("log", "log", None, None),
            ("ops-mail_2", "ops-mail_2", None, None),
            ("mail#ann@example.com", "mail", None, Some("ann@example.com")),
            // An e-mail address may hold a `#`, and a `:` after it is of the recipient.
            ("mail#a#b@example.com", "mail", None, Some("a#b@example.com")),
            ("slack#team:C0123", "slack", None, Some("team:C0123")),
            ("webhook:wh_0193-a", "webhook", Some("wh_0193-a"), None),
            (&longest, &"n".repeat(40), None, Some(&*"r".repeat(259))),
        ] {
            let id = DestinationId::parse(text).unwrap();
            assert_eq!((id.name(), id.webhook_id(), id.recipient()), (name, webhook, recipient), "{text}");
            assert_eq!(id.to_string(), text);
        }
        assert_eq!(DestinationId::webhook("wh_1").unwrap().as_str(), "webhook:wh_1");
        assert_eq!(DestinationId::named("mail", Some("a@b")).unwrap().as_str(), "mail#a@b");
        assert_eq!(DestinationId::parse("sns"), Ok(DestinationId::sns()));
        assert_eq!(DestinationId::parse("log"), Ok(DestinationId::log()));
    }

    #[test]
    fn what_names_no_destination_is_refused() {
        use InvalidDestinationId::{Name, Recipient, TooLong, Webhook};
        for (text, error) in [
            ("", Name),
            ("#a", Name),
            ("Mail", Name),
            ("1mail", Name),
            ("mail box", Name),
            ("mail\n", Name),
            ("mail:x", Name),
            (&"n".repeat(41), Name),
            ("webhook", Webhook),
            ("webhook:", Webhook),
            ("webhook:a.b", Webhook),
            ("webhook:a#b", Webhook),
            ("webhook#a", Webhook),
            ("mail#", Recipient),
            ("mail#a b", Recipient),
            ("mail#a\u{0}", Recipient),
            ("mail#é", Recipient),
            ("mail#a\u{202e}", Recipient),
            (&format!("mail#{}", "r".repeat(296)), TooLong),
        ] {
            assert_eq!(DestinationId::parse(text), Err(error), "{text}");
        }
        assert_eq!(DestinationId::named("webhook:a", None), Err(Name));
        assert_eq!(DestinationId::named("mail#a", Some("b")), Err(Name));
        assert_eq!(DestinationId::named("webhook", None), Err(Webhook));
    }

    #[test]
    fn stored_ids_are_checked_as_they_are_read() {
        let id: DestinationId = serde_json::from_str("\"mail#a@b\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"mail#a@b\"");
        assert!(serde_json::from_str::<DestinationId>("\"mail#\"").is_err());
    }

    proptest! {
        #[test]
        fn what_is_read_has_no_control_characters_and_is_short(text in "\\PC{0,20}|[a-z]{1,4}[#:][ -~]{0,310}") {
            if let Ok(id) = DestinationId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
                prop_assert!(id.as_str().len() <= MAX_BYTES);
                prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_graphic()));
            }
        }
    }
}
