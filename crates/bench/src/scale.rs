//! Whether what a call costs depends on how much is stored: the same calls on stores of 1,000, 100,000 and 1,000,000
//! requests.

mod rows;

use crate::metered_service::{
    Consumed, Metered, MeteredService, Sent, high, id_of, low, person, rounded, short_lived,
};
use crate::metered_store::StoreCall;
use countersign_api::operations::approve::Approve;
use countersign_api::operations::cancel::Cancel;
use countersign_api::operations::create::Create;
use countersign_api::operations::get::Get;
use countersign_api::operations::list::List;
use countersign_app::expire::expire;
use countersign_core::caller::{Caller, Channel};
use countersign_core::timestamp::Timestamp;
use countersign_embedded::Embedded;
use rows::{MEASURED_INSTANCE, MEASURED_REQUESTER};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many requests are stored.
const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];
/// How often each call is made.
const ROUNDS: usize = 200;
/// How many requests a page holds.
const PAGE: &str = "25";
/// How many requests a sweep finds overdue, and how often there is one.
const DUE: usize = 50;
const SWEEPS: usize = 4;
/// How much of it may be pending at once of one requester, by the bundled policy, and with room to spare.
const OF_ONE_REQUESTER: usize = 40;
/// By what part figures of two sizes may differ.
const TOLERANCE: f64 = 0.1;

/// What one kind of call costs on one store.
#[derive(Debug, Clone)]
struct Cost {
    name: &'static str,
    consumed: Consumed,
    median: Duration,
    p99: Duration,
}

/// The costs on one store.
#[derive(Debug)]
struct Measured {
    requests: u64,
    costs: Vec<Cost>,
}

