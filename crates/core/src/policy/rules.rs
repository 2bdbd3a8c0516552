//! What operations demand: their risk, and rules that raise the demand. Reads `operations.toml`
//! from text.
//!
//! The catalogue (`[operations.NAME]`) says how risky an operation is; what is not in it is high.
//! Rules (`[rules.NAME]`) only ever add to that: whatever a rule says, adding it makes no request
//! easier. The floors of [`RiskLevel::min_approvals`] hold whatever a file says.

use crate::policy::mistake::Mistake;
use crate::policy::source::Source;
use crate::requirements::{
    JUSTIFICATION, MAX_APPROVED_LIMIT, MAX_PENDING_LIMIT, MatchedRule, Requirements, StatedFields, Violation,
};
use crate::risk::{Cost, Environment, RiskLevel};
use crate::runbook::Runbook;
use crate::slots::{Groups, Slots};
use crate::text::Identifier;
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use strum::IntoEnumIterator;
use wildmatch::WildMatch;

mod bounds;
mod catalogue;
pub mod conditions;
mod effects;
mod file;
pub mod samples;

use bounds::{check_justification, check_lifetime, check_limit, check_seconds, check_spellings};
use catalogue::{CarriedOut, Operation, check_operation, read_executors};
use conditions::{Conditions, ConditionsTable};
use effects::{Effects, approvals_in_words, justification_in_words, lifetimes_in_words};
use file::{Approvals, Defaults, OperationsFile, RuleTable};

/// The name of the file, in messages.
pub const FILE: &str = "operations.toml";

/// The longest lifetime a policy may give, pending or approved: 30 days.
pub const MAX_LIFETIME_SECONDS: u32 = 30 * 24 * 60 * 60;

/// The most approvals a policy may ask for. Bounds a request's size, see
/// [`crate::request::MAX_COMMENTS`].
pub const MAX_APPROVALS: u8 = 10;

/// The most rules a policy may have.
pub const MAX_RULES: usize = 200;
/// The most rules that may match one request, which remembers them.
pub const MAX_MATCHED_RULES: usize = 16;
/// The longest name of a rule, in bytes.
const MAX_RULE_NAME: usize = 64;
/// How many pending requests one requester may have, unless policy says otherwise.
pub const DEFAULT_PENDING_LIMIT: u16 = 50;
/// How many approved requests that were not started one requester may have when policy approves another
/// at once, unless policy says otherwise.
pub const DEFAULT_APPROVED_LIMIT: u16 = 1000;
/// How long a permit lasts, unless policy says otherwise: 15 minutes.
pub const DEFAULT_PERMIT_SECONDS: u32 = 15 * 60;
/// The longest time a policy may let a permit last: an hour.
pub const MAX_PERMIT_SECONDS: u32 = 60 * 60;
/// How long an execution may be silent, unless policy says otherwise: an hour.
pub const DEFAULT_LEASE_SECONDS: u32 = 60 * 60;
/// The longest time a policy may let an execution be silent: a week.
pub const MAX_LEASE_SECONDS: u32 = 7 * 24 * 60 * 60;
/// The longest time for which a policy may let an anomaly raise the risk of what a person asks for: 30 days, in hours.
pub const MAX_RAISE_HOURS: u16 = 30 * 24;
/// The part of an assessment that says which risk the requester has declared.
pub const DECLARED: &str = "declared";
/// The part of an assessment that says that an anomaly has raised the risk; the table of the file.
pub const ANOMALIES: &str = "anomalies";
/// The longest justification that a policy may demand, in characters: as long as one may be.
pub const MAX_JUSTIFICATION: u16 = 4000;

/// What operations demand.
#[derive(Debug, Clone)]
pub struct Rules {
    time_zone: String,
    restored_at: Option<Timestamp>,
    defaults: Defaults,
    approvals: Approvals,
    non_production: Vec<WildMatch>,
    operations: BTreeMap<String, Operation>,
    executors: BTreeMap<String, CarriedOut>,
    raise_hours: Option<u16>,
    rules: Vec<Rule>,
}

