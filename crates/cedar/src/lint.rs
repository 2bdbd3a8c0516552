//! What is odd about policies that fit their schema: those that can never hold, comparisons with what there
//! cannot be, names that a spelling evades, reasons that nobody is shown.

mod comparisons;
mod trials;

use crate::access::{CedarAccess, NamedPolicy, REASON};
use crate::literals::Literals;
use crate::problem::Warning;
use cedar_policy::Effect;
use countersign_core::lint::Name;
use serde_json::Value;
use std::collections::BTreeSet;
use trials::Holds;

/// The annotations that mean something.
const ANNOTATIONS: [&str; 2] = ["id", REASON];

impl CedarAccess {
    /// What is odd about each policy, in the order of the text. Puts some ten thousand questions: for
    /// trying a policy out, not for a start.
    pub fn lint(&self) -> Vec<Warning> {
        let mut warnings = BTreeSet::new();
        for named in &self.policies {
            let (line, column) = named.place;
            for (name, reason) in self.oddities(named) {
                let reason = format!("policy `{}` {reason}", named.policy.id());
                warnings.insert(Warning { file: self.file.clone(), line, column, name, reason });
            }
        }
        warnings.into_iter().collect()
    }

    fn oddities(&self, named: &NamedPolicy) -> Vec<(Name, String)> {
        let literals = Literals::of(&named.policy);
        let is_permit = named.policy.effect() == Effect::Permit;
        let mut found = Vec::new();
        if trials::holds(named, &literals, &self.vocabulary) == Holds::Nowhere {
            let so = if is_permit { "permits nothing" } else { "forbids nothing" };
            found.push((
                Name::PolicyNeverHolds,
                format!("can never hold, and {so}: no time, person or request meets all of its conditions"),
            ));
        }
        let json = named.policy.to_json().unwrap_or(Value::Null);
        found.extend(comparisons::odd(&json, is_permit, &self.vocabulary));
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
}
