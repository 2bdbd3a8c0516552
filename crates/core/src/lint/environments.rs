//! Patterns of non-production that take in production, or nothing.

use super::{Lint, Name, Severity};
use crate::rules::Rules;
use crate::rules::representatives::{could_be_named, example};
use wildmatch::WildMatch;

/// Names as they are usual for production.
const USUAL_IN_PRODUCTION: [&str; 13] = [
    "prod",
    "prod-db",
    "prod-1",
    "prod1",
    "proddb",
    "prod-orders-db",
    "production",
    "production-db",
    "production-orders-db",
    "orders-prod",
    "orders-production",
    "prd-db",
    "orders-prd",
];

/// What is odd about `non_production_instances`, also in the light of rules that speak of production.
pub(super) fn lint(rules: &Rules) -> Vec<Lint> {
    let of_patterns = rules.non_production_globs().into_iter().filter_map(|glob| {
        let (name, message) = oddity(&glob)?;
        let path = ["environments", "non_production_instances"];
        Some(Lint::new(Severity::Warning, name, &path, message))
    });
    of_patterns.chain(contradicted(rules)).collect()
}

fn oddity(glob: &str) -> Option<(Name, String)> {
    if !could_be_named(glob) {
        let message = format!("`{glob}` matches no name that an instance may have");
        return Some((Name::ImpossibleText, message));
    }
    let lower = glob.to_ascii_lowercase();
    if lower != glob {
        let message = format!(
            "`{glob}` matches nothing: an instance is non-production only if its name is so in lower case too; write `{lower}`"
        );
        return Some((Name::CapitalsInName, message));
    }
    let name = production_name(glob)?;
    let message = format!("`{glob}` makes `{name}` non-production, which looks like a name of production");
    Some((Name::ProductionInNonProduction, message))
}

/// A name that the pattern matches and that looks like one of production.
fn production_name(glob: &str) -> Option<String> {
    let pattern = WildMatch::new(glob);
    let usual = USUAL_IN_PRODUCTION.into_iter().find(|name| pattern.matches(name)).map(str::to_owned);
    usual.or_else(|| says_production(glob).then(|| example(glob))).or_else(|| {
        // `*test` ends any word, not a word of its own: `prod-latest`.
        let part_of_a_word = glob.strip_prefix('*').filter(|rest| rest.starts_with(char::is_alphanumeric));
        part_of_a_word.map(|rest| format!("prod-x{}", example(rest)))
    })
}

/// Whether a text has production in it, and not as what it is not.
fn says_production(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices("prod").any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().trim_end_matches(['-', '_', '.']);
        !["non", "not", "no", "pre"].iter().any(|not| before.ends_with(not))
    })
}

/// Instances that a rule takes for production and a pattern does not.
fn contradicted(rules: &Rules) -> Vec<Lint> {
    let of_rule = |rule: &crate::rules::Rule| {
        let globs = rule.instance_globs().into_iter();
        let contradicted = globs.filter_map(|glob| {
            let name = example(&glob).to_ascii_lowercase();
            let pattern = rules.non_production_glob_of(&name)?;
            (rule.is_about_production() || says_production(&glob)).then(|| {
                let message = format!(
                    "`{glob}` is meant as production, and `{pattern}` makes `{name}` non-production: the rule takes it for production only where the requester declares that"
                );
                let path = ["rules", rule.name(), "instances"];
                Lint::new(Severity::Warning, Name::ProductionInNonProduction, &path, message)
            })
        });
        contradicted.collect::<Vec<_>>()
    };
    rules.rules().iter().flat_map(of_rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_production_are_told_from_others() {
        for glob in [
            "dev-*",
            "*-dev",
            "*-dev-*",
            "test-??",
            "nonprod-*",
            "non-prod-*",
            "pre_prod*",
            "*-preprod",
            "qa",
        ] {
            assert_eq!(production_name(glob), None, "{glob}");
        }
        for glob in
            ["*-db", "p*", "prod-test-*", "*prod*", "*test", "*dev*", "????", "copy-of-production-*", "*1"]
        {
            let name = production_name(glob).unwrap_or_else(|| panic!("{glob}"));
            assert!(WildMatch::new(glob).matches(&name), "{glob} does not match {name}");
        }
    }
}