/// Measures, and says what it came to and whether calls and capacity are the same on every store. Arguments: sizes,
/// `--directory` for the stores, `--fill-only` to make them and no more, after which another run finds them, and `--json`
/// for a file.
///
/// # Errors
/// When a store cannot be made, or a call is refused.
pub(crate) fn measure(arguments: &[&str]) -> Result<(String, bool), String> {
    let asked = Asked::read(arguments)?;
    let temporary = tempfile::tempdir().map_err(|error| error.to_string())?;
    let directory = asked.directory.clone().unwrap_or_else(|| temporary.path().to_owned());
    let mut measured = Vec::new();
    let mut text = String::new();
    for requests in &asked.sizes {
        let path = directory.join(format!("{requests}.db"));
        if !path.exists() {
            let began = Instant::now();
            rows::fill(&path, *requests)?;
            let size = fs::metadata(&path).map_err(|error| error.to_string())?.len() / 1024 / 1024;
            // INVARIANT: a text takes everything that is written to it.
            let _ = writeln!(
                text,
                "{requests} requests were stored in {:.0} s: {size} MiB",
                began.elapsed().as_secs_f64()
            );
        }
        if asked.is_fill_only {
            continue;
        }
        measured.push(Measured { requests: *requests, costs: of_store(&path)? });
        // What was measured has written.
        remove_store(&path)?;
    }
    if asked.is_fill_only {
        return Ok((text, true));
    }
    let differences = differences(&measured);
    text.push('\n');
    text.push_str(&table(&measured));
    text.push_str(&by_what_is_open()?);
    for difference in &differences {
        let _ = writeln!(text, "DOES NOT HOLD: {difference}");
    }
    if differences.is_empty() {
        let _ = writeln!(text, "holds: calls and capacity are the same on every store, within 10 %");
    }
    if let Some(path) = &asked.json {
        let json = serde_json::to_string_pretty(&as_json(&measured)).map_err(|error| error.to_string())?;
        fs::write(path, json + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok((text, differences.is_empty()))
}

/// What the arguments ask for.
#[derive(Debug)]
struct Asked {
    sizes: Vec<u64>,
    directory: Option<PathBuf>,
    json: Option<PathBuf>,
    is_fill_only: bool,
}

impl Asked {
    fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut asked = Self { sizes: Vec::new(), directory: None, json: None, is_fill_only: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut path = || {
                let path = rest.next().map(|path| PathBuf::from(*path));
                path.ok_or_else(|| format!("{argument} needs a path"))
            };
            match *argument {
                "--directory" => asked.directory = Some(path()?),
                "--json" => asked.json = Some(path()?),
                "--fill-only" => asked.is_fill_only = true,
                number => asked.sizes.push(number.parse().map_err(|_| format!("{number} is no number"))?),
            }
        }
        if asked.sizes.is_empty() {
            asked.sizes = SIZES.to_vec();
        }
        Ok(asked)
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A store is a file, and beside it what the engine has not merged into it yet.
fn remove_store(path: &Path) -> Result<(), String> {
    for suffix in ["", "-wal", "-shm"] {
        let file = beside(path, suffix);
        if file.exists() {
            fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

/// Runs of one kind of call.
#[derive(Debug, Default)]
struct Runs {
    calls: Vec<StoreCall>,
    times: Vec<Duration>,
}

impl Runs {
    fn add<T>(&mut self, metered: Metered<T>) -> T {
        self.calls.extend(metered.calls);
        self.times.push(metered.took);
        metered.answer
    }

    fn cost(mut self, name: &'static str) -> Cost {
        self.times.sort();
        let at =
            |percent: usize| self.times.get(self.times.len() * percent / 100).copied().unwrap_or_default();
        Cost { name, consumed: Consumed::mean(&self.calls, self.times.len()), median: at(50), p99: at(99) }
    }
}

/// What each kind of call costs on a store.
fn of_store(path: &Path) -> Result<Vec<Cost>, String> {
    let service = MeteredService::on(Embedded::open(path).map_err(|error| error.to_string())?)?;
    let ann = person(MEASURED_REQUESTER, "developer")?;
    let [bob, cat] = [person("bob", "approver")?, person("cat", "approver")?];
    let mut costs = Vec::new();
    let own = format!("requested_by={MEASURED_REQUESTER}@example.com&limit={PAGE}");
    for (name, caller, query) in [
        ("page of pending", &bob, format!("limit={PAGE}")),
        ("page of one's own pending", &ann, format!("limit={PAGE}")),
        ("page of one requester", &ann, own.clone()),
        ("page of one requester, executed", &ann, format!("{own}&status=executed")),
        ("page of one instance", &bob, format!("instance_id={MEASURED_INSTANCE}&limit={PAGE}")),
    ] {
        let mut runs = Runs::default();
        for _ in 0..ROUNDS {
            let sent = Sent { query: &query, ..Sent::default() };
            let answer = runs.add(service.call::<List>(caller, sent)?);
            check_is_full(name, &answer)?;
        }
        costs.push(runs.cost(name));
    }
    costs.push(creation(&service, &ann)?);
    let ids = real_requests(&service, ROUNDS, "maker", &high("production-db-9999"))?;
    let mut runs = Runs::default();
    for (_, id) in &ids {
        runs.add(service.call::<Get>(&bob, Sent { id: Some(id), ..Sent::default() })?);
    }
    costs.push(runs.cost("get"));
    for (name, approver) in [("first approval", &bob), ("last approval", &cat)] {
        let mut runs = Runs::default();
        for (_, id) in &ids {
            let body = Some(json!({ "comments": "Agreed" }));
            runs.add(service.call::<Approve>(approver, Sent { id: Some(id), body, ..Sent::default() })?);
        }
        costs.push(runs.cost(name));
    }
    costs.push(sweep(&service)?);
    Ok(costs)
}

fn check_is_full(name: &str, answer: &Value) -> Result<(), String> {
    let items = answer.get("items").or_else(|| answer.get("requests")).and_then(Value::as_array);
    let length = items.map(Vec::len);
    match length == PAGE.parse().ok() || name.contains("own pending") {
        true => Ok(()),
        false => Err(format!("{name}: a page of {length:?}: {:.300}", answer.to_string())),
    }
}

/// Creations of one who has the same number pending each time: what was made is cancelled again.
fn creation(service: &MeteredService, requester: &Caller) -> Result<Cost, String> {
    let mut runs = Runs::default();
    for _ in 0..ROUNDS {
        let sent = Sent { body: Some(high("production-db-9999")), ..Sent::default() };
        let id = id_of(&runs.add(service.call::<Create>(requester, sent)?))?;
        service
            .call::<Cancel>(requester, Sent { id: Some(&id), body: Some(json!({})), ..Sent::default() })?;
    }
    Ok(runs.cost("create"))
}

/// Requests that are really made, by as many people as policy wants it to be.
fn real_requests(
    service: &MeteredService,
    requests: usize,
    maker: &str,
    body: &Value,
) -> Result<Vec<(Caller, String)>, String> {
    let mut ids = Vec::with_capacity(requests);
    for number in 0..requests {
        let requester = person(&format!("{maker}-{}", number / OF_ONE_REQUESTER), "developer")?;
        let sent = Sent { body: Some(body.clone()), ..Sent::default() };
        let id = id_of(&service.call::<Create>(&requester, sent)?.answer)?;
        ids.push((requester, id));
    }
    Ok(ids)
}

/// Sweeps that find something overdue, among all that is not.
fn sweep(service: &MeteredService) -> Result<Cost, String> {
    let mut runs = Runs::default();
    for number in 0..SWEEPS {
        real_requests(service, DUE, &format!("agent-{number}"), &short_lived("production-db-9999"))?;
        service.host.advance_seconds(301);
        let budget = Duration::from_secs(60);
        let sweep = expire(&service.dependencies, Channel::Local, Timestamp::EARLIEST, budget);
        let report = runs.add(service.metered(sweep)).map_err(|error| error.to_string())?;
        if report.expired != DUE || report.failed > 0 {
            return Err(format!("a sweep of {DUE} due: {report:?}"));
        }
    }
    Ok(runs.cost("expiry sweep of 50 due"))
}

/// What a creation and a list of one's own cost by what the requester has open, on a store that has little else: it is
/// this that they grow with, and not the store.
fn by_what_is_open() -> Result<String, String> {
    let mut text =
        "\nA creation, and the list of one's own pending requests, by how many the requester has open:\n\n\
        | open | create (pending) | list of one's own pending, 50 a page | create (approved by policy) |\n\
        |---:|---|---|---|\n"
            .to_owned();
    for open in [0, 10, 25, 49, 200, 900] {
        let service = MeteredService::in_memory()?;
        let ann = person("ann", "developer")?;
        let make = |body: Value| service.call::<Create>(&ann, Sent { body: Some(body), ..Sent::default() });
        let shown = |calls: &[StoreCall], took: Duration| {
            let consumed = Consumed::mean(calls, 1);
            format!("{} RCU, {}", rounded(consumed.read_units, 1), milliseconds(took))
        };
        let (pending, list) = match open {
            0..50 => {
                for _ in 0..open {
                    make(high("production-db-01"))?;
                }
                let list = service.call::<List>(&ann, Sent::default())?;
                let made = make(high("production-db-01"))?;
                (shown(&made.calls, made.took), shown(&list.calls, list.took))
            }
            _ => ("refused: 50 pending at most".to_owned(), String::new()),
        };
        for _ in 0..open {
            make(low("production-db-01"))?;
        }
        let made = make(low("production-db-01"))?;
        let _ = writeln!(text, "| {open} | {pending} | {list} | {} |", shown(&made.calls, made.took));
    }
    text.push('\n');
    Ok(text)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Calls and capacity that are not the same on two stores.
fn differences(measured: &[Measured]) -> Vec<String> {
    let mut differences = Vec::new();
    let Some((first, others)) = measured.split_first() else { return differences };
    for other in others {
        for (one, two) in first.costs.iter().zip(&other.costs) {
            let mut compare = |what: &str, first_figure: f64, other_figure: f64| {
                if (first_figure - other_figure).abs() > TOLERANCE * first_figure {
                    differences.push(format!(
                        "{}: {what}: {} with {} requests, {} with {}",
                        one.name,
                        rounded(first_figure, 2),
                        first.requests,
                        rounded(other_figure, 2),
                        other.requests
                    ));
                }
            };
            let names: std::collections::BTreeSet<_> =
                one.consumed.calls.keys().chain(two.consumed.calls.keys()).collect();
            for name in names {
                let times = |cost: &Cost| cost.consumed.calls.get(name).copied().unwrap_or_default();
                compare(name, times(one), times(two));
            }
            compare("read units", one.consumed.read_units, two.consumed.read_units);
            compare("write units", one.consumed.write_units, two.consumed.write_units);
        }
    }
    differences
}

fn table(measured: &[Measured]) -> String {
    let mut table = "| call | requests stored | calls of the store | RCU | WCU | bytes | p50 | p99 |\n\
        |---|---:|---|---:|---:|---:|---:|---:|\n"
        .to_owned();
    let names = measured.first().map(|first| first.costs.iter().map(|cost| cost.name).collect::<Vec<_>>());
    for (place, name) in names.unwrap_or_default().into_iter().enumerate() {
        for Measured { requests, costs } in measured {
            let Some(Cost { consumed, median, p99, .. }) = costs.get(place) else { continue };
            let _ = writeln!(
                table,
                "| {name} | {requests} | {} | {} | {} | {:.0} | {} | {} |",
                consumed.calls_text(),
                rounded(consumed.read_units, 2),
                rounded(consumed.write_units, 2),
                consumed.bytes,
                milliseconds(*median),
                milliseconds(*p99)
            );
        }
    }
    table
}

fn as_json(measured: &[Measured]) -> Value {
    let stores: Vec<_> = measured
        .iter()
        .map(|Measured { requests, costs }| {
            let costs: BTreeMap<_, _> = costs
                .iter()
                .map(|Cost { name, consumed, median, p99 }| {
                    let figures = json!({
                        "calls": consumed.calls,
                        "read_units": consumed.read_units,
                        "write_units": consumed.write_units,
                        "bytes": consumed.bytes,
                        "p50_milliseconds": median.as_secs_f64() * 1000.0,
                        "p99_milliseconds": p99.as_secs_f64() * 1000.0,
                    });
                    (*name, figures)
                })
                .collect();
            json!({ "requests": requests, "costs": costs })
        })
        .collect();
    json!({ "stores": stores })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(requests: u64, read_units: f64, queries: f64) -> Measured {
        let calls = BTreeMap::from([("Query".to_owned(), queries)]);
        let consumed = Consumed { calls, read_units, ..Consumed::default() };
        let cost = Cost { name: "list", consumed, median: Duration::ZERO, p99: Duration::ZERO };
        Measured { requests, costs: vec![cost] }
    }

    #[test]
    fn what_differs_by_more_than_a_tenth_is_said() {
        assert!(differences(&[measured(1, 10.0, 1.0), measured(2, 10.9, 1.0)]).is_empty());
        let differences = differences(&[measured(1, 10.0, 1.0), measured(2, 11.5, 2.0)]);
        assert_eq!(differences.len(), 2, "{differences:?}");
    }
}
