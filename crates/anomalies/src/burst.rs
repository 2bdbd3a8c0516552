//! `request_burst`: how many requests a person makes within an hour, against the person's own rate.

use crate::finding::Measure;
use crate::probability::{THRESHOLD, poisson_tail};
use crate::weight::Weight;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The fewest requests that are a burst.
const LEAST: u64 = 5;
/// How long the window is.
const WINDOW_MINUTES: i64 = 60;
/// Hours that every person is assumed to have been seen for, with [`PRIOR_REQUESTS`] in them.
const PRIOR_HOURS: f64 = 4.0;
/// Requests in these hours.
const PRIOR_REQUESTS: f64 = 8.0;
const MINUTE_MILLISECONDS: i64 = 60_000;

/// What is remembered of how often a person makes requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestRate {
    /// Requests by their minute since 1970: of the last hour.
    recent: BTreeMap<i64, u64>,
    /// Requests before that.
    requests: Weight,
    /// Hours of the clock that had requests.
    hours: Weight,
    /// The last of these hours, since 1970.
    last_hour: Option<i64>,
}

impl RequestRate {
    pub(crate) fn fade(&mut self, factor: f64) {
        self.requests.fade(factor);
        self.hours.fade(factor);
    }

    /// Counts a request. Says how unlikely the requests of the last hour are, if they are a burst.
    pub(crate) fn add(&mut self, at_millisecond: i64) -> Option<Measure> {
        let minute = at_millisecond.div_euclid(MINUTE_MILLISECONDS);
        self.leave_window(minute - WINDOW_MINUTES);
        *self.recent.entry(minute).or_default() += 1;
        let observed: u64 = self.recent.values().sum();
        let expected = (self.requests.events() + PRIOR_REQUESTS) / (self.hours.events() + PRIOR_HOURS);
        if observed < LEAST {
            return None;
        }
        let probability = poisson_tail(observed, expected);
        let measure = Measure { observed: observed as f64, expected, probability };
        (probability < THRESHOLD).then_some(measure)
    }

    /// What has left the window makes the rate: what is judged is no part of what it is judged by.
    fn leave_window(&mut self, last_minute: i64) {
        let window = self.recent.split_off(&(last_minute + 1));
        for (minute, requests) in std::mem::replace(&mut self.recent, window) {
            let hour = minute.div_euclid(60);
            if self.last_hour != Some(hour) {
                self.last_hour = Some(hour);
                self.hours.add(1);
            }
            self.requests.add(requests);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * MINUTE_MILLISECONDS;

    #[test]
    fn the_tenth_request_of_a_new_person_within_an_hour_is_a_burst() {
        let mut rate = RequestRate::default();
        for number in 0..9 {
            assert_eq!(rate.add(number * MINUTE_MILLISECONDS), None);
        }
        let measure = rate.add(59 * MINUTE_MILLISECONDS).unwrap();
        assert_eq!((measure.observed, measure.expected), (10.0, 2.0));
    }

    #[test]
    fn requests_of_more_than_an_hour_are_no_burst() {
        let mut rate = RequestRate::default();
        assert!((0..100).all(|number| rate.add(number * 8 * MINUTE_MILLISECONDS).is_none()));
    }

    #[test]
    fn a_person_with_many_requests_an_hour_has_a_burst_at_more() {
        let burst_of = |each_hour: i64| {
            let mut rate = RequestRate::default();
            for hour in 0..200 {
                for number in 0..each_hour {
                    rate.add(hour * HOUR + number * MINUTE_MILLISECONDS);
                }
            }
            (1..).find(|_| rate.add(300 * HOUR).is_some()).unwrap()
        };
        assert_eq!((burst_of(1), burst_of(2), burst_of(6), burst_of(30)), (7, 10, 18, 53));
    }
}
