//! Where a finding is, and who is listed in vain.

use super::{ACCESS, GROUPS, OPERATIONS, found, policy, shown};
use crate::fixture::after;
use countersign_core::lint::lint;

#[test]
fn whoever_is_refused_because_of_their_owner_is_told() {
    let people = format!(
        "{GROUPS}
        [people.\"ann@x.org\"]
        addresses = [\"ann.smith@x.org\"]
        disabled = true
        [people.\"bob@x.org\"]
        [agents.\"bot@x.org\"]
        owner = \"ann.smith@x.org\"
        [agents.\"off@x.org\"]
        owner = \"ann@x.org\"
        disabled = true
        [agents.\"ok@x.org\"]
        owner = \"bob@x.org\"
        [services.pipeline]
        owner = \"ann@x.org\""
    );
    let notes = shown(&found(&policy(OPERATIONS, &people, ACCESS)));
    let told: Vec<_> = notes.iter().filter(|note| note.contains("answers for it")).collect();
    let reason = "every call is refused: `ann@x.org`, who answers for it, is disabled";
    assert_eq!(
        told,
        [
            &format!("note: people.toml: agents.\"bot@x.org\": {reason}"),
            &format!("note: people.toml: services.pipeline: {reason}")
        ]
    );
}

#[test]
fn a_place_is_written_as_in_the_file() {
    let operations =
        format!("{OPERATIONS}\n[operations.\"rds:Read\"]\nproduction = \"low\"\nnon_production = \"low\"");
    let policy = policy(&operations, GROUPS, ACCESS);
    let lints = lint(&policy, after(0));
    let places: Vec<_> = lints.iter().map(|lint| lint.place()).collect();
    assert!(places.contains(&"operations.\"rds:Read\"".to_owned()), "{places:?}");
    assert!(operations.contains(&format!("[{}]", places[0])), "{places:?}");
}
