//! Which key becomes hot first: one second of 10,000 requests a second, made by the real use cases on the embedded
//! engine, and what each of its writes consumes of each partition.
//!
//! Keys are those that the store writes, and units those that the engine counts by `DynamoDB`'s rules. What the engine
//! does not have are partitions: a key is held against what one partition of `DynamoDB` takes.

mod loads;

use crate::cost::operations;
use crate::cost::{lives, read_for_each_request};
use crate::metered_service::{
    Metered, MeteredService, Sent, count, high, id_of, low, medium, person, rounded, short_lived,
};
use crate::metered_store::{MeteredStore, StoreCall};
use crate::moved_host::MovedHost;
use countersign_api::operations::approve::Approve;
use countersign_api::operations::create::Create;
use countersign_api::operations::finish::Finish;
use countersign_api::operations::reject::Reject;
use countersign_api::operations::start::Start;
use countersign_app::anomalies::Detector;
use countersign_app::continuations::Releasing;
use countersign_app::deliver::{Subscribers, deliver_each};
use countersign_app::expire::expire;
use countersign_app::fold::Folder;
use countersign_app::log_reader::LogReader;
use countersign_app::ports::{Outbox as _, OutboxKey, Publish, PublishError};
use countersign_core::caller::Channel;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::timestamp::Timestamp;
use countersign_embedded::Embedded;
use countersign_server::log_directory::LogDirectory;
use loads::{Kind, Loads};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// How many requests are made in the second that is simulated.
const RATE: usize = 10_000;
/// Over how many people and instances they are spread, primes so that all combinations occur; besides, one requester and one instance have a hundredth of all.
const REQUESTERS: usize = 4_999;
const APPROVERS: usize = 499;
const INSTANCES: usize = 1_999;
const BUSY_ONE_IN: usize = 100;
/// What one partition takes a second:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>.
const WRITE_LIMIT: f64 = 1000.0;
const READ_LIMIT: f64 = 3000.0;
/// Over how many keys a hot one is spread in what would move it.
const SPREAD: f64 = 16.0;
/// How often it is moved.
const STEPS: usize = 8;
/// A key that is full at no rate up to this one is not shown.
const NEVER: f64 = 1_000_000.0;
/// Nothing is cut short.
const BUDGET: Duration = Duration::from_secs(3600);

/// Takes every message.
#[derive(Debug, Clone)]
struct TakesAll;

