//! Request units of every operation, measured: the real use cases over the embedded engine, which counts capacity by
//! `DynamoDB`'s rules.

use crate::metered_service::{
    Consumed, Metered, MeteredService, Sent, count, high, id_of, low, medium, person, short_lived, tables,
};
use crate::metered_store::StoreCall;
use countersign_api::operations::approve::Approve;
use countersign_api::operations::audit::Audit;
use countersign_api::operations::cancel::Cancel;
use countersign_api::operations::comment::Comment;
use countersign_api::operations::create::Create;
use countersign_api::operations::events::Events;
use countersign_api::operations::finish::Finish;
use countersign_api::operations::get::Get;
use countersign_api::operations::list::List;
use countersign_api::operations::reject::Reject;
use countersign_api::operations::start::Start;
use countersign_api::operations::withdraw::Withdraw;
use countersign_app::anomalies::Detector;
use countersign_app::continuations::{Continuations as _, Releasing};
use countersign_app::deliver::{Subscribers, deliver, deliver_each};
use countersign_app::expire::expire;
use countersign_app::fold::Folder;
use countersign_app::log_reader::LogReader;
use countersign_app::ports::{Outbox as _, OutboxKey, Publish, PublishError};
use countersign_app::{attempts, figures, timers};
use countersign_core::caller::{Caller, Channel};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::table::{APPROVALS, AUDIT, OUTBOX};
use countersign_server::log_directory::LogDirectory;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many whole lives are in the batch that is sealed together, of five events each: as many as fill one.
const LIVES: usize = 20;
/// How many events such a life has.
pub(crate) const EVENTS_OF_A_LIFE: usize = 5;
/// How many requests are pending when a page of them is read.
const PENDING: usize = 40;
/// How many requests are due at once.
const DUE: usize = 20;
/// No sweep here is cut short.
const BUDGET: Duration = Duration::from_secs(600);

/// What one operation consumes.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) consumed: Consumed,
    /// Units of writing by table, or `table/index`.
    pub(crate) writes: BTreeMap<String, f64>,
}

impl Operation {
    /// The mean of so many of them.
    pub(crate) fn of(name: &'static str, calls: &[StoreCall], times: usize) -> Self {
        let share = 1.0 / count(times);
        let mut writes = BTreeMap::new();
        for call in calls.iter().filter(|call| call.write_units > 0.0) {
            for (place, units) in &call.units_by_place {
                *writes.entry(place.clone()).or_default() += units * share;
            }
        }
        Self { name, consumed: Consumed::mean(calls, times), writes }
    }
}

/// Everything that is measured.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) all: Vec<Operation>,
    /// Bytes of one executed request with all that belongs to it, by table, with its indexes, as they are billed.
    pub(crate) stored: BTreeMap<&'static str, f64>,
    /// Bytes of it in the files of the log.
    pub(crate) logged: f64,
}

impl Operations {
    /// The operation of a name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn get(&self, name: &str) -> Result<&Operation, String> {
        self.all
            .iter()
            .find(|operation| operation.name == name)
            .ok_or_else(|| format!("{name} was not measured"))
    }
}

/// Takes every message.
#[derive(Debug, Clone)]
struct TakesAll;

impl Publish for TakesAll {
    async fn publish(&self, _event: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

/// Measures all of them.
///
/// # Errors
/// When a call is refused.
pub(crate) fn measure() -> Result<Operations, String> {
    let mut all = Vec::new();
    of_a_life(&mut all)?;
    of_other_ends(&mut all)?;
    of_reading(&mut all)?;
    of_refusals(&mut all)?;
    of_expiry(&mut all)?;
    let (stored, logged) = of_sweeps(&mut all)?;
    Ok(Operations { all, stored, logged })
}

/// Who takes part.
struct Cast {
    ann: Caller,
    bob: Caller,
    cat: Caller,
}

impl Cast {
    fn new() -> Result<Self, String> {
        Ok(Self {
            ann: person("ann", "developer")?,
            bob: person("bob", "approver")?,
            cat: person("cat", "approver")?,
        })
    }
}

fn with(body: Value) -> Sent<'static> {
    Sent { body: Some(body), ..Sent::default() }
}

fn on(id: &str, body: Value) -> Sent<'_> {
    Sent { id: Some(id), body: Some(body), ..Sent::default() }
}

fn agreed() -> Value {
    json!({ "comments": "Agreed, the metrics show it" })
}

fn finished(started: &Value) -> Value {
    let result = json!({ "instance_class": "db.r6g.xlarge" });
    json!({ "execution_id": started.get("execution_id"), "outcome": "succeeded", "result": result })
}

