//! Time as people have it: days of the week, times of the day in a zone of the IANA database, and what recurs by them. Knows
//! both changes of summer time.

use countersign_core::period::Period;
use countersign_core::timestamp::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use std::fmt;
use strum::{Display, EnumIter, IntoStaticStr};

/// A day of the week.
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
    IntoStaticStr,
    EnumIter,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[expect(missing_docs, reason = "the names of the days say it")]
pub enum Day {
    #[serde(alias = "mon")]
    Monday,
    #[serde(alias = "tue")]
    Tuesday,
    #[serde(alias = "wed")]
    Wednesday,
    #[serde(alias = "thu")]
    Thursday,
    #[serde(alias = "fri")]
    Friday,
    #[serde(alias = "sat")]
    Saturday,
    #[serde(alias = "sun")]
    Sunday,
}

impl Day {
    /// The day of the week of a date.
    pub(crate) fn of(date: Date) -> Self {
        match date.weekday() {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

/// The text is no time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time of the day, such as 08:30, or 24:00 for the end of the day")]
pub struct InvalidTimeOfDay;

/// A time of the day, in whole minutes, from `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    minutes: u16,
}

impl TimeOfDay {
    const MINUTES_OF_DAY: u16 = 24 * 60;

    /// Reads `HH:MM`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidTimeOfDay> {
        let number = |digits: &str| match digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()) {
            true => digits.parse::<u16>().map_err(|_| InvalidTimeOfDay),
            false => Err(InvalidTimeOfDay),
        };
        let (hours, minutes) = text.split_once(':').ok_or(InvalidTimeOfDay)?;
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let all = hours * 60 + minutes;
        if minutes > 59 || all > Self::MINUTES_OF_DAY {
            return Err(InvalidTimeOfDay);
        }
        Ok(Self { minutes: all })
    }

    /// This time on a date, as a clock on the wall shows it. `24:00` is the midnight at the end of the day.
    fn on(self, date: Date) -> Option<DateTime> {
        if self.minutes == Self::MINUTES_OF_DAY {
            return Some(date.tomorrow().ok()?.to_datetime(Time::midnight()));
        }
        let hours = i8::try_from(self.minutes / 60).ok()?;
        let minutes = i8::try_from(self.minutes % 60).ok()?;
        Some(date.to_datetime(Time::new(hours, minutes, 0, 0).ok()?))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

/// Which of two moments is meant when the clock shows a time twice, at the end of summer time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occurrence {
    First,
    Last,
}

/// The text is no name of a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the name of a time zone, such as Europe/Vienna")]
pub struct InvalidZone;

/// A time zone of the IANA database that is built into the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone of a name, such as `Europe/Vienna`.
    ///
    /// # Errors
    /// A name that the database does not have.
    pub fn parse(name: &str) -> Result<Self, InvalidZone> {
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| InvalidZone)?;
        Ok(Self { name: name.to_owned(), zone })
    }

    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The date in this zone at a time.
    pub(crate) fn date(&self, at: Timestamp) -> Option<Date> {
        let at = jiff::Timestamp::from_millisecond(at.as_millisecond()).ok()?;
        Some(self.zone.to_datetime(at).date())
    }

    /// The moment at which the clock of this zone comes to a time on a date. A time that is left out, at the begin of summer
    /// time, is come to when the clock is put forward.
    pub(crate) fn moment(&self, date: Date, time: TimeOfDay, occurrence: Occurrence) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(time.on(date)?);
        let moment = match (ambiguous.offset(), occurrence) {
            (AmbiguousOffset::Unambiguous { .. }, _) => ambiguous.compatible().ok()?,
            (AmbiguousOffset::Fold { .. }, Occurrence::First) => ambiguous.earlier().ok()?,
            (AmbiguousOffset::Fold { .. }, Occurrence::Last) => ambiguous.later().ok()?,
            (AmbiguousOffset::Gap { .. }, _) => {
                self.zone.following(ambiguous.earlier().ok()?).next()?.timestamp()
            }
        };
        Some(Timestamp::from_millisecond(moment.as_millisecond()))
    }
}

/// What happens every day, week or month at a time of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// How often.
    pub period: Period,
    /// At which time of the day.
    pub at: TimeOfDay,
    /// On the clock of which zone.
    pub zone: Zone,
}

impl Recurrence {
    /// The first time after a moment. [`Timestamp::LATEST`] where the calendar ends.
    pub fn next(&self, after: Timestamp) -> Timestamp {
        let found = self.zone.date(after).and_then(|today| {
            // A month has at most 31 days, and the time of today may be over.
            let days = std::iter::successors(Some(today), |date| date.tomorrow().ok()).take(32);
            let due = days.filter(|date| self.is_due_on(*date));
            let mut moments = due.filter_map(|date| self.zone.moment(date, self.at, Occurrence::First));
            moments.find(|moment| *moment > after)
        });
        found.unwrap_or(Timestamp::LATEST)
    }

    /// The last time until a moment, and the date that the clock then shows, such as `2026-01-31`. At midnight at the end of a
    /// day that is the date of the next day. None where the calendar begins.
    pub fn last(&self, until: Timestamp) -> Option<(Timestamp, String)> {
        let today = self.zone.date(until)?;
        // The first of the month before, and the midnight at its end.
        let days = std::iter::successors(Some(today), |date| date.yesterday().ok()).take(33);
        let due = days.filter(|date| self.is_due_on(*date));
        let mut moments = due.filter_map(|date| self.zone.moment(date, self.at, Occurrence::First));
        let moment = moments.find(|moment| *moment <= until)?;
        Some((moment, self.zone.date(moment)?.to_string()))
    }

    fn is_due_on(&self, date: Date) -> bool {
        match self.period {
            Period::Daily => true,
            Period::Weekly => date.weekday() == Weekday::Monday,
            Period::Monthly => date.day() == 1,
        }
    }
}
