//! What a month costs: request units that were measured, prices that were looked up, and use that is assumed.

use super::assumptions as assumed;
use super::assumptions::{FOR_EACH_EVENT, LIVES, READS, START, VOLUMES};
use super::operations::Operations;
use super::prices;
use crate::metered_service::{Consumed, count, rounded};

/// What one request takes on average, over all ways that it can go.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Request {
    pub(crate) api_calls: f64,
    pub(crate) events: f64,
    pub(crate) starts: f64,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

impl Request {
    /// The average request.
    ///
    /// # Errors
    /// When an operation was not measured.
    pub(crate) fn average(operations: &Operations) -> Result<Self, String> {
        let mut request = Self::default();
        let mut add = |name: &str, times: f64| -> Result<(), String> {
            let Consumed { read_units, write_units, .. } = &operations.get(name)?.consumed;
            request.read_units += read_units * times;
            request.write_units += write_units * times;
            Ok(())
        };
        let (mut api_calls, mut events, mut starts) = (0.0, 0.0, 0.0);
        for life in LIVES {
            let share = life.of_a_hundred / 100.0;
            for name in life.changes.iter().chain(life.swept) {
                add(name, share)?;
                if *name == START {
                    starts += share;
                }
            }
            api_calls += share * count(life.changes.len());
            events += share * count(life.events());
        }
        for (name, times) in READS {
            add(name, times)?;
            api_calls += times;
        }
        for name in FOR_EACH_EVENT {
            add(name, events)?;
        }
        Ok(Self { api_calls, events, starts, ..request })
    }
}

/// One line of the bill, for each volume.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) dollars: [f64; 3],
}

/// The lines of the bill.
///
/// # Errors
/// When an operation was not measured.
pub(crate) fn lines(operations: &Operations) -> Result<Vec<Line>, String> {
    let request = Request::average(operations)?;
    let idle = idle(operations)?;
    let months = VOLUMES
        .iter()
        .zip(assumed::COLD_SHARES)
        .map(|(requests, cold)| of_volume(*requests, cold, &request, idle, operations));
    let mut lines: Vec<Line> = Vec::new();
    for (volume, month) in months.enumerate() {
        for (place, (what, dollars)) in month.into_iter().enumerate() {
            if volume == 0 {
                lines.push(Line { what, dollars: [0.0; 3] });
            }
            if let Some(of_volume) = lines.get_mut(place).and_then(|line| line.dollars.get_mut(volume)) {
                *of_volume = dollars;
            }
        }
    }
    Ok(lines)
}

/// What the stack costs that nobody uses.
///
/// # Errors
/// When a run was not measured.
pub(crate) fn idle(operations: &Operations) -> Result<f64, String> {
    let mut units = 0.0;
    for (name, runs) in [
        ("run of notify that finds nothing", assumed::RUNS_OF_NOTIFY),
        ("run of seal that finds nothing", assumed::RUNS_OF_SEAL),
        ("run of expire that finds nothing", assumed::RUNS_OF_EXPIRE),
    ] {
        units += operations.get(name)?.consumed.read_units * runs;
    }
    units += assumed::UNITS_OF_DELIVER * assumed::RUNS_OF_DELIVER;
    let runs =
        assumed::RUNS_OF_NOTIFY + assumed::RUNS_OF_SEAL + assumed::RUNS_OF_EXPIRE + assumed::RUNS_OF_DELIVER;
    Ok(prices::READ_UNITS.of(units)
        + prices::FILES_GOT.of(assumed::RUNS_OF_SEAL)
        + prices::RUNS.of(runs)
        + prices::RUN_TIME.of(runs * assumed::IDLE_SECONDS * assumed::MEMORY)
        + prices::LOGS.of(runs * assumed::LOGGED_OF_A_RUN)
        + prices::TRACES.of(runs)
        + prices::ALARMS.of(assumed::ALARM_METRICS)
        + prices::METRICS.of(assumed::SWEEP_METRICS)
        + prices::DASHBOARDS.of(assumed::DASHBOARDS)
        + prices::KEYS.of(assumed::KEYS)
        + prices::SECRETS_KEPT.of(assumed::SECRETS))
}

