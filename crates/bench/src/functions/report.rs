//! The figures of functions, as one table and as JSON.

use super::Call;
use super::sandbox::{Program, Spent};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The program that others are compared with.
    pub(super) floor: String,
    /// The memory in MB whose share of a processor `shared` is measured at.
    pub(super) memory: u64,
    /// By program.
    pub(super) warm: BTreeMap<String, ProgramReport>,
    /// By program.
    pub(super) cold: BTreeMap<String, ColdStart>,
}

/// A program that runs.
#[derive(Debug, Serialize)]
pub(super) struct ProgramReport {
    /// With a store beside it.
    pub(super) near: Warm,
    /// With 4 ms more for each call of the store.
    pub(super) far: Warm,
}

/// What calls cost of a function that has started.
#[derive(Debug, Serialize)]
pub(super) struct Warm {
    pub(super) operations: BTreeMap<String, OperationCost>,
    /// Calls of all operations in turn, one after another.
    pub(super) calls_per_second: f64,
    /// CPU time of 1,000 calls in turn, in seconds.
    pub(super) cpu_seconds_per_1000: f64,
    /// Of the largest process, in bytes.
    pub(super) peak_memory: u64,
}

/// What calls of an operation cost. Times in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct OperationCost {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    /// The median without the time that the store took.
    pub(super) p50_without_store: f64,
    /// The median of CPU time.
    pub(super) cpu: f64,
    /// Calls of the store, by their operation, of one call.
    pub(super) store_calls: BTreeMap<String, f64>,
    /// Bytes of the bodies to and from the store, and of the answer, of one call.
    pub(super) bytes_to_store: f64,
    pub(super) bytes_from_store: f64,
    pub(super) bytes_of_answer: f64,
    /// Request units of one call.
    pub(super) read_units: f64,
    pub(super) write_units: f64,
}

/// What it costs until the first answer. Times in milliseconds, memory in bytes.
#[derive(Debug, Serialize)]
pub(super) struct ColdStart {
    pub(super) binary_bytes: u64,
    /// From the start of the process to the first answer.
    pub(super) wall: Spread,
    pub(super) cpu: Spread,
    /// The same as `wall` at the share of a processor; empty where no group can be made.
    pub(super) shared_wall: Spread,
    pub(super) peak_memory: Spread,
}

/// Measurements, of which the median and the quartiles are printed.
#[derive(Debug, Default)]
pub(super) struct Spread(Vec<f64>);

impl Spread {
    fn at(&self, percent: usize) -> f64 {
        percentile(self.0.clone(), percent)
    }

    pub(super) fn median(&self) -> f64 {
        self.at(50)
    }
}

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let figures = [("median", 50), ("p25", 25), ("p75", 75)];
        serializer.collect_map(figures.map(|(name, percent)| (name, self.at(percent))))
    }
}

impl ColdStart {
    pub(super) fn of(program: &Program) -> Self {
        let size = program.command.first().and_then(|path| std::fs::metadata(path).ok());
        Self {
            binary_bytes: size.map_or(0, |file| file.len()),
            wall: Spread::default(),
            cpu: Spread::default(),
            shared_wall: Spread::default(),
            peak_memory: Spread::default(),
        }
    }

    pub(super) fn add(&mut self, is_shared: bool, wall: Duration, spent: Spent) {
        if is_shared {
            self.shared_wall.0.push(milliseconds(wall));
        } else {
            self.wall.0.push(milliseconds(wall));
            self.cpu.0.push(milliseconds(spent.cpu));
            self.peak_memory.0.push(float(spent.peak_memory));
        }
    }
}

impl OperationCost {
    pub(super) fn of(calls: &[Call]) -> Self {
        let took = |call: &Call| milliseconds(call.took);
        let in_store = |call: &Call| call.store.iter().map(|store| milliseconds(store.took)).sum::<f64>();
        let times: Vec<f64> = calls.iter().map(took).collect();
        let without: Vec<f64> = calls.iter().map(|call| took(call) - in_store(call)).collect();
        let count = float(calls.len() as u64);
        let mean = |of: &dyn Fn(&Call) -> f64| calls.iter().map(of).sum::<f64>() / count;
        let mut store_calls = BTreeMap::new();
        for store in calls.iter().flat_map(|call| &call.store) {
            *store_calls.entry(store.operation.clone()).or_insert(0.0) += 1.0 / count;
        }
        let of_store = |of: &dyn Fn(&crate::metered_store::StoreCall) -> f64| {
            mean(&|call| call.store.iter().map(of).sum())
        };
        Self {
            p50: percentile(times.clone(), 50),
            p90: percentile(times.clone(), 90),
            p99: percentile(times, 99),
            p50_without_store: percentile(without, 50),
            cpu: percentile(calls.iter().map(|call| milliseconds(call.cpu)).collect(), 50),
            store_calls,
            bytes_to_store: of_store(&|store| float(store.request_bytes as u64)),
            bytes_from_store: of_store(&|store| float(store.response_bytes as u64)),
            bytes_of_answer: mean(&|call| float(call.response_bytes as u64)),
            read_units: of_store(&|store| store.read_units),
            write_units: of_store(&|store| store.write_units),
        }
    }
}

