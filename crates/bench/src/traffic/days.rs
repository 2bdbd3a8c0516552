//! Days of an organisation that uses Countersign: who files, looks, decides and executes, and when.
//!
//! Nobody has measured such days. The figures here are assumptions, each in one place; what matters is that people come in
//! working hours, that pages make several calls at once, and that between two calls of one function there is often nothing.

use super::random::Random;
use super::visit::{Moment, Visit, Who};
use countersign_api::operation::Operation;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// How many requests are filed in each working hour, from 8 o'clock on, for each other; the last ones after 18 o'clock.
const HOURS: [u64; 11] = [4, 11, 13, 11, 5, 9, 12, 12, 10, 6, 3];
const FIRST_HOUR: u64 = 8;
/// What is filed at any time of the day or the night.
const AT_ANY_TIME: f64 = 0.05;
/// When people decide and start: between these two, or the next morning.
const MORNING: u64 = 8 * HOUR + 30 * MINUTE;
const EVENING: u64 = 18 * HOUR + 30 * MINUTE;

/// A release files several requests within a minute or two.
const BURST: f64 = 0.08;
const BURST_SIZE: (u64, u64) = (3, 6);
/// Who files: a program, a person at the command line, a person at the dashboard. A burst is a program's.
const FILED_BY: [u64; 3] = [40, 30, 30];
/// How many approvals are required: 0, 1, 2.
const REQUIRED: [u64; 3] = [20, 40, 40];
/// How long an approver takes on average, from a minute on.
const ANSWER: u64 = 25 * MINUTE;
const REJECTED: f64 = 0.06;
const CANCELLED: f64 = 0.03;
const COMMENTED: f64 = 0.10;
/// Approvers at the dashboard; the others are at the command line.
const AT_DASHBOARD: f64 = 0.75;
/// Approvers at the dashboard who come by the list, not by the link of a notification; and those who have to sign in.
const BY_LIST: f64 = 0.4;
const SIGNS_IN: f64 = 0.15;
/// How long a program waits for a decision at most, and a person at the command line, who does so every second time.
const PROGRAM_WAITS: u64 = 30 * MINUTE;
const PERSON_WAITS: u64 = 5 * MINUTE;
/// How long one call may wait: the default of the template's `MaxWaitSeconds`.
const CALL_WAITS: u64 = 10 * SECOND;
/// How long a person takes to start what is approved, on average, and how long an execution takes.
const TO_START: u64 = 20 * MINUTE;
const EXECUTION: u64 = 5 * MINUTE;
/// How often approvers look at what waits for them, each day, besides.
const LOOKS: u64 = 6;

/// The pages, by the calls that the dashboard makes for each of them at once: see `crates/dashboard/src/pages`.
const FORM: &[Operation] = &[];
const PREVIEW: &[Operation] = &[Operation::Simulate];
const CREATE: &[Operation] = &[Operation::Create];
const REQUEST: &[Operation] = &[Operation::Get, Operation::Explain, Operation::Events];
const APPROVE: &[Operation] = &[Operation::Approve];
const REJECT: &[Operation] = &[Operation::Reject];
const COMMENT: &[Operation] = &[Operation::Comment];
const CANCEL: &[Operation] = &[Operation::Cancel];
const LIST: &[Operation] = &[Operation::List];
const SIGN_IN: &[Operation] = &[Operation::Me];
const INSIGHTS: &[Operation] = &[Operation::Stats, Operation::Stats, Operation::List];
const AUDIT: &[Operation] = &[Operation::Audit];

/// A browser follows the redirect after a change with the next page.
const REDIRECT: u64 = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requester {
    Program,
    CommandLine,
    Dashboard,
}

#[derive(Debug)]
struct Days {
    random: Random,
    visits: Vec<Visit>,
}

/// The visits of some working days with so many requests each, in the order of time. Weekends are left out: nights are
/// already longer than any environment lives.
pub(crate) fn visits(requests_a_day: u64, days: u64, seed: u64) -> Vec<Visit> {
    let mut made = Days { random: Random::new(seed), visits: Vec::new() };
    for day in 0..days {
        made.day(day * DAY, requests_a_day);
    }
    // What was begun on the last day goes on after it, and belongs to no day that is counted.
    made.visits.retain(|visit| visit.at < days * DAY);
    made.visits.sort_by_key(|visit| visit.at);
    made.visits
}

