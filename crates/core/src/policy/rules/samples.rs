//! Proposals that stand for all others: whatever the catalogue and the rules tell apart differs in one
//! of these. For trying a policy out.
//!
//! Names are made from globs. A letter that no glob has stands for what is not written out, so that a
//! name made from one glob is matched by another only if that one matches nearly all of them.

use super::{Proposal, Rule, Rules};
use crate::requirements::Requirements;
use crate::risk::{Cost, Environment, RiskLevel};
use crate::slots::{Groups, Slots};
use crate::text::{Identifier, InstanceId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use strum::IntoEnumIterator;
use wildmatch::WildMatch;

/// The most pairs of globs for which a name is looked for that both match.
const MAX_PAIRS: usize = 20_000;

/// Proposals, by what they are made of: all combinations.
#[derive(Debug, Clone)]
pub struct SampleSpace {
    /// Types of operations.
    pub operations: Vec<String>,
    /// Instances.
    pub instances: Vec<String>,
    /// Costs, and none.
    pub costs: Vec<Option<Cost>>,
    /// Groups of a requester.
    pub groups: Vec<Groups>,
}

impl SampleSpace {
    /// How many proposals there are.
    pub fn proposal_count(&self) -> usize {
        [self.instances.len(), Environment::iter().len(), self.costs.len(), self.groups.len()]
            .into_iter()
            .fold(self.operations.len(), usize::saturating_mul)
    }

    /// The proposals.
    pub fn proposals(&self) -> impl Iterator<Item = Proposal<'_>> {
        let of_operation = move |operation_type| {
            let of_instance = move |instance_id| {
                let of_environment = move |declared_environment| {
                    let of_cost = move |estimated_cost: &Option<Cost>| {
                        let estimated_cost = *estimated_cost;
                        self.groups.iter().map(move |requester_groups| Proposal {
                            operation_type,
                            instance_id,
                            declared_risk: None,
                            declared_environment,
                            estimated_cost,
                            requester_groups,
                        })
                    };
                    self.costs.iter().flat_map(of_cost)
                };
                Environment::iter().flat_map(of_environment)
            };
            self.instances.iter().map(String::as_str).flat_map(of_instance)
        };
        self.operations.iter().map(String::as_str).flat_map(of_operation)
    }
}

impl Rules {
    /// Proposals that stand for all others.
    pub fn space(&self) -> SampleSpace {
        let conditions = || self.rules.iter().map(|rule| &rule.conditions);
        let operation_globs = texts(conditions().filter_map(|all| all.operations.as_ref()).flatten());
        // Those that make an environment come first: the number of pairs is limited.
        let mut instance_globs = texts(self.non_production.iter());
        instance_globs.extend(texts(conditions().filter_map(|all| all.instances.as_ref()).flatten()));
        let filler = filler(operation_globs.iter().chain(&instance_globs));

        let mut operations: Vec<String> = self.operations.keys().cloned().collect();
        operations.push("an-unlisted-operation".to_owned());
        operations.extend(names(&operation_globs, filler));
        let is_operation = |name: &str| Identifier::parse(name).is_ok();
        let operations = one_of_each_kind(operations, is_operation, |name| {
            let listed = self.operations.get(name);
            let listed = listed.map(|operation| {
                let risks: Vec<_> =
                    Environment::iter().map(|environment| operation.risk(environment)).collect();
                (risks, operation.pending_seconds, operation.execute_within_seconds)
            });
            (listed, self.matching(name, |rule| rule.conditions.operations.as_deref()))
        });

        let mut instances = vec!["an-instance".to_owned()];
        instances.extend(names(&instance_globs, filler));
        let is_instance = |name: &str| InstanceId::parse(name).is_ok();
        let instances = one_of_each_kind(instances, is_instance, |name| {
            (self.environment_of(name), self.matching(name, |rule| rule.conditions.instances.as_deref()))
        });

        let groups = conditions().filter_map(|all| all.requester_groups.as_ref()).flatten();
        let groups: BTreeSet<Groups> = groups.map(|group| Groups::from([group.clone()])).collect();
        let groups = std::iter::once(Groups::new()).chain(groups).collect();
        SampleSpace { operations, instances, costs: self.costs(), groups }
    }

    /// One cost of each range between the amounts that rules name: the amount at its end. A cost
    /// that is left out is above every range.
    fn costs(&self) -> Vec<Option<Cost>> {
        let conditions = self.rules.iter().map(|rule| &rule.conditions);
        let mut amounts: Vec<f64> = conditions
            .flat_map(|all| [all.cost_above, all.cost_at_most])
            .chain(self.rules.iter().map(|rule| rule.demands.cost_limit))
            .flatten()
            .map(Cost::amount)
            .chain([0.0])
            .collect();
        amounts.sort_by(f64::total_cmp);
        amounts.dedup();
        if let Some(highest) = amounts.last().filter(|highest| **highest > 0.0) {
            amounts.push(highest + 1.0);
        }
        std::iter::once(None)
            .chain(amounts.into_iter().filter_map(|amount| Cost::new(amount).ok()).map(Some))
            .collect()
    }

