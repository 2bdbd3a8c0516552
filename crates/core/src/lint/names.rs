//! Names of nothing and of nobody.

use super::{Lint, Severity};
use crate::access::Naming;
use crate::explain::survey;
use crate::people;
use crate::person::PersonId;
use crate::policy::Policy;

/// The file that says who may do what.
pub(super) const ACCESS_FILE: &str = "access.cedar";

/// Names that mean nothing, and agents that can do nothing.
pub(super) fn lint(policy: &Policy) -> Vec<Lint> {
    let mut lints = names_of_nothing(policy);
    lints.extend(idle_groups(policy));
    lints.extend(people_who_are_others(policy));
    lints.extend(idle_operations(policy));
    lints.extend(silenced(policy));
    lints
}

/// People whom access policies name by an address that nobody acts under.
fn people_who_are_others(policy: &Policy) -> Vec<Lint> {
    let people = policy.people();
    let other = |naming: &Naming| {
        let id = PersonId::from_stored(&naming.name).ok()?;
        let person = people.person(&id);
        (*person != id).then(|| of_access(
            Severity::Error,
            naming,
            format!("`Person::\"{id}\"` is nobody: it is an address of `{person}`; write `Person::\"{person}\"`"),
        ))
    };
    survey::named_people(policy).iter().filter_map(other).collect()
}

/// Operations that access policies name and the catalogue does not.
fn idle_operations(policy: &Policy) -> Vec<Lint> {
    let is_listed = |name: &str| policy.rules().operations().any(|known| known == name);
    let named = survey::named_operations(policy);
    let idle = named.iter().filter(|naming| !is_listed(&naming.name));
    idle.map(|naming| {
        let message = format!(
            "`Operation::\"{}\"` matches no operation of the catalogue; what is not listed there is high",
            naming.name
        );
        of_access(Severity::Warning, naming, message)
    })
    .collect()
}

fn of_access(severity: Severity, naming: &Naming, message: String) -> Lint {
    Lint { severity, file: ACCESS_FILE, path: vec![naming.policy.clone()], message }
}

/// Agents and services that are refused because of whoever answers for them.
fn silenced(policy: &Policy) -> Vec<Lint> {
    let people = policy.people();
    let silenced = |id: &PersonId| {
        let owner = people.owner(id).filter(|owner| people.is_disabled(owner) && !people.is_disabled(id))?;
        let (table, name) = match id.as_str().strip_prefix("service:") {
            Some(subject) => ("services", subject),
            None => ("agents", id.as_str()),
        };
        Some(Lint {
            severity: Severity::Note,
            file: people::FILE,
            path: vec![table.to_owned(), name.to_owned()],
            message: format!("every call is refused: `{owner}`, who answers for it, is disabled"),
        })
    };
    people.listed().filter_map(silenced).collect()
}

/// Names that no request can have.
fn names_of_nothing(policy: &Policy) -> Vec<Lint> {
    let is_impossible = |name: &&str| crate::text::Identifier::parse(name).is_err();
    let operations = policy.rules().operations().filter(is_impossible).map(|name| {
        let message = "no request can name this operation: letters, digits and - _ . : / @ alone, beginning with a letter or digit";
        Lint::new(Severity::Warning, &["operations", name], message)
    });
    let globs = policy.rules().idle_instance_globs().into_iter().map(|glob| {
        let message = format!("`{glob}` matches no name that an instance may have");
        Lint::new(Severity::Warning, &["environments", "non_production_instances"], message)
    });
    operations.chain(globs).collect()
}

/// Groups that mean nothing.
fn idle_groups(policy: &Policy) -> impl Iterator<Item = Lint> {
    let rules = policy.rules().rules();
    let is_named_by_a_rule = move |group: &String| rules.iter().any(|rule| rule.names_group(group));
    let groups = policy.people().groups().iter();
    let idle = groups.filter(move |group| !policy.names_group(group) && !is_named_by_a_rule(group));
    idle.map(|group| Lint {
        severity: Severity::Note,
        file: people::FILE,
        path: vec!["groups".to_owned()],
        message: format!("`{group}` means nothing: neither access.cedar nor any rule names it"),
    })
}