impl Days {
    fn day(&mut self, midnight: Moment, requests: u64) {
        let mut left = requests;
        while left > 0 {
            let at = midnight + self.time_of_day();
            if self.random.happens(BURST) {
                let size = self.random.between(BURST_SIZE.0, BURST_SIZE.1).min(left);
                let mut at = at;
                for _ in 0..size {
                    self.request(at, Requester::Program);
                    at += self.random.between(2 * SECOND, 20 * SECOND);
                }
                left -= size;
            } else {
                let requester = match self.random.weighted(&FILED_BY) {
                    0 => Requester::Program,
                    1 => Requester::CommandLine,
                    _ => Requester::Dashboard,
                };
                self.request(at, requester);
                left -= 1;
            }
        }
        let approvers = (requests / 10).clamp(5, 40);
        for _ in 0..approvers * LOOKS {
            let at = midnight + self.random.between(MORNING, EVENING);
            self.page(at, LIST);
            if self.random.happens(0.3) {
                let at = at + self.random.between(5 * SECOND, 30 * SECOND);
                self.page(at, REQUEST);
            }
        }
        for calls in [INSIGHTS, AUDIT, LIST, REQUEST] {
            let at = midnight + self.random.between(MORNING, EVENING);
            self.page(at, calls);
        }
    }

    fn time_of_day(&mut self) -> u64 {
        if self.random.happens(AT_ANY_TIME) {
            return self.random.between(0, DAY - 1);
        }
        let hours: u64 =
            HOURS.iter().zip(FIRST_HOUR..).nth(self.random.weighted(&HOURS)).map_or(0, |(_, hour)| hour);
        hours * HOUR + self.random.between(0, HOUR - 1)
    }

    /// This time, or the next morning if nobody is there.
    fn when_somebody_is_there(&mut self, at: Moment) -> Moment {
        let midnight = at - at % DAY;
        match at % DAY {
            time if time < MORNING => midnight + MORNING + self.random.between(0, HOUR),
            time if time > EVENING => midnight + DAY + MORNING + self.random.between(0, HOUR),
            _ => at,
        }
    }

    fn request(&mut self, at: Moment, requester: Requester) {
        let made = self.file(at, requester);
        let required = self.random.weighted(&REQUIRED);
        if required == 0 {
            let start = made + self.random.between(SECOND, MINUTE);
            return self.execute(start, requester);
        }
        if self.random.happens(CANCELLED) {
            let at = made + self.random.after(ANSWER);
            self.page_after(at, CANCEL);
            return;
        }
        let mut decided: Vec<Moment> = (0..required)
            .map(|_| {
                let at = made + MINUTE + self.random.after(ANSWER);
                self.when_somebody_is_there(at)
            })
            .collect();
        decided.sort_unstable();
        let is_rejected = self.random.happens(REJECTED);
        if is_rejected {
            decided.truncate(1);
        }
        for at in &decided {
            self.decide(*at, if is_rejected { Operation::Reject } else { Operation::Approve });
        }
        let end = decided.last().copied().unwrap_or(made);
        if self.random.happens(COMMENTED) {
            let at = self.random.between(made, end);
            self.page_after(at, COMMENT);
        }
        let has_heard = self.wait(made, end, requester);
        if is_rejected {
            return;
        }
        let start = if has_heard {
            end + SECOND
        } else {
            let at = end + self.random.after(TO_START);
            self.when_somebody_is_there(at)
        };
        self.execute(start, requester);
    }

    /// Files a request; when it is there.
    fn file(&mut self, at: Moment, requester: Requester) -> Moment {
        match requester {
            Requester::Program => self.call(at, Who::Program, Operation::Create),
            Requester::CommandLine => self.call(at, Who::Person, Operation::Create),
            Requester::Dashboard => {
                self.page(at, FORM);
                let preview = at + self.random.between(MINUTE, 3 * MINUTE);
                self.page(preview, PREVIEW);
                let create = preview + self.random.between(10 * SECOND, 40 * SECOND);
                return self.page_after(create, CREATE);
            }
        }
        at + SECOND
    }