/// A request of high risk from its creation to its execution.
fn of_a_life(all: &mut Vec<Operation>) -> Result<(), String> {
    let (service, Cast { ann, bob, cat }) = (MeteredService::in_memory()?, Cast::new()?);
    let mut take = |name, metered: Metered<Value>| {
        all.push(Operation::of(name, &metered.calls, 1));
        metered.answer
    };
    let created = take("create, high risk", service.call::<Create>(&ann, with(high("production-db-01")))?);
    let id = id_of(&created)?;
    let text = json!({ "text": "The maintenance window begins at eight" });
    take("comment", service.call::<Comment>(&ann, on(&id, text))?);
    take("first approval of two", service.call::<Approve>(&bob, on(&id, agreed()))?);
    take("last approval of two", service.call::<Approve>(&cat, on(&id, agreed()))?);
    take("withdraw an approval", service.call::<Withdraw>(&cat, on(&id, json!({})))?);
    service.call::<Approve>(&cat, on(&id, agreed()))?;
    let started = take("start, with a permit", service.call::<Start>(&ann, on(&id, json!({})))?);
    take("finish", service.call::<Finish>(&ann, on(&id, finished(&started)))?);
    let trail = service.call::<Events>(&bob, Sent { id: Some(&id), ..Sent::default() })?;
    all.push(Operation::of("trail of a request, eight events", &trail.calls, 1));
    Ok(())
}

fn of_other_ends(all: &mut Vec<Operation>) -> Result<(), String> {
    let (service, Cast { ann, bob, .. }) = (MeteredService::in_memory()?, Cast::new()?);
    let make = |body: Value| service.call::<Create>(&ann, with(body));
    let made = make(low("production-db-01"))?;
    all.push(Operation::of("create, low risk: approved by policy", &made.calls, 1));
    let made = make(medium("production-db-01"))?;
    all.push(Operation::of("create, medium risk", &made.calls, 1));
    let approved = service.call::<Approve>(&bob, on(&id_of(&made.answer)?, agreed()))?;
    all.push(Operation::of("only approval", &approved.calls, 1));
    let id = id_of(&make(medium("production-db-01"))?.answer)?;
    let reason = json!({ "reason": "Not before the holidays" });
    all.push(Operation::of("reject", &service.call::<Reject>(&bob, on(&id, reason))?.calls, 1));
    let id = id_of(&make(medium("production-db-01"))?.answer)?;
    let reason = json!({ "reason": "Not needed any more" });
    all.push(Operation::of("cancel", &service.call::<Cancel>(&ann, on(&id, reason))?.calls, 1));
    Ok(())
}

fn of_reading(all: &mut Vec<Operation>) -> Result<(), String> {
    let (service, Cast { ann, bob, .. }) = (MeteredService::in_memory()?, Cast::new()?);
    let eve = person("eve", "auditor")?;
    let mut id = String::new();
    for _ in 0..PENDING {
        id = id_of(&service.call::<Create>(&ann, with(high("production-db-01")))?.answer)?;
    }
    let get = service.call::<Get>(&bob, Sent { id: Some(&id), ..Sent::default() })?;
    all.push(Operation::of("get", &get.calls, 1));
    for (name, caller, query) in [
        ("page of 25 pending", &bob, "limit=25"),
        ("page of 25 of one's own pending", &ann, "limit=25"),
        ("page of 25 of one requester", &bob, "requested_by=ann@example.com&limit=25"),
        ("page of 25 of one instance", &bob, "instance_id=production-db-01&limit=25"),
    ] {
        let page = service.call::<List>(caller, Sent { query, ..Sent::default() })?;
        all.push(Operation::of(name, &page.calls, 1));
    }
    let page = service.call::<List>(&bob, Sent { query: "limit=100", ..Sent::default() })?;
    all.push(Operation::of("page of all 40 pending", &page.calls, 1));
    let query = "instance_id=production-db-01";
    service.call::<Audit>(&eve, Sent { query, ..Sent::default() })?;
    let events = service.call::<Audit>(&eve, Sent { query, ..Sent::default() })?;
    all.push(Operation::of("page of 40 events of one instance, for an auditor", &events.calls, 1));
    Ok(())
}

