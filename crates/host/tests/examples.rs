//! The policies in `policy/examples`: each fits its schema, does what its table of cases says, and is
//! the bundled policy with additions.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use countersign_core::cases;
use countersign_host::policy::{self, ACCESS_FILE, PolicyFiles};
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
        let (policy, warnings) = policy::check(&files.text()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(warnings, Vec::<String>::new(), "{}", directory.display());
        let table = std::fs::read_to_string(directory.join(cases::FILE)).unwrap();
        for case in cases::parse(&table).unwrap_or_else(|error| panic!("{error}")) {
            let failures = cases::run(&case, &policy);
            assert_eq!(failures, Vec::new(), "{}, line {}: {}", cases::FILE, case.line, case.name);
        }
    }
}

/// Whoever compares an example with the bundled policy sees what it is an example of, and nothing
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