    /// Waits for the decision, or looks every now and then; whether whoever waits hears of it at once.
    fn wait(&mut self, made: Moment, end: Moment, requester: Requester) -> bool {
        let patience = match requester {
            Requester::Program => PROGRAM_WAITS,
            Requester::CommandLine if self.random.happens(0.5) => PERSON_WAITS,
            Requester::CommandLine => 0,
            Requester::Dashboard => {
                for _ in 0..self.random.between(1, 3) {
                    let at = self.random.between(made, end);
                    let at = self.when_somebody_is_there(at).min(end);
                    self.page(at, REQUEST);
                }
                return false;
            }
        };
        let until = end.min(made + patience);
        let mut at = made;
        while at < until {
            let takes = CALL_WAITS.min(until - at);
            self.visits.push(Visit { takes, ..Visit::operation(at, Who::Waiting, Operation::Get) });
            at += takes + 50;
        }
        end <= made + patience
    }

    fn decide(&mut self, at: Moment, decision: Operation) {
        if !self.random.happens(AT_DASHBOARD) {
            self.call(at, Who::Person, Operation::List);
            let shown = at + self.random.between(10 * SECOND, 30 * SECOND);
            self.call(shown, Who::Person, Operation::Get);
            let at = shown + self.random.between(20 * SECOND, 2 * MINUTE);
            return self.call(at, Who::Person, decision);
        }
        let mut at = at;
        if self.random.happens(SIGNS_IN) {
            self.page(at, SIGN_IN);
            at += REDIRECT;
        }
        if self.random.happens(BY_LIST) {
            self.page(at, LIST);
            at += self.random.between(5 * SECOND, 20 * SECOND);
        }
        self.page(at, REQUEST);
        at += self.random.between(20 * SECOND, 3 * MINUTE);
        self.page_after(at, if decision == Operation::Reject { REJECT } else { APPROVE });
    }

    fn execute(&mut self, at: Moment, requester: Requester) {
        let who = if requester == Requester::Program { Who::Program } else { Who::Person };
        if requester != Requester::Program {
            // Who executes by hand has a look first.
            self.call(at.saturating_sub(5 * SECOND), who, Operation::Get);
        }
        self.call(at, who, Operation::Start);
        let end = at + 10 * SECOND + self.random.after(EXECUTION);
        self.call(end, Who::Program, Operation::Finish);
    }

    /// A change by a page, and the page of the request that the browser goes on to; when that is shown.
    fn page_after(&mut self, at: Moment, change: &'static [Operation]) -> Moment {
        self.page(at, change);
        self.page(at + REDIRECT, REQUEST);
        at + SECOND
    }

    fn page(&mut self, at: Moment, calls: &'static [Operation]) {
        self.visits.push(Visit::page(at, calls));
    }

    fn call(&mut self, at: Moment, who: Who, operation: Operation) {
        self.visits.push(Visit::operation(at, who, operation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::visit::Callee;

    fn count(visits: &[Visit], operation: Operation) -> usize {
        let is_of = |visit: &&Visit| match visit.callee {
            Callee::Operation(called) => called == operation,
            Callee::Page(calls) => calls.contains(&operation),
            Callee::Function(_) => false,
        };
        visits.iter().filter(is_of).count()
    }

    #[test]
    fn the_same_seed_gives_the_same_days_and_another_one_others() {
        assert_eq!(visits(20, 3, 1), visits(20, 3, 1));
        assert_ne!(visits(20, 3, 1), visits(20, 3, 2));
    }

    #[test]
    fn days_have_as_many_requests_as_they_should_in_the_order_of_time() {
        let visits = visits(200, 5, 7);
        assert!(visits.is_sorted_by_key(|visit| visit.at));
        // Who fills in the form at midnight of the last day makes the request after it.
        assert!((995..=1000).contains(&count(&visits, Operation::Create)));
    }

    #[test]
    fn most_happens_in_working_hours() {
        let visits = visits(200, 5, 7);
        let persons: Vec<_> = visits.iter().filter(|visit| visit.who == Who::Person).collect();
        let at_work =
            persons.iter().filter(|visit| (8 * HOUR..19 * HOUR).contains(&(visit.at % DAY))).count();
        assert!(at_work * 10 > persons.len() * 9, "{at_work} of {}", persons.len());
    }

    #[test]
    fn what_is_executed_was_started_once_and_decided_before() {
        let visits = visits(100, 10, 3);
        let [created, approved, started, finished] =
            [Operation::Create, Operation::Approve, Operation::Start, Operation::Finish]
                .map(|operation| count(&visits, operation));
        assert!(started < created && started * 10 > created * 8, "{started} of {created}");
        assert!(finished <= started && approved > created, "{finished}, {approved}");
    }
}