fn of_refusals(all: &mut Vec<Operation>) -> Result<(), String> {
    let (service, Cast { ann, .. }) = (MeteredService::in_memory()?, Cast::new()?);
    let id = id_of(&service.call::<Create>(&ann, with(high("production-db-01")))?.answer)?;
    let refused = |service: &MeteredService| {
        let attempt = service.attempt::<Approve>(&ann, on(&id, agreed()));
        match attempt.answer {
            Ok(_) => Err("a requester could approve".to_owned()),
            Err(_) => Ok(attempt.calls),
        }
    };
    all.push(Operation::of("refused attempt, an event by itself", &refused(&service)?, 1));
    let mut last = Vec::new();
    for _ in 0..attempts::SINGLE_ATTEMPTS + 1 {
        last = refused(&service)?;
    }
    all.push(Operation::of("refused attempt, one of many: counted", &last, 1));
    Ok(())
}

fn of_expiry(all: &mut Vec<Operation>) -> Result<(), String> {
    let (service, Cast { ann, .. }) = (MeteredService::in_memory()?, Cast::new()?);
    for _ in 0..DUE {
        service.call::<Create>(&ann, with(short_lived("production-db-01")))?;
    }
    service.host.advance_seconds(301);
    let sweep = expire(&service.dependencies, Channel::Direct, Timestamp::EARLIEST, BUDGET);
    let Metered { answer, calls, .. } = service.metered(sweep);
    match answer {
        Ok(report) if report.expired == DUE => {
            all.push(Operation::of("expire, each of 20 due", &calls, DUE));
            Ok(())
        }
        other => Err(format!("an expiry sweep: {other:?}")),
    }
}

/// What runs by itself, with nothing to do and for whole lives; and what a life leaves behind.
fn of_sweeps(all: &mut Vec<Operation>) -> Result<(BTreeMap<&'static str, f64>, f64), String> {
    let (service, Cast { ann, bob, cat }) = (MeteredService::in_memory()?, Cast::new()?);
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let log = LogDirectory::open(&directory.path().join("log"), None).map_err(|error| error.to_string())?;
    // The first pass searches the whole store once.
    seal(&service, &log)?;
    idle(all, &service, &log)?;
    for number in 0..LIVES {
        let instance = format!("production-db-{number:02}");
        let id = id_of(&service.call::<Create>(&ann, with(high(&instance)))?.answer)?;
        for approver in [&bob, &cat] {
            service.call::<Approve>(approver, on(&id, agreed()))?;
        }
        let started = service.call::<Start>(&ann, on(&id, json!({})))?.answer;
        service.call::<Finish>(&ann, on(&id, finished(&started)))?;
    }
    let events = LIVES * EVENTS_OF_A_LIFE;
    let keys = waiting(&service)?;
    if keys.len() != events {
        return Err(format!("{} of {events} events wait", keys.len()));
    }
    let publisher = Releasing::new(service.outbox.clone(), TakesAll);
    let Metered { answer, calls, .. } = service.metered(deliver_each(
        &service.outbox,
        &publisher,
        Subscribers::NONE,
        service.host.as_ref(),
        &keys,
    ));
    if answer.contains(&false) {
        return Err("an event was not delivered".to_owned());
    }
    all.push(Operation::of("notify, each event", &calls, events));
    all.push(Operation::of("seal, each of 100 events", &seal(&service, &log)?, events));
    let (dependencies, host) = (&service.dependencies, service.dependencies.host.as_ref());
    let reader = || LogReader {
        storage: &log,
        keys: dependencies.audit_keys.as_ref(),
        key: &dependencies.deployment_key,
    };
    let folder = Folder { store: &dependencies.store, log: reader(), host };
    let Metered { answer, calls, .. } = service.metered(folder.fold(BUDGET));
    answer.map_err(|error| error.to_string())?;
    all.push(Operation::of("count into figures, each of 100 events", &calls, events));
    let detector = Detector { store: &dependencies.store, log: reader(), host, channel: Channel::Direct };
    let Metered { answer, calls, .. } = service.metered(detector.detect(BUDGET));
    answer.map_err(|error| error.to_string())?;
    all.push(Operation::of("look for anomalies, each of 100 events", &calls, events));
    Ok((stored(&service)?, bytes_below(&directory.path().join("log"))? / count(LIVES)))
}