    fn matching<'a>(&'a self, name: &str, globs: impl Fn(&'a Rule) -> Option<&'a [WildMatch]>) -> Vec<bool> {
        let matches = |rule| globs(rule).is_none_or(|globs| globs.iter().any(|glob| glob.matches(name)));
        self.rules.iter().map(matches).collect()
    }

    /// These rules without one of them.
    pub fn without(&self, rule: &Rule) -> Self {
        let rules = self.rules.iter().filter(|other| other.name != rule.name).cloned().collect();
        Self { rules, ..self.clone() }
    }

    /// Whether a rule is about a proposal.
    pub fn concerns(&self, rule: &Rule, proposal: &Proposal<'_>) -> bool {
        rule.conditions.hold(proposal, self.environment_of(proposal.instance_id))
    }

    /// The globs of non-production instances.
    pub fn non_production_globs(&self) -> Vec<String> {
        texts(self.non_production.iter())
    }

    /// The glob that makes an instance non-production, by its name in lower case.
    pub fn non_production_glob_of(&self, name: &str) -> Option<String> {
        self.non_production.iter().find(|glob| glob.matches(name)).map(WildMatch::pattern)
    }
}

impl Rule {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it demands, in words.
    pub fn demands_in_words(&self) -> String {
        self.demands.in_words().join("; ")
    }

    /// Its operation globs that match nothing in the catalogue.
    pub fn idle_operation_globs(&self, rules: &Rules) -> Vec<String> {
        let globs = self.conditions.operations.iter().flatten();
        let is_idle = |glob: &&WildMatch| !rules.operations.keys().any(|name| glob.matches(name));
        globs.filter(is_idle).map(WildMatch::pattern).filter(|glob| could_be_named(glob)).collect()
    }

    /// Its globs that match no name that there can be: the key, what it names, and the glob.
    pub fn impossible_globs(&self) -> Vec<(&'static str, &'static str, String)> {
        let of = |key, what, globs: &Option<Vec<WildMatch>>| {
            let globs = globs.iter().flatten().map(WildMatch::pattern);
            globs.filter(|glob| !could_be_named(glob)).map(|glob| (key, what, glob)).collect::<Vec<_>>()
        };
        let mut impossible = of("operations", "operation", &self.conditions.operations);
        impossible.extend(of("instances", "instance", &self.conditions.instances));
        impossible
    }

    /// Its globs of instances.
    pub fn instance_globs(&self) -> Vec<String> {
        self.conditions.instances.iter().flatten().map(WildMatch::pattern).collect()
    }

    /// Whether it is about production alone.
    pub fn is_about_production(&self) -> bool {
        self.conditions.environment == Some(Environment::Production)
    }

    /// Whether it says anything of a group.
    pub fn names_group(&self, group: &str) -> bool {
        let requesters = self.conditions.requester_groups.iter();
        requesters
            .chain(self.demands.slots.iter().map(|(groups, _)| groups))
            .any(|groups| groups.contains(group))
    }

    /// The end of the range of costs that it is about.
    pub fn cost_at_most(&self) -> Option<Cost> {
        self.conditions.cost_at_most
    }

    /// Whether it demands more people than these requirements, or others.
    pub fn asks_more_people_than(&self, requirements: &Requirements) -> bool {
        let demands = &self.demands;
        demands.risk.is_some_and(|risk| risk > requirements.risk_level)
            || demands.approvals.is_some_and(|approvals| approvals > requirements.approvals_required)
            || requirements.slots.join(&demands.slots) != requirements.slots
    }

    /// Whether whatever another rule demands is demanded by this one.
    pub fn demands_all_of(&self, other: &Self) -> bool {
        let own = self.demands.add_to(no_demands());
        let own = Requirements { approvals_required: own.approvals_required.max(own.slots.total()), ..own };
        other.demands.add_to(own.clone()) == own
    }
}

fn no_demands() -> Requirements {
    Requirements {
        risk_level: RiskLevel::Low,
        environment: Environment::NonProduction,
        approvals_required: 0,
        slots: Slots::default(),
        pending_seconds: u32::MAX,
        execute_within_seconds: u32::MAX,
        permit_seconds: u32::MAX,
        lease_seconds: u32::MAX,
        digest_required: false,
        cost_limit: None,
        justification_min: 0,
        required_fields: BTreeSet::new(),
        pending_limit: u16::MAX,
        approved_limit: u16::MAX,
    }
}

fn texts<'a>(globs: impl Iterator<Item = &'a WildMatch>) -> Vec<String> {
    let mut known = BTreeSet::new();
    globs.map(WildMatch::pattern).filter(|glob| known.insert(glob.clone())).collect()
}

/// A letter that none of the globs has, small or capital.
fn filler<'a>(globs: impl IntoIterator<Item = &'a String>) -> char {
    let letters = globs.into_iter().flat_map(|glob| glob.chars());
    let used: BTreeSet<char> = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    ('a'..='z').rev().chain('0'..='9').find(|letter| !used.contains(letter)).unwrap_or('z')
}

