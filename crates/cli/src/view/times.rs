//! Times as people tell them: how much is left, how long ago; or as dates, here or in UTC.

use countersign_client::lasting::in_words;
use countersign_core::timestamp::Timestamp;
use jiff::tz::TimeZone;

/// The form in which times are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Times {
    /// As what is left, or how long ago.
    #[default]
    Relative,
    /// As dates in UTC.
    Utc,
    /// As dates in the time zone of this machine, with its offset.
    Local,
}

/// How times are shown.
#[derive(Debug, Clone, Copy)]
pub struct RelativeTime {
    /// The time of telling.
    pub now: Timestamp,
    /// The form.
    pub times: Times,
}

impl RelativeTime {
    /// Times as what is left, or how long ago.
    pub fn relative(now: Timestamp) -> Self {
        Self { now, times: Times::Relative }
    }

    /// A deadline: `4h 12m left`, or `3m ago` once it has passed.
    pub fn deadline(&self, time: &str) -> String {
        self.told(time, |milliseconds| match milliseconds {
            1.. => format!("{} left", in_words(milliseconds)),
            _ => format!("{} ago", in_words(-milliseconds)),
        })
    }

    /// Something that was: `3m ago`.
    pub fn ago(&self, time: &str) -> String {
        self.told(time, |milliseconds| format!("{} ago", in_words(-milliseconds)))
    }

    /// How long something lasts: `1d 0h`.
    pub fn lasting(seconds: u32) -> String {
        in_words(i64::from(seconds) * 1000)
    }

    fn told(&self, text: &str, tell: impl Fn(i64) -> String) -> String {
        match Timestamp::parse(text) {
            Ok(time) => match self.times {
                Times::Relative => tell(time.as_millisecond() - self.now.as_millisecond()),
                Times::Utc => date(time),
                Times::Local => date_in(time, TimeZone::system()),
            },
            // A service that is not ours may say anything.
            Err(_) => countersign_core::text::escaped_line(text),
        }
    }
}

/// `2026-01-31 09:30:00 UTC`.
fn date(time: Timestamp) -> String {
    let seconds: String = time.to_string().chars().take(19).collect();
    format!("{} UTC", seconds.replace('T', " "))
}

/// `2026-01-31 10:30:00 +01:00`. The offset is that of the date, whatever it is today.
fn date_in(time: Timestamp, zone: TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(time.as_millisecond()) {
        Ok(instant) => instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        Err(_) => date(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_people_say_them() {
        let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
        let relative = RelativeTime::relative(now);
        for (time, told) in [
            ("2026-01-31T13:42:59Z", "4h 12m left"),
            ("2026-01-31T09:30:45Z", "45s left"),
            ("2026-02-03T09:29:59Z", "2d 23h left"),
            ("2026-01-31T09:30:00Z", "0s ago"),
            ("2026-01-31T09:17:30Z", "12m ago"),
            ("soon\u{1b}[2J", "soon\\u{1b}[2J"),
        ] {
            assert_eq!(relative.deadline(time), told, "{time}");
        }
        let absolute = RelativeTime { now, times: Times::Utc };
        assert_eq!(absolute.deadline("2026-01-31T13:42:59.999Z"), "2026-01-31 13:42:59 UTC");
    }

    #[test]
    fn a_local_time_shows_the_offset_of_its_own_date() {
        let zone = TimeZone::get("Europe/Vienna").unwrap();
        for (time, told) in [
            ("2026-01-31T13:42:59.999Z", "2026-01-31 14:42:59 +01:00"),
            ("2026-07-31T23:00:00Z", "2026-08-01 01:00:00 +02:00"),
        ] {
            assert_eq!(date_in(Timestamp::parse(time).unwrap(), zone.clone()), told);
        }
    }
}