/// What is to be done, as far as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// What is to be done.
    pub operation_type: &'a str,
    /// The instance that the operation is for.
    pub instance_id: &'a str,
    /// The risk the requester believes it has; may raise what policy says.
    pub declared_risk: Option<RiskLevel>,
    /// The environment the requester believes it is; may raise what policy says.
    pub declared_environment: Environment,
    /// What it is expected to cost; left out, it counts as above every range.
    pub estimated_cost: Option<Cost>,
    /// The groups of the requester.
    pub requester_groups: &'a Groups,
}

/// What policy demands of a proposal, and which parts of it said so.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The demands, put together.
    pub requirements: Requirements,
    /// What each part of the policy demanded.
    pub rules: Vec<MatchedRule>,
}

impl Assessment {
    /// The demands that a request does not meet, with the parts of the policy that demand so long a
    /// justification.
    pub fn violations(&self, stated: StatedFields) -> Vec<Violation> {
        let words = justification_in_words(self.requirements.justification_min);
        let parts =
            self.rules.iter().filter(|part| words.as_ref().is_some_and(|words| part.demands.contains(words)));
        let parts: Vec<&str> = parts.map(|part| part.name.as_str()).collect();
        let mut violations = self.requirements.violations(stated);
        for demand in violations.iter_mut().filter(|demand| demand.field == JUSTIFICATION) {
            demand.rule = format!("{} ({})", demand.rule, parts.join(", "));
        }
        violations
    }
}

/// A rule: which requests it is about, and what it demands of them.
#[derive(Debug, Clone)]
pub struct Rule {
    name: String,
    conditions: Conditions,
    demands: Effects,
}

impl Rules {
    /// Reads and checks the text of `operations.toml`. `groups` are the names that mean anything.
    ///
    /// # Errors
    /// Text that is not TOML, unknown keys, and every rule that asks for less than the floors:
    /// medium needs one approval or more, high two or more; a higher risk never needs fewer; an
    /// operation is never less risky in production than outside it.
    pub fn parse(text: &str, groups: &Groups) -> Result<Self, Mistake> {
        let source = Source { file: FILE, text };
        let file: OperationsFile = source.read()?;
        check_approvals(source, &file.approvals)?;
        check_lifetime(source, &["defaults", "pending_seconds"], file.defaults.pending_seconds)?;
        check_lifetime(
            source,
            &["defaults", "execute_within_seconds"],
            file.defaults.execute_within_seconds,
        )?;
        check_seconds(
            source,
            &["defaults", "permit_seconds"],
            file.defaults.permit_seconds,
            MAX_PERMIT_SECONDS,
        )?;
        check_seconds(
            source,
            &["defaults", "lease_seconds"],
            file.defaults.lease_seconds,
            MAX_LEASE_SECONDS,
        )?;
        for (key, limit, most) in [
            ("pending_limit", file.defaults.pending_limit, MAX_PENDING_LIMIT),
            ("approved_limit", file.defaults.approved_limit, MAX_APPROVED_LIMIT),
        ] {
            check_limit(source, &["defaults", key], limit, most)?;
        }
        check_justification(source, &["defaults", "justification_min"], file.defaults.justification_min)?;
        if let Some(anomalies) = file.anomalies {
            check_limit(source, &[ANOMALIES, "raise_hours"], anomalies.raise_hours, MAX_RAISE_HOURS)?;
        }
        for (name, operation) in &file.operations {
            check_operation(source, name, operation)?;
        }
        check_spellings(source, file.operations.keys())?;
        let globs = file.environments.non_production_instances;
        if let Some(glob) = globs.iter().find(|glob| glob.chars().all(|c| c == '*' || c == '?')) {
            return source.refuse(
                &["environments", "non_production_instances"],
                format!("must not hold `{glob}`, which would make every instance non-production"),
            );
        }
        if file.rules.len() > MAX_RULES {
            let count = file.rules.len();
            return source.refuse(&["rules"], format!("must be at most {MAX_RULES}: there are {count}"));
        }
        let rules = file
            .rules
            .into_iter()
            .map(|(name, table)| Rule::read(source, name, table, groups))
            .collect::<Result<_, _>>()?;
        let restored_at = match file.restored_at.as_deref().map(Timestamp::parse).transpose() {
            Ok(restored_at) => restored_at,
            Err(error) => return source.refuse(&["restored_at"], error.to_string()),
        };
        let executors = read_executors(source, &file.operations)?;
        Ok(Self {
            executors,
            raise_hours: file.anomalies.map(|anomalies| anomalies.raise_hours),
            restored_at,
            time_zone: file.time_zone,
            defaults: file.defaults,
            approvals: file.approvals,
            non_production: globs.iter().map(|glob| WildMatch::new(glob)).collect(),
            operations: file.operations,
            rules,
        })
    }

