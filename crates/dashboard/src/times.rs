//! Times as people read them: in their zone, which is named, with UTC beside.

use crate::words::{Words, filled};
use countersign_core::timestamp::Timestamp;
use jiff::tz::TimeZone;

const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A point in time on a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// For programs.
    pub iso: String,
    /// In the visitor's zone.
    pub local: String,
    /// In UTC; empty if that is the visitor's zone.
    pub utc: String,
}

/// A deadline on a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deadline {
    /// When.
    pub at: Moment,
    /// How long until then, in words.
    pub left: String,
}

/// The clock of a page.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    pub now: Timestamp,
    pub zone: TimeZone,
    pub words: &'static Words,
}

impl Times {
    /// A time of the API. What is no time is empty.
    pub(crate) fn moment(&self, text: &str) -> Moment {
        let Ok(time) = Timestamp::parse(text) else { return Moment::default() };
        let Ok(instant) = jiff::Timestamp::from_millisecond(time.as_millisecond()) else {
            return Moment::default();
        };
        let utc = instant.to_zoned(TimeZone::UTC);
        if self.zone == TimeZone::UTC {
            let local = utc.strftime("%Y-%m-%d %H:%M UTC").to_string();
            return Moment { iso: time.to_string(), local, utc: String::new() };
        }
        let local = instant.to_zoned(self.zone.clone());
        Moment {
            iso: time.to_string(),
            local: local.strftime("%Y-%m-%d %H:%M %Z").to_string(),
            utc: utc.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }

    /// A time that may be absent.
    pub(crate) fn optional(&self, text: Option<&String>) -> Option<Moment> {
        text.map(|text| self.moment(text))
    }

    /// A deadline of the API.
    pub(crate) fn deadline(&self, text: &str) -> Deadline {
        let left = Timestamp::parse(text).map_or(0, |at| at.as_millisecond() - self.now.as_millisecond());
        Deadline { at: self.moment(text), left: self.length(left) }
    }

    /// How long, in two units at most.
    fn length(&self, milliseconds: i64) -> String {
        let words = self.words;
        let (days, hours, minutes) =
            (milliseconds / DAY, milliseconds % DAY / HOUR, milliseconds % HOUR / MINUTE);
        match (days, hours, minutes) {
            _ if milliseconds <= 0 => words.over.to_owned(),
            (0, 0, 0) => filled(words.left, &[&words.under_a_minute]),
            (0, 0, _) => filled(words.left, &[&filled(words.minutes, &[&minutes])]),
            (0, _, _) => filled(words.left, &[&filled(words.hours, &[&hours, &minutes])]),
            (_, _, _) => filled(words.left, &[&filled(words.days, &[&days, &hours])]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;
    use jiff::tz::TimeZoneDatabase;

    fn times(zone: &str) -> Times {
        let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        Times { now, zone, words: Language::English.words() }
    }

    #[test]
    fn a_time_is_in_the_zone_with_utc_beside() {
        let seoul = times("Asia/Seoul");
        let moment = seoul.moment("2026-01-31T09:30:00.000Z");
        assert_eq!(
            (moment.local.as_str(), moment.utc.as_str()),
            ("2026-01-31 18:30 KST", "2026-01-31 09:30 UTC")
        );
        let utc = times("UTC").moment("2026-01-31T09:30:00.000Z");
        assert_eq!((utc.local.as_str(), utc.utc.as_str()), ("2026-01-31 09:30 UTC", ""));
        assert_eq!(seoul.moment("<script>"), Moment::default());
    }

    #[test]
    fn a_deadline_says_how_long() {
        let cases = [
            ("2026-01-31T09:30:00Z", "over"),
            ("2026-01-31T09:30:59Z", "under a minute left"),
            ("2026-01-31T09:35:00Z", "5 min left"),
            ("2026-01-31T12:00:00Z", "2 h 30 min left"),
            ("2026-02-03T10:30:00Z", "3 d 1 h left"),
        ];
        for (at, left) in cases {
            assert_eq!(times("UTC").deadline(at).left, left);
        }
    }
}
