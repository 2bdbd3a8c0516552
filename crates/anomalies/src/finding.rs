//! What is found: the rule, the person, what was seen, and how likely that is.

use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::ids::EventId;
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strum::{Display, EnumIter, EnumString, IntoEnumIterator as _, IntoStaticStr};

/// The smallest probability that is written: what has one below it is written as this.
const LEAST_PROBABILITY: f64 = 1e-12;

/// What is found. Every rule is in `docs/anomaly.md`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    EnumIter,
    IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// More requests of one person within an hour than the person's own rate lets expect.
    RequestBurst,
    /// Approvals in a row that left no time to read the request.
    QuickApprovals,
    /// A long row of decisions without a refusal.
    NoRejections,
    /// Two persons who approve each other's requests more than others do.
    ReciprocalApproval,
    /// A person acts at a time of day at which that person never does.
    UnusualHour,
    /// Several refused attempts of one person in a short time.
    RefusedAttempts,
}

impl Rule {
    /// The names of all rules.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::iter().map(Self::as_str)
    }

    /// The name, such as `request_burst`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How unlikely what was seen is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measure {
    /// What was seen, in the unit of the rule.
    pub(crate) observed: f64,
    /// What was to be expected, in the same unit.
    pub(crate) expected: f64,
    /// How likely something at least as extreme is, from 0 to 1.
    pub(crate) probability: f64,
}

/// One anomaly.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The person whose actions are unusual.
    pub person: PersonId,
    /// The other of two persons, of [`Rule::ReciprocalApproval`] alone.
    pub other_person: Option<PersonId>,
    /// What was seen, in the unit of the rule: a decimal with three digits after the point.
    pub observed: String,
    /// What was to be expected, in the same unit and form.
    pub expected: String,
    /// How likely something at least as extreme is: a decimal with twelve digits after the point, of at least
    /// `0.000000000001`.
    pub probability: String,
    /// The time of the event that set it off.
    pub at: Timestamp,
    /// The stream of that event.
    pub stream: Stream,
    /// The place of that event in its stream.
    pub sequence: u64,
    /// The id of that event.
    pub event_id: EventId,
}

impl Finding {
    /// What an event has set off.
    pub(crate) fn of(
        rule: Rule,
        person: &PersonId,
        other_person: Option<&PersonId>,
        measure: Measure,
        event: &AuditEvent,
    ) -> Self {
        Self {
            rule,
            person: person.clone(),
            other_person: other_person.cloned(),
            observed: format!("{:.3}", measure.observed),
            expected: format!("{:.3}", measure.expected),
            probability: format!("{:.12}", measure.probability.clamp(LEAST_PROBABILITY, 1.0)),
            at: event.timestamp,
            stream: event.stream.clone(),
            sequence: event.sequence,
            event_id: event.event_id,
        }
    }

    /// The details of the event that records it. All numbers are whole, as in every audit event.
    pub fn details(&self) -> Value {
        let mut details = json!({
            "rule": self.rule.as_str(),
            "person": self.person.as_str(),
            "observed": self.observed,
            "expected": self.expected,
            "probability": self.probability,
            "at": self.at.to_string(),
            "event": { "stream": self.stream.to_string(), "sequence": self.sequence },
        });
        if let (Some(other), Value::Object(members)) = (&self.other_person, &mut details) {
            members.insert("other_person".to_owned(), json!(other.as_str()));
        }
        details
    }
}
