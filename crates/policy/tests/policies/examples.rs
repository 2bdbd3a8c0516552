//! The policies in `policy/examples`: each fits its schema, does what its table of cases says, and is
//! the bundled policy with additions. What `docs/policy.md` quotes can be used as it stands.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use countersign_core::policy::PolicyText;
use countersign_policy::cases;
use countersign_policy::load::{self, ACCESS_FILE, BUNDLED, PolicyFiles};
use std::path::{Path, PathBuf};

fn bundled() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy")
}

/// The directories in `policy/examples`.
fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(bundled().join("examples")).unwrap();
    let found: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    assert!(!found.is_empty());
    found
}

#[test]
fn examples_do_what_their_cases_say() {
    for directory in examples() {
        let files = PolicyFiles::read(&directory).unwrap();
        let (policy, warnings) = load::check(&files.text()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(warnings, Vec::<String>::new(), "{}", directory.display());
        let table = load::read_cases(&directory).unwrap();
        let people = policy.people();
        for case in cases::parse(&table, people).unwrap_or_else(|error| panic!("{error}")) {
            let failures = cases::run(&case, &policy);
            assert_eq!(failures, Vec::new(), "{}, line {}: {}", cases::FILE, case.line, case.name);
        }
    }
}

/// A reader who compares an example with the bundled policy sees what it is an example of, and nothing
/// that has changed since it was copied.
#[test]
fn examples_are_the_bundled_policy_with_additions() {
    for directory in examples() {
        for file in ["operations.toml", "people.toml", ACCESS_FILE] {
            let original = std::fs::read_to_string(bundled().join(file)).unwrap();
            let example = std::fs::read_to_string(directory.join(file)).unwrap();
            let mut lines = example.lines();
            // More groups are more words in one line.
            for line in original.lines().filter(|line| !line.starts_with("groups = [")) {
                assert!(
                    lines.any(|candidate| candidate == line),
                    "{} lacks `{line}` where policy/{file} has it",
                    directory.join(file).display()
                );
            }
        }
    }
}

/// The quotations of one file in the guide, in the order of the page.
fn quoted(file: &str) -> Vec<String> {
    let guide = std::fs::read_to_string(bundled().join("../docs/policy.md")).unwrap();
    let blocks = guide.split("\n```").filter_map(|block| block.split_once('\n'));
    let of_the_file = blocks.filter(|(language, _)| language.split(' ').nth(1) == Some(file));
    let found: Vec<_> = of_the_file.map(|(_, text)| format!("{text}\n")).collect();
    assert!(!found.is_empty(), "{file}");
    found
}

/// Each quotation by itself is put into the bundled policy, with the groups of the guide.
#[test]
fn what_the_guide_quotes_can_be_used() {
    let with_more_groups = BUNDLED.people.replace("\"executor\"]", "\"executor\", \"dba\", \"finance\"]");
    let usual = PolicyText { people: &with_more_groups, ..BUNDLED };
    let checked = |text: &PolicyText<'_>, quotation: &str| {
        let (policy, warnings) = load::check(text).unwrap_or_else(|error| panic!("{error}\n{quotation}"));
        assert_eq!(warnings, Vec::<String>::new(), "{quotation}");
        policy
    };
    for quotation in quoted(ACCESS_FILE) {
        let access = format!("{}\n{quotation}", BUNDLED.access);
        checked(&PolicyText { access: &access, ..usual }, &quotation);
    }
    for quotation in quoted("operations.toml") {
        let operations = match (quotation.contains("[defaults]"), quotation.starts_with("time_zone")) {
            (true, _) => quotation.clone(),
            (false, true) => format!("{quotation}{}", BUNDLED.operations),
            (false, false) => format!("{}\n{quotation}", BUNDLED.operations),
        };
        checked(&PolicyText { operations: &operations, ..usual }, &quotation);
    }
    for quotation in quoted("people.toml") {
        checked(&PolicyText { people: &quotation, ..BUNDLED }, &quotation);
    }
    let example = PolicyFiles::read(&bundled().join("examples/office-hours")).unwrap();
    let policy = checked(&example.text(), "the example");
    for quotation in quoted(cases::FILE) {
        let cases = cases::parse(&quotation, policy.people());
        for case in cases.unwrap_or_else(|error| panic!("{error}\n{quotation}")) {
            assert_eq!(cases::run(&case, &policy), Vec::new(), "{}", case.name);
        }
    }
}

/// What the guide quotes of the example is in it.
#[test]
fn the_guide_quotes_the_example_as_it_is() {
    let directory = bundled().join("examples/office-hours");
    for (file, quotations) in [("operations.toml", 2), ("people.toml", 1), (ACCESS_FILE, 2)] {
        let example = std::fs::read_to_string(directory.join(file)).unwrap();
        for quotation in quoted(file).iter().take(quotations) {
            // The guide leaves out comments.
            let without_comments = |text: &str| -> String {
                let kept = text.lines().filter(|line| !line.starts_with("//") && !line.starts_with('#'));
                kept.flat_map(|line| [line.trim_end(), "\n"]).collect::<String>().replace("\n\n", "\n")
            };
            let (example, quotation) = (without_comments(&example), without_comments(quotation));
            assert!(example.contains(quotation.trim()), "{file} of the example has not:\n{quotation}");
        }
    }
}