    /// The time zone in which access policies read the clock: a name of the IANA database.
    pub fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// For how long an anomaly raises the risk of what the person asks for, in seconds; none if it does not.
    pub fn raise_seconds(&self) -> Option<u32> {
        self.raise_hours.map(|hours| u32::from(hours) * 60 * 60)
    }

    /// When the store was last restored from a backup: no approval from before counts any more.
    pub fn restored_at(&self) -> Option<Timestamp> {
        self.restored_at
    }

    /// The names of the operations in the catalogue.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    /// The executor of an operation; none where its requester carries it out.
    pub fn executor(&self, operation_type: &str) -> Option<&Identifier> {
        self.executors.get(operation_type).map(|carried_out| &carried_out.executor)
    }

    /// The runbook by which the executor of an operation carries it out, if policy names it.
    pub fn runbook(&self, operation_type: &str) -> Option<&Runbook> {
        self.executors.get(operation_type)?.runbook.as_ref()
    }

    /// What the catalogue says of each operation in each environment: how risky it is, and how many must
    /// agree. Rules may demand more of a request.
    pub fn catalogue(&self) -> impl Iterator<Item = (&str, Environment, RiskLevel, u8)> {
        self.operations.iter().flat_map(move |(name, operation)| {
            Environment::iter().map(move |environment| {
                let risk_level = operation.risk(environment);
                (name.as_str(), environment, risk_level, self.approvals.of(risk_level))
            })
        })
    }

    /// The rules, by name.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What is demanded of an operation on an instance. Declarations raise, never lower.
    pub fn assess(&self, proposal: &Proposal<'_>) -> Assessment {
        let environment = self.environment_of(proposal.instance_id);
        let effective = environment.max(proposal.declared_environment);
        let mut matched = vec![];
        let operation = self.operations.get(proposal.operation_type);
        let mut requirements = self.listed(proposal.operation_type, operation, effective, &mut matched);
        if let Some(declared) = proposal.declared_risk.filter(|declared| *declared > requirements.risk_level)
        {
            requirements.risk_level = declared;
            let demands = vec![format!("risk {}", declared.as_str())];
            matched.push(MatchedRule { name: DECLARED.to_owned(), demands });
        }
        for rule in self.rules.iter().filter(|rule| rule.conditions.hold(proposal, environment)) {
            requirements = rule.demands.add_to(requirements);
            matched.push(MatchedRule { name: rule.place(), demands: rule.demands.in_words() });
        }
        let by_risk = self.approvals.of(requirements.risk_level);
        if by_risk > 0 {
            let name = format!("approvals.{}", requirements.risk_level.as_str());
            matched.push(MatchedRule { name, demands: vec![approvals_in_words(by_risk)] });
        }
        requirements.approvals_required =
            requirements.approvals_required.max(by_risk).max(requirements.slots.total());
        Assessment { requirements, rules: matched }
    }

