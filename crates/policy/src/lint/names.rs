//! Names in policies to which no operation, group or person belongs.

use super::{Lint, Name, Severity};
use countersign_core::caller::{PrincipalKind, is_agent_group};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::Reference;
use countersign_core::policy::inspection;
use countersign_core::policy::people;
use countersign_core::policy::search::kind_of;

/// The file that says who may do what.
pub(super) const ACCESS_FILE: &str = "access.cedar";

/// Names that mean nothing, and agents that can do nothing.
pub(super) fn lint(policy: &Policy) -> Vec<Lint> {
    let mut lints = names_of_nothing(policy);
    lints.extend(idle_groups(policy));
    lints.extend(people_who_are_others(policy));
    lints.extend(idle_operations(policy));
    lints.extend(owner_disabled(policy));
    lints.extend(unowned(policy));
    lints.extend(owner_not_required(policy));
    lints
}

/// People whom access policies name by an address under which no person acts.
fn people_who_are_others(policy: &Policy) -> Vec<Lint> {
    let people = policy.people();
    let other = |naming: &Reference| {
        let id = PersonId::from_stored(&naming.name).ok()?;
        let person = people.person(&id);
        (*person != id).then(|| of_access(
            Severity::Error,
            Name::AddressNotMain,
            naming,
            format!("`Person::\"{id}\"` is nobody: it is an address of `{person}`; write `Person::\"{person}\"`"),
        ))
    };
    inspection::named_people(policy).iter().filter_map(other).collect()
}

/// Operations that access policies name and the catalogue does not.
fn idle_operations(policy: &Policy) -> Vec<Lint> {
    // A question is put with names as they are sent, and in lower case.
    let is_listed = |name: &str| {
        policy.rules().operations().any(|known| known == name || known.to_ascii_lowercase() == name)
    };
    let named = inspection::named_operations(policy);
    let idle = named.iter().filter(|naming| !is_listed(&naming.name));
    idle.map(|naming| {
        let message = format!(
            "`Operation::\"{}\"` matches no operation of the catalogue; what is not listed there is high",
            naming.name
        );
        of_access(Severity::Warning, Name::UnlistedOperation, naming, message)
    })
    .collect()
}

fn of_access(severity: Severity, name: Name, naming: &Reference, message: String) -> Lint {
    Lint { severity, name, file: ACCESS_FILE, path: vec![naming.policy.clone()], message }
}

/// Agents and services that are refused because their owner is disabled.
fn owner_disabled(policy: &Policy) -> Vec<Lint> {
    let people = policy.people();
    let owner_disabled = |id: &PersonId| {
        let owner = people.owner(id).filter(|owner| people.is_disabled(owner) && !people.is_disabled(id))?;
        let (table, name) = match id.as_str().strip_prefix("service:") {
            Some(subject) => ("services", subject),
            None => ("agents", id.as_str()),
        };
        Some(Lint {
            severity: Severity::Note,
            name: Name::OwnerDisabled,
            file: people::FILE,
            path: vec![table.to_owned(), name.to_owned()],
            message: format!("every call is refused: `{owner}`, who answers for it, is disabled"),
        })
    };
    people.listed().filter_map(owner_disabled).collect()
}

/// Names that no request can have.
fn names_of_nothing(policy: &Policy) -> Vec<Lint> {
    let is_impossible = |name: &&str| countersign_core::text::Identifier::parse(name).is_err();
    let operations = policy.rules().operations().filter(is_impossible).map(|name| {
        let message = "no request can name this operation: letters, digits and - _ . : / @ alone, beginning with a letter or digit";
        Lint::new(Severity::Warning, Name::ImpossibleText, &["operations", name], message)
    });
    let of_rules = policy.rules().rules().iter().flat_map(|rule| {
        let impossible = rule.impossible_globs().into_iter();
        impossible.map(|(key, what, glob)| {
            let message = format!("`{glob}` matches no name that an {what} may have");
            Lint::new(Severity::Warning, Name::ImpossibleText, &["rules", rule.name(), key], message)
        })
    });
    operations.chain(of_rules).collect()
}

/// Agents and services that access policies name and that have no owner.
fn unowned(policy: &Policy) -> Vec<Lint> {
    let people = policy.people();
    let named = inspection::named_people(policy);
    let unowned = named.iter().filter_map(|naming| {
        let id = PersonId::from_stored(&naming.name).ok()?;
        let is_unowned = kind_of(policy, &id) != PrincipalKind::Human && people.owner(&id).is_none();
        is_unowned.then(|| {
            let so = if people.is_owner_required() {
                "every call is refused"
            } else {
                "nobody is kept from approving what it asks for"
            };
            let message = format!("`{id}` is not listed in {} with an owner: {so}", people::FILE);
            of_access(Severity::Warning, Name::AgentWithoutOwner, naming, message)
        })
    });
    unowned.collect()
}

fn owner_not_required(policy: &Policy) -> Option<Lint> {
    let has_agents = policy.people().groups().iter().any(|group| is_agent_group(group));
    (has_agents && !policy.people().is_owner_required()).then(|| Lint {
        severity: Severity::Note,
        name: Name::OwnerNotRequired,
        file: people::FILE,
        path: vec!["owner_required".to_owned()],
        message: "agents and services that are not listed with an owner may act: the people behind them are not known, and may approve what they ask for".to_owned(),
    })
}

/// Groups that mean nothing.
fn idle_groups(policy: &Policy) -> impl Iterator<Item = Lint> {
    let rules = policy.rules().rules();
    let is_named_by_a_rule = move |group: &String| rules.iter().any(|rule| rule.names_group(group));
    let groups = policy.people().groups().iter();
    let idle = groups.filter(move |group| !policy.names_group(group) && !is_named_by_a_rule(group));
    idle.map(|group| Lint {
        severity: Severity::Note,
        name: Name::GroupWithoutMeaning,
        file: people::FILE,
        path: vec!["groups".to_owned()],
        message: format!("`{group}` means nothing: neither access.cedar nor any rule names it"),
    })
}