fn of_volume(
    requests: f64,
    cold: f64,
    request: &Request,
    idle: f64,
    operations: &Operations,
) -> Vec<(&'static str, f64)> {
    let calls = requests * request.api_calls;
    let events = requests * request.events;
    // A run of `notify` for each event: the stream hands over more at once where there are more.
    let runs = calls + events;
    let seconds =
        runs * (assumed::WARM_SECONDS + cold * assumed::COLD_SECONDS) + events * assumed::SEAL_SECONDS;
    let traced = runs.min(assumed::SECONDS + (runs - assumed::SECONDS).max(0.0) * assumed::TRACED_SHARE);
    // Events that come by chance: so many minutes have one.
    let minutes = assumed::MINUTES * (1.0 - (-events / assumed::MINUTES).exp());
    let batches = minutes.max(events / assumed::BATCH);
    let gigabytes = operations.stored.values().sum::<f64>() * requests / 1e9;
    let logged = operations.logged * requests / 1e9;
    vec![
        ("idle, as in docs/deploy.md", idle),
        ("Lambda: runs", prices::RUNS.of(runs)),
        ("Lambda: duration", prices::RUN_TIME.of(seconds * assumed::MEMORY)),
        ("DynamoDB: writes", prices::WRITE_UNITS.of(requests * request.write_units)),
        ("DynamoDB: reads", prices::READ_UNITS.of(requests * request.read_units)),
        (
            "DynamoDB: storage and recovery of what the month adds",
            prices::TABLE_STORAGE.of(gigabytes) + prices::TABLE_RECOVERY.of(gigabytes),
        ),
        ("API Gateway", prices::API_CALLS.of(calls)),
        ("answers that leave the region", prices::TRANSFER.of(calls * assumed::ANSWER)),
        ("SNS: publishes", prices::PUBLISHED.of(events)),
        (
            "CloudWatch: logs",
            prices::LOGS.of(runs * assumed::LOGGED_OF_A_RUN + calls * assumed::LOGGED_OF_A_CALL),
        ),
        ("X-Ray: traces, at most", prices::TRACES.of(traced)),
        (
            "KMS: signatures and data keys",
            prices::SIGNATURES.of(requests * request.starts + batches)
                + prices::DATA_KEYS.of(assumed::DATA_KEYS_OF_A_MONTH.min(2.0 * events)),
        ),
        (
            "S3: the files of the audit log",
            prices::FILES_PUT.of(batches * assumed::PUT_BY_A_BATCH)
                + prices::FILES_GOT.of(batches * assumed::GOT_BY_A_BATCH)
                + prices::FILE_STORAGE.of(logged),
        ),
    ]
}

/// The rows of the document's table.
pub(crate) fn rows(lines: &[Line]) -> Vec<String> {
    let row = |what: &str, figures: [String; 3]| format!("| {what} | {} |", figures.join(" | "));
    let mut rows: Vec<_> = lines
        .iter()
        .map(|line| row(line.what, line.dollars.map(|dollars| format!("{dollars:.2}"))))
        .collect();
    let mut total = [0.0; 3];
    for line in lines {
        for (sum, dollars) in total.iter_mut().zip(line.dollars) {
            *sum += dollars;
        }
    }
    rows.push(row("**a month, in dollars**", total.map(|dollars| format!("**{dollars:.2}**"))));
    let mut each = [String::new(), String::new(), String::new()];
    for (text, (dollars, requests)) in each.iter_mut().zip(total.into_iter().zip(VOLUMES)) {
        *text = rounded(dollars / requests, 6);
    }
    rows.push(row("for each request", each));
    rows
}
