//! Periods of the calendar in UTC: days, weeks as ISO 8601 has them, and months.

use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

const DAY_SECONDS: u32 = 24 * 60 * 60;
const DAY_MILLISECONDS: i64 = DAY_SECONDS as i64 * 1000;
/// No month is as long.
const MORE_THAN_A_MONTH: u32 = 32 * DAY_SECONDS;
/// The day of the week of 1 January 1970, a Thursday, counted from Monday.
const FIRST_WEEKDAY: i64 = 3;

/// How often something recurs, and how long what it is about is.
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
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Period {
    /// Every day.
    Daily,
    /// Every week, which begins on Monday.
    Weekly,
    /// Every month.
    Monthly,
}

impl Period {
    /// The name in requests, files and messages.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One day, week or month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Which of them.
    pub period: Period,
    /// Its name: `2026-01-31`, `2026-W05` or `2026-01`.
    pub name: String,
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Span {
    /// The one that a moment is in.
    pub fn containing(period: Period, at: Timestamp) -> Self {
        let midnight = first_moment(&at.day(), at);
        let (from, until, name) = match period {
            Period::Daily => (midnight, midnight.plus_seconds(DAY_SECONDS), at.day()),
            Period::Weekly => {
                let monday = days_later(midnight, -weekday(midnight));
                (monday, days_later(monday, 7), week_name(monday))
            }
            Period::Monthly => {
                let first = first_moment(&format!("{}-01", at.month()), midnight);
                let next = first.plus_seconds(MORE_THAN_A_MONTH);
                (first, first_moment(&format!("{}-01", next.month()), next), at.month())
            }
        };
        Self { period, name, from, until }
    }

    /// The one before.
    #[must_use]
    pub fn before(&self) -> Self {
        Self::containing(self.period, Timestamp::from_millisecond(self.from.as_millisecond() - 1))
    }

    /// The last one that is over.
    pub fn last_whole(period: Period, now: Timestamp) -> Self {
        Self::containing(period, now).before()
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until
    }

    /// Its first day, such as `2026-01-31`.
    pub fn first_day(&self) -> String {
        self.from.day()
    }

    /// Its last day.
    pub fn last_day(&self) -> String {
        Timestamp::from_millisecond(self.until.as_millisecond() - 1).day()
    }
}

fn first_moment(day: &str, otherwise: Timestamp) -> Timestamp {
    // INVARIANT: the day is one of a time.
    Timestamp::parse_first(day).unwrap_or(otherwise)
}

fn days_later(midnight: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_millisecond(midnight.as_millisecond() + days * DAY_MILLISECONDS)
}

/// The day of the week, from 0 on Monday.
fn weekday(midnight: Timestamp) -> i64 {
    (midnight.as_millisecond() / DAY_MILLISECONDS + FIRST_WEEKDAY) % 7
}

/// A week belongs to the year that its Thursday is in.
fn week_name(monday: Timestamp) -> String {
    let thursday = days_later(monday, 3);
    let year: String = thursday.day().chars().take(4).collect();
    let new_year = first_moment(&format!("{year}-01-01"), thursday);
    let days = (thursday.as_millisecond() - new_year.as_millisecond()) / DAY_MILLISECONDS;
    format!("{year}-W{:02}", days / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::Date;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_first(text).unwrap()
    }

    #[test]
    fn periods_have_names_and_bounds() {
        for (period, day, name, first, last) in [
            (Period::Daily, "2026-03-29", "2026-03-29", "2026-03-29", "2026-03-29"),
            (Period::Weekly, "2026-01-01", "2026-W01", "2025-12-29", "2026-01-04"),
            (Period::Weekly, "2027-01-03", "2026-W53", "2026-12-28", "2027-01-03"),
            (Period::Weekly, "2024-12-30", "2025-W01", "2024-12-30", "2025-01-05"),
            (Period::Monthly, "2024-02-29", "2024-02", "2024-02-01", "2024-02-29"),
            (Period::Monthly, "2026-12-31", "2026-12", "2026-12-01", "2026-12-31"),
        ] {
            let span = Span::containing(period, at(day));
            assert_eq!((span.name.as_str(), span.first_day().as_str()), (name, first), "{day}");
            assert_eq!(span.last_day(), last, "{day}");
        }
        let now = at("2026-02-01T00:00:00Z");
        assert_eq!(Span::last_whole(Period::Monthly, now).name, "2026-01");
        assert_eq!(Span::last_whole(Period::Weekly, now).name, "2026-W04");
        let january = Span::last_whole(Period::Monthly, now);
        assert!(january.is_over(now) && !january.is_over(at("2026-01-31T23:59:59.999Z")));
    }

    proptest! {
        /// By the calendar of another library.
        #[test]
        fn periods_follow_each_other_and_weeks_are_those_of_iso_8601(days in 40_i64..40_000, hour in 0_i64..24) {
            let time = Timestamp::from_millisecond((days * 24 + hour) * 3_600_000);
            for period in [Period::Daily, Period::Weekly, Period::Monthly] {
                let span = Span::containing(period, time);
                prop_assert!(span.from <= time && time < span.until);
                prop_assert_eq!(span.before().until, span.from);
                prop_assert_eq!(Span::containing(period, span.until).from, span.until);
                prop_assert_eq!(&Span::containing(period, span.from), &span);
            }
            let week = time.day().parse::<Date>().unwrap().iso_week_date();
            let name = format!("{}-W{:02}", week.year(), week.week());
            prop_assert_eq!(Span::containing(Period::Weekly, time).name, name);
        }
    }
}
