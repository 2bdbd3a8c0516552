//! What of a request's item people said, and what they took back.

use crate::attribute::{InvalidAttribute, keyed, read, read_keyed};
use countersign_core::ids::EventId;
use countersign_core::person::PersonId;
use countersign_core::request::{Comment, Withdrawal};
use countersign_core::text::CommentText;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CommentItem {
    person: String,
    at: String,
    text: String,
    text_key: String,
    event_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WithdrawalItem {
    person: String,
    at: String,
    event_id: String,
}

impl From<&Comment> for CommentItem {
    fn from(comment: &Comment) -> Self {
        let (text, text_key) = keyed(&comment.text);
        Self {
            person: comment.person.to_string(),
            at: comment.at.to_string(),
            text,
            text_key,
            event_id: comment.event_id.to_string(),
        }
    }
}

impl From<&Withdrawal> for WithdrawalItem {
    fn from(withdrawal: &Withdrawal) -> Self {
        Self {
            person: withdrawal.person.to_string(),
            at: withdrawal.at.to_string(),
            event_id: withdrawal.event_id.to_string(),
        }
    }
}

impl TryFrom<&CommentItem> for Comment {
    type Error = InvalidAttribute;

    fn try_from(item: &CommentItem) -> Result<Self, InvalidAttribute> {
        Ok(Self {
            person: read("comments.person", &item.person, PersonId::from_stored)?,
            at: read("comments.at", &item.at, Timestamp::parse)?,
            text: read_keyed("comments.text", &item.text, &item.text_key, CommentText::parse)?,
            event_id: read("comments.event_id", &item.event_id, EventId::parse)?,
        })
    }
}

impl TryFrom<&WithdrawalItem> for Withdrawal {
    type Error = InvalidAttribute;

    fn try_from(item: &WithdrawalItem) -> Result<Self, InvalidAttribute> {
        Ok(Self {
            person: read("withdrawals.person", &item.person, PersonId::from_stored)?,
            at: read("withdrawals.at", &item.at, Timestamp::parse)?,
            event_id: read("withdrawals.event_id", &item.event_id, EventId::parse)?,
        })
    }
}
