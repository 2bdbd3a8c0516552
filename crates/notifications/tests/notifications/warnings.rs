//! What `policy check` says of a configuration that can be used.

use crate::fixture::{NOTIFICATIONS, configured, policy};
use countersign_core::policy::finding::{Name, Severity};
use countersign_notifications::warning::{Warning, warnings};

fn found(more: &str) -> Vec<Warning> {
    let text = format!(
        "{NOTIFICATIONS}[routes.rooms]\nvia = [\"room\"]\n[routes.bots]\nto = [\"group:watchers\"]\nvia = [\"bot\"]\n{more}"
    );
    warnings(&configured(&text), &text, &policy())
}

#[test]
fn a_configuration_without_oddities_has_no_warnings() {
    assert_eq!(found(""), []);
}

#[test]
fn what_is_odd_is_found_with_its_line() {
    for (more, name, place, message) in [
        (
            "[destinations.spare]\nkind = \"log\"\n",
            Name::DestinationUnused,
            "destinations.spare",
            "nothing sends to it",
        ),
        (
            "[routes.r]\nevents = [\"EXECUTION_FAILED\"]\nstatuses = [\"pending\"]\nvia = [\"room\"]\n",
            Name::RouteNeverHolds,
            "routes.r",
            "none of its `events`",
        ),
        (
            "[routes.r]\noperations = [\"drop_*\"]\nvia = [\"room\"]\n",
            Name::RouteNeverHolds,
            "routes.r",
            "match no operation",
        ),
        (
            "[routes.r]\noperations = [\"restore_*\"]\nrisk = [\"low\"]\nvia = [\"room\"]\n",
            Name::RouteNeverHolds,
            "routes.r",
            "medium risk or more",
        ),
        (
            "[groups.nobody]\nmembers = [\"ann@x.org\"]\n",
            Name::GroupWithoutMeaning,
            "groups.nobody",
            "neither a group of people.toml",
        ),
    ] {
        let warnings = found(more);
        assert_eq!(warnings.len(), 1, "{more} {warnings:?}");
        let warning = &warnings[0];
        assert_eq!((warning.name, warning.place.as_str()), (name, place));
        assert!(warning.message.contains(message), "{}", warning.message);
        assert!(warning.line.is_some_and(|line| line > NOTIFICATIONS.lines().count()), "{warning:?}");
        let expected = if name == Name::GroupWithoutMeaning { Severity::Note } else { Severity::Warning };
        assert_eq!(warning.severity, expected);
    }
    for fine in [
        "[routes.r]\nevents = [\"APPROVAL_WITHDRAWN\"]\nstatuses = [\"expired\"]\nvia = [\"room\"]\n",
        "[routes.r]\noperations = [\"RESTORE_*\"]\nrisk = [\"high\"]\nvia = [\"room\"]\n",
        "[routes.r]\nrisk = [\"low\"]\nvia = [\"room\"]\n",
    ] {
        assert_eq!(found(fine), [], "{fine}");
    }
}

#[test]
fn slots_for_which_no_member_is_listed_are_found() {
    let text = NOTIFICATIONS.replace("members = [\"dan@x.org\", \"eve@x.org\", \"carol@x.org\"]", "");
    let names: Vec<String> = warnings(&configured(&text), &text, &policy())
        .into_iter()
        .filter(|warning| warning.name == Name::SlotWithoutMembers)
        .map(|warning| warning.message)
        .collect();
    assert_eq!(names.len(), 1);
    assert!(names[0].contains("members of dba:"), "{names:?}");
    // Where no route asks approvers, nobody is missed.
    let silent = text.replace("to = [\"approvers\"]", "to = [\"requester\"]");
    let found = warnings(&configured(&silent), &silent, &policy());
    assert!(found.iter().all(|warning| warning.name != Name::SlotWithoutMembers));
}
