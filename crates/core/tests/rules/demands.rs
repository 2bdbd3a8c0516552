//! What policy demands: the strictest of each dimension, never less than the floors, and more with
//! every rule.

use crate::fixture::{in_force, person};
use countersign_core::policy::people::People;
use countersign_core::policy::rules::{Assessment, MAX_RULES, Proposal, Rules};
use countersign_core::policy::{BUNDLED_OPERATIONS, BUNDLED_PEOPLE};
use countersign_core::requirements::Requirements;
use countersign_core::risk::Cost;
use countersign_core::risk::Environment::{self, NonProduction, Production};
use countersign_core::risk::RiskLevel::{self, High, Low, Medium};
use countersign_core::slots::Groups;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use strum::IntoEnumIterator;

const GROUPS: [&str; 5] = ["developer", "approver", "dba", "security", "finance"];

pub(crate) fn known() -> Groups {
    GROUPS.iter().map(|group| (*group).to_owned()).collect()
}

fn bundled() -> Rules {
    Rules::parse(BUNDLED_OPERATIONS, People::parse(BUNDLED_PEOPLE).unwrap().groups()).unwrap()
}

pub(crate) fn proposal<'a>(operation: &'a str, instance: &'a str, groups: &'a Groups) -> Proposal<'a> {
    Proposal {
        operation_type: operation,
        instance_id: instance,
        declared_risk: None,
        declared_environment: Production,
        estimated_cost: None,
        requester_groups: groups,
    }
}

