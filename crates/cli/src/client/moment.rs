//! Times as people tell them: how much is left, how long ago.

use countersign_core::timestamp::Timestamp;

/// How times are told.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time of telling.
    pub now: Timestamp,
    /// Whether times are told as dates.
    pub utc: bool,
}

impl Moment {
    /// A deadline: `4h 12m left`, or `3m ago` once it has passed.
    pub fn deadline(&self, time: &str) -> String {
        self.told(time, |milliseconds| match milliseconds {
            1.. => format!("{} left", length(milliseconds)),
            _ => format!("{} ago", length(-milliseconds)),
        })
    }

    /// Something that was: `3m ago`.
    pub fn past(&self, time: &str) -> String {
        self.told(time, |milliseconds| format!("{} ago", length(-milliseconds)))
    }

    /// How long something lasts: `1d 0h`.
    pub fn lasting(seconds: u32) -> String {
        length(i64::from(seconds) * 1000)
    }

    fn told(&self, text: &str, tell: impl Fn(i64) -> String) -> String {
        match Timestamp::parse(text) {
            Ok(time) if self.utc => date(time),
            Ok(time) => tell(time.as_millisecond() - self.now.as_millisecond()),
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

/// `45s`, `12m`, `4h 12m` or `3d 4h`; rounded down, so that nobody is promised more than there is.
fn length(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
        let relative = Moment { now, utc: false };
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
        let absolute = Moment { now, utc: true };
        assert_eq!(absolute.deadline("2026-01-31T13:42:59.999Z"), "2026-01-31 13:42:59 UTC");
    }
}
