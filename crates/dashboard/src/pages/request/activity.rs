//! What happened to a request: its events, with what people wrote.

use super::loaded::Loaded;
use crate::labels;
use crate::shown::Shown;
use crate::times::{Moment, Times};
use crate::words::filled;

/// What happened to a request.
#[derive(Debug)]
pub(crate) struct Activity {
    pub entries: Vec<Entry>,
    /// Whether the trail is whole; `None` if policy does not show it to the visitor.
    pub is_verified: Option<bool>,
    pub findings: Vec<Shown>,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The version of the request that it made; 0 if that is not known.
    pub version: u64,
    pub what: Shown,
    pub who: Shown,
    pub channel: Shown,
    pub at: Moment,
    /// What was written with it.
    pub text: Option<Shown>,
}

impl Activity {
    /// The events, and the comments that belong to none that is shown.
    pub(crate) fn of(loaded: &Loaded, times: &Times) -> Self {
        let words = times.words;
        let events = loaded.events.as_ref();
        let items = events.map(|events| events.items.as_slice()).unwrap_or_default();
        let mut comments: Vec<_> = loaded.request.comments.iter().collect();
        let mut entries: Vec<Entry> = items
            .iter()
            .map(|event| {
                let place = comments
                    .iter()
                    .position(|comment| comment.timestamp == event.timestamp && comment.user == event.user);
                Entry {
                    version: event.sequence,
                    what: labels::event(words, &event.event_type),
                    who: Shown::from(&event.user),
                    channel: Shown::from(filled(words.by_way_of, &[&event.channel])),
                    at: times.moment(&event.timestamp),
                    text: place.map(|place| Shown::lines(&comments.remove(place).comment)),
                }
            })
            .collect();
        entries.extend(comments.into_iter().map(|comment| Entry {
            version: 0,
            what: labels::decision(words, &comment.action),
            who: Shown::from(&comment.user),
            channel: Shown::default(),
            at: times.moment(&comment.timestamp),
            text: Some(Shown::lines(&comment.comment)),
        }));
        entries.sort_by(|one, other| one.at.iso.cmp(&other.at.iso));
        Self {
            entries,
            is_verified: events.map(|events| events.verified),
            findings: events
                .map(|events| events.findings.iter().map(Shown::from).collect())
                .unwrap_or_default(),
        }
    }

    /// What happened after a version.
    pub(crate) fn since(&self, version: u64) -> Vec<Entry> {
        self.entries.iter().filter(|entry| entry.version > version).cloned().collect()
    }
}