impl Warm {
    pub(super) fn of(operations: BTreeMap<String, OperationCost>, calls: &[&Call], peak_memory: u64) -> Self {
        let count = float(calls.len() as u64);
        let took: f64 = calls.iter().map(|call| call.took.as_secs_f64()).sum();
        let cpu: f64 = calls.iter().map(|call| call.cpu.as_secs_f64()).sum();
        Self {
            operations,
            calls_per_second: count / took,
            cpu_seconds_per_1000: cpu / count * 1000.0,
            peak_memory,
        }
    }
}

/// A figure of an operation.
type OfOperation = fn(&OperationCost) -> f64;
/// A figure of a cold start.
type OfColdStart = fn(&ColdStart) -> f64;

/// Markdown: a table of programs that run, one of cold starts; each figure, and how many times that of the floor it is.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.warm_table(f)?;
        writeln!(f)?;
        self.cold_table(f)
    }
}

impl Report {
    fn warm_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.warm.keys().collect();
        header(f, "a function that has started", &names)?;
        let operations: Vec<&String> = match self.warm.values().next() {
            Some(first) => first.near.operations.keys().collect(),
            None => return Ok(()),
        };
        for operation in operations {
            let figures: [(&str, OfOperation); 4] = [
                ("p50, ms", |cost| cost.p50),
                ("p90, ms", |cost| cost.p90),
                ("p99, ms", |cost| cost.p99),
                ("p50 without the store, ms", |cost| cost.p50_without_store),
            ];
            for (what, figure) in figures {
                self.warm_row(f, &format!("{operation} {what}"), 2, &|report| {
                    report.near.operations.get(operation).map(figure)
                })?;
            }
            self.warm_row(f, &format!("{operation} p50 with 4 ms a store call, ms"), 2, &|report| {
                Some(report.far.operations.get(operation)?.p50)
            })?;
            let rest: [(&str, usize, OfOperation); 6] = [
                ("CPU, ms", 2, |cost| cost.cpu),
                ("bytes to the store", 0, |cost| cost.bytes_to_store),
                ("bytes from the store", 0, |cost| cost.bytes_from_store),
                ("bytes of the answer", 0, |cost| cost.bytes_of_answer),
                ("read units", 1, |cost| cost.read_units),
                ("write units", 1, |cost| cost.write_units),
            ];
            for (what, digits, figure) in rest {
                self.warm_row(f, &format!("{operation} {what}"), digits, &|report| {
                    report.near.operations.get(operation).map(figure)
                })?;
            }
            write!(f, "| {operation} store calls |")?;
            for report in self.warm.values() {
                let calls = report.near.operations.get(operation).map(|cost| &cost.store_calls);
                let calls: Vec<String> =
                    calls.into_iter().flatten().map(|(name, count)| format!("{count:.0} {name}")).collect();
                write!(f, " {} |", calls.join(", "))?;
            }
            writeln!(f)?;
        }
        self.warm_row(f, "calls a second", 0, &|report| Some(report.near.calls_per_second))?;
        self.warm_row(f, "CPU seconds per 1,000 calls", 2, &|report| Some(report.near.cpu_seconds_per_1000))?;
        self.warm_row(f, "peak memory, MiB", 1, &|report| Some(mebibytes(float(report.near.peak_memory))))
    }

    fn warm_row(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        digits: usize,
        figure: &dyn Fn(&ProgramReport) -> Option<f64>,
    ) -> fmt::Result {
        let floor = self.warm.get(&self.floor).and_then(figure);
        write!(f, "| {what} |")?;
        for (name, report) in &self.warm {
            write!(f, " {} |", cell(figure(report), floor.filter(|_| *name != self.floor), digits))?;
        }
        writeln!(f)
    }

    fn cold_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = format!("wall at {} MB, ms", self.memory);
        let columns = ["CPU, ms", "wall, ms", &share, "peak memory, MiB", "binary, MB"].map(str::to_owned);
        header(f, "to the first answer", &columns.iter().collect::<Vec<_>>())?;
        let figures: [(OfColdStart, usize); 5] = [
            (|cold| cold.cpu.median(), 1),
            (|cold| cold.wall.median(), 1),
            (|cold| cold.shared_wall.median(), 1),
            (|cold| mebibytes(cold.peak_memory.median()), 1),
            (|cold| float(cold.binary_bytes) / 1e6, 1),
        ];
        let floor = self.cold.get(&self.floor);
        for (name, cold) in &self.cold {
            write!(f, "| {name} |")?;
            for (figure, digits) in figures {
                let floor = floor.filter(|_| *name != self.floor).map(figure);
                write!(f, " {} |", cell(Some(figure(cold)), floor, digits))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn header(f: &mut fmt::Formatter<'_>, first: &str, columns: &[&String]) -> fmt::Result {
    let columns: Vec<&str> = columns.iter().map(|column| column.as_str()).collect();
    writeln!(f, "| {first} | {} |", columns.join(" | "))?;
    writeln!(f, "|---|{}", "---|".repeat(columns.len()))
}

/// A figure, and in parentheses how many times another it is.
fn cell(figure: Option<f64>, floor: Option<f64>, digits: usize) -> String {
    match (figure.filter(|figure| figure.is_finite()), floor.filter(|floor| *floor > 0.0)) {
        (None, _) => "–".to_owned(),
        (Some(figure), None) => format!("{figure:.digits$}"),
        (Some(figure), Some(floor)) => format!("{figure:.digits$} ({:.2})", figure / floor),
    }
}

fn percentile(mut measured: Vec<f64>, percent: usize) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured.get(measured.len() * percent / 100).copied().unwrap_or(f64::NAN)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / 1024.0 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes are far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}
