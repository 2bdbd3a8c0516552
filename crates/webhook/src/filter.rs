//! Which events a webhook takes.

use crate::rule::Rule;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::event::EventType;
use countersign_core::notification::Notice;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::status::Status;
use wildmatch::WildMatch;

/// The most patterns of operations.
pub const MAX_OPERATIONS: usize = 50;
/// The longest pattern, in bytes: as long as the longest name of an operation.
pub const MAX_PATTERN_BYTES: usize = 128;

/// What a webhook takes: what fits each of the lists. An empty list fits everything.
///
/// A notice of an anomaly ([`EventType::AnomalyDetected`]) has no status, risk level, environment and operation, since what
/// its request says of itself cannot be trusted. It is taken by a webhook that names its type, whatever the other lists say,
/// and by one that has no list at all: a warning is not lost to a list about something else, and a program that asked for
/// certain requests gets nothing that is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// What happened.
    pub events: Vec<EventType>,
    /// The status of the request after the event.
    pub statuses: Vec<Status>,
    /// The risk level of the operation.
    pub risk_levels: Vec<RiskLevel>,
    /// The environment of the instance.
    pub environments: Vec<Environment>,
    /// The operation.
    pub operations: Vec<OperationPattern>,
}

/// The name of an operation, or a pattern as rules of a policy have them: `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationPattern(String);

impl OperationPattern {
    /// Reads 1 to 128 of the characters that names of operations have, `*` and `?`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@*?".contains(&b);
        if text.is_empty() || text.len() > MAX_PATTERN_BYTES || !text.bytes().all(allowed) {
            return Err(Rule::OperationPattern);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether it fits the name of an operation.
    pub fn matches(&self, operation: &str) -> bool {
        WildMatch::new(&self.0).matches(operation)
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Filter {
    /// Whether it takes an event.
    pub fn takes(&self, event: &CloudEvent) -> bool {
        match &event.notice {
            Notice::Event(notification) => {
                let operation = notification.operation_type.as_str();
                fits(&self.events, notification.event_type)
                    && fits(&self.statuses, notification.status)
                    && fits(&self.risk_levels, notification.risk_level)
                    && fits(&self.environments, notification.environment)
                    && (self.operations.is_empty()
                        || self.operations.iter().any(|pattern| pattern.matches(operation)))
            }
            Notice::Anomaly(notice) => self.events.contains(&notice.event_type) || self.is_empty(),
        }
    }

    /// Whether it takes everything.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.statuses.is_empty()
            && self.risk_levels.is_empty()
            && self.environments.is_empty()
            && self.operations.is_empty()
    }
}

fn fits<T: PartialEq>(list: &[T], value: T) -> bool {
    list.is_empty() || list.contains(&value)
}

/// Whether events of this type reach subscribers at all: those of requests, and anomalies.
pub fn is_published(event_type: EventType) -> bool {
    event_type.is_of_request() || event_type == EventType::AnomalyDetected
}
