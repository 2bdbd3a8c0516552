//! How many lines of the log strangers can write: callers without an accepted token can be as many as they
//! like, and a line is longer than what they send for it.

use std::sync::{Mutex, PoisonError};

/// How many refusals of a minute have a line of their own.
const LINES: u64 = 60;

/// The refusals of this minute.
#[derive(Debug, Default)]
pub struct RefusalLog(Mutex<u64>);

impl RefusalLog {
    /// Counts a refusal, and says whether it has a line of its own.
    pub fn has_line(&self) -> bool {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        *count <= LINES
    }

    /// Begins another minute, and logs how many refusals of the last one had no line.
    pub fn end_minute(&self) {
        let count = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let count = count.saturating_sub(LINES);
        if count > 0 {
            tracing::warn!(
                count,
                "calls without an accepted token were refused, besides those that have a line"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_67_refusals_of_strangers_have_some_lines_a_minute() {
        let log = RefusalLog::default();
        assert_eq!((0..1000).filter(|_| log.has_line()).count(), 60);
        log.end_minute();
        assert_eq!((0..1000).filter(|_| log.has_line()).count(), 60);
    }
}
