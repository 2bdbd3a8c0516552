//! Reports: when one is due, of which period, and where it goes. A report is about no request.

use crate::audience::Reach;
use crate::configuration::ReportDigest;
use crate::plan::{MessageKind, PlannedMessage, Planning, When};
use crate::recipients::Askers;
use countersign_core::period::Span;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;

/// A report that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueReport {
    /// Since when.
    pub at: Timestamp,
    /// Of which period.
    pub span: Span,
}

impl ReportDigest {
    /// The report that has come due last: of the day, week or month before the one that its date is in, by the clock of its
    /// zone. That period is one of UTC, and may not be over yet. Each time has a period of its own, both changes of summer time
    /// included.
    pub fn last_due(&self, now: Timestamp) -> Option<DueReport> {
        let (at, date) = self.recurrence.last(now)?;
        let date = Timestamp::parse_first(&date).ok()?;
        Some(DueReport { at, span: Span::containing(self.recurrence.period, date).before() })
    }
}

impl Planning<'_> {
    /// The messages of a report, one for each place. A report comes at the time that its table says: it waits for the end of no
    /// quiet hours.
    pub fn report(&self, digest: &ReportDigest) -> Vec<PlannedMessage> {
        let Self { configuration, policy, preferences } = *self;
        let (approvers, askers) = (BTreeSet::new(), Askers::default());
        let reach = Reach { configuration, policy, preferences, approvers: &approvers, askers: &askers };
        let takes_reports = |name: &str| {
            configuration.destination(name).is_some_and(|destination| destination.kind().takes_reports())
        };
        let places = reach.places(&digest.addressing).into_iter();
        places
            .filter(|(place, _)| takes_reports(&place.destination))
            .map(|(place, reached)| PlannedMessage {
                place,
                address: reached.address,
                people: reached.people,
                kind: MessageKind::Information,
                when: When::AtOnce,
            })
            .collect()
    }
}