    /// What the catalogue says of an operation.
    fn listed(
        &self,
        operation_type: &str,
        operation: Option<&Operation>,
        environment: Environment,
        matched: &mut Vec<MatchedRule>,
    ) -> Requirements {
        let risk_level = operation.map_or(RiskLevel::High, |operation| operation.risk(environment));
        let pending_seconds = operation.and_then(|operation| operation.pending_seconds);
        let execute_within_seconds = operation.and_then(|operation| operation.execute_within_seconds);
        let (name, risk) = match operation {
            Some(_) => (
                format!("operations.{operation_type}"),
                format!("risk {} in {}", risk_level.as_str(), environment.as_str()),
            ),
            None => ("operations".to_owned(), "risk high, because the operation is not listed".to_owned()),
        };
        let lifetimes = lifetimes_in_words(pending_seconds, execute_within_seconds);
        let executor =
            self.executor(operation_type).map(|name| format!("carried out by the executor {name}"));
        let runbook = self
            .runbook(operation_type)
            .map(|runbook| format!("by the runbook {}, version {}", runbook.document, runbook.version));
        let demands = std::iter::once(risk).chain(lifetimes).chain(executor).chain(runbook).collect();
        matched.push(MatchedRule { name, demands });
        let defaults = &self.defaults;
        if let Some(words) = justification_in_words(defaults.justification_min) {
            matched.push(MatchedRule { name: "defaults.justification_min".to_owned(), demands: vec![words] });
        }
        Requirements {
            risk_level,
            environment,
            approvals_required: 0,
            slots: Slots::default(),
            pending_seconds: pending_seconds.unwrap_or(defaults.pending_seconds),
            execute_within_seconds: execute_within_seconds.unwrap_or(defaults.execute_within_seconds),
            permit_seconds: operation
                .and_then(|operation| operation.permit_seconds)
                .unwrap_or(defaults.permit_seconds),
            lease_seconds: operation
                .and_then(|operation| operation.lease_seconds)
                .unwrap_or(defaults.lease_seconds),
            digest_required: defaults.digest_required,
            cost_limit: None,
            required_fields: BTreeSet::new(),
            justification_min: defaults.justification_min,
            pending_limit: defaults.pending_limit,
            approved_limit: defaults.approved_limit,
        }
    }

    /// Non-production is what is so as it is sent and in lower case: a requester who writes a name in another way
    /// gets rid of nothing.
    fn environment_of(&self, instance_id: &str) -> Environment {
        let is_listed = |name: &str| self.non_production.iter().any(|glob| glob.matches(name));
        if is_listed(instance_id) && is_listed(&instance_id.to_ascii_lowercase()) {
            Environment::NonProduction
        } else {
            Environment::Production
        }
    }
}

impl Approvals {
    fn of(&self, risk_level: RiskLevel) -> u8 {
        match risk_level {
            RiskLevel::Low => self.low,
            RiskLevel::Medium => self.medium,
            RiskLevel::High => self.high,
        }
    }
}