/// The runs of the scheduled functions that find nothing.
fn idle(all: &mut Vec<Operation>, service: &MeteredService, log: &LogDirectory) -> Result<(), String> {
    let (dependencies, host) = (&service.dependencies, service.dependencies.host.as_ref());
    let Metered { answer, calls, .. } = service.metered(async {
        let now = host.now();
        deliver(&service.outbox, &TakesAll, Subscribers::NONE, None, host, now, BUDGET)
            .await
            .map_err(|error| error.to_string())?;
        service.outbox.backlog().await.map_err(|error| error.to_string())?;
        service.outbox.released(None).await.map_err(|error| error.to_string())
    });
    answer?;
    all.push(Operation::of("run of notify that finds nothing", &calls, 1));
    let Metered { answer, calls, .. } = service.metered(async {
        expire(dependencies, Channel::Direct, Timestamp::EARLIEST, BUDGET).await?;
        timers::look(dependencies, Channel::Direct, Timestamp::EARLIEST, BUDGET).await?;
        attempts::record_counts(dependencies).await?;
        figures::open_requests(dependencies, 1000).await
    });
    answer.map_err(|error| error.to_string())?;
    all.push(Operation::of("run of expire that finds nothing", &calls, 1));
    let mut calls = seal(service, log)?;
    let reader = || LogReader {
        storage: log,
        keys: dependencies.audit_keys.as_ref(),
        key: &dependencies.deployment_key,
    };
    let folder = Folder { store: &dependencies.store, log: reader(), host };
    let detector = Detector { store: &dependencies.store, log: reader(), host, channel: Channel::Direct };
    let Metered { answer, calls: others, .. } = service.metered(async {
        service.outbox.backlog().await.map_err(|error| error.to_string())?;
        folder.fold(BUDGET).await.map_err(|error| error.to_string())?;
        detector.detect(BUDGET).await.map_err(|error| error.to_string())
    });
    answer?;
    calls.extend(others);
    all.push(Operation::of("run of seal that finds nothing", &calls, 1));
    Ok(())
}

fn seal(service: &MeteredService, log: &LogDirectory) -> Result<Vec<StoreCall>, String> {
    let Metered { answer, calls, .. } = service.seal(log, BUDGET);
    let report = answer.map_err(|error| error.to_string())?;
    if report.cut_short || !report.refused.is_empty() {
        return Err(format!("not everything is sealed: {report:?}"));
    }
    Ok(calls)
}

/// The keys of all that waits for delivery, as the stream would name them.
fn waiting(service: &MeteredService) -> Result<Vec<OutboxKey>, String> {
    let found = service.metered(async {
        let mut keys = Vec::new();
        for shard in service.outbox.shards() {
            let page = service.outbox.undelivered(&shard, Timestamp::LATEST, None).await?;
            keys.extend(page.entries.into_iter().map(|entry| entry.key));
        }
        Ok::<_, countersign_app::ports::StoreError>(keys)
    });
    found.answer.map_err(|error| error.to_string())
}

/// What `DynamoDB` adds to each item of a table and of each index when it bills storage:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>.
const BYTES_BESIDE_AN_ITEM: f64 = 100.0;
/// The bytes of a read unit, half of which is a scan's unit.
const BYTES_OF_A_SCANNED_UNIT: f64 = 8192.0;

/// Bytes of a life in each table and its indexes, by what a scan of them consumes.
fn stored(service: &MeteredService) -> Result<BTreeMap<&'static str, f64>, String> {
    let client = countersign_embedded::client(service.store.clone());
    let names = tables();
    let mut stored = BTreeMap::new();
    for (what, definition, table) in [
        ("requests", APPROVALS, &names.approvals),
        ("events", AUDIT, &names.audit),
        ("outbox table", OUTBOX, &names.outbox),
    ] {
        let indexes = definition.indexes.iter().map(|index| Some(index.name.to_owned()));
        for index in [None].into_iter().chain(indexes) {
            let scan = client.scan().table_name(table).set_index_name(index).send();
            let Metered { answer, calls, .. } = service.metered(scan);
            let page = answer.map_err(|error| error.to_string())?;
            if page.last_evaluated_key.is_some() {
                return Err("a scan of more than a page".to_owned());
            }
            let items = f64::from(page.count);
            let units: f64 = calls.iter().map(|call| call.read_units).sum();
            let bytes = units * BYTES_OF_A_SCANNED_UNIT + items * BYTES_BESIDE_AN_ITEM;
            *stored.entry(what).or_default() += bytes / count(LIVES);
        }
    }
    Ok(stored)
}

fn bytes_below(directory: &std::path::Path) -> Result<f64, String> {
    let mut bytes = 0.0;
    for entry in std::fs::read_dir(directory).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            bytes += bytes_below(&path)?;
        } else {
            let length = std::fs::metadata(&path).map_err(|error| error.to_string())?.len();
            bytes += usize::try_from(length).map_or(f64::MAX, count);
        }
    }
    Ok(bytes)
}