impl Publish for TakesAll {
    async fn publish(&self, _event: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

/// Simulates the second, and says which key is how hot.
///
/// # Errors
/// When a call is refused.
pub(crate) fn measure(arguments: &[&str]) -> Result<(String, bool), String> {
    let requests = match arguments {
        [] => RATE,
        [number] => number.parse().map_err(|_| format!("{number} is no number"))?,
        _ => return Err("hot-keys takes one number".to_owned()),
    };
    let mut loads = simulate(requests)?;
    let page = operations::measure()?.get("page of 25 pending")?.consumed.read_units;
    let pages = read_for_each_request("page of 25 pending")?;
    loads.read("approvals/status-index", "pending", page * pages * count(requests));
    Ok((report(&loads, requests, page), true))
}

/// One second of so many requests. A tenth as many on a tenth of the keys would be the same, but for the shares of
/// single people and instances.
fn simulate(requests: usize) -> Result<Loads, String> {
    let engine = Embedded::in_memory().map_err(|error| error.to_string())?;
    let service = MeteredService::over(MeteredStore::keeping_requests(engine), MovedHost::default())?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let log = LogDirectory::open(&directory.path().join("log"), None).map_err(|error| error.to_string())?;
    let mut loads = Loads::default();
    // The first pass searches the whole store, once in its life.
    seal(&service, &log)?;
    for number in 0..requests {
        live(&service, number, &mut loads)?;
    }
    service.host.advance_seconds(301);
    let sweep = expire(&service.dependencies, Channel::Direct, Timestamp::EARLIEST, BUDGET);
    let Metered { answer, calls, .. } = service.metered(sweep);
    answer.map_err(|error| error.to_string())?;
    loads.add_all(&calls);
    let keys = waiting(&service)?;
    let publisher = Releasing::new(service.outbox.clone(), TakesAll);
    for keys in keys.chunks(100) {
        loads.add_all(
            &service
                .metered(deliver_each(
                    &service.outbox,
                    &publisher,
                    Subscribers::NONE,
                    service.host.as_ref(),
                    keys,
                ))
                .calls,
        );
    }
    loads.add_all(&seal(&service, &log)?);
    let (dependencies, host) = (&service.dependencies, service.dependencies.host.as_ref());
    let reader = || LogReader {
        storage: &log,
        keys: dependencies.audit_keys.as_ref(),
        key: &dependencies.deployment_key,
    };
    let folder = Folder { store: &dependencies.store, log: reader(), host };
    let Metered { answer, calls, .. } = service.metered(folder.fold(BUDGET));
    answer.map_err(|error| error.to_string())?;
    loads.add_all(&calls);
    let detector = Detector { store: &dependencies.store, log: reader(), host, channel: Channel::Direct };
    let Metered { answer, calls, .. } = service.metered(detector.detect(BUDGET));
    answer.map_err(|error| error.to_string())?;
    loads.add_all(&calls);
    Ok(loads)
}

/// One request, as far as its people take it.
fn live(service: &MeteredService, number: usize, loads: &mut Loads) -> Result<(), String> {
    let is_busy = number % BUSY_ONE_IN == 37;
    let requester =
        if is_busy { "pipeline".to_owned() } else { format!("requester-{}", number * 7 % REQUESTERS) };
    let instance =
        if is_busy { "production-db".to_owned() } else { format!("db-{}", number * 11 % INSTANCES) };
    let requester = person(&requester, "developer")?;
    let approver =
        |turn: usize| person(&format!("approver-{}", (number * 13 + turn) % APPROVERS), "approver");
    let body = match lives(number) {
        0 => high(&instance),
        2 => low(&instance),
        4 => short_lived(&instance),
        _ => medium(&instance),
    };
    let made = service.call::<Create>(&requester, Sent { body: Some(body), ..Sent::default() })?;
    loads.add_all(&made.calls);
    let id = id_of(&made.answer)?;
    let on = |body: Value| Sent { id: Some(&id), body: Some(body), ..Sent::default() };
    let approvals = match lives(number) {
        0 => 2,
        1 => 1,
        2 => 0,
        3 => {
            let reason = json!({ "reason": "Not before the holidays" });
            loads.add_all(&service.call::<Reject>(&approver(0)?, on(reason))?.calls);
            return Ok(());
        }
        _ => return Ok(()),
    };
    for turn in 0..approvals {
        let agreed = json!({ "comments": "Agreed, the metrics show it" });
        loads.add_all(&service.call::<Approve>(&approver(turn)?, on(agreed))?.calls);
    }
    let started = service.call::<Start>(&requester, on(json!({})))?;
    loads.add_all(&started.calls);
    let body = json!({ "execution_id": started.answer.get("execution_id"), "outcome": "succeeded" });
    loads.add_all(&service.call::<Finish>(&requester, on(body))?.calls);
    Ok(())
}

fn seal(service: &MeteredService, log: &LogDirectory) -> Result<Vec<StoreCall>, String> {
    let Metered { answer, calls, .. } = service.seal(log, BUDGET);
    let report = answer.map_err(|error| error.to_string())?;
    match report.cut_short || !report.refused.is_empty() {
        true => Err(format!("not everything is sealed: {report:?}")),
        false => Ok(calls),
    }
}

fn waiting(service: &MeteredService) -> Result<Vec<OutboxKey>, String> {
    let found = service.metered(async {
        let mut keys = Vec::new();
        for shard in service.outbox.shards() {
            let mut after = None;
            loop {
                let page = service.outbox.undelivered(&shard, Timestamp::LATEST, after.as_ref()).await?;
                keys.extend(page.entries.into_iter().map(|entry| entry.key));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok::<_, countersign_app::ports::StoreError>(keys)
    });
    found.answer.map_err(|error| error.to_string())
}

/// The rate of requests a second at which a key takes all that its partition does.
fn limit_of(units: f64, limit: f64, requests: usize) -> f64 {
    count(requests) * limit / units
}

fn report(loads: &Loads, requests: usize, page: f64) -> String {
    let mut text = format!(
        "One second of {requests} requests, each of which takes {:.1} WRU. The hottest key of each kind:\n\n\
         | key | WRU a second | full at, requests a second | whose writes | its sort keys |\n\
         |---|---:|---:|---|---|\n",
        loads.consumed() / count(requests)
    );
    let mut writes: Vec<(Kind, f64)> = loads.hottest_writes();
    writes.sort_by(|one, other| other.1.total_cmp(&one.1));
    // INVARIANT: a text takes everything that is written to it.
    for (kind, units) in &writes {
        let limit = limit_of(*units, WRITE_LIMIT, requests);
        let writer = if kind.refuses_callers() { "callers" } else { "sweeps" };
        let _ = writeln!(
            text,
            "| {} | {units:.0} | {limit:.0} | {writer} | {} |",
            kind.name(),
            kind.sort_keys().text()
        );
    }
    text.push_str("\n| key | RRU a second | full at, requests a second |\n|---|---:|---:|\n");
    let mut reads: Vec<(Kind, f64)> = loads.hottest_reads();
    reads.sort_by(|one, other| other.1.total_cmp(&one.1));
    for (kind, units) in reads.iter().filter(|(_, units)| limit_of(*units, READ_LIMIT, requests) < NEVER) {
        let limit = limit_of(*units, READ_LIMIT, requests);
        let _ = writeln!(text, "| {} | {units:.0} | {limit:.0} |", kind.name());
    }
    let _ = writeln!(
        text,
        "\nA page of 25 pending is {} RRU: one partition answers {:.0} of them a second.",
        rounded(page, 2),
        READ_LIMIT / page
    );
    let _ = writeln!(
        text,
        "\n| step | the first key whose fullness refuses callers | at, requests a second | what moves it |\n\
         |---:|---|---:|---|"
    );
    let mut limits: Vec<(Kind, f64)> = writes
        .iter()
        .filter(|(kind, _)| kind.refuses_callers())
        .map(|(kind, units)| (kind.clone(), limit_of(*units, WRITE_LIMIT, requests)))
        .collect();
    for step in 1..=STEPS {
        let first = limits.iter_mut().min_by(|one, other| one.1.total_cmp(&other.1));
        let Some((kind, limit)) = first else { break };
        let _ = writeln!(text, "| {step} | {} | {limit:.0} | {} |", kind.name(), kind.remedy());
        *limit *= SPREAD;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_each_key_is_all_that_was_consumed() {
        let loads = simulate(100).unwrap();
        assert!((loads.written() - loads.consumed()).abs() < 0.5, "{} {}", loads.written(), loads.consumed());
        assert!(loads.hottest_writes().len() > 10);
    }
}
