//! Cold starts that people would meet, by a simulation: no clock, and the same figures for the same seed.
//!
//! Lambda itself is not measured. What is simulated is in [`environments`]: one environment carries out one call at a time,
//! is kept for some time while it is idle, and is replaced after some hours. How long, Lambda does not publish; several
//! values are tried.

mod days;
mod environments;
mod layout;
mod random;
mod simulation;
mod visit;

use environments::Lifetimes;
use layout::{Layout, Ready};
use serde_json::{Value, json};
use simulation::{COLD_START, Outcome, Setting, Visits};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use visit::Visit;

/// The argument of the program.
pub(crate) const NAME: &str = "traffic";

const SEED: u64 = 17;
/// How many requests a day, and how many days: so many that chance hardly shows.
const VOLUMES: [(u64, u64); 3] = [(20, 250), (200, 60), (2000, 15)];
const MINUTE: u64 = 60 * 1000;
const HOUR: u64 = 60 * MINUTE;
/// What is taken for granted unless something else is said: see docs/performance.md for where it comes from.
const USUAL: Lifetimes = Lifetimes { idle: 10 * MINUTE, whole: 2 * HOUR };
const OTHERS: [Lifetimes; 4] = [
    Lifetimes { idle: 5 * MINUTE, ..USUAL },
    Lifetimes { idle: 15 * MINUTE, ..USUAL },
    Lifetimes { idle: 45 * MINUTE, ..USUAL },
    Lifetimes { whole: 8 * HOUR, ..USUAL },
];

/// US dollars for a gigabyte that is kept for a second, on arm64 in us-east-1: the price list of AWS in force since
/// 1 October 2025. The default of the template is half a gigabyte.
const PROVISIONED_PRICE: f64 = 0.000_003_333_4;
const GIGABYTES: f64 = 0.5;
/// US dollars for a call of a schedule: the invocation (0.20 per million), its trace (5.00) and 1.5 KB of logs (0.75).
const CALL_PRICE: f64 = 0.000_005_95;
/// How often a schedule calls a function, and how long after the function before.
const SCHEDULE: u64 = 5 * MINUTE;
const STAGGER: u64 = 7 * 1000;
/// A month of 30 days, as in docs/deploy.md.
const SECONDS_A_MONTH: f64 = 30.0 * 24.0 * 3600.0;

/// A simulation and what came of it.
#[derive(Debug)]
struct Run {
    requests_a_day: u64,
    days: u64,
    setting: Setting,
    /// How many functions are called, and how many environments are paid for.
    functions: usize,
    provisioned: usize,
    outcome: Outcome,
}

/// Simulates everything; the tables. The figures are written to a file as well, if one is named.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn measure(json: Option<&Path>) -> Result<String, String> {
    let mut runs = Vec::new();
    for (requests_a_day, days) in VOLUMES {
        let visits = days::visits(requests_a_day, days, SEED);
        let mut run = |layout, ready, lifetimes| {
            let setting = Setting { layout, ready, lifetimes };
            runs.push(Run::of(requests_a_day, days, &visits, setting));
        };
        for layout in Layout::ALL {
            for ready in Ready::ALL {
                run(layout, ready, USUAL);
            }
            for lifetimes in OTHERS {
                run(layout, Ready::Nowhere, lifetimes);
            }
        }
    }
    if let Some(path) = json {
        let document = json!({
            "seed": SEED,
            "cold_start_milliseconds": COLD_START,
            "dollars_a_gigabyte_second": PROVISIONED_PRICE,
            "gigabytes": GIGABYTES,
            "runs": runs.iter().map(Run::to_value).collect::<Vec<_>>(),
        });
        std::fs::write(path, format!("{document:#}\n"))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(tables(&runs))
}

impl Run {
    fn of(requests_a_day: u64, days: u64, visits: &[Visit], setting: Setting) -> Self {
        let Setting { layout, ready, .. } = setting;
        let functions: BTreeSet<_> = visits.iter().flat_map(|visit| layout.functions(visit.callee)).collect();
        Self {
            requests_a_day,
            days,
            setting,
            functions: functions.len(),
            provisioned: functions.iter().map(|function| ready.count(layout, function)).sum(),
            outcome: match ready {
                Ready::Called => simulation::simulate(&with_schedule(visits, &functions, days), setting),
                Ready::Nowhere | Ready::ForPages(_) | Ready::Everywhere(_) => {
                    simulation::simulate(visits, setting)
                }
            },
        }
    }

