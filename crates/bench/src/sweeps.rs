//! Very much at once for the sweeps: 100,000 requests that are overdue, and 100,000 entries of the outbox. Each pass is
//! cut short by its budget, as in `countersign serve`, and the next one carries on until nothing is left.

use crate::memory;
use crate::metered_service::{Consumed, Metered, MeteredService, Sent, count, person, rounded, short_lived};
use countersign_api::operations::create::Create;
use countersign_app::deliver::{Subscribers, deliver};
use countersign_app::expire::expire;
use countersign_app::ports::{Outbox as _, Publish, PublishError};
use countersign_core::caller::Channel;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::timestamp::Timestamp;
use countersign_embedded::Embedded;
use countersign_server::log_directory::LogDirectory;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many requests and entries there are unless the arguments say.
const ENTRIES: usize = 100_000;
/// What a pass may take: as in `countersign serve`.
const BUDGET: Duration = Duration::from_secs(2);
/// How long a request of the measurement waits for a decision, in seconds, and one more.
const UNTIL_DUE: u32 = 301;
/// How many requests one person makes: fewer than policy lets one have pending.
const OF_ONE_REQUESTER: usize = 40;
/// What is claimed of the memory that a sweep takes in addition, in MiB, however much there is to do.
const MOST_MIB: u64 = 64;
/// A sweep that comes no further is not measured for ever.
const MOST_PASSES: usize = 10_000;

/// Takes every message.
#[derive(Debug)]
struct TakesAll;

impl Publish for TakesAll {
    async fn publish(&self, _event: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

/// What came of one pass.
#[derive(Debug, Clone, Copy)]
struct Pass {
    settled: usize,
    is_cut_short: bool,
}

/// Passes until nothing is left.
#[derive(Debug, Default)]
struct Swept {
    passes: usize,
    settled: usize,
    consumed: Consumed,
    took: Duration,
    longest_pass: Duration,
    memory_before: u64,
    memory_peak: u64,
}

impl Swept {
    fn added_memory(&self) -> u64 {
        self.memory_peak.saturating_sub(self.memory_before)
    }

    fn row(&self, name: &str) -> String {
        let each = 1.0 / count(self.settled.max(1));
        let calls: f64 = self.consumed.calls.values().sum();
        format!(
            "| {name} | {} | {} | {:.0} | {} | {} | {} | {:.1} | {} |\n",
            self.settled,
            self.passes,
            count(self.settled) / self.took.as_secs_f64(),
            rounded(calls * each, 2),
            rounded(self.consumed.read_units * each, 2),
            rounded(self.consumed.write_units * each, 2),
            self.longest_pass.as_secs_f64(),
            self.added_memory(),
        )
    }
}

/// Measures, and says what it came to and whether the memory is bounded. Arguments: how many, and `--directory`.
///
/// # Errors
/// When something is left, or a call fails.
pub(crate) fn measure(arguments: &[&str]) -> Result<(String, bool), String> {
    let mut entries = ENTRIES;
    let temporary = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut directory = temporary.path().to_owned();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--directory" => directory = PathBuf::from(rest.next().ok_or("--directory needs a path")?),
            number => entries = number.parse().map_err(|_| format!("{number} is no number"))?,
        }
    }
    measure_in(&directory, entries)
}

