//! The guide to adding an operation says what the repository holds: its table of files, for every operation.
//! So does the page on the API of the problem codes.

use crate::{files, root, shown};
use countersign_api::operation::{DirectCaller, Operation};
use countersign_api::problem::Code;
use std::collections::BTreeSet;
use std::fs;
use strum::IntoEnumIterator;

/// The most files that an operation may cost.
const MAX_FILES: usize = 15;

/// The rows of the guide: a file, and the text by which it names the operation.
fn rows() -> Vec<(String, String)> {
    let guide = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let section = guide.split("## Adding an operation").nth(1).unwrap().split("\n## ").next().unwrap();
    let quoted = |cell: &str| cell.trim().strip_prefix('`')?.strip_suffix('`').map(str::to_owned);
    let row = |line: &str| {
        let mut cells = line.split('|').skip(1);
        Some((quoted(cells.next()?)?, quoted(cells.next()?)?))
    };
    section.lines().filter_map(row).collect()
}

/// A text of the guide for one operation.
fn filled(text: &str, operation: Operation) -> String {
    text.replace("<slug>", operation.slug())
        .replace("<Slug>", &format!("{operation:?}"))
        .replace("<route>", &operation.route_key())
}

#[test]
fn the_guide_names_the_files_of_every_operation() {
    let rows = rows();
    assert!((10..=MAX_FILES).contains(&rows.len()), "{} files", rows.len());
    // Those with a function of their own, and samples that are not named by what they dispatch.
    let operations = Operation::iter().filter(|operation| match operation.definition().direct {
        DirectCaller::Reader | DirectCaller::Person { .. } => true,
        DirectCaller::Public | DirectCaller::Original | DirectCaller::Never => false,
    });
    for operation in operations {
        for (file, named_by) in &rows {
            let (file, named_by) = (filled(file, operation), filled(named_by, operation));
            // Only what is a use case of its own has a place in `app`.
            if file.starts_with("crates/app/")
                && !root().join(filled("crates/app/src/<slug>.rs", operation)).exists()
            {
                continue;
            }
            let text =
                fs::read_to_string(root().join(&file)).unwrap_or_else(|_| panic!("there is no {file}"));
            assert!(text.contains(&named_by), "{file} does not contain {named_by}");
        }
    }
}

/// Operations that share a function have one file of rows, and neither a folder nor samples of their own.
#[test]
fn operations_that_share_a_function_are_in_their_rows_in_the_requests_and_on_the_page() {
    let text = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let page = text("docs/api.md");
    let carried_out = text("crates/api/src/operations/mod.rs");
    for operation in Operation::iter().filter(|it| it.definition().direct == DirectCaller::Never) {
        let module = operation.function();
        let rows = text(&format!("crates/api/src/operation/{module}.rs"));
        assert!(rows.contains(&filled("slug: \"<slug>\"", operation)), "{operation:?}");
        assert!(page.contains(&filled("`<route>`", operation)), "{operation:?}");
        assert!(carried_out.contains(&filled(&format!("{module}::<Slug>>"), operation)), "{operation:?}");
        assert!(!root().join(filled("functions/<slug>", operation)).exists(), "{operation:?}");
    }
}

#[test]
fn no_other_file_names_the_operation_of_the_worked_example() {
    let example = Operation::Explain;
    let listed: BTreeSet<_> = rows().into_iter().map(|(file, _)| filled(&file, example)).collect();
    let forms =
        ["Operation::<Slug>", "operations::<slug>", "functions/<slug>", "<slug>-under-test", "<route>"]
            .map(|form| filled(form, example));
    // What commands write, what goes with every change, clients of the API, and measurements.
    let others = [
        "crates/bench/",
        "docs/openapi.json",
        "Cargo.lock",
        "CHANGELOG.md",
        "crates/cli/",
        "crates/client/",
        "crates/dashboard/",
        "tests/cli/",
        "tests/tidy/",
    ];
    for path in files(&[".rs", ".toml", ".json", ".jsonl", ".yaml", ".md", ".py"]) {
        let place = shown(&path);
        if listed.contains(&place) || others.iter().any(|other| place.starts_with(other)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for form in &forms {
            assert!(!text.contains(form), "{place} names {form}, and CONTRIBUTING.md does not list it");
        }
    }
}

#[test]
fn the_page_on_the_api_has_every_code_with_its_status() {
    let page = fs::read_to_string(root().join("docs/api.md")).unwrap();
    let table = page.split("| code | status | when | what to do |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let documented: Vec<_> = rows
        .map(|line| {
            let mut cells = line.split('|').skip(1).map(str::trim);
            (cells.next().unwrap().trim_matches('`').to_owned(), cells.next().unwrap().to_owned())
        })
        .collect();
    let codes: Vec<_> =
        Code::iter().map(|code| (code.as_str().to_owned(), code.status().to_string())).collect();
    assert_eq!(documented.iter().collect::<BTreeSet<_>>(), codes.iter().collect::<BTreeSet<_>>());
    assert_eq!(documented.len(), codes.len());
}
