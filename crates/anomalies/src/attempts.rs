//! `refused_attempts`: several refused attempts of a person in a short time.

use crate::finding::Measure;
use crate::probability::{THRESHOLD, poisson_tail};
use crate::weight::{RATE_HALF_LIFE_DAYS, Weight};
use countersign_core::audit::AuditEvent;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many attempts in [`WINDOW_MILLISECONDS`] are a finding.
const LEAST: usize = 5;
/// How long the window is.
const WINDOW_MILLISECONDS: i64 = 10 * 60 * 1_000;
/// A refused attempt that every person is assumed to have had.
const PRIOR_ATTEMPTS: f64 = 1.0;
const WINDOWS_A_DAY: f64 = 144.0;

/// What is remembered of a person's refused attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttemptHistory {
    /// The last attempts, in milliseconds since 1970.
    recent: VecDeque<i64>,
    /// Attempts before these.
    before: Weight,
}

impl AttemptHistory {
    pub(crate) fn fade(&mut self, factor: f64) {
        self.before.fade(factor);
    }

    /// Counts what an event says was refused. Says how unlikely the last attempts are, if they are within the window.
    pub(crate) fn add(&mut self, event: &AuditEvent, at_millisecond: i64) -> Option<Measure> {
        let attempts = attempts(event);
        // More of them make no difference: the last ones alone are compared.
        let compared = usize::try_from(attempts).unwrap_or(LEAST).min(LEAST);
        self.before.add(attempts.saturating_sub(compared as u64));
        self.recent.extend(std::iter::repeat_n(at_millisecond, compared));
        while self.recent.len() > LEAST {
            self.recent.pop_front();
            self.before.add(1);
        }
        let first = self.recent.front()?;
        if self.recent.len() < LEAST || at_millisecond.saturating_sub(*first) > WINDOW_MILLISECONDS {
            return None;
        }
        // A steady rate has, in its faded count, the attempts of so many days.
        let days = RATE_HALF_LIFE_DAYS / std::f64::consts::LN_2;
        let expected = (self.before.events() + PRIOR_ATTEMPTS) / (days * WINDOWS_A_DAY);
        let observed = LEAST as u64 + attempts.saturating_sub(compared as u64);
        let probability = poisson_tail(observed, expected);
        let measure = Measure { observed: observed as f64, expected, probability };
        (probability < THRESHOLD).then_some(measure)
    }
}

/// How many attempts an event stands for, those that are only counted as far as they fall into the last window if they
/// were spread evenly.
fn attempts(event: &AuditEvent) -> u64 {
    let details = event.details.to_value();
    let Some(counts) = details.get("counts").and_then(|counts| counts.as_object()) else { return 1 };
    let all = counts.values().filter_map(serde_json::Value::as_u64).fold(0, u64::saturating_add);
    let since = details.get("since").and_then(|since| since.as_str());
    let since = since.and_then(|since| Timestamp::parse(since).ok()).unwrap_or(event.timestamp);
    let span = event.timestamp.as_millisecond().saturating_sub(since.as_millisecond());
    let part = u128::from(all) * u128::from(WINDOW_MILLISECONDS.unsigned_abs())
        / u128::from(span.max(WINDOW_MILLISECONDS).unsigned_abs());
    u64::try_from(part).unwrap_or(all)
}
