//! Reminders and escalations: which are due for a pending request. Each is sent once, and none gives anybody a right.

use crate::configuration::{Configuration, Escalation};
use crate::plan::{Plan, Planning};
use countersign_core::ids::RequestId;
use countersign_core::policy::Policy;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::fmt;

/// For how long after an approver's decision nothing is sent by time, in seconds: who has just decided is not urged, and what
/// ends in this minute is not announced.
const AFTER_DECISION_SECONDS: u32 = 60;

/// What time brings about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A reminder.
    Reminder {
        /// The name of its table.
        name: String,
        /// How long before the expiry, in seconds.
        before_expiry_seconds: u32,
    },
    /// An escalation.
    Escalation {
        /// The name of its table.
        name: String,
    },
}

/// Names a timer of a request: a store that puts it once sends it once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    /// The request.
    pub request_id: RequestId,
    /// The timer.
    pub timer: Timer,
}

impl fmt::Display for TimerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request_id = self.request_id;
        match &self.timer {
            Timer::Reminder { name, before_expiry_seconds } => {
                write!(f, "{request_id}/reminder/{name}/{before_expiry_seconds}")
            }
            Timer::Escalation { name } => write!(f, "{request_id}/escalation/{name}"),
        }
    }
}

/// A timer and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When it is due.
    pub at: Timestamp,
    /// Its name.
    pub key: TimerKey,
}

/// A request whose timers are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Timed<'a> {
    /// The request as it is now.
    pub request: &'a Request,
    /// Until when an approver has claimed it: until then nobody else is urged. Expiry warnings are sent all the same.
    pub claimed_until: Option<Timestamp>,
}

impl Timed<'_> {
    /// All timers of the request and their times, the earliest first. None unless it is pending at `now`.
    fn timers(&self, planning: &Planning<'_>, now: Timestamp) -> Vec<Due> {
        let Planning { configuration, policy, .. } = *planning;
        let Self { request, claimed_until } = *self;
        let requirements = policy.requirements_in_force(request);
        if request.status_under(&requirements, now) != Status::Pending {
            return Vec::new();
        }
        let requested_at = request.content.requested_at;
        let expires_at = request.deadlines_under(&requirements).0;
        let mut timers = Vec::new();
        let mut add = |at: Timestamp, timer| {
            let at = self.after_decisions(at);
            // What comes with the expiry or after it is of no use.
            if at < expires_at {
                timers.push(Due { at, key: TimerKey { request_id: request.id(), timer } });
            }
        };
        for reminder in &configuration.reminders {
            for &seconds in &reminder.before_expiry_seconds {
                let at = expires_at.minus_seconds(seconds);
                // A request that lives for five minutes is not reminded of an hour before its end.
                if at > requested_at {
                    let name = reminder.name.clone();
                    add(at, Timer::Reminder { name, before_expiry_seconds: seconds });
                }
            }
        }
        let priority = planning.priority(request);
        for escalation in
            configuration.escalations.iter().filter(|escalation| escalation.priority == priority)
        {
            let at = requested_at.plus_seconds(escalation.after_seconds);
            let at = claimed_until.filter(|until| *until > now).map_or(at, |until| at.max(until));
            add(at, Timer::Escalation { name: escalation.name.clone() });
        }
        timers.sort_by(|one, other| (one.at, &one.key).cmp(&(other.at, &other.key)));
        timers
    }

    /// A time, moved behind the minute of the last decision. What was sent before the decision is not sent anew: its key is
    /// the same.
    fn after_decisions(&self, at: Timestamp) -> Timestamp {
        let last = self.request.decisions.iter().map(|decision| decision.at).max();
        last.map_or(at, |last| at.max(last.plus_seconds(AFTER_DECISION_SECONDS)))
    }

    /// The timers that are due and were not sent. `sent` holds those that were. After an outage only the last time of each
    /// table of reminders is left: an hour is not announced when ten minutes remain.
    pub fn due(&self, planning: &Planning<'_>, sent: &BTreeSet<TimerKey>, now: Timestamp) -> Vec<Due> {
        let timers = self.timers(planning, now).into_iter();
        let overdue: Vec<Due> = timers.filter(|due| due.at <= now).collect();
        let is_last = |due: &Due| match &due.key.timer {
            Timer::Escalation { .. } => true,
            Timer::Reminder { name, before_expiry_seconds } => !overdue.iter().any(|other| {
                matches!(&other.key.timer, Timer::Reminder { name: of, before_expiry_seconds: later }
                    if of == name && later < before_expiry_seconds)
            }),
        };
        overdue.iter().filter(|due| is_last(due) && !sent.contains(&due.key)).cloned().collect()
    }

    /// When a timer is due next, after `now`: until then the request need not be looked at.
    pub fn next(&self, planning: &Planning<'_>, now: Timestamp) -> Option<Timestamp> {
        self.timers(planning, now).into_iter().map(|due| due.at).find(|at| *at > now)
    }

    /// All timers that are still to come, the earliest first, as the request stands at `now`.
    pub fn upcoming(&self, planning: &Planning<'_>, now: Timestamp) -> Vec<Due> {
        self.timers(planning, now).into_iter().filter(|due| due.at > now).collect()
    }

    /// The messages of a timer that is due. Nothing for one that the configuration has no more, nor for a request that is
    /// pending no more: it is to be read anew before it is asked about.
    pub fn plan(&self, planning: &Planning<'_>, timer: &Timer, now: Timestamp) -> Plan {
        let Self { request, .. } = *self;
        if !is_pending(request, planning.policy, now) {
            return Plan::default();
        }
        match timer {
            Timer::Reminder { .. } => planning.remind(request, now),
            Timer::Escalation { name } => match escalation(planning.configuration, name) {
                Some(escalation) => planning.escalate(request, now, escalation),
                None => Plan::default(),
            },
        }
    }
}

fn is_pending(request: &Request, policy: &Policy, now: Timestamp) -> bool {
    request.status_under(&policy.requirements_in_force(request), now) == Status::Pending
}

fn escalation<'a>(configuration: &'a Configuration, name: &str) -> Option<&'a Escalation> {
    configuration.escalations.iter().find(|escalation| escalation.name == name)
}
