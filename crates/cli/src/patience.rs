//! How long a command waits, and how often it asks: options of the commands that only wait.

use crate::value_parsers::time;
use clap::Args;
use std::time::Duration;

/// How often a service that lets no call wait is asked, in seconds.
const INTERVAL_SECONDS: u32 = 1;

/// How long is waited, and how often is asked.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long at most; until it is decided if there is no end.
    pub timeout: Option<Duration>,
    /// How often a service is asked that lets no call wait.
    pub interval: Duration,
}

impl Patience {
    /// So many seconds.
    pub fn of(seconds: u32) -> Self {
        Self { timeout: Some(duration(seconds)), interval: duration(INTERVAL_SECONDS) }
    }
}

/// The options.
#[derive(Debug, Clone, Copy, Args)]
pub struct PatienceArguments {
    /// Wait at most so long: seconds, or a number and s, m, h or d
    #[arg(long, value_name = "TIME", env = "APPROVAL_TIMEOUT", value_parser = time)]
    pub wait_timeout: Option<u32>,

    /// How often a service is asked that cannot tell of a change by itself: seconds, or a number and s, m, h or d
    #[arg(
        long,
        value_name = "TIME",
        env = "APPROVAL_POLLING_INTERVAL",
        value_parser = time,
        default_value_t = INTERVAL_SECONDS
    )]
    pub poll_interval: u32,
}

impl From<PatienceArguments> for Patience {
    fn from(arguments: PatienceArguments) -> Self {
        Self { timeout: arguments.wait_timeout.map(duration), interval: duration(arguments.poll_interval) }
    }
}

fn duration(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
