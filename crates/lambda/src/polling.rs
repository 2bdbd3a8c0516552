//! How a call waits in a function, which hears of no commit: the request is read again and again, not often and not
//! for long. A function that waits is paid for, and counts as one that runs.

use crate::environment::{Environment, InvalidVariable};
use countersign_app::host::BoxFuture;
use countersign_app::waiting::{Waiting, Watch, Woken};
use countersign_core::ids::RequestId;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a call may wait, in seconds, unless `MAX_WAIT_SECONDS` says otherwise.
const MAX_WAIT_SECONDS: u32 = 10;
/// The most that `MAX_WAIT_SECONDS` may say: what comes before and after the waiting fits into the 30 s that the
/// gateway has for an answer.
const LONGEST: u32 = 20;
/// How often a request is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Waiting by reading again.
#[derive(Debug, Clone, Copy)]
pub struct Polling {
    longest: Duration,
    interval: Duration,
}

impl Polling {
    /// From `MAX_WAIT_SECONDS`: 10 if unset; 0 lets no call wait.
    ///
    /// # Errors
    /// When it is no whole number from 0 to 20.
    pub fn read(environment: &Environment) -> Result<Self, InvalidVariable> {
        const NAME: &str = "MAX_WAIT_SECONDS";
        let seconds = environment.number(NAME, MAX_WAIT_SECONDS)?;
        if seconds > LONGEST {
            return Err(Environment::invalid(NAME, format_args!("must be from 0 to {LONGEST}")));
        }
        Ok(Self { longest: Duration::from_secs(seconds.into()), interval: INTERVAL })
    }
}

impl Waiting for Polling {
    fn watch(&self, _: RequestId, at_most: Duration) -> Option<Box<dyn Watch>> {
        let at_most = at_most.min(self.longest);
        let watch =
            Polled { reads: at_most.as_secs(), interval: self.interval, end: Instant::now() + at_most };
        (!at_most.is_zero()).then(|| Box::new(watch) as Box<dyn Watch>)
    }
}

struct Polled {
    /// How often the request is still read.
    reads: u64,
    interval: Duration,
    /// Where reading takes long, the time is up sooner.
    end: Instant,
}

impl Watch for Polled {
    /// That a deadline has passed is seen when the request is read again.
    fn next(&mut self, _: Option<Duration>) -> BoxFuture<'_, Woken> {
        Box::pin(async move {
            if self.reads == 0 || Instant::now() >= self.end {
                return Woken::End;
            }
            self.reads -= 1;
            sleep(self.interval).await;
            Woken::Look
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polling(seconds: &str) -> Result<Polling, InvalidVariable> {
        let polling = Polling::read(&Environment::of([("MAX_WAIT_SECONDS", seconds)]))?;
        assert_eq!(polling.interval, Duration::from_secs(1));
        Ok(Polling { interval: Duration::from_millis(1), ..polling })
    }

    /// How often a call that would wait for so many seconds reads again.
    async fn reads(polling: Polling, seconds: u64) -> u32 {
        let request_id = RequestId::parse("01930000-0000-4000-8000-0000000000bb").unwrap();
        let Some(mut watch) = polling.watch(request_id, Duration::from_secs(seconds)) else { return 0 };
        let mut count = 0;
        while matches!(watch.next(Some(Duration::from_millis(1))).await, Woken::Look) {
            count += 1;
        }
        count
    }

    #[tokio::test]
    async fn a_request_is_read_once_a_second_and_for_as_long_as_the_template_says() {
        assert_eq!(reads(polling("").unwrap(), 25).await, 10);
        assert_eq!(reads(polling("20").unwrap(), 25).await, 20);
        assert_eq!(reads(polling("20").unwrap(), 2).await, 2);
        assert_eq!(reads(polling("0").unwrap(), 25).await, 0);
        assert_eq!(polling("21").unwrap_err().to_string(), "MAX_WAIT_SECONDS must be from 0 to 20");
    }

    #[tokio::test]
    async fn reading_that_takes_long_makes_the_waiting_no_longer() {
        let mut watch = Polled { reads: 9, interval: Duration::from_millis(2), end: Instant::now() };
        assert!(matches!(watch.next(None).await, Woken::End));
    }
}
