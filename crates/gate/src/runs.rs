//! Calls that run while their callers come and go: a caller who has left one that runs, and calls again, gets its result.

use crate::message::Answer;
use crate::waiting::Gone;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Calls that run now.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    runs: Arc<Mutex<Vec<Run>>>,
}

/// A call that runs.
#[derive(Debug, Clone)]
struct Run {
    identity: String,
    has_caller: Arc<AtomicBool>,
    answer: watch::Receiver<Option<Answer>>,
}

/// The running side of a call. Dropped, it is not found any more.
#[derive(Debug)]
pub struct Running {
    runs: Runs,
    has_caller: Arc<AtomicBool>,
    answer: watch::Sender<Option<Answer>>,
}

/// The side of a caller.
#[derive(Debug)]
pub struct Caller(Run);

impl Runs {
    fn runs(&self) -> MutexGuard<'_, Vec<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins to run, with its caller.
    pub fn begin(&self, identity: &str) -> (Running, Caller) {
        let (answer, receiver) = watch::channel(None);
        let has_caller = Arc::new(AtomicBool::new(true));
        let run =
            Run { identity: identity.to_owned(), has_caller: Arc::clone(&has_caller), answer: receiver };
        self.runs().push(run.clone());
        (Running { runs: self.clone(), has_caller, answer }, Caller(run))
    }

    /// A call that runs for no caller, and asks for the same.
    pub fn join(&self, identity: &str) -> Option<Caller> {
        let runs = self.runs();
        let free = |run: &&Run| {
            run.identity == identity
                && run.has_caller.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok()
        };
        runs.iter().find(free).cloned().map(Caller)
    }
}

impl Running {
    /// What says whether the caller is gone.
    pub fn is_left(&self) -> impl Fn() -> bool + Send + 'static + use<> {
        let has_caller = Arc::clone(&self.has_caller);
        move || !has_caller.load(Ordering::Acquire)
    }

    /// The call has ended.
    pub fn end(self, answer: Answer) {
        self.answer.send_replace(Some(answer));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.runs.runs().retain(|run| !Arc::ptr_eq(&run.has_caller, &self.has_caller));
    }
}

impl Caller {
    /// The answer, unless the caller goes first.
    pub async fn answer(mut self, gone: &Gone) -> Option<Answer> {
        tokio::select! {
            biased;
            answer = self.0.answer.wait_for(Option::is_some) => answer.ok().and_then(|answer| answer.clone()),
            () = gone.wait() => {
                self.0.has_caller.store(false, Ordering::Release);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_call_that_runs_is_joined_once_its_caller_is_gone_and_by_one_caller() {
        let runs = Runs::default();
        let (running, caller) = runs.begin("a");
        let left = running.is_left();
        assert!(runs.join("a").is_none() && !left());
        let (leave, gone) = watch::channel(false);
        let gone = Gone { left: gone, reply: None };
        leave.send_replace(true);
        assert_eq!(block_on(caller.answer(&gone)), None);
        assert!(left() && runs.join("b").is_none());
        let joined = runs.join("a").unwrap();
        assert!(!left() && runs.join("a").is_none());
        let answer = Answer::Result(json!({}));
        running.end(answer.clone());
        assert_eq!(block_on(joined.answer(&gone)), Some(answer));
        assert!(runs.join("a").is_none());
    }
}
