//! A table and its manifest held against the population that the log gives.

use super::Population;
use super::discrepancy::Discrepancy;
use super::manifest::{Manifest, Sample};
use super::table::{COLUMNS, records, table};
use crate::key::PublicKey;
use crate::key_set::KeySet;
use countersign_core::digest::Digest;
use csv::StringRecord;
use std::collections::BTreeSet;

/// Compares; gives the key that has signed the manifest, if one has. `population` is that of the manifest's span, of the first
/// entries of a verified log, as many as the manifest says.
///
/// # Errors
/// The first [`Discrepancy`].
pub fn recount<'k>(
    manifest: &Manifest,
    found: &[u8],
    population: &Population,
    keys: &'k KeySet,
) -> Result<Option<&'k PublicKey>, Discrepancy> {
    let expected = table(population).map_err(|_| Discrepancy::NoTable)?;
    if found != expected {
        compare(found, &expected)?;
    }
    if manifest.sha256 != Digest::of(&expected).to_string() {
        return Err(Discrepancy::Digest);
    }
    let rows = population.size();
    if manifest.rows != rows {
        return Err(Discrepancy::Rows { manifest: manifest.rows, table: rows });
    }
    if let Some(sample) = &manifest.sample {
        compare_sample(sample, &Sample::of(population, &sample.seed, sample.size))?;
    }
    manifest.signer(keys)
}

/// Names the first difference of two tables that differ.
fn compare(found: &[u8], expected: &[u8]) -> Result<(), Discrepancy> {
    let found = records(found).map_err(|_| Discrepancy::NoTable)?;
    let expected = records(expected).map_err(|_| Discrepancy::NoTable)?;
    if found.first() != expected.first() {
        return Err(Discrepancy::Columns);
    }
    let ids_found: BTreeSet<_> = found.iter().map(request_id).collect();
    let ids_expected: BTreeSet<_> = expected.iter().map(request_id).collect();
    for row in 1..found.len().max(expected.len()) {
        match (found.get(row), expected.get(row)) {
            (Some(found), Some(expected)) if request_id(found) == request_id(expected) => {
                compare_row(row, found, expected)?;
            }
            (_, Some(expected)) if !ids_found.contains(request_id(expected)) => {
                return Err(Discrepancy::Missing { row, request_id: request_id(expected).to_owned() });
            }
            (Some(found), None) => return Err(surplus(row, found)),
            (Some(found), Some(_)) if !ids_expected.contains(request_id(found)) => {
                return Err(surplus(row, found));
            }
            (_, Some(expected)) => {
                return Err(Discrepancy::Order { row, request_id: request_id(expected).to_owned() });
            }
            (None, None) => {}
        }
    }
    Err(Discrepancy::Spelling)
}

fn compare_row(row: usize, found: &StringRecord, expected: &StringRecord) -> Result<(), Discrepancy> {
    for (column, (found_cell, expected_cell)) in COLUMNS.into_iter().zip(found.iter().zip(expected)) {
        if found_cell != expected_cell {
            return Err(Discrepancy::Cell {
                row,
                request_id: request_id(expected).to_owned(),
                column,
                found: found_cell.to_owned(),
                expected: expected_cell.to_owned(),
            });
        }
    }
    if found.len() == COLUMNS.len() { Ok(()) } else { Err(Discrepancy::Width { row, cells: found.len() }) }
}

fn surplus(row: usize, found: &StringRecord) -> Discrepancy {
    Discrepancy::Surplus { row, request_id: request_id(found).to_owned() }
}

fn request_id(record: &StringRecord) -> &str {
    record.get(0).unwrap_or_default()
}

fn compare_sample(found: &Sample, expected: &Sample) -> Result<(), Discrepancy> {
    if found == expected {
        return Ok(());
    }
    let alike =
        found.request_ids.iter().zip(&expected.request_ids).take_while(|(found, expected)| found == expected);
    Err(Discrepancy::Sample { number: alike.count() + 1 })
}
