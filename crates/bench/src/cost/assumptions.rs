//! What the monthly cost assumes of use, and what it takes from measurements of the functions. Whoever knows better changes
//! it here: `countersign-bench cost` prints the tables anew, and a test holds `docs/cost.md` against them.

/// How many requests are made in a month.
pub(crate) const VOLUMES: [f64; 3] = [1_000.0, 100_000.0, 10_000_000.0];
/// The seconds and minutes of a month of 30 days.
pub(crate) const SECONDS: f64 = 2_592_000.0;
pub(crate) const MINUTES: f64 = SECONDS / 60.0;

/// A way that a request can go: how many of a hundred do, and what is done on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    pub(crate) name: &'static str,
    pub(crate) of_a_hundred: f64,
    /// Calls of the API that change it, by the names that they are measured under.
    pub(crate) changes: &'static [&'static str],
    /// Events that no call of the API makes.
    pub(crate) swept: &'static [&'static str],
}

impl Life {
    /// Every change is an event.
    pub(crate) fn events(&self) -> usize {
        self.changes.len() + self.swept.len()
    }
}

/// The name that a start is measured under: each has a permit, which a key in KMS signs.
pub(crate) const START: &str = "start, with a permit";

pub(crate) const LIVES: [Life; 5] = [
    Life {
        name: "high risk: two approvals, executed",
        of_a_hundred: 40.0,
        changes: &["create, high risk", "first approval of two", "last approval of two", START, "finish"],
        swept: &[],
    },
    Life {
        name: "medium risk: one approval, executed",
        of_a_hundred: 40.0,
        changes: &["create, medium risk", "only approval", START, "finish"],
        swept: &[],
    },
    Life {
        name: "low risk: approved by policy, executed",
        of_a_hundred: 10.0,
        changes: &["create, low risk: approved by policy", START, "finish"],
        swept: &[],
    },
    Life {
        name: "medium risk, rejected",
        of_a_hundred: 6.0,
        changes: &["create, medium risk", "reject"],
        swept: &[],
    },
    Life {
        name: "high risk, expired",
        of_a_hundred: 4.0,
        changes: &["create, high risk"],
        swept: &["expire, each of 20 due"],
    },
];

/// What is read for each request: approvers look at what is pending and at the request, its requester at what has become
/// of it, and somebody now and then at its trail.
pub(crate) const READS: [(&str, f64); 4] = [
    ("get", 4.0),
    ("page of 25 pending", 3.0),
    ("page of 25 of one's own pending", 1.0),
    ("trail of a request, eight events", 0.2),
];

/// What is done by sweeps for each event.
pub(crate) const FOR_EACH_EVENT: [&str; 4] = [
    "notify, each event",
    "seal, each of 100 events",
    "count into figures, each of 100 events",
    "look for anomalies, each of 100 events",
];

/// The functions' memory, in GB: the template's default.
pub(crate) const MEMORY: f64 = 0.5;
/// What a warm run is billed for, in seconds. An estimate: to be replaced by what is measured of the functions.
pub(crate) const WARM_SECONDS: f64 = 0.025;
/// What a run in a new sandbox is billed for in addition, its initialisation. An estimate, as above.
pub(crate) const COLD_SECONDS: f64 = 0.35;
/// What part of the runs begins in a new sandbox, for each volume: a call every few minutes finds hardly ever one that
/// waits, and four a second hardly ever none.
pub(crate) const COLD_SHARES: [f64; 3] = [0.8, 0.1, 0.005];
/// What sealing adds to its run for each event, in seconds.
pub(crate) const SEAL_SECONDS: f64 = 0.015;
/// What the run of a scheduled function takes that finds nothing, in seconds: as `docs/deploy.md` has it.
pub(crate) const IDLE_SECONDS: f64 = 0.2;
/// How often each scheduled function runs in a month.
pub(crate) const RUNS_OF_NOTIFY: f64 = MINUTES;
pub(crate) const RUNS_OF_SEAL: f64 = MINUTES;
pub(crate) const RUNS_OF_EXPIRE: f64 = MINUTES;
/// The schedule of `deliver`, and the read units of a run that finds nothing: nine queries of its index, and one of webhooks.
pub(crate) const RUNS_OF_DELIVER: f64 = MINUTES;
pub(crate) const UNITS_OF_DELIVER: f64 = 6.0;

/// GB of logs that a run writes, and that the gateway writes of a call.
pub(crate) const LOGGED_OF_A_RUN: f64 = 1.5e-6;
pub(crate) const LOGGED_OF_A_CALL: f64 = 0.5e-6;
/// GB of an answer that leaves the region.
pub(crate) const ANSWER: f64 = 4.0e-6;
/// X-Ray traces the first run of a second, and this part of the others.
pub(crate) const TRACED_SHARE: f64 = 0.05;
/// How many events are in the log's batches at most, and how many files a batch writes and reads.
pub(crate) const BATCH: f64 = 99.0;
pub(crate) const PUT_BY_A_BATCH: f64 = 4.0;
pub(crate) const GOT_BY_A_BATCH: f64 = 6.0;
/// How often SNS asks KMS for a data key: twice every five minutes for the one role that publishes,
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html>.
pub(crate) const DATA_KEYS_OF_A_MONTH: f64 = 2.0 * SECONDS / 300.0;

/// What an idle stack has, as in `docs/deploy.md`: metrics that alarms look at, metrics of the sweeps, dashboards, keys
/// and secrets.
pub(crate) const ALARM_METRICS: f64 = 21.0;
pub(crate) const SWEEP_METRICS: f64 = 12.0;
pub(crate) const DASHBOARDS: f64 = 1.0;
pub(crate) const KEYS: f64 = 7.0;
pub(crate) const SECRETS: f64 = 3.0;
