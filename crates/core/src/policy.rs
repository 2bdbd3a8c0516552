//! What policy demands of a request: its risk, its environment, how many must agree, how long it
//! lives. Reads `operations.toml` from text; where the text comes from is the shell's business.

use crate::digest::Digest;
use crate::risk::{Environment, RiskLevel};
use serde::Deserialize;
use std::collections::BTreeMap;
use wildmatch::WildMatch;

/// The text of the policy that comes with Countersign.
const BUNDLED: &str = include_str!("../../../policy/operations.toml");

/// The longest lifetime a policy may give, pending or approved: 30 days.
pub const MAX_LIFETIME_SECONDS: u32 = 30 * 24 * 60 * 60;

/// The most approvals a policy may ask for. Bounds a request's size, see
/// [`crate::request::MAX_COMMENTS`].
pub const MAX_APPROVALS: u8 = 10;

/// A checked policy.
#[derive(Debug, Clone)]
pub struct Policy {
    version: Digest,
    defaults: Defaults,
    approvals: Approvals,
    non_production: Vec<WildMatch>,
    operations: BTreeMap<String, OperationRule>,
}

/// What policy demands of one request. Pinned to it when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The effective risk.
    pub risk_level: RiskLevel,
    /// The effective environment.
    pub environment: Environment,
    /// How many distinct people must agree.
    pub approvals_required: u8,
    /// How long it may stay pending, in seconds.
    pub pending_seconds: u32,
    /// How long it may stay approved without being started, in seconds.
    pub execute_within_seconds: u32,
}

