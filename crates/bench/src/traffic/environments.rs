//! Execution environments of one function, by the rules of Lambda.

use super::visit::Moment;

/// How long environments live. Lambda publishes neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    /// How long one that is idle is kept, in milliseconds.
    pub(crate) idle: u64,
    /// How long one serves, however busy, in milliseconds.
    pub(crate) whole: u64,
}

/// An environment that carries out a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Environment {
    /// One of those that are paid for: Lambda starts it, and starts its successor, before anybody calls.
    Provisioned,
    /// One that a call has started.
    OnDemand {
        /// When.
        born: Moment,
    },
}

/// The environments of a function. One carries out one call at a time.
#[derive(Debug)]
pub(crate) struct Environments {
    lifetimes: Lifetimes,
    free_provisioned: usize,
    /// When each began to be idle, and when it was started; the longest idle first.
    idle: Vec<(Moment, Moment)>,
}

impl Environments {
    pub(crate) fn new(lifetimes: Lifetimes, provisioned: usize) -> Self {
        Self { lifetimes, free_provisioned: provisioned, idle: Vec::new() }
    }

    /// The environment that a call is given, and whether it had to be started. Those that are paid for come first, then
    /// the one that was in use last: the others may die.
    pub(crate) fn take(&mut self, now: Moment) -> (Environment, bool) {
        if let Some(left) = self.free_provisioned.checked_sub(1) {
            self.free_provisioned = left;
            return (Environment::Provisioned, false);
        }
        let Lifetimes { idle, whole } = self.lifetimes;
        self.idle.retain(|(since, born)| now - since <= idle && now - born <= whole);
        match self.idle.pop() {
            Some((_, born)) => (Environment::OnDemand { born }, false),
            None => (Environment::OnDemand { born: now }, true),
        }
    }

    /// The call is answered. Calls of this are in the order of time.
    pub(crate) fn give_back(&mut self, environment: Environment, now: Moment) {
        match environment {
            Environment::Provisioned => self.free_provisioned += 1,
            Environment::OnDemand { born } => self.idle.push((now, born)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes { idle: 100, whole: 1000 };

    fn is_cold(environments: &mut Environments, now: Moment) -> bool {
        let (environment, is_cold) = environments.take(now);
        environments.give_back(environment, now + 10);
        is_cold
    }

    #[test]
    fn one_environment_serves_calls_that_do_not_overlap() {
        let mut environments = Environments::new(LIFETIMES, 0);
        let cold = [0, 10, 50, 100].map(|now| is_cold(&mut environments, now));
        assert_eq!(cold, [true, false, false, false]);
    }

    #[test]
    fn two_calls_that_overlap_need_two_environments() {
        let mut environments = Environments::new(LIFETIMES, 0);
        let (one, first) = environments.take(0);
        let (other, second) = environments.take(5);
        assert_eq!([first, second], [true, true]);
        environments.give_back(one, 10);
        environments.give_back(other, 15);
        assert_eq!(
            [environments.take(20).1, environments.take(21).1, environments.take(22).1],
            [false, false, true]
        );
    }

    #[test]
    fn an_idle_environment_dies() {
        let mut environments = Environments::new(LIFETIMES, 0);
        assert!(is_cold(&mut environments, 0));
        assert!(!is_cold(&mut environments, 110), "idle for as long as it is kept");
        assert!(is_cold(&mut environments, 221), "idle for longer");
    }

    #[test]
    fn a_busy_environment_dies_of_age() {
        let mut environments = Environments::new(LIFETIMES, 0);
        let cold: Vec<Moment> =
            (0..2100).step_by(50).filter(|now| is_cold(&mut environments, *now)).collect();
        assert_eq!(cold, [0, 1050]);
    }

    #[test]
    fn what_was_in_use_last_is_in_use_next_and_the_other_dies() {
        let mut environments = Environments::new(LIFETIMES, 0);
        let (one, other) = (environments.take(0).0, environments.take(0).0);
        environments.give_back(one, 10);
        environments.give_back(other, 20);
        for now in (30..300).step_by(50) {
            assert!(!is_cold(&mut environments, now), "{now}");
        }
        let (_, is_cold) = environments.take(300);
        assert!(!is_cold);
        assert!(environments.take(300).1, "only one is left");
    }

    #[test]
    fn a_provisioned_environment_is_never_cold_and_serves_one_call_at_a_time() {
        let mut environments = Environments::new(LIFETIMES, 1);
        let cold = [0, 5000, 5010, 90_000].map(|now| is_cold(&mut environments, now));
        assert_eq!(cold, [false; 4]);
        let (busy, _) = environments.take(100_000);
        assert_eq!(busy, Environment::Provisioned);
        assert!(environments.take(100_000).1, "beyond them, calls start environments");
    }
}
