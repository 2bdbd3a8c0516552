//! Quiet hours: the spans of a week in which a person is left in peace.

use crate::local_time::{Day, InvalidTimeOfDay, InvalidZone, Occurrence, TimeOfDay, Zone};
use countersign_core::priority::Priority;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strum::IntoEnumIterator;

/// For how long the first change waits for others, in seconds: changes within it are one message.
pub const SETTLE_SECONDS: u32 = 10;

/// The most spans that one person may have.
pub const MAX_SPANS: usize = 7;

/// One span as it is written, in `notifications.toml` and in preferences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSpan {
    /// The days on which it begins; all of them if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<BTreeSet<Day>>,
    /// The time at which it begins.
    pub from: String,
    /// The time at which it ends: on the next day, if that is no later than `from`.
    pub to: String,
    /// The zone of both; UTC if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// What is wrong with quiet hours as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuietHours {
    /// `from` or `to` is no time.
    #[error("has a `from` or `to` that {0}")]
    Time(#[from] InvalidTimeOfDay),
    /// `zone` is no zone.
    #[error("has a `zone` that {0}")]
    Zone(#[from] InvalidZone),
    /// `from` is `to`.
    #[error("must not begin and end at the same time: write 00:00 to 24:00 for whole days")]
    Empty,
    /// `days` is empty.
    #[error("must have at least one of the `days`")]
    NoDays,
    /// There are more than [`MAX_SPANS`].
    #[error("must be at most {MAX_SPANS} spans")]
    TooMany,
    /// They never end.
    #[error("must leave some time of the week")]
    NeverEnding,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    days: BTreeSet<Day>,
    from: TimeOfDay,
    to: TimeOfDay,
    zone: Zone,
}

/// The quiet hours of a person. None is quiet where there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuietHours {
    spans: Vec<Span>,
}

impl QuietHours {
    /// Checks quiet hours.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn new(written: &[WrittenSpan]) -> Result<Self, InvalidQuietHours> {
        if written.len() > MAX_SPANS {
            return Err(InvalidQuietHours::TooMany);
        }
        let quiet_hours = Self { spans: written.iter().map(Span::new).collect::<Result<_, _>>()? };
        // 2026-01-01: in a week without a change of summer time in most zones.
        if quiet_hours
            .end(Timestamp::from_millisecond(1_767_225_600_000))
            .is_none_or(|end| end < Timestamp::LATEST)
        {
            return Ok(quiet_hours);
        }
        Err(InvalidQuietHours::NeverEnding)
    }

    /// The spans as they are written, the days of each by name unless they are all.
    pub fn written(&self) -> Vec<WrittenSpan> {
        let written = |span: &Span| WrittenSpan {
            days: Some(span.days.clone()).filter(|days| days.len() < Day::iter().len()),
            from: span.from.to_string(),
            to: span.to.to_string(),
            zone: Some(span.zone.name().to_owned()),
        };
        self.spans.iter().map(written).collect()
    }

    /// When the quiet ends in which a moment lies, those that follow without a break included; none if it lies in none.
    /// [`Timestamp::LATEST`] if it does not end.
    pub fn end(&self, at: Timestamp) -> Option<Timestamp> {
        // A day more than a week: each step takes a span that begins on another day.
        let steps = MAX_SPANS * 8;
        let mut end = self.end_of_spans(at)?;
        for _ in 0..steps {
            match self.end_of_spans(end) {
                Some(later) => end = later,
                None => return Some(end),
            }
        }
        Some(Timestamp::LATEST)
    }

    /// The latest end of the spans that a moment lies in.
    fn end_of_spans(&self, at: Timestamp) -> Option<Timestamp> {
        self.spans.iter().filter_map(|span| span.end(at)).max()
    }

    /// Until when a message about a request waits. Not if it is urgent, nor if the deadline of the request would come first:
    /// then the message would be of no use.
    pub fn holds_until(
        &self,
        priority: Priority,
        deadline: Option<Timestamp>,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let end = self.end(at)?;
        let comes_too_late = deadline.is_some_and(|deadline| deadline <= end);
        (!priority.is_urgent() && !comes_too_late).then_some(end)
    }
}

impl Span {
    fn new(written: &WrittenSpan) -> Result<Self, InvalidQuietHours> {
        let WrittenSpan { days, from, to, zone } = written;
        let (from, to) = (TimeOfDay::parse(from)?, TimeOfDay::parse(to)?);
        if from == to {
            return Err(InvalidQuietHours::Empty);
        }
        let days = days.clone().unwrap_or_else(|| Day::iter().collect());
        if days.is_empty() {
            return Err(InvalidQuietHours::NoDays);
        }
        let zone = zone.as_deref().map_or_else(|| Ok(Zone::utc()), Zone::parse)?;
        Ok(Self { days, from, to, zone })
    }

    /// When the span ends that a moment lies in: begun on the day of the moment, or on the day before.
    fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let today = self.zone.date(at)?;
        let days = [today.yesterday().ok(), Some(today)];
        let spans = days.into_iter().flatten().filter(|date| self.days.contains(&Day::of(*date)));
        let ends = spans.filter_map(|date| {
            let last_day = if self.to > self.from { date } else { date.tomorrow().ok()? };
            let begin = self.zone.moment(date, self.from, Occurrence::First)?;
            // The hour that comes twice is quiet both times.
            let end = self.zone.moment(last_day, self.to, Occurrence::Last)?;
            (begin <= at && at < end).then_some(end)
        });
        ends.max()
    }
}