/// The text is not a policy that may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, or not of the shape of a policy.
    #[error("operations.toml cannot be read: {0}")]
    Unreadable(String),
    /// A rule asks for less than the floor, or contradicts another.
    #[error("operations.toml, {place}: {rule}")]
    Refused {
        /// The table or key.
        place: String,
        /// The rule it breaks.
        rule: String,
    },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationsFile {
    defaults: Defaults,
    approvals: Approvals,
    environments: Environments,
    #[serde(default)]
    operations: BTreeMap<String, OperationRule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    pending_seconds: u32,
    execute_within_seconds: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approvals {
    low: u8,
    medium: u8,
    high: u8,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Environments {
    #[serde(default)]
    non_production_instances: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationRule {
    production: RiskLevel,
    non_production: RiskLevel,
    pending_seconds: Option<u32>,
    execute_within_seconds: Option<u32>,
}

impl Policy {
    /// The policy that comes with Countersign.
    ///
    /// # Errors
    /// None in a build that passed its tests.
    pub fn bundled() -> Result<Self, PolicyError> {
        Self::parse(BUNDLED)
    }

    /// Reads and checks the text of `operations.toml`.
    ///
    /// # Errors
    /// Text that is not TOML, unknown keys, and every rule that asks for less than the floors:
    /// medium needs one approval or more, high two or more; a higher risk never needs fewer; an
    /// operation is never less risky in production than outside it.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: OperationsFile =
            toml::from_str(text).map_err(|error| PolicyError::Unreadable(error.to_string()))?;
        check_approvals(&file.approvals)?;
        check_lifetime("defaults", file.defaults.pending_seconds)?;
        check_lifetime("defaults", file.defaults.execute_within_seconds)?;
        for (name, rule) in &file.operations {
            let place = format!("operations.{name}");
            if rule.production < rule.non_production {
                return refuse(&place, "production must not be less risky than non_production");
            }
            for seconds in [rule.pending_seconds, rule.execute_within_seconds].into_iter().flatten() {
                check_lifetime(&place, seconds)?;
            }
        }
        let globs = file.environments.non_production_instances;
        if let Some(glob) = globs.iter().find(|glob| glob.chars().all(|c| c == '*' || c == '?')) {
            return refuse(
                "environments.non_production_instances",
                &format!("`{glob}` would make every instance non-production"),
            );
        }
        Ok(Self {
            version: Digest::of(text),
            defaults: file.defaults,
            approvals: file.approvals,
            non_production: globs.iter().map(|glob| WildMatch::new(glob)).collect(),
            operations: file.operations,
        })
    }

    /// Names this policy: the SHA-256 of its text.
    pub fn version(&self) -> Digest {
        self.version
    }

    /// What this policy demands of an operation on an instance. Declarations raise, never lower.
    pub fn assess(
        &self,
        operation_type: &str,
        instance_id: &str,
        declared_risk: Option<RiskLevel>,
        declared_environment: Environment,
    ) -> Terms {
        let environment = self.environment_of(instance_id).max(declared_environment);
        let rule = self.operations.get(operation_type);
        let listed_risk = match (rule, environment) {
            (None, _) => RiskLevel::High,
            (Some(rule), Environment::Production) => rule.production,
            (Some(rule), Environment::NonProduction) => rule.non_production,
        };
        let risk_level = listed_risk.max(declared_risk.unwrap_or(listed_risk));
        Terms {
            risk_level,
            environment,
            approvals_required: match risk_level {
                RiskLevel::Low => self.approvals.low,
                RiskLevel::Medium => self.approvals.medium,
                RiskLevel::High => self.approvals.high,
            },
            pending_seconds: rule
                .and_then(|rule| rule.pending_seconds)
                .unwrap_or(self.defaults.pending_seconds),
            execute_within_seconds: rule
                .and_then(|rule| rule.execute_within_seconds)
                .unwrap_or(self.defaults.execute_within_seconds),
        }
    }

    /// The longest time a request may stay pending under this policy, in seconds.
    pub fn longest_pending_seconds(&self) -> u32 {
        self.operations
            .values()
            .filter_map(|rule| rule.pending_seconds)
            .fold(self.defaults.pending_seconds, u32::max)
    }

    fn environment_of(&self, instance_id: &str) -> Environment {
        if self.non_production.iter().any(|glob| glob.matches(instance_id)) {
            Environment::NonProduction
        } else {
            Environment::Production
        }
    }
}

/// The floors of the design. They hold whatever a file says.
fn check_approvals(approvals: &Approvals) -> Result<(), PolicyError> {
    for (name, approvals, level) in [
        ("approvals.medium", approvals.medium, RiskLevel::Medium),
        ("approvals.high", approvals.high, RiskLevel::High),
    ] {
        let fewest = level.fewest_approvals();
        if approvals < fewest {
            return refuse(name, &format!("must be at least {fewest}"));
        }
    }
    if approvals.low > approvals.medium || approvals.medium > approvals.high {
        return refuse("approvals", "a higher risk must not need fewer approvals");
    }
    if approvals.high > MAX_APPROVALS {
        return refuse("approvals.high", &format!("must be at most {MAX_APPROVALS}"));
    }
    Ok(())
}

fn check_lifetime(place: &str, seconds: u32) -> Result<(), PolicyError> {
    if (1..=MAX_LIFETIME_SECONDS).contains(&seconds) {
        return Ok(());
    }
    refuse(place, &format!("a lifetime must be from 1 to {MAX_LIFETIME_SECONDS} seconds"))
}

fn refuse<T>(place: &str, rule: &str) -> Result<T, PolicyError> {
    Err(PolicyError::Refused { place: place.to_owned(), rule: rule.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Environment::{NonProduction, Production};
    use RiskLevel::{High, Low, Medium};

    #[test]
    fn the_bundled_policy_as_a_table() {
        let policy = Policy::bundled().unwrap();
        for (operation, instance, risk, environment, expected, approvals, pending) in [
            ("modify_instance_class", "production-db-01", None, Production, (High, Production), 2, 259_200),
            ("modify_instance_class", "dev-db-01", None, NonProduction, (Medium, NonProduction), 1, 259_200),
            ("modify_storage", "dev-db-01", None, NonProduction, (Medium, NonProduction), 1, 259_200),
            (
                "enable_enhanced_monitoring",
                "production-db-01",
                None,
                Production,
                (Low, Production),
                0,
                259_200,
            ),
            ("delete_instance", "dev-db-01", None, NonProduction, (High, NonProduction), 2, 259_200),
            ("execute_bash", "dev-host", None, NonProduction, (High, NonProduction), 2, 300),
            ("read_file", "dev-host", None, NonProduction, (Low, NonProduction), 0, 300),
            ("write_file", "dev-host", None, NonProduction, (Medium, NonProduction), 1, 300),
            // A declared environment or risk raises …
            ("modify_storage", "dev-db-01", None, Production, (High, Production), 2, 259_200),
            (
                "enable_enhanced_monitoring",
                "dev-db-01",
                Some(High),
                NonProduction,
                (High, NonProduction),
                2,
                259_200,
            ),
            // … and never lowers.
            ("modify_storage", "orders-db", None, NonProduction, (High, Production), 2, 259_200),
            (
                "modify_instance_class",
                "production-db-01",
                Some(Low),
                Production,
                (High, Production),
                2,
                259_200,
            ),
            // Globs are for whole names, in one case.
            ("modify_storage", "DEV-db-01", None, NonProduction, (High, Production), 2, 259_200),
            ("modify_storage", "x-dev-db-01", None, NonProduction, (High, Production), 2, 259_200),
            // What is not listed is high.
            ("drop_everything", "dev-db-01", Some(Low), NonProduction, (High, NonProduction), 2, 259_200),
            ("Read_File", "dev-host", None, NonProduction, (High, NonProduction), 2, 259_200),
        ] {
            let terms = policy.assess(operation, instance, risk, environment);
            assert_eq!((terms.risk_level, terms.environment), expected, "{operation} on {instance}");
            assert_eq!(
                (terms.approvals_required, terms.pending_seconds),
                (approvals, pending),
                "{operation} on {instance}"
            );
        }
    }

    #[test]
    fn a_policy_below_the_floors_is_refused() {
        for (from, to, place) in [
            ("medium = 1", "medium = 0", "approvals.medium"),
            ("high = 2", "high = 1", "approvals.high"),
            ("high = 2", "high = 0", "approvals.high"),
            ("medium = 1", "medium = 3", "approvals"),
            ("high = 2", "high = 11", "approvals.high"),
            ("high = 2", "high = -2", "cannot be read"),
            ("pending_seconds = 259_200", "pending_seconds = 0", "lifetime"),
            ("\"dev-*\"", "\"*\"", "non_production_instances"),
            (
                "production = \"medium\"\nnon_production = \"low\"",
                "production = \"low\"\nnon_production = \"medium\"",
                "create_snapshot",
            ),
            ("production = \"high\"", "production = \"HIGH\"", "cannot be read"),
            ("production = \"high\"", "prodution = \"high\"", "cannot be read"),
            ("[approvals]", "[approval]", "cannot be read"),
        ] {
            let text = BUNDLED.replacen(from, to, 1);
            assert_ne!(text, BUNDLED, "{from}");
            let error = Policy::parse(&text).unwrap_err().to_string();
            assert!(error.contains(place), "{to}: {error}");
        }
        assert!(Policy::parse("").is_err());
    }

    #[test]
    fn every_cut_of_the_file_is_refused_or_keeps_high_at_two() {
        for end in (0..BUNDLED.len()).filter(|end| BUNDLED.is_char_boundary(*end)) {
            let Some(text) = BUNDLED.get(..end) else { continue };
            if let Ok(policy) = Policy::parse(text) {
                let terms = policy.assess("modify_instance_class", "production-db-01", None, Production);
                assert!(terms.approvals_required >= 2, "cut at {end}");
            }
        }
    }
}