/// A policy with these rules, on top of some operations.
pub(crate) fn with_rules(rules: &str) -> Rules {
    let text = format!(
        "
        [defaults]
        pending_seconds = 3600
        execute_within_seconds = 600
        [approvals]
        low = 0
        medium = 1
        high = 2
        [environments]
        non_production_instances = [\"dev-*\"]
        [operations.read]
        production = \"low\"
        non_production = \"low\"
        [operations.modify]
        production = \"high\"
        non_production = \"medium\"
        {rules}"
    );
    Rules::parse(&text, &known()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

pub(crate) fn requirements(rules: &Rules, proposal: &Proposal<'_>) -> Requirements {
    rules.assess(proposal).requirements
}

#[test]
fn the_bundled_policy_as_a_table() {
    let policy = bundled();
    let nobody = Groups::new();
    for (operation, instance, risk, environment, expected, approvals, pending) in [
        ("modify_instance_class", "production-db-01", None, Production, (High, Production), 2, 259_200),
        ("modify_instance_class", "dev-db-01", None, NonProduction, (Medium, NonProduction), 1, 259_200),
        ("modify_storage", "dev-db-01", None, NonProduction, (Medium, NonProduction), 1, 259_200),
        ("enable_enhanced_monitoring", "production-db-01", None, Production, (Low, Production), 0, 259_200),
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
        ("modify_instance_class", "production-db-01", Some(Low), Production, (High, Production), 2, 259_200),
        // Globs are for whole names, in one case.
        ("modify_storage", "DEV-db-01", None, NonProduction, (High, Production), 2, 259_200),
        ("modify_storage", "x-dev-db-01", None, NonProduction, (High, Production), 2, 259_200),
        // What is not listed is high.
        ("drop_everything", "dev-db-01", Some(Low), NonProduction, (High, NonProduction), 2, 259_200),
        ("Read_File", "dev-host", None, NonProduction, (High, NonProduction), 2, 259_200),
    ] {
        let proposal = Proposal {
            declared_risk: risk,
            declared_environment: environment,
            ..proposal(operation, instance, &nobody)
        };
        let requirements = requirements(&policy, &proposal);
        assert_eq!(
            (requirements.risk_level, requirements.environment),
            expected,
            "{operation} on {instance}"
        );
        let demanded = (requirements.approvals_required, requirements.pending_seconds);
        assert_eq!(demanded, (approvals, pending), "{operation} on {instance}");
    }
}

#[test]
fn a_policy_below_the_floors_is_refused_with_its_line() {
    for (from, to, place) in [
        ("medium = 1", "medium = 0", "approvals.medium"),
        ("high = 2", "high = 1", "approvals.high"),
        ("high = 2", "high = 0", "approvals.high"),
        ("medium = 1", "medium = 3", "approvals"),
        ("high = 2", "high = 11", "approvals.high"),
        ("high = 2", "high = -2", "approvals.high must be a whole number from 0 to 255, not `-2`"),
        ("pending_seconds = 259_200", "pending_seconds = 0", "lifetime"),
        ("\"dev-*\"", "\"*\"", "non_production_instances"),
        (
            "production = \"medium\"\nnon_production = \"low\"",
            "production = \"low\"\nnon_production = \"medium\"",
            "create_snapshot",
        ),
        ("production = \"high\"", "production = \"HIGH\"", "not `HIGH`"),
        ("production = \"high\"", "prodution = \"high\"", "has an unknown field `prodution`"),
        ("[approvals]", "[approval]", "approval"),
    ] {
        let text = BUNDLED_OPERATIONS.replacen(from, to, 1);
        assert_ne!(text, BUNDLED_OPERATIONS, "{from}");
        let error = Rules::parse(&text, &known()).unwrap_err().to_string();
        assert!(error.contains(place) && error.starts_with("operations.toml:"), "{to}: {error}");
    }
    let many: String =
        (0..=MAX_RULES).map(|number| format!("[rules.r{number}]\nrisk = \"high\"\n")).collect();
    let many = Rules::parse(&format!("{BUNDLED_OPERATIONS}\n{many}"), &known()).unwrap_err().to_string();
    assert!(many.ends_with(": rules must be at most 200: there are 201"), "{many}");
    let empty = Rules::parse("", &known()).unwrap_err().to_string();
    assert!(empty.contains("defaults"), "{empty}");
}

#[test]
fn a_rule_that_cannot_be_meant_is_refused_with_its_line() {
    for (rule, reason) in [
        ("[rules.empty]", "demands nothing"),
        ("[rules.\"a b\"]\nrisk = \"high\"", "must have a name"),
        ("[rules.x]\njustification_min = 4001", "rules.x.justification_min must be at most 4000 characters"),
        ("[rules.x]\njustification_min = 0", "demands nothing"),
        (
            "[rules.x]\ncost_missing = true\ncost_at_most = 5\nrisk = \"high\"",
            "rules.x.cost_missing must not be true",
        ),
        (
            "[rules.x]\ncost_missing = true\ncost_above = 5\nrisk = \"high\"",
            "rules.x.cost_missing must not be true",
        ),
        ("[rules.x]\noperations = []\nrisk = \"high\"", "rules.x.operations must not be empty"),
        ("[rules.x]\ninstances = [\"\"]\nrisk = \"high\"", "rules.x.instances must not be empty"),
        ("[rules.x]\nslots = { dbas = 1 }", "names `dbas`"),
        ("[rules.x]\nslots = { dba = 0 }", "at least one person"),
        ("[rules.x]\nslots = { dba = 6, security = 5 }", "at most 10"),
        (
            "[rules.x]\nslots = { \"dba | finance\" = 1, \"finance | dba\" = 1 }",
            "rules.x.slots must name the same groups once: `dba | finance` and `finance | dba` are one slot",
        ),
        ("[rules.x]\nslots = { dba = 1, \" dba\" = 1 }", "` dba` and `dba` are one slot"),
        ("[rules.x]\nrequester_groups = [\"contractors\"]\nrisk = \"high\"", "names `contractors`"),
        ("[rules.x]\ncost_above = 500\ncost_at_most = 500\nrisk = \"high\"", "more than cost_above"),
        ("[rules.x]\ncost_above = -1\nrisk = \"high\"", "rules.x.cost_above must be 0"),
        ("[rules.x]\ncost_limit = nan", "rules.x.cost_limit must be 0"),
        ("[rules.x]\napprovals = 11", "at most 10"),
        ("[rules.x]\npending_seconds = 2592001", "lifetime"),
        ("[rules.x]\npending_limit = 0", "from 1 to 1000"),
        ("[rules.x]\npending_limit = 1001", "from 1 to 1000"),
        ("[rules.x]\napproved_limit = 0", "rules.x.approved_limit must be from 1 to 10000"),
        ("[rules.x]\napproved_limit = 10001", "from 1 to 10000"),
        (
            "[rules.x]\nrequired_fields = [\"price\"]",
            "rules.x.required_fields has an element that must be one of `ticket`, ",
        ),
        ("[rules.x]\nrisk = \"none\"", "rules.x.risk must be one of `low`, `medium`, `high`, not `none`"),
        (
            "[rules.x]\napproval = 3",
            "rules.x has an unknown field `approval`, expected one of `operations`, ",
        ),
        ("[rules.x]\nenvironment = \"prod\"\nrisk = \"high\"", "rules.x.environment must be "),
        ("[rules.x]\ncost_above = \"500 EUR\"", "rules.x.cost_above must be a number, not \"500 EUR\""),
        (
            "[rules.x]\nslots = { dba = -1 }",
            "rules.x.slots.dba must be a whole number from 0 to 255, not `-1`",
        ),
        ("[rules.x]\npending_limit = 70000", "must be a whole number from 0 to 65535, not `70000`"),
        ("[rules.x]\npending_seconds = 1.5", "must be a whole number from 0 to 4294967295, not `1.5`"),
        ("[rules.x]\nrisk = 3", "rules.x.risk must be text"),
        ("[rules.x]\noperations = \"reboot\"", "rules.x.operations must be a list, not \"reboot\""),
        ("[rules.x]\nslots = [\"dba\"]", "rules.x.slots must be a table, not a list"),
        ("[rules]\nx = 3", "rules.x must be a table, not `3`"),
        ("[rules.x]\napprovals = 3\napprovals = 4", "duplicate key `approvals`"),
        ("[operations.x]\nproduction = \"low\"", "operations.x lacks `non_production`"),
        (
            "[rules.x]\ntime_zone = \"UTC\"",
            "rules.x has `time_zone`, which belongs to no table: put it before the first",
        ),
        ("[rules]\ntime_zone = \"UTC\"", "rules.time_zone belongs to no table: put it before the first"),
        // A table of that name would not do at the top.
        ("[rules.x]\ndefaults = 3", "rules.x has an unknown field `defaults`, expected"),
    ] {
        let text = format!("{BUNDLED_OPERATIONS}\n{rule}\n");
        let error = Rules::parse(&text, &known()).unwrap_err().to_string();
        assert!(error.contains(reason) && error.starts_with("operations.toml:"), "{rule}: {error}");
    }
}

#[test]
fn every_cut_of_the_file_is_refused_or_keeps_high_at_two() {
    let nobody = Groups::new();
    for end in 0..BUNDLED_OPERATIONS.len() {
        let Some(text) = BUNDLED_OPERATIONS.get(..end) else { continue };
        if let Ok(rules) = Rules::parse(text, &known()) {
            let requirements =
                requirements(&rules, &proposal("modify_instance_class", "production-db-01", &nobody));
            assert!(requirements.approvals_required >= 2, "cut at {end}");
        }
    }
}

/// FIELD, integrity failure 9: where nothing matches, the answer is the strictest default.
#[test]
fn what_no_rule_matches_needs_two_people() {
    let rules = with_rules("[rules.only-read]\noperations = [\"read\"]\nrisk = \"medium\"");
    let nobody = Groups::new();
    let requirements = requirements(&rules, &proposal("drop_everything", "dev-x", &nobody));
    assert_eq!((requirements.risk_level, requirements.approvals_required), (High, 2));
}

/// FIELD, integrity failure 10: the lax rule never wins over the strict one.
#[test]
fn of_several_rules_the_strictest_of_each_dimension_holds() {
    let rules = with_rules(
        "
        [rules.lax]
        operations = [\"mod*\"]
        risk = \"low\"
        approvals = 0
        pending_seconds = 3000
        cost_limit = 900
        [rules.strict]
        environment = \"production\"
        approvals = 3
        slots = { dba = 1 }
        pending_seconds = 60
        pending_limit = 3
        approved_limit = 5
        [rules.expensive]
        cost_above = 500
        slots = { \"finance|security\" = 1, dba = 2 }
        cost_limit = 800
        required_fields = [\"ticket\"]
        digest_required = true",
    );
    let nobody = Groups::new();
    let cheap =
        Proposal { estimated_cost: Some(Cost::new(500.0).unwrap()), ..proposal("modify", "orders", &nobody) };
    let Assessment { requirements, rules: matched } = rules.assess(&cheap);
    assert_eq!((requirements.risk_level, requirements.approvals_required), (High, 3));
    assert_eq!(
        (requirements.pending_seconds, requirements.pending_limit, requirements.approved_limit),
        (60, 3, 5)
    );
    assert_eq!((requirements.slots.to_string().as_str(), requirements.digest_required), ("1 of dba", false));
    let names: Vec<_> = matched.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["operations.modify", "rules.lax", "rules.strict", "approvals.high"]);

    // A cost that the requester left out is above every range.
    let requirements = self::requirements(&rules, &proposal("modify", "orders", &nobody));
    assert_eq!(requirements.slots.to_string(), "2 of dba, 1 of finance or security");
    assert_eq!(
        (requirements.approvals_required, requirements.cost_limit, requirements.digest_required),
        (3, Cost::new(800.0).ok(), true)
    );
}

#[test]
fn a_range_of_costs_has_edges() {
    let rules = with_rules(
        "
        [rules.middle]
        cost_above = 100
        cost_at_most = 500
        approvals = 3
        [rules.cheap]
        cost_at_most = 100
        approvals = 4",
    );
    let nobody = Groups::new();
    for (cost, approvals) in
        [(Some(0.0), 4), (Some(100.0), 4), (Some(100.01), 3), (Some(500.0), 3), (Some(500.01), 2), (None, 2)]
    {
        let estimated_cost = cost.map(|cost| Cost::new(cost).unwrap());
        let proposal = Proposal { estimated_cost, ..proposal("modify", "orders", &nobody) };
        assert_eq!(requirements(&rules, &proposal).approvals_required, approvals, "{cost:?}");
    }
}

#[test]
fn a_rule_about_requesters_matches_by_their_groups() {
    let rules =
        with_rules("[rules.outsiders]\nrequester_groups = [\"finance\", \"security\"]\napprovals = 4");
    let (outsider, insider): (Groups, Groups) =
        (["developer", "finance"].map(str::to_owned).into(), ["developer".to_owned()].into());
    assert_eq!(requirements(&rules, &proposal("read", "x", &outsider)).approvals_required, 4);
    assert_eq!(requirements(&rules, &proposal("read", "x", &insider)).approvals_required, 0);
}

#[test]
fn a_rule_about_non_production_holds_there_whatever_is_declared() {
    let rules = with_rules(
        "[rules.dev]\nenvironment = \"non-production\"\ninstances = [\"dev-*\"]\nslots = { security = 1 }",
    );
    let nobody = Groups::new();
    for (instance, declared_environment, slots) in [
        ("dev-1", NonProduction, "1 of security"),
        ("dev-1", Production, "1 of security"),
        // In production is what policy says is.
        ("orders", NonProduction, ""),
        ("orders", Production, ""),
    ] {
        let proposal = Proposal { declared_environment, ..proposal("read", instance, &nobody) };
        assert_eq!(
            requirements(&rules, &proposal).slots.to_string(),
            slots,
            "{instance} in {}",
            declared_environment.as_str()
        );
    }
    // A requester who declares production is held to what is demanded there as well.
    let rules = with_rules("[rules.prod]\nenvironment = \"production\"\napprovals = 4");
    let declared = requirements(&rules, &proposal("read", "dev-1", &nobody));
    assert_eq!((declared.environment, declared.approvals_required), (Production, 4));
}

/// A rule only raises, so that of two spellings the one that it holds for is the safe one. The
/// catalogue and what is non-production lower: there is one spelling for each.
#[test]
fn rules_take_no_notice_of_capitals() {
    let rules = with_rules(
        "[rules.orders]\noperations = [\"modify_*\"]\ninstances = [\"orders-*\"]\nslots = { dba = 1 }\n\
         [rules.Shouted]\noperations = [\"READ\"]\napprovals = 3",
    );
    let nobody = Groups::new();
    for (operation, instance, slots) in [
        ("modify_storage", "orders-db", "1 of dba"),
        ("Modify_Storage", "Orders-db", "1 of dba"),
        ("MODIFY_", "ORDERS-", "1 of dba"),
        ("modify", "orders-db", ""),
        ("Modify_Storage", "my-orders-db", ""),
    ] {
        let requirements = requirements(&rules, &proposal(operation, instance, &nobody));
        assert_eq!(requirements.slots.to_string(), slots, "{operation} on {instance}");
    }
    assert_eq!(requirements(&rules, &proposal("read", "dev-1", &nobody)).approvals_required, 3);
    let unlisted = requirements(
        &rules,
        &Proposal { declared_environment: NonProduction, ..proposal("Modify", "Dev-1", &nobody) },
    );
    assert_eq!((unlisted.risk_level, unlisted.environment), (High, Production));
}

/// A rule as TOML, by its lines.
#[derive(Debug, Clone)]
struct AnyRule(BTreeMap<&'static str, String>);

fn any_rule() -> impl Strategy<Value = AnyRule> {
    let list = |names: &'static [&'static str]| {
        prop::collection::btree_set(prop::sample::select(names), 1..3)
            .prop_map(|names| format!("{names:?}").replace('{', "[").replace('}', "]"))
    };
    let number = |range: std::ops::Range<u32>| range.prop_map(|number| number.to_string());
    let name =
        |names: &'static [&'static str]| prop::sample::select(names).prop_map(|name| format!("\"{name}\""));
    let slots = prop::collection::btree_map(
        prop::sample::select(&["dba", "security", "dba|finance"][..]),
        1..3u8,
        1..3,
    )
    .prop_map(|slots| {
        let slots: Vec<_> = slots.iter().map(|(groups, people)| format!("\"{groups}\" = {people}")).collect();
        format!("{{ {} }}", slots.join(", "))
    });
    let conditions = (
        prop::option::of(list(&["modify", "read", "MOD*", "*", "drop"])),
        prop::option::of(name(&["production", "non-production"])),
        prop::option::of(list(&["dev-*", "orders", "?*"])),
        prop::option::of(number(0..1000)),
        prop::option::of(number(1000..2000)),
        any::<Option<bool>>(),
        prop::option::of(list(&GROUPS)),
    );
    let demands = (
        prop::option::of(name(&["low", "medium", "high"])),
        number(0..6),
        prop::option::of(slots),
        prop::option::of(number(1..10_000)),
        prop::option::of(number(1..10_000)),
        prop::option::of((number(1..100), number(1..10_000))),
        prop::option::of((number(1..3000), number(0..4000))),
        prop::option::of(list(&["ticket", "rollback_plan", "estimated_cost", "estimated_duration"])),
        any::<bool>(),
    );
    (conditions, demands).prop_map(|(conditions, demands)| {
        let (operations, environment, instances, above, at_most, missing, requesters) = conditions;
        // What is missing is in no range.
        let missing = missing.filter(|missing| !missing || above.is_none() && at_most.is_none());
        let (risk, approvals, slots, pending, execute, limits, amounts, fields, digest) = demands;
        let (pending_limit, approved_limit) = limits.unzip();
        let (cost_limit, justification) = amounts.unzip();
        let lines = [
            ("operations", operations),
            ("environment", environment),
            ("instances", instances),
            ("cost_above", above),
            ("cost_at_most", at_most),
            ("cost_missing", missing.map(|missing| missing.to_string())),
            ("requester_groups", requesters),
            ("risk", risk),
            ("approvals", Some(approvals)),
            ("slots", slots),
            ("pending_seconds", pending),
            ("execute_within_seconds", execute),
            ("pending_limit", pending_limit),
            ("approved_limit", approved_limit),
            ("cost_limit", cost_limit),
            ("justification_min", justification),
            ("required_fields", fields),
            ("digest_required", Some(digest.to_string())),
        ];
        AnyRule(lines.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    })
}

fn written(rules: &[AnyRule]) -> String {
    let mut text = String::new();
    for (number, rule) in rules.iter().enumerate() {
        writeln!(text, "[rules.r{number}]").unwrap();
        for (key, value) in &rule.0 {
            writeln!(text, "{key} = {value}").unwrap();
        }
    }
    text
}

#[derive(Debug, Clone)]
struct AnyProposal {
    operation: &'static str,
    instance: &'static str,
    risk: Option<RiskLevel>,
    environment: Environment,
    cost: Option<u32>,
    groups: Groups,
}

impl AnyProposal {
    fn get(&self) -> Proposal<'_> {
        Proposal {
            operation_type: self.operation,
            instance_id: self.instance,
            declared_risk: self.risk,
            declared_environment: self.environment,
            estimated_cost: self.cost.map(|cost| Cost::new(f64::from(cost)).unwrap()),
            requester_groups: &self.groups,
        }
    }
}

fn any_proposal() -> impl Strategy<Value = AnyProposal> {
    let groups = prop::collection::btree_set(prop::sample::select(&GROUPS[..]).prop_map(str::to_owned), 0..3);
    (
        prop::sample::select(&["modify", "read", "drop"][..]),
        prop::sample::select(&["dev-1", "orders"][..]),
        prop::option::of(prop::sample::select(RiskLevel::iter().collect::<Vec<_>>())),
        prop::sample::select(Environment::iter().collect::<Vec<_>>()),
        prop::option::of(0..2500u32),
        groups,
    )
        .prop_map(|(operation, instance, risk, environment, cost, groups)| AnyProposal {
            operation,
            instance,
            risk,
            environment,
            cost,
            groups,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_rule_never_makes_a_request_easier(
        rules in prop::collection::vec(any_rule(), 1..6),
        proposal in any_proposal(),
    ) {
        let all = requirements(&with_rules(&written(&rules)), &proposal.get());
        let (_, fewer) = rules.split_last().unwrap();
        let before = requirements(&with_rules(&written(fewer)), &proposal.get());
        prop_assert!(all.is_at_least_as_strict_as(&before), "{before:?} became {all:?}");
    }

    /// The floors, whatever rules say.
    #[test]
    fn no_rules_go_below_the_floors(
        rules in prop::collection::vec(any_rule(), 0..6),
        proposal in any_proposal(),
    ) {
        let requirements = requirements(&with_rules(&written(&rules)), &proposal.get());
        prop_assert!(requirements.approvals_required >= requirements.risk_level.min_approvals());
        prop_assert!(requirements.approvals_required >= requirements.slots.total());
        prop_assert!(requirements.risk_level >= proposal.risk.unwrap_or(Low));
        prop_assert!(requirements.environment >= proposal.environment);
        if proposal.operation == "drop" || proposal.operation == "modify" && requirements.environment == Production {
            prop_assert!(requirements.approvals_required >= 2);
        }
    }

    /// Declaring more never makes a request easier, whatever rules say.
    #[test]
    fn declaring_more_never_makes_a_request_easier(
        rules in prop::collection::vec(any_rule(), 0..6),
        proposal in any_proposal(),
        risk in prop::sample::select(RiskLevel::iter().collect::<Vec<_>>()),
    ) {
        let rules = with_rules(&written(&rules));
        let before = requirements(&rules, &proposal.get());
        let more = AnyProposal { risk: proposal.risk.max(Some(risk)), environment: Production, ..proposal };
        prop_assert!(requirements(&rules, &more.get()).is_at_least_as_strict_as(&before));
    }

    /// The stricter of both is stricter than each, whatever their order.
    #[test]
    fn terms_join(one in prop::collection::vec(any_rule(), 0..4), other in prop::collection::vec(any_rule(), 0..4), proposal in any_proposal()) {
        let one = requirements(&with_rules(&written(&one)), &proposal.get());
        let other = requirements(&with_rules(&written(&other)), &proposal.get());
        let joined = one.stricter(&other);
        prop_assert_eq!(&joined, &other.stricter(&one));
        prop_assert_eq!(&joined.stricter(&one), &joined);
        prop_assert!(joined.is_at_least_as_strict_as(&one) && joined.is_at_least_as_strict_as(&other));
    }
}

#[test]
fn the_version_is_what_sha256sum_says() {
    let version = in_force().version().to_string();
    assert_eq!(version.len(), 64);
    assert!(!in_force().people().is_disabled(&person("ann")));
}
