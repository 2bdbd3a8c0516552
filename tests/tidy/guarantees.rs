//! What `docs/guarantees.md` cites: each guarantee has tests and mutants, and they exist.
//!
//! Whether a test holds what the page says of it is not known here: `tests/mutants/run` breaks the code to see.

use crate::{root, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const PAGE: &str = include_str!("../../docs/guarantees.md");

struct Guarantee {
    /// `G1`, `G2` and so on.
    name: String,
    /// A file, and the functions of it that are cited.
    tests: Vec<(String, Vec<String>)>,
    mutants: BTreeSet<String>,
}

/// The texts of a line that are set as code.
fn quoted(line: &str) -> Vec<String> {
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The sections of the page whose heading begins with `G` and a number.
fn guarantees() -> Vec<Guarantee> {
    let sections = PAGE.split("\n## ").skip(1);
    sections
        .filter_map(|section| {
            let name = section.split(' ').next()?;
            name.strip_prefix('G')?.parse::<usize>().ok()?;
            let rows = section.lines().filter(|line| line.starts_with("| `"));
            let tests = rows.map(|row| {
                let mut cited = quoted(row).into_iter();
                (cited.next().unwrap(), cited.collect())
            });
            let mutants = section.lines().filter(|line| line.starts_with("Mutants: ")).flat_map(quoted);
            Some(Guarantee { name: name.to_owned(), tests: tests.collect(), mutants: mutants.collect() })
        })
        .collect()
}

/// The names of the mutants by the guarantee that they break.
fn mutants() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("tests/mutants/mutants.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let mut mutants: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mutant in table["mutant"].as_array().unwrap() {
        let field = |name: &str| mutant[name].as_str().unwrap().to_owned();
        mutants.entry(field("guarantee")).or_default().insert(field("name"));
    }
    mutants
}

#[test]
fn guarantees_are_numbered_and_have_tests() {
    let guarantees = guarantees();
    let names: Vec<_> = guarantees.iter().map(|guarantee| guarantee.name.clone()).collect();
    let expected: Vec<_> = (1..=21).map(|number| format!("G{number}")).collect();
    assert_eq!(names, expected);
    for Guarantee { name, tests, .. } in guarantees {
        assert!(!tests.is_empty(), "{name} cites no test");
    }
}

#[test]
fn every_test_that_a_guarantee_cites_exists() {
    for Guarantee { name, tests, .. } in guarantees() {
        for (file, functions) in tests {
            let path = root().join(&file);
            let source = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{name} cites {}: {error}", shown(&path)));
            assert!(!functions.is_empty(), "{name} cites no function of {file}");
            for function in functions {
                assert!(
                    source.contains(&format!("fn {function}(")),
                    "{name} cites `{function}`, which is not in {file}"
                );
            }
        }
    }
}

#[test]
fn every_guarantee_cites_its_mutants_and_no_others() {
    let mut mutants = mutants();
    for Guarantee { name, mutants: cited, .. } in guarantees() {
        let existing = mutants.remove(&name).unwrap_or_default();
        assert!(!existing.is_empty(), "no mutant breaks {name}");
        assert_eq!(cited, existing, "{name}");
    }
    assert!(mutants.is_empty(), "mutants of no guarantee: {mutants:?}");
}