/// Names that globs match: each of them, and each two together. Each in capitals and in small letters as
/// well: only rules match those of another case, and neither the catalogue nor what is non-production.
fn names(globs: &[String], filler: char) -> Vec<String> {
    let mut names: Vec<String> =
        globs.iter().flat_map(|glob| [2, 13].map(|length| named(glob, filler, length))).collect();
    names.extend(
        globs
            .iter()
            .map(|glob| named(glob, filler, 2))
            .flat_map(|name| [name.to_ascii_uppercase(), name.to_ascii_lowercase()]),
    );
    let pairs = globs
        .iter()
        .enumerate()
        .flat_map(|(at, one)| globs.iter().skip(at + 1).map(move |other| (one, other)));
    for (one, other) in pairs.take(MAX_PAIRS) {
        let padded = |glob: &str| glob.replace('*', &format!("*{filler}*"));
        names.extend(common(&padded(one), &padded(other), filler));
        names.extend(common(one, other, filler));
    }
    names
}

/// A name that a glob matches, with so many letters in place of each `*`.
fn named(glob: &str, filler: char, length: usize) -> String {
    let letters = filler.to_string().repeat(length);
    glob.replace('*', &letters).replace('?', &filler.to_string())
}

/// Whether a glob matches a name that a request may have: every name of an operation is one of an instance.
pub fn could_be_named(glob: &str) -> bool {
    // With nothing in place of `*` as well: names have a longest length.
    [0, 1].iter().any(|length| InstanceId::parse(&named(glob, 'x', *length)).is_ok())
}

/// A name that a glob matches.
pub fn example(glob: &str) -> String {
    named(glob, 'x', 1)
}

/// The shortest name that two globs match, if there is one: a walk over the places in both. Its letters
/// are those of the first: the second may be a rule's, and take no notice of capitals.
fn common(one: &str, other: &str, filler: char) -> Option<String> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let is_any = |c: char| c == '*' || c == '?';
    let mut seen = BTreeSet::from([(0, 0)]);
    let mut places = VecDeque::from([((0, 0), String::new())]);
    while let Some(((i, j), name)) = places.pop_front() {
        let (a, b) = (one.get(i).copied(), other.get(j).copied());
        if a.is_none() && b.is_none() {
            return Some(name);
        }
        let mut next = Vec::new();
        // A `*` stands for nothing …
        if a == Some('*') {
            next.push(((i + 1, j), name.clone()));
        }
        if b == Some('*') {
            next.push(((i, j + 1), name.clone()));
        }
        // … or for another letter, and everything else for one.
        if let (Some(a), Some(b)) = (a, b)
            && (a.eq_ignore_ascii_case(&b) || is_any(a) || is_any(b))
        {
            let letter = [a, b].into_iter().find(|c| !is_any(*c)).unwrap_or(filler);
            let after = |at, c| if c == '*' { at } else { at + 1 };
            next.push(((after(i, a), after(j, b)), format!("{name}{letter}")));
        }
        places.extend(next.into_iter().filter(|(place, _)| seen.insert(*place)));
    }
    None
}

/// The first name of each kind, of those that a request may have.
fn one_of_each_kind<K: Ord>(
    names: Vec<String>,
    is_name: impl Fn(&str) -> bool,
    kind: impl Fn(&str) -> K,
) -> Vec<String> {
    let mut kinds = BTreeMap::new();
    for (place, name) in names.into_iter().enumerate() {
        if is_name(&name) {
            kinds.entry(kind(&name)).or_insert((place, name));
        }
    }
    let mut names: Vec<_> = kinds.into_values().collect();
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_globs_have_a_name_in_common_or_none() {
        for (one, other, expected) in [
            ("dev-*", "*-orders", Some("dev-orders")),
            ("dev-*", "prod-*", None),
            ("dev-?", "dev-??", None),
            ("*", "dev-*", Some("dev-")),
            ("a*b", "a?c*b", Some("azcb")),
            ("abc", "a*c", Some("abc")),
            ("", "*", Some("")),
            ("dev-*", "*-ORDERS", Some("dev-ORDERS")),
            ("dev-a*", "DEV-*", Some("dev-a")),
        ] {
            let name = common(one, other, 'z');
            assert_eq!(name.as_deref(), expected, "{one} and {other}");
            if let Some(name) = name {
                assert!(WildMatch::new(one).matches(&name), "{one} and {other}");
                assert!(WildMatch::new_case_insensitive(other).matches(&name), "{one} and {other}");
            }
        }
        // With the letters that stand for anything, the name is not one of a third glob by accident.
        let names = names(&["dev-*".to_owned(), "*-orders".to_owned()], 'z');
        assert!(names.contains(&"dev-z-orders".to_owned()), "{names:?}");
        // In capitals it is not the same to what is non-production, and is to rules.
        assert!(names.contains(&"DEV-ZZ".to_owned()), "{names:?}");
        assert_ne!(filler([&"*Z*".to_owned()]), 'z');
    }
}
