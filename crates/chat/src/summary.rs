//! What a message says, for all channels: a headline, why it is sent, who should act until when, facts, what people
//! wrote, and a link. Never parameters, results or digests.
//!
//! Texts are as they were written: each channel escapes and cuts all of them, whoever wrote them.

use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::risk::RiskLevel;
use countersign_core::timestamp::Timestamp;

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The event or report, or what the delivery is named by: equal in retries.
    pub event_id: EventId,
    /// The request that all messages about it share a thread, an incident or a place by.
    pub request_id: Option<RequestId>,
    /// The deployment.
    pub source: Origin,
    /// The time of the event.
    pub timestamp: Timestamp,
    /// The risk level of the operation, if it is about one.
    pub risk_level: Option<RiskLevel>,
    /// What is to be done, and to what, if it is about an operation.
    pub target: Option<Target>,
    /// How the request stands, for a colour.
    pub tone: Tone,
    /// What stands in brackets before the headline: the risk level, or `integrity`.
    pub label: Option<&'static str>,
    /// What happened, in one line.
    pub headline: String,
    /// Why the message is sent and what else there is to know, one line each.
    pub notes: Vec<String>,
    /// Who should act.
    pub ask: Option<Ask>,
    /// Names and values.
    pub facts: Vec<Fact>,
    /// Figures by names that are not ours.
    pub table: Option<Table>,
    /// What people wrote.
    pub quotes: Vec<Quote>,
    /// What to do, in several lines.
    pub advice: Option<String>,
    /// Where people look at the request.
    pub link: Option<String>,
    /// What there is to see at the link, as a line before it.
    pub link_title: &'static str,
}

/// What an operation is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The type of the operation.
    pub operation: String,
    /// The instance.
    pub instance: String,
    /// The environment.
    pub environment: &'static str,
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// People should do something.
    Waiting,
    /// It went as the requester wished.
    Good,
    /// It did not, or something is wrong.
    Bad,
    /// None of these.
    Neutral,
}

/// Who should act, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Names of people or groups; not empty.
    pub who: Vec<String>,
    /// When it is too late.
    pub until: Option<Timestamp>,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The name, a word or two of ours.
    pub name: &'static str,
    /// The value.
    pub value: String,
}

/// Figures by names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it is about, a word or two of ours.
    pub title: &'static str,
    /// What the figures are, in words of ours.
    pub columns: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A name and its figures: one for each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The name, as it was written.
    pub name: String,
    /// The figures.
    pub figures: Vec<u64>,
}

impl Table {
    /// The figures of a row in words, such as `2 requested, 0 approved`: for channels that have no columns.
    pub fn words(&self, row: &Row) -> String {
        let words: Vec<_> =
            row.figures.iter().zip(&self.columns).map(|(figure, name)| format!("{figure} {name}")).collect();
        words.join(", ")
    }
}

/// What a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// What it is, or who says so.
    pub title: String,
    /// The text as written.
    pub text: String,
}

/// What a message says besides the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A reminder: the request still waits, and expires soon.
    ExpiresIn {
        /// How soon.
        seconds: u32,
    },
    /// An escalation.
    EscalatedAfter {
        /// How long the request has waited; 0 is at once.
        seconds: u32,
    },
    /// The priority, and how soon it should be answered.
    Priority {
        /// `P1` to `P4`.
        name: &'static str,
        /// The target, if the priority has one.
        response_seconds: Option<u32>,
    },
    /// An approver is looking at the request.
    Claimed {
        /// Who.
        holder: PersonId,
        /// For how long.
        until: Timestamp,
    },
    /// The recipient need not decide any more: others have.
    NotNeeded,
    /// Nothing is left to decide. How it ended follows from the event.
    Closed,
    /// What else there is to say, such as the next step: one line.
    Line(String),
}

/// What is known besides the event when a message is made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Why the message is sent. The first reminder, escalation or end is in the headline.
    pub notes: Vec<Note>,
    /// Names of people or groups who should act.
    pub who: Vec<String>,
    /// Until when, if that is not the deadline of the request.
    pub until: Option<Timestamp>,
}