impl Rule {
    fn read(source: Source<'_>, name: String, table: RuleTable, known: &Groups) -> Result<Self, Mistake> {
        let at = |key: &'static str| ["rules".to_owned(), name.clone(), key.to_owned()];
        let refused = |key: &'static str, rule: &dyn fmt::Display| {
            let path = at(key);
            source.refused(&path.each_ref().map(String::as_str), rule)
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if name.is_empty() || name.len() > MAX_RULE_NAME || !name.bytes().all(allowed) {
            let rule = format!("must have a name of 1 to {MAX_RULE_NAME} letters, digits, - and _");
            return source.refuse(&["rules", &name], rule);
        }
        let cost = |key, amount: Option<f64>| -> Result<Option<Cost>, Mistake> {
            amount.map(Cost::new).transpose().map_err(|error| refused(key, &error))
        };
        let slots = read_slots(&table.slots).map_err(|rule| refused("slots", &rule))?;
        if let Some(group) = slots.keys().flatten().find(|group| !known.contains(*group)) {
            let rule = format!("names `{group}`, which is not one of the groups in people.toml");
            return Err(refused("slots", &rule));
        }
        if let Some((alternatives, _)) = table.slots.iter().find(|(_, people)| **people == 0) {
            return Err(refused("slots", &format!("must take at least one person of `{alternatives}`")));
        }
        let slots = Slots::new(slots);
        if slots.total() > MAX_APPROVALS {
            return Err(refused("slots", &format!("must take at most {MAX_APPROVALS} people together")));
        }
        if table.approvals.is_some_and(|approvals| approvals > MAX_APPROVALS) {
            return Err(refused("approvals", &format!("must be at most {MAX_APPROVALS}")));
        }
        for (key, seconds) in [
            ("pending_seconds", table.pending_seconds),
            ("execute_within_seconds", table.execute_within_seconds),
        ] {
            let path = at(key);
            seconds
                .map(|seconds| check_lifetime(source, &path.each_ref().map(String::as_str), seconds))
                .transpose()?;
        }
        for (key, limit, most) in [
            ("pending_limit", table.pending_limit, MAX_PENDING_LIMIT),
            ("approved_limit", table.approved_limit, MAX_APPROVED_LIMIT),
        ] {
            let path = at(key);
            limit
                .map(|limit| check_limit(source, &path.each_ref().map(String::as_str), limit, most))
                .transpose()?;
        }
        if let Some(characters) = table.justification_min {
            let path = at("justification_min");
            check_justification(source, &path.each_ref().map(String::as_str), characters)?;
        }
        let conditions = ConditionsTable {
            operations: table.operations,
            environment: table.environment,
            instances: table.instances,
            cost_above: table.cost_above,
            cost_at_most: table.cost_at_most,
            cost_missing: table.cost_missing,
            requester_groups: table.requester_groups,
        };
        let conditions = Conditions::read(source, &["rules", &name], conditions, known)?;
        let demands = Effects {
            risk: table.risk,
            approvals: table.approvals,
            slots,
            pending_seconds: table.pending_seconds,
            execute_within_seconds: table.execute_within_seconds,
            pending_limit: table.pending_limit,
            approved_limit: table.approved_limit,
            cost_limit: cost("cost_limit", table.cost_limit)?,
            justification_min: table.justification_min.unwrap_or(0),
            required_fields: table.required_fields,
            digest_required: table.digest_required,
        };
        if demands.in_words().is_empty() {
            return source.refuse(&["rules", &name], "demands nothing");
        }
        Ok(Self { name, conditions, demands })
    }

    /// Its place in the file.
    pub fn place(&self) -> String {
        format!("rules.{}", self.name)
    }

    /// The slots it demands.
    pub fn slots(&self) -> &Slots {
        &self.demands.slots
    }
}

/// Slots as they are written, `{ dba = 1, "finance | controlling" = 2 }`, by their groups.
///
/// # Errors
/// The same groups twice, written in two ways: the author means two people, and gets one.
pub fn read_slots(written: &BTreeMap<String, u8>) -> Result<BTreeMap<Groups, u8>, String> {
    let mut texts = BTreeMap::<Groups, &str>::new();
    let mut slots = BTreeMap::new();
    for (text, people) in written {
        let groups: Groups = text.split('|').map(|group| group.trim().to_owned()).collect();
        if let Some(other) = texts.insert(groups.clone(), text) {
            return Err(format!("must name the same groups once: `{other}` and `{text}` are one slot"));
        }
        slots.insert(groups, *people);
    }
    Ok(slots)
}

/// The floors of the design. They hold whatever a file says.
fn check_approvals(source: Source<'_>, approvals: &Approvals) -> Result<(), Mistake> {
    for level in RiskLevel::iter() {
        let fewest = level.min_approvals();
        if approvals.of(level) < fewest {
            return source.refuse(&["approvals", level.as_str()], format!("must be at least {fewest}"));
        }
    }
    if approvals.low > approvals.medium || approvals.medium > approvals.high {
        return source.refuse(&["approvals"], "must not ask for fewer where the risk is higher");
    }
    if approvals.high > MAX_APPROVALS {
        return source.refuse(&["approvals", "high"], format!("must be at most {MAX_APPROVALS}"));
    }
    Ok(())
}
