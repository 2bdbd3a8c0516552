//! The one answer of a hook: the work and the clock race for it, and the first of them wins.

use crate::answer::Decision;
use crate::refusal::Refusal;
use countersign_agents::notice::Notice;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long before the agent's limit an answer is given.
pub const MARGIN: Duration = Duration::from_secs(5);

/// How long an approval that is being spent holds the answer up once the time is up, and how long after the answer one that was
/// spent in vain is reported.
const REST: Duration = Duration::from_millis(1500);

/// How long to work for an agent that ends the hook after `limit`. A limit that leaves nothing is halved instead.
pub fn patience(limit: Duration) -> Duration {
    limit.checked_sub(MARGIN).filter(|rest| !rest.is_zero()).unwrap_or(limit / 2)
}

/// Where the answer is put.
#[derive(Debug, Default)]
pub struct Verdict {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    decision: Option<Decision>,
    /// What is answered if the time is up first.
    meanwhile: Option<Box<Notice>>,
    /// Whether an approval is being spent, or was.
    is_starting: bool,
    /// Whether the agent has been given it.
    is_delivered: Option<bool>,
    /// Whether the work has come to its end, also if the clock was first.
    is_over: bool,
}

impl Verdict {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What a thread that panicked has left is whole: each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what is answered if the time is up now.
    pub fn meanwhile(&self, notice: Box<Notice>) {
        self.lock().meanwhile = Some(notice);
    }

    /// Decides, unless that has happened; gives whether it counts.
    pub fn decide(&self, decision: Decision) -> bool {
        let mut state = self.lock();
        let is_first = state.decision.is_none();
        if is_first {
            state.decision = Some(decision);
            self.news.notify_all();
        }
        is_first
    }

    /// Whether there is a decision.
    pub fn is_decided(&self) -> bool {
        self.lock().decision.is_some()
    }

    /// Says that an approval is about to be spent; gives whether it may be: not for an agent that has its answer.
    pub fn start(&self) -> bool {
        let mut state = self.lock();
        state.is_starting = state.decision.is_none();
        state.is_starting
    }

    /// Says whether the agent could be given the decision.
    pub fn deliver(&self, is_delivered: bool) {
        self.lock().is_delivered = Some(is_delivered);
        self.news.notify_all();
    }

    /// Waits until that is known, and gives it.
    pub fn is_delivered(&self) -> bool {
        let state = self.lock();
        let waited = self.news.wait_while(state, |state| state.is_delivered.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).is_delivered == Some(true)
    }

    /// Says that the work has come to its end.
    fn end(&self) {
        self.lock().is_over = true;
        self.news.notify_all();
    }

    /// The decision, once there is one; a refusal when the time is up.
    pub fn wait(&self, patience: Duration) -> Decision {
        let is_open = |state: &mut State| state.decision.is_none() && !state.is_over;
        let waited = self.news.wait_timeout_while(self.lock(), patience, is_open);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_held = |state: &mut State| state.is_starting && is_open(state);
        let waited = self.news.wait_timeout_while(state, REST, is_held);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let meanwhile = state.meanwhile.clone();
        let is_over = state.is_over;
        let late = || match (is_over, meanwhile) {
            // The work has ended and decided nothing: it has failed.
            (true, _) => Refusal::failed().notice(),
            (false, Some(notice)) => notice,
            (false, None) => Refusal::slow().notice(),
        };
        state.decision.get_or_insert_with(|| Decision::Refuse(late())).clone()
    }

    /// Waits a moment for the end of work that has spent an approval: after a refusal it takes that back.
    fn wait_for_end(&self) {
        let is_held = |state: &mut State| state.is_starting && !state.is_over;
        let _ = self.news.wait_timeout_while(self.lock(), REST, is_held);
    }
}