fn measure_in(directory: &Path, entries: usize) -> Result<(String, bool), String> {
    let path = directory.join("sweeps.db");
    let engine = Embedded::open(&path).map_err(|error| error.to_string())?;
    let service = MeteredService::on(engine)?;
    let log = LogDirectory::open(&directory.join("log"), None).map_err(|error| error.to_string())?;
    let began = Instant::now();
    for number in 0..entries {
        let agent = person(&format!("maker-{}", number / OF_ONE_REQUESTER), "developer")?;
        let sent = Sent { body: Some(short_lived("production-db-01")), ..Sent::default() };
        service.call::<Create>(&agent, sent)?;
    }
    let mut text = format!(
        "{entries} requests were made in {:.0} s.\n\n\
         | sweep | settled | passes | a second | calls each | RCU each | WCU each | longest pass, s | MiB more |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        began.elapsed().as_secs_f64()
    );
    let mut all = Vec::new();
    let delivered = until_done(&service, || deliver_once(&service))?;
    all.push(("deliver, while nothing is sealed", delivered));
    all.push(("seal what is delivered", until_done(&service, || seal_once(&service, &log))?));
    service.host.advance_seconds(UNTIL_DUE);
    all.push(("expire", until_done(&service, || expire_once(&service))?));
    let both = until_done(&service, || {
        let delivered = deliver_once(&service)?;
        let sealed = seal_once(&service, &log)?;
        let is_cut_short = delivered.answer.is_cut_short || sealed.answer.is_cut_short;
        let calls = [delivered.calls, sealed.calls].concat();
        let answer = Pass { settled: sealed.answer.settled, is_cut_short };
        Ok(Metered { answer, calls, took: delivered.took + sealed.took })
    })?;
    all.push(("deliver and seal by turns", both));
    let left = service.metered(service.outbox.backlog()).answer.map_err(|error| error.to_string())?;
    let nothing = expire_once(&service)?;
    for (name, swept) in &all {
        text.push_str(&swept.row(name));
    }
    let idle = Consumed::mean(&nothing.calls, 1);
    // INVARIANT: a text takes everything that is written to it.
    let _ = writeln!(
        text,
        "\nAfterwards {} entries wait, {} are dead letters, and an expiry sweep that finds nothing makes {} ({} RCU).",
        left.waiting,
        left.dead,
        idle.calls_text(),
        rounded(idle.read_units, 2)
    );
    for (name, swept) in &all {
        if swept.settled != entries {
            return Err(format!("{name}: {} of {entries} were settled", swept.settled));
        }
    }
    if left.waiting > 0 || left.unlogged.is_some() || nothing.answer.settled > 0 {
        return Err(format!("something is left: {left:?}"));
    }
    let most = all.iter().map(|(_, swept)| swept.added_memory()).max().unwrap_or_default();
    let holds = most <= MOST_MIB;
    let verdict = if holds { "holds" } else { "DOES NOT HOLD" };
    let _ = writeln!(text, "At most {MOST_MIB} MiB of memory more: {most} MiB  {verdict}");
    Ok((text, holds))
}

/// Passes until one of them is not cut short.
fn until_done(
    service: &MeteredService,
    mut pass: impl FnMut() -> Result<Metered<Pass>, String>,
) -> Result<Swept, String> {
    service.store.take_calls();
    memory::reset_peak()?;
    let mut swept = Swept { memory_before: memory::now()?, ..Swept::default() };
    while swept.passes < MOST_PASSES {
        let Metered { answer, calls, took } = pass()?;
        swept.passes += 1;
        swept.settled += answer.settled;
        swept.took += took;
        swept.longest_pass = swept.longest_pass.max(took);
        swept.consumed.add(&Consumed::mean(&calls, 1));
        if !answer.is_cut_short {
            swept.memory_peak = memory::peak()?;
            return Ok(swept);
        }
    }
    Err("a sweep comes to no end".to_owned())
}

fn deliver_once(service: &MeteredService) -> Result<Metered<Pass>, String> {
    let dependencies = &service.dependencies;
    let host = dependencies.host.as_ref();
    let key = Some(&dependencies.deployment_key);
    let subscribers = Subscribers::NONE;
    let delivery = deliver(&service.outbox, &TakesAll, subscribers, key, host, Timestamp::LATEST, BUDGET);
    let Metered { answer, calls, took } = service.metered(delivery);
    let report = answer.map_err(|error| error.to_string())?;
    if report.failed + report.dead_lettered > 0 {
        return Err(format!("a delivery failed: {report:?}"));
    }
    Ok(Metered { answer: Pass { settled: report.published, is_cut_short: report.cut_short }, calls, took })
}

fn seal_once(service: &MeteredService, log: &LogDirectory) -> Result<Metered<Pass>, String> {
    let Metered { answer, calls, took } = service.seal(log, BUDGET);
    let report = answer.map_err(|error| error.to_string())?;
    if !report.refused.is_empty() || report.unplaced > 0 {
        return Err(format!("an event is not logged: {report:?}"));
    }
    Ok(Metered { answer: Pass { settled: report.logged, is_cut_short: report.cut_short }, calls, took })
}

fn expire_once(service: &MeteredService) -> Result<Metered<Pass>, String> {
    let sweep = expire(&service.dependencies, Channel::Local, Timestamp::EARLIEST, BUDGET);
    let Metered { answer, calls, took } = service.metered(sweep);
    let report = answer.map_err(|error| error.to_string())?;
    if report.failed > 0 {
        return Err(format!("an expiry failed: {report:?}"));
    }
    Ok(Metered { answer: Pass { settled: report.expired, is_cut_short: report.cut_short }, calls, took })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_swept_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let (text, _) = measure_in(directory.path(), 30).unwrap();
        assert!(text.contains("Afterwards 0 entries wait, 0 are dead letters"), "{text}");
    }
}
