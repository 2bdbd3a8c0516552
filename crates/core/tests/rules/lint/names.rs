//! Where a finding is, and who is listed in vain.

use super::{ACCESS, GROUPS, OPERATIONS, found, policy, shown};
use crate::fixture::after;
use countersign_core::policy::finding::{Name, Severity};
use countersign_policy::lint::lint;
use strum::IntoEnumIterator;

#[test]
fn agents_that_are_refused_because_of_their_owner_are_reported() {
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

/// The names of findings are looked up in the documentation: each once, and no other.
#[test]
fn every_finding_has_its_line_in_the_documentation() {
    let documented = include_str!("../../../../../docs/policy.md");
    let (_, section) = documented.split_once("#### Findings\n").unwrap();
    let (section, _) = section.split_once("\n##").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut documented: Vec<&str> = rows.map(|(name, _)| name).collect();
    let mut names: Vec<String> = Name::iter().map(|name| name.to_string()).collect();
    documented.sort_unstable();
    names.sort_unstable();
    assert_eq!(documented, names);
    let is_kebab = |name: &str| {
        name.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
    };
    assert!(names.iter().all(|name| is_kebab(name)), "{names:?}");
}

/// The findings of a policy, errors and warnings, by name and place.
fn named(operations: &str, people: &str, access: &str) -> Vec<String> {
    let mut lints = found(&policy(operations, people, access));
    lints.retain(|lint| lint.severity != Severity::Note);
    lints.iter().map(|lint| format!("{} {}", lint.name, lint.place())).collect()
}

#[test]
fn patterns_that_take_in_production_are_found() {
    let with = |patterns: &str, rules: &str| {
        let operations = OPERATIONS.replace("[\"dev-*\", \"*-test\"]", patterns);
        assert_ne!(operations, OPERATIONS);
        named(&format!("{operations}\n{rules}"), GROUPS, ACCESS)
    };
    let at = |name: &str| vec![format!("{name} environments.non_production_instances")];
    for (pattern, expected) in [
        ("[\"*-db\"]", at("production-in-non-production")),
        ("[\"p*\"]", at("production-in-non-production")),
        ("[\"prod-copy-*\"]", at("production-in-non-production")),
        ("[\"*test*\"]", at("production-in-non-production")),
        ("[\"Dev-*\"]", at("capitals-in-name")),
        ("[\"dev *\"]", at("impossible-text")),
        ("[\"dev-*\", \"*-staging\", \"non-prod-*\"]", vec![]),
    ] {
        assert_eq!(with(pattern, ""), expected, "{pattern}");
    }
    let rule = "[rules.orders]\nenvironment = \"production\"\ninstances = [\"Orders-Staging\", \"orders\"]\napprovals = 3";
    assert_eq!(with("[\"*-staging\"]", rule), ["production-in-non-production rules.orders.instances"]);
}

#[test]
fn agents_without_owners_are_found() {
    let forbid = format!(
        "{ACCESS}@id(\"bots\") forbid (principal in [Group::\"dba\"], action, resource) when {{ principal == Person::\"service:pipeline\" }};"
    ).replace("principal in [Group::\"dba\"]", "principal");
    assert_eq!(named(OPERATIONS, GROUPS, &forbid), ["agent-without-owner bots"]);
    let owned = format!("{GROUPS}\n[services.pipeline]\nowner = \"ann@x.org\"");
    assert_eq!(named(OPERATIONS, &owned, &forbid), Vec::<String>::new());
    let note = |people: &str| {
        let lints = found(&policy(OPERATIONS, people, ACCESS));
        lints.iter().any(|lint| lint.name == Name::OwnerNotRequired)
    };
    let agents = GROUPS.replace("\"dba\"", "\"dba\", \"Agent\"");
    assert!(note(&agents) && !note(GROUPS));
    assert!(!note(&agents.replace("groups", "owner_required = true\ngroups")));
}