/// Ends the work however its thread does.
struct Work(Arc<Verdict>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Lets `work` decide in a thread of its own, for as long as this; the answer is then delivered, and what is left to take
/// back gets a moment. An error of the work is a refusal, and so is a panic.
///
/// `deliver` gives whether the agent could be answered.
pub fn race(
    patience: Duration,
    work: impl FnOnce(&Verdict) -> Result<(), Box<Notice>> + Send + 'static,
    deliver: impl FnOnce(&Decision) -> bool,
) {
    let verdict = Arc::new(Verdict::default());
    let working = Work(Arc::clone(&verdict));
    let thread = move || {
        let working = working;
        if let Err(notice) = work(&working.0) {
            working.0.decide(Decision::Refuse(notice));
        }
    };
    // Without a thread nothing is decided, and the work is over at once.
    let _ = std::thread::Builder::new().name("hook".to_owned()).spawn(thread);
    let decision = verdict.wait(patience);
    verdict.deliver(deliver(&decision));
    verdict.wait_for_end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(
        patience: Duration,
        work: impl FnOnce(&Verdict) -> Result<(), Box<Notice>> + Send + 'static,
    ) -> Decision {
        let mut decided = None;
        race(patience, work, |decision| {
            decided = Some(decision.clone());
            true
        });
        decided.unwrap()
    }

    #[test]
    fn errors_panics_and_a_clock_that_is_first_are_refusals() {
        let code = |decision: Decision| match decision {
            Decision::Refuse(notice) => notice.code,
            other => panic!("{other:?}"),
        };
        let long = Duration::from_secs(3600);
        assert_eq!(
            decided(long, |verdict| {
                verdict.decide(Decision::Go);
                Ok(())
            }),
            Decision::Go
        );
        assert_eq!(code(decided(long, |_| Err(Box::new(Notice::new("no", "no", "no"))))), "no");
        assert_eq!(code(decided(long, |_| panic!("of all things"))), "hook_unusable");
        let late = |verdict: &Verdict| {
            while !verdict.is_decided() {
                std::thread::yield_now();
            }
            assert!(!verdict.decide(Decision::Go));
            Ok(())
        };
        assert_eq!(code(decided(Duration::from_millis(1), late)), "service_unavailable");
    }

    #[test]
    fn an_approval_that_is_being_spent_holds_the_answer_up() {
        let starting = |verdict: &Verdict| {
            assert!(verdict.start());
            std::thread::sleep(Duration::from_millis(300));
            verdict.decide(Decision::Go);
            Ok(())
        };
        assert_eq!(decided(Duration::from_millis(30), starting), Decision::Go);
        let late = |verdict: &Verdict| {
            while !verdict.is_decided() {
                std::thread::yield_now();
            }
            assert!(!verdict.start(), "an agent that was refused runs nothing");
            Ok(())
        };
        assert!(matches!(decided(Duration::from_millis(30), late), Decision::Refuse(_)));
    }

    #[test]
    fn the_first_decision_counts() {
        let verdict = Verdict::default();
        verdict.meanwhile(Box::new(Notice::new("approval_pending", "it waits", "again")));
        let Decision::Refuse(notice) = verdict.wait(Duration::from_millis(1)) else { panic!() };
        assert_eq!(notice.code, "approval_pending");
        assert!(!verdict.decide(Decision::Go), "the agent has its answer already");
        assert_eq!(verdict.wait(Duration::ZERO), Decision::Refuse(notice));

        let verdict = Verdict::default();
        assert!(verdict.decide(Decision::Go));
        assert_eq!(verdict.wait(Duration::ZERO), Decision::Go);
    }

    #[test]
    fn work_that_ends_without_a_decision_is_a_refusal_at_once() {
        let verdict = Verdict::default();
        verdict.end();
        let Decision::Refuse(notice) = verdict.wait(Duration::from_secs(3600)) else { panic!() };
        assert_eq!(notice.code, "hook_unusable");
    }

    #[test]
    fn an_answer_is_given_before_the_limit() {
        let seconds = Duration::from_secs;
        assert_eq!(patience(seconds(600)), seconds(595));
        assert_eq!(patience(seconds(6)), seconds(1));
        assert_eq!(patience(seconds(4)), seconds(2));
    }
}
