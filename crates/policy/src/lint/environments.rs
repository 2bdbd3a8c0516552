//! Patterns of non-production that take in production, or nothing.

use super::{Lint, Name, Severity};
use countersign_core::policy::rules::Rules;
use countersign_core::policy::rules::samples::{could_be_named, example};
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
    if usual.is_some() || says_production(glob) {
        return usual.or_else(|| Some(example(glob)));
    }
    let words = words(glob);
    // `*test` ends any word, not a word of its own: `prod-latest`.
    let whole = glob.trim_start_matches(['*', '?']);
    let whole =
        if whole.len() < glob.len() { whole.trim_start_matches(char::is_alphanumeric) } else { whole };
    let whole = self::words(whole);
    let is_denied = whole.iter().zip(whole.iter().skip(1)).any(|(first, second)| {
        ["non", "not", "no", "pre"].contains(&first.as_str())
            && ["prod", "production"].contains(&second.as_str())
    });
    if is_denied || whole.iter().any(|word| NOT_PRODUCTION.contains(&word.as_str())) {
        return None;
    }
    if words.iter().any(|word| MAYBE_PRODUCTION.contains(&word.as_str())) {
        return Some(example(glob));
    }
    // `*-01`, and `????-db`: any word may stand in front.
    let begun = BEGINNINGS.into_iter().filter_map(|word| {
        let rest = glob.trim_start_matches('*');
        let rest = if rest.len() < glob.len() { rest } else { glob.strip_prefix(&"?".repeat(word.len()))? };
        let joint = if rest.starts_with(char::is_alphanumeric) { "-x" } else { "" };
        Some(format!("{word}{joint}{}", example(rest)))
    });
    let begun = begun.filter(|name| pattern.matches(name));
    // `arn:aws:rds:*`: every name of a cloud begins so.
    let of_cloud = glob.strip_suffix('*').filter(|prefix| prefix.ends_with([':', '/']));
    let of_cloud = of_cloud.map(|prefix| format!("{}prod-db", example(prefix)));
    begun.chain(of_cloud).next()
}

/// What a name of production begins with.
const BEGINNINGS: [&str; 4] = ["prod", "production", "live", "main"];
/// Words that production has in some places, unless a word says what else it is.
const MAYBE_PRODUCTION: [&str; 4] = ["prd", "live", "main", "p"];
/// Words for what is no production.
const NOT_PRODUCTION: [&str; 46] = [
    "poc",
    "perf",
    "performance",
    "load",
    "loadtest",
    "e2e",
    "exp",
    "experiment",
    "dev",
    "devel",
    "develop",
    "development",
    "test",
    "tests",
    "testing",
    "tst",
    "stage",
    "staging",
    "stg",
    "qa",
    "uat",
    "int",
    "integration",
    "ci",
    "demo",
    "sandbox",
    "sbx",
    "playground",
    "lab",
    "local",
    "tmp",
    "temp",
    "preview",
    "pr",
    "nonprod",
    "nonproduction",
    "notprod",
    "noprod",
    "preprod",
    "preproduction",
    "acceptance",
    "acc",
    "training",
    "beta",
    "alpha",
    "canary",
];

/// The words of a pattern, without the numbers at their ends.
fn words(glob: &str) -> Vec<String> {
    let words = glob.split(|c: char| !c.is_alphanumeric());
    let words = words.map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether a text has production in it as a word, and not as what it is not.
fn says_production(text: &str) -> bool {
    let words = words(text);
    let is_production = |word: &String| matches!(word.as_str(), "prod" | "production");
    let is_denied = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        before.is_some_and(|word| ["non", "not", "no", "pre"].contains(&word.as_str()))
    };
    words.iter().enumerate().any(|(at, word)| is_production(word) && !is_denied(at))
}

/// Instances that a rule takes for production and a pattern does not.
fn contradicted(rules: &Rules) -> Vec<Lint> {
    let of_rule = |rule: &countersign_core::policy::rules::Rule| {
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
    fn names_of_production_differ_from_others() {
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
            "product-dev-*",
            "dev-products",
            "*-product-test",
            "prodigy-dev",
            "reproduction-*",
            "arn:aws:rds:*:*:db:dev-*",
            "/subscriptions/sandbox/*",
            "feature-*",
            "*-non-prod",
            "*-non-production",
            "*-pre-prod",
            "*-not-prod",
            "*-poc",
            "*-perf",
            "*-e2e",
            "*-uat-01",
        ] {
            assert_eq!(production_name(glob), None, "{glob}");
        }
        for glob in [
            "*-db",
            "p*",
            "prod-test-*",
            "*prod*",
            "*test",
            "*dev*",
            "????",
            "copy-of-production-*",
            "*1",
            "*-db-*",
            "*-01",
            "*-0?",
            "????-db-??",
            "*_db",
            "*-primary",
            "*-cluster",
            "*-api",
            "*.*",
            "/subscriptions/*",
            "arn:aws:rds:*",
            "*:db:*",
            "p-*",
            "live-*",
            "main-*",
            "orders_prod",
            "*-prod-*",
            "prod1-*",
        ] {
            let name = production_name(glob).unwrap_or_else(|| panic!("{glob}"));
            assert!(WildMatch::new(glob).matches(&name), "{glob} does not match {name}");
        }
    }
}