    fn dollars_a_month(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "there are a few dozen")]
        let provisioned = self.provisioned as f64;
        let calls = match self.setting.ready {
            #[expect(clippy::cast_precision_loss, reason = "there are a few dozen")]
            Ready::Called => self.functions as f64 * SECONDS_A_MONTH / 300.0,
            Ready::Nowhere | Ready::ForPages(_) | Ready::Everywhere(_) => 0.0,
        };
        provisioned * GIGABYTES * SECONDS_A_MONTH * PROVISIONED_PRICE + calls * CALL_PRICE
    }

    fn a_day(&self, count: u64) -> f64 {
        ratio(count, self.days)
    }

    fn to_value(&self) -> Value {
        let Setting { layout, ready, lifetimes } = self.setting;
        let visits = |visits: Visits| {
            json!({
                "a_day": self.a_day(visits.all),
                "delayed_a_day": self.a_day(visits.delayed),
                "delayed_twice_a_day": self.a_day(visits.delayed_twice),
                "share_delayed": ratio(visits.delayed, visits.all),
            })
        };
        json!({
            "requests_a_day": self.requests_a_day,
            "days": self.days,
            "layout": layout.as_str(),
            "ready": ready.as_text(),
            "idle_minutes": lifetimes.idle / MINUTE,
            "lifetime_hours": lifetimes.whole / HOUR,
            "functions": self.functions,
            "provisioned_environments": self.provisioned,
            "dollars_a_month": self.dollars_a_month(),
            "calls_a_day": self.a_day(self.outcome.calls),
            "cold_starts_a_day": self.a_day(self.outcome.cold_starts),
            "share_of_calls": ratio(self.outcome.cold_starts, self.outcome.calls),
            "persons": visits(self.outcome.persons),
            "programs": visits(self.outcome.programs),
        })
    }
}

/// The visits, and the calls of a schedule among them, in the order of time.
fn with_schedule(visits: &[Visit], functions: &BTreeSet<&'static str>, days: u64) -> Vec<Visit> {
    let calls = functions.iter().zip(0..).flat_map(|(function, place)| {
        (0..days * days::DAY / SCHEDULE)
            .map(move |call| Visit::schedule(call * SCHEDULE + place * STAGGER, function))
    });
    let mut all: Vec<Visit> = visits.iter().copied().chain(calls).collect();
    all.sort_by_key(|visit| visit.at);
    all
}

fn ratio(count: u64, of: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are some millions of calls")]
    let (count, of) = (count as f64, of as f64);
    if of > 0.0 { count / of } else { 0.0 }
}

fn tables(runs: &[Run]) -> String {
    let mut text = String::new();
    for (requests_a_day, _) in VOLUMES {
        let of_volume = || runs.iter().filter(move |run| run.requests_a_day == requests_a_day);
        if let Some(run) = of_volume().next() {
            let (calls, visits) = (run.a_day(run.outcome.calls), run.a_day(run.outcome.persons.all));
            // INVARIANT: a text takes everything that is written to it.
            let _ = writeln!(
                text,
                "{requests_a_day} requests a day: {calls:.0} calls, {visits:.0} times that a person waits.\n"
            );
        }
        text.push_str("| functions | ready | dollars a month | cold starts a day | share of calls | ");
        text.push_str("persons delayed a day | share | twice in a row a day | programs delayed, share |\n");
        text.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|\n");
        for run in of_volume().filter(|run| run.setting.lifetimes == USUAL) {
            let Outcome { calls, cold_starts, persons, programs } = run.outcome;
            let _ = writeln!(
                text,
                "| {} ({}) | {} | {:.2} | {:.1} | {:.1} % | {:.1} | {:.1} % | {:.1} | {:.1} % |",
                run.setting.layout.as_str(),
                run.functions,
                run.setting.ready.as_text(),
                run.dollars_a_month(),
                run.a_day(cold_starts),
                100.0 * ratio(cold_starts, calls),
                run.a_day(persons.delayed),
                100.0 * ratio(persons.delayed, persons.all),
                run.a_day(persons.delayed_twice),
                100.0 * ratio(programs.delayed, programs.all),
            );
        }
        text.push('\n');
    }
    text.push_str(&lifetimes(runs));
    text
}

