//! What Countersign costs on AWS: request units of each operation, and a month at three volumes.

mod assumptions;
mod month;
pub(crate) mod operations;
mod prices;

use crate::metered_service::{count, rounded};
use assumptions::{LIVES, READS};
use month::Request;
use operations::{EVENTS_OF_A_LIFE, Operation, Operations};
use std::collections::BTreeMap;

/// Measures, computes, and prints the tables of `docs/cost.md`.
///
/// # Errors
/// When an operation cannot be measured.
pub(crate) fn measure() -> Result<(String, bool), String> {
    Ok((tables(&operations::measure()?)?.join("\n\n") + "\n", true))
}

/// Which of [`LIVES`] the request of a number has: of each hundred, as many as are assumed.
pub(crate) fn lives(number: usize) -> usize {
    let mut of_a_hundred = count(number * 61 % 100);
    for (place, life) in LIVES.iter().enumerate() {
        if of_a_hundred < life.of_a_hundred {
            return place;
        }
        of_a_hundred -= life.of_a_hundred;
    }
    0
}

/// How often something is read for each request.
///
/// # Errors
/// When it is not among what is assumed.
pub(crate) fn read_for_each_request(name: &str) -> Result<f64, String> {
    let found = READS.iter().find(|(read, _)| *read == name);
    found.map(|(_, times)| *times).ok_or_else(|| format!("{name} is not read"))
}

/// The tables of `docs/cost.md`, each with its heading.
fn tables(operations: &Operations) -> Result<Vec<String>, String> {
    let lines = month::lines(operations)?;
    let request = Request::average(operations)?;
    Ok(vec![
        of_operations(operations),
        of_life(operations)?,
        of_storage(operations),
        of_use(&request),
        table(
            "| a month | 1,000 requests | 100,000 | 10,000,000 |\n|---|---:|---:|---:|",
            month::rows(&lines),
        ),
        of_prices(),
    ])
}

fn table(heading: &str, rows: impl IntoIterator<Item = String>) -> String {
    [heading.to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn of_operations(operations: &Operations) -> String {
    let rows = operations.all.iter().map(|operation| {
        let Operation { name, consumed, writes, .. } = operation;
        format!(
            "| {name} | {} | {} | {} | {} |",
            consumed.calls_text(),
            rounded(consumed.read_units, 2),
            rounded(consumed.write_units, 2),
            places(writes)
        )
    });
    table(
        "| operation | calls of the store | RRU | WRU | writes of requests, their indexes; events, theirs; outbox |\n\
         |---|---|---:|---:|---|",
        rows,
    )
}

/// Units of writing, by table and by whether it is an index.
fn places(writes: &BTreeMap<String, f64>) -> String {
    let names = crate::metered_service::tables();
    let of = |table: &str, is_index: bool| -> f64 {
        let units = writes.iter().filter(|(place, _)| match place.split_once('/') {
            Some((of, _)) => is_index && of == table,
            None => !is_index && *place == table,
        });
        units.map(|(_, units)| units).sum()
    };
    if writes.is_empty() {
        return String::new();
    }
    let pair = |table: &str| format!("{} + {}", rounded(of(table, false), 2), rounded(of(table, true), 2));
    format!("{}; {}; {}", pair(&names.approvals), pair(&names.audit), rounded(of(&names.outbox, false), 2))
}

/// The largest of the lives, from its creation until its last event is delivered and logged.
fn of_life(operations: &Operations) -> Result<String, String> {
    let mut rows = Vec::new();
    let (mut reads, mut writes) = (0.0, 0.0);
    let mut add = |name: &str, times: f64| -> Result<(), String> {
        let consumed = &operations.get(name)?.consumed;
        let (read, written) = (consumed.read_units * times, consumed.write_units * times);
        rows.push(format!("| {times} × {name} | {} | {} |", rounded(read, 2), rounded(written, 2)));
        reads += read;
        writes += written;
        Ok(())
    };
    let [life, ..] = LIVES;
    for name in life.changes {
        add(name, 1.0)?;
    }
    for name in assumptions::FOR_EACH_EVENT {
        add(name, count(EVENTS_OF_A_LIFE))?;
    }
    rows.push(format!("| **{}** | **{}** | **{}** |", life.name, rounded(reads, 2), rounded(writes, 2)));
    Ok(table("| what | RRU | WRU |\n|---|---:|---:|", rows))
}

fn of_storage(operations: &Operations) -> String {
    let kilobytes = |bytes: f64| format!("{:.1}", bytes / 1000.0);
    let mut rows: Vec<_> = operations
        .stored
        .iter()
        .map(|(what, bytes)| format!("| {what}, with indexes | {} |", kilobytes(*bytes)))
        .collect();
    // What batches of other sizes leave of partial tiles differs.
    rows.push(format!("| files of the audit log | {:.0} |", (operations.logged / 1000.0).ceil()));
    table("| an executed request of high risk leaves | KB |\n|---|---:|", rows)
}

fn of_use(request: &Request) -> String {
    let lives = LIVES.iter().map(|life| format!("| {} | {} % |", life.name, life.of_a_hundred));
    let reads = READS.iter().map(|(name, times)| format!("| {name} | {times} for each request |"));
    let average = [
        ("calls of the API for each request", rounded(request.api_calls, 2)),
        ("events for each request", rounded(request.events, 2)),
        ("read request units for each request", rounded(request.read_units, 2)),
        ("write request units for each request", rounded(request.write_units, 2)),
    ];
    let average = average.into_iter().map(|(what, figure)| format!("| {what} | {figure} |"));
    table("| assumed | |\n|---|---:|", lives.chain(reads).chain(average))
}

fn of_prices() -> String {
    let rows = prices::ALL.iter().map(|price| {
        format!("| {} | {} | {} | <{}> |", price.what, rounded(price.dollars, 10), price.per, price.source)
    });
    table(
        &format!("| price, us-east-1, {} | dollars | per | source |\n|---|---:|---|---|", prices::LOOKED_UP),
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/cost.md");
    const DEPLOYMENT: &str = include_str!("../../../docs/deploy.md");

    /// `cargo run --release -p countersign-bench -- cost` prints them.
    #[test]
    fn the_document_has_the_computed_tables() {
        let operations = operations::measure().unwrap();
        for table in tables(&operations).unwrap() {
            for row in table.lines() {
                assert!(DOCUMENT.contains(row), "docs/cost.md lacks\n{row}");
            }
        }
        // The arithmetic of an idle stack is made twice, and rounds each line.
        let idle = month::idle(&operations).unwrap();
        assert!(DEPLOYMENT.contains("| | | **18.42** |"));
        assert!((idle - 18.42).abs() < 0.25, "{idle}");
    }

    #[test]
    fn a_hundred_requests_go_some_way() {
        assert!((LIVES.iter().map(|life| life.of_a_hundred).sum::<f64>() - 100.0).abs() < 1e-9);
        assert_eq!(LIVES[0].events(), EVENTS_OF_A_LIFE);
    }
}
