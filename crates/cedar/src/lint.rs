//! What is odd about policies that fit their schema: those that can never hold, comparisons with what there
//! cannot be, names that a spelling evades, reasons that no caller is shown.

mod alternatives;
mod comparisons;
mod trials;

use crate::named_policy::{NamedPolicy, REASON};
use crate::policies::CedarPolicies;
use cedar_policy::{Effect, Policy};
use countersign_access::{Access, Attribute, Warning};
use countersign_core::policy::finding::Name;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use trials::Holds;

/// The most alternatives of a policy that are tried by themselves.
const MAX_ALTERNATIVES: usize = 50;

/// The annotations that mean something.
const ANNOTATIONS: [&str; 2] = ["id", REASON];

/// When a policy holds, as far as it can be known.
#[derive(PartialEq, Eq)]
enum When {
    Never,
    Before,
    Sometime,
}

impl CedarPolicies {
    /// What is odd about each policy, in the order of the text. Puts some ten thousand questions: for
    /// trying a policy out, not for a start.
    ///
    /// `now` tells times that are over.
    pub fn lint(&self, now: Timestamp) -> Vec<Warning> {
        let mut warnings = BTreeSet::new();
        for named in &self.policies {
            let (line, column) = named.place;
            for (name, reason) in self.oddities(named, now) {
                let reason = format!("policy `{}` {reason}", named.policy.id());
                warnings.insert(Warning { file: self.file.clone(), line, column, name, reason });
            }
        }
        warnings.into_iter().collect()
    }

    fn oddities(&self, named: &NamedPolicy, now: Timestamp) -> Vec<(Name, String)> {
        let is_permit = named.policy.effect() == Effect::Permit;
        let mut found = Vec::new();
        let so = if is_permit { "permits nothing" } else { "forbids nothing" };
        let json = named.policy.to_json().unwrap_or(Value::Null);
        match self.when(named, now) {
            When::Never => found.push((
                Name::PolicyNeverHolds,
                format!("can never hold, and {so}: no time, person or request meets all of its conditions"),
            )),
            When::Before => found.push((
                Name::PolicyIsOver,
                format!("{so} any more: the times that it names are over; was another year meant?"),
            )),
            When::Sometime => {}
        }
        found.extend(comparisons::odd(&json, is_permit, &self.entity_types));
        // What is impossible about a comparison says why its alternative never holds.
        if found.is_empty() {
            found.extend(self.odd_alternatives(named, &json, now));
        }
        for (annotation, _) in named.policy.annotations() {
            if !ANNOTATIONS.contains(&annotation) {
                let annotation = annotation.escape_debug();
                found.push((
                    Name::UnknownAnnotation,
                    format!("has `@{annotation}`, which means nothing here: there are @id and @reason"),
                ));
            }
        }
        if is_permit && named.reason.is_some() {
            let message = "has a @reason that is never shown: refusals name what forbids, not what permits";
            found.push((Name::ReasonNeverShown, message.to_owned()));
        }
        found
    }

    fn when(&self, named: &NamedPolicy, now: Timestamp) -> When {
        // By itself: whether it holds, and what it names, is not to be hidden behind another.
        let alone = Access::parse(&self.file, &named.policy.to_string(), &self.groups, &self.time_zone);
        let Ok(alone) = alone else { return When::Sometime };
        let nowhere_from = |from| trials::holds(named, &alone, &self.entity_types, from) == Holds::Nowhere;
        match nowhere_from(Timestamp::EARLIEST) {
            true => When::Never,
            false if named.wanted.contains(&Attribute::Time) && nowhere_from(now) => When::Before,
            false => When::Sometime,
        }
    }

    /// Alternatives of conditions that can never hold, each by itself: the policy holds without them, and its
    /// author believes that it holds for more.
    fn odd_alternatives(&self, named: &NamedPolicy, policy: &Value, now: Timestamp) -> Vec<(Name, String)> {
        let mut found = Vec::new();
        for (alternative, with) in alternatives::of(policy).into_iter().take(MAX_ALTERNATIVES) {
            let Ok(policy) = Policy::from_json(Some(named.policy.id().clone()), with) else { continue };
            let (name, so) = match self.when(&NamedPolicy { policy, ..named.clone() }, now) {
                When::Never => (Name::PolicyNeverHolds, "can never hold"),
                When::Before => (Name::PolicyIsOver, "names times that are over"),
                When::Sometime => continue,
            };
            found.push((
                name,
                format!("has an alternative that {so}, its {alternative}: `||` leaves the others"),
            ));
        }
        found
    }
}