/// The share of persons delayed, by how long environments live.
fn lifetimes(runs: &[Run]) -> String {
    let columns = [OTHERS.as_slice(), &[USUAL]].concat();
    let mut columns: Vec<Lifetimes> = columns;
    columns.sort_by_key(|lifetimes| (lifetimes.whole, lifetimes.idle));
    let mut text =
        "Persons delayed, nothing provisioned, by how long an environment is kept idle and lives:\n\n"
            .to_owned();
    let mut row = |cells: Vec<String>| {
        // INVARIANT: a text takes everything that is written to it.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    let heads = columns
        .iter()
        .map(|lifetimes| format!("{} min, {} h", lifetimes.idle / MINUTE, lifetimes.whole / HOUR));
    row(["requests a day".to_owned(), "functions".to_owned()].into_iter().chain(heads).collect());
    row(["---".to_owned(), "---".to_owned()]
        .into_iter()
        .chain(columns.iter().map(|_| "--:".to_owned()))
        .collect());
    for (requests_a_day, _) in VOLUMES {
        for layout in Layout::ALL {
            let share = |lifetimes: &Lifetimes| {
                let setting = Setting { layout, ready: Ready::Nowhere, lifetimes: *lifetimes };
                let run =
                    runs.iter().find(|run| run.requests_a_day == requests_a_day && run.setting == setting);
                let persons = run.map_or(Visits::default(), |run| run.outcome.persons);
                format!("{:.1} %", 100.0 * ratio(persons.delayed, persons.all))
            };
            let names = [requests_a_day.to_string(), layout.as_str().to_owned()];
            row(names.into_iter().chain(columns.iter().map(share)).collect());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_api::operation::Operation;
    use layout::DASHBOARD;

    fn run(layout: Layout, ready: Ready, visits: &[Visit]) -> Run {
        Run::of(20, 10, visits, Setting { layout, ready, lifetimes: USUAL })
    }

    #[test]
    fn what_is_paid_for_is_counted_by_function() {
        let visits = [
            Visit::page(0, &[Operation::Get, Operation::Events]),
            Visit::operation(0, visit::Who::Person, Operation::Approve),
        ];
        let run = |layout, ready| run(layout, ready, &visits);
        let one_each = run(Layout::OneEach, Ready::Everywhere(2));
        assert_eq!((one_each.functions, one_each.provisioned), (4, 8), "the dashboard is one of them");
        assert_eq!(run(Layout::OneEach, Ready::ForPages(1)).provisioned, 3);
        assert_eq!(run(Layout::OneForAll, Ready::ForPages(3)).provisioned, 6);
        let dollars = run(Layout::OneEach, Ready::ForPages(1)).dollars_a_month();
        assert!((dollars - 12.96).abs() < 0.01, "{dollars}");
    }

    #[test]
    fn fewer_functions_and_provisioned_environments_mean_fewer_cold_starts() {
        let visits = days::visits(20, 10, SEED);
        let cold = Layout::ALL.map(|layout| run(layout, Ready::Nowhere, &visits).outcome.cold_starts);
        let [each, reads, writes, two, one] = cold;
        assert!(each > reads.max(writes) && reads.min(writes) > two && two > one, "{cold:?}");
        for layout in Layout::ALL {
            let cold = [Ready::Nowhere, Ready::ForPages(1), Ready::Everywhere(1), Ready::Everywhere(3)]
                .map(|ready| run(layout, ready, &visits).outcome.cold_starts);
            assert!(cold.is_sorted_by(|more, fewer| more >= fewer) && cold[0] > 2 * cold[3], "{cold:?}");
        }
    }

    #[test]
    fn a_page_needs_the_dashboard_and_its_functions() {
        assert!(Layout::ALL.iter().all(|layout| layout.functions(visit::Callee::Page(&[])) == [DASHBOARD]));
    }
}
