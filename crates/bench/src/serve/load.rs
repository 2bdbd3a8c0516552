//! Calls by several callers at once, each on a connection of its own, and what they took.

use crate::cpu;
use crate::serve::http::Connection;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What calls took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// Each of them.
    pub(crate) calls: Vec<Duration>,
    /// From the first to the last.
    pub(crate) elapsed: Duration,
    /// The CPU time of the service meanwhile.
    pub(crate) cpu: Duration,
    /// The CPU time of the callers, who share the machine with it.
    pub(crate) callers_cpu: Duration,
}

impl Measured {
    /// Takes in what another round has measured.
    pub(crate) fn add(&mut self, other: Self) {
        self.calls.extend(other.calls);
        self.elapsed += other.elapsed;
        self.cpu += other.cpu;
        self.callers_cpu += other.callers_cpu;
    }

    /// How many there were in a second.
    pub(crate) fn per_second(&self) -> f64 {
        count(self.calls.len()) / self.elapsed.as_secs_f64()
    }

    /// What so many of a hundred did not take longer than, in microseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.calls.clone();
        sorted.sort_unstable();
        let at = sorted.get(sorted.len() * percent / 100).or(sorted.last());
        at.map_or(f64::NAN, |took| microseconds(*took))
    }

    /// The mean, in microseconds.
    pub(crate) fn mean(&self) -> f64 {
        microseconds(self.calls.iter().sum::<Duration>()) / count(self.calls.len())
    }

    /// Wall time for each of them, in microseconds: where there is one caller, the mean.
    pub(crate) fn each(&self) -> f64 {
        microseconds(self.elapsed) / count(self.calls.len())
    }

    /// CPU time of the service for each of them, in microseconds.
    pub(crate) fn cpu_each(&self) -> f64 {
        microseconds(self.cpu) / count(self.calls.len())
    }

    /// CPU time of the callers for each of them, in microseconds.
    pub(crate) fn callers_cpu_each(&self) -> f64 {
        microseconds(self.callers_cpu) / count(self.calls.len())
    }

    /// All of it, in microseconds.
    pub(crate) fn json(&self) -> Value {
        let rounded = |number: f64| (number * 10.0).round() / 10.0;
        json!({
            "calls": self.calls.len(),
            "per_second": rounded(self.per_second()),
            "mean": rounded(self.mean()),
            "p50": rounded(self.percentile(50)),
            "p99": rounded(self.percentile(99)),
            "wall_each": rounded(self.each()),
            "cpu_each": rounded(self.cpu_each()),
            "callers_cpu_each": rounded(self.callers_cpu_each()),
        })
    }
}

pub(crate) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn count(calls: usize) -> f64 {
    u32::try_from(calls).map_or(f64::INFINITY, f64::from)
}

/// Has callers make calls at once until each has none left: `tasks` has what each caller does, in its order.
///
/// # Errors
/// The first of their errors.
pub(crate) fn drive<Task: Sync>(
    address: &str,
    tasks: &[Vec<Task>],
    call: impl Fn(&mut Connection, &Task) -> Result<Duration, String> + Sync,
) -> Result<Measured, String> {
    let mut connections = Vec::with_capacity(tasks.len());
    for _ in tasks {
        connections.push(Connection::open(address)?);
    }
    let (began, cpu) = (Instant::now(), cpu::nanoseconds());
    let results: Vec<Result<Vec<Duration>, String>> = std::thread::scope(|scope| {
        let call = &call;
        let callers: Vec<_> = tasks
            .iter()
            .zip(connections)
            .map(|(tasks, mut connection)| {
                scope.spawn(move || tasks.iter().map(|task| call(&mut connection, task)).collect())
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap_or_else(|_| Err("a caller panicked".to_owned())))
            .collect()
    });
    let elapsed = began.elapsed();
    let callers_cpu = Duration::from_nanos((cpu::nanoseconds() - cpu).unsigned_abs());
    let mut measured = Measured { elapsed, callers_cpu, ..Measured::default() };
    for result in results {
        measured.calls.extend(result?);
    }
    Ok(measured)
}

/// Deals tasks out to so many callers.
pub(crate) fn dealt<Task>(tasks: impl IntoIterator<Item = Task>, callers: usize) -> Vec<Vec<Task>> {
    let mut dealt: Vec<Vec<Task>> = std::iter::repeat_with(Vec::new).take(callers).collect();
    for (turn, task) in tasks.into_iter().enumerate() {
        if let Some(hand) = dealt.get_mut(turn % callers.max(1)) {
            hand.push(task);
        }
    }
    dealt
}
