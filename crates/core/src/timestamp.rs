//! Points in time: milliseconds since the Unix epoch, written as RFC 3339 UTC of fixed width.
//!
//! Does not know what time it is; the shells do.

use std::fmt;

/// A point in time with millisecond precision, from 1970 to 9999.
///
/// Its text form is `2026-01-31T09:30:00.000Z`, always 24 bytes, so that byte order is time order:
/// sort keys and range conditions rest on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 date and time between 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 date and time, such as 2026-01-31T09:30:00Z")]
pub struct InvalidTimestamp;

/// The text is neither an RFC 3339 date and time nor a day, between 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a day, such as 2026-01-31, or an RFC 3339 date and time, such as 2026-01-31T09:30:00Z")]
pub struct InvalidTimeOrDay;

/// A day: UTC has no days of another length, leap seconds not being counted.
const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

/// 9999-12-30T22:00:00Z, the last instant `jiff` can print, rounded down to the minute.
const LATEST_MILLISECOND: i64 = 253_402_207_200_000;

impl Timestamp {
    /// The earliest time there is.
    pub const EARLIEST: Self = Self(0);
    /// The latest time there is.
    pub const LATEST: Self = Self(LATEST_MILLISECOND);

    /// Milliseconds since the Unix epoch; a value outside 1970–9999 is moved to the nearest end.
    pub fn from_millisecond(millisecond: i64) -> Self {
        Self(millisecond.clamp(0, LATEST_MILLISECOND))
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millisecond(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 date and time with any offset; what is finer than a millisecond is cut off.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        match parsed.as_millisecond() {
            millisecond @ 0..=LATEST_MILLISECOND => Ok(Self(millisecond)),
            _ => Err(InvalidTimestamp),
        }
    }

    /// Reads a time, or a day such as `2026-01-31`, of which it is the first moment in UTC.
    pub fn parse_first(text: &str) -> Result<Self, InvalidTimeOrDay> {
        Self::parse(text).or_else(|_| midnight(text)).map_err(|_| InvalidTimeOrDay)
    }

    /// Reads a time, or a day such as `2026-01-31`, of which it is the last moment in UTC.
    pub fn parse_last(text: &str) -> Result<Self, InvalidTimeOrDay> {
        let end = || midnight(text).map(|begin| Self::from_millisecond(begin.0 + DAY_MILLISECONDS - 1));
        Self::parse(text).or_else(|_| end()).map_err(|_| InvalidTimeOrDay)
    }

    /// This time moved later by a number of seconds.
    pub fn plus_seconds(self, seconds: u32) -> Self {
        Self::from_millisecond(self.0.saturating_add(i64::from(seconds) * 1000))
    }

    /// This time moved earlier by a number of seconds.
    pub fn minus_seconds(self, seconds: u32) -> Self {
        Self::from_millisecond(self.0.saturating_sub(i64::from(seconds) * 1000))
    }

    /// The month, as `2026-01`.
    pub fn month(self) -> String {
        self.to_string().chars().take(7).collect()
    }

    /// The day, as `2026-01-31`.
    pub fn day(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

/// The first moment of a day in UTC. Days have one spelling, of ten bytes.
fn midnight(day: &str) -> Result<Timestamp, InvalidTimestamp> {
    let time = Timestamp::parse(&format!("{day}T00:00:00Z"))?;
    if time.day() == day { Ok(time) } else { Err(InvalidTimestamp) }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // INVARIANT: `self.0` is inside jiff's range, see `from_millisecond` and `parse`.
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{time:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_fixed_width_and_round_trips() {
        for millisecond in [0, 1, 999, 1_700_000_000_000, LATEST_MILLISECOND] {
            let time = Timestamp::from_millisecond(millisecond);
            let text = time.to_string();
            assert_eq!(text.len(), 24, "{text}");
            assert!(text.ends_with('Z'), "{text}");
            assert_eq!(Timestamp::parse(&text), Ok(time));
        }
    }

    #[test]
    fn a_day_is_all_of_it() {
        let (first, last) = (Timestamp::parse_first("2026-01-31"), Timestamp::parse_last("2026-01-31"));
        assert_eq!(first.unwrap().to_string(), "2026-01-31T00:00:00.000Z");
        assert_eq!(last.unwrap().to_string(), "2026-01-31T23:59:59.999Z");
        let time = Ok(Timestamp::parse("2026-01-31T09:30:00Z").unwrap());
        assert_eq!(Timestamp::parse_first("2026-01-31T10:30:00+01:00"), time);
        assert_eq!(Timestamp::parse_last("2026-01-31T10:30:00+01:00"), time);
        for text in ["", "2026-02-29", "2026-1-31", "20260131", "2026-01-31T", " 2026-01-31", "2026-W05-6"] {
            assert_eq!(Timestamp::parse_first(text), Err(InvalidTimeOrDay), "{text}");
            assert_eq!(Timestamp::parse_last(text), Err(InvalidTimeOrDay), "{text}");
        }
    }

    #[test]
    fn offsets_are_read_and_nonsense_is_refused() {
        assert_eq!(Timestamp::parse("2026-01-31T10:30:00+01:00"), Timestamp::parse("2026-01-31T09:30:00Z"));
        for text in ["", "yesterday", "2026-01-31", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z"] {
            assert_eq!(Timestamp::parse(text), Err(InvalidTimestamp), "{text}");
        }
    }
}
