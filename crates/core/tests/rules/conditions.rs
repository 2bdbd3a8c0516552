//! When rules hold in the face of spellings and of costs that were left out, and how long a justification is.

use crate::demands::{known, proposal, requirements, with_rules};
use countersign_core::policy::BUNDLED_OPERATIONS;
use countersign_core::policy::rules::{Proposal, Rules};
use countersign_core::requirements::StatedFields;
use countersign_core::risk::Cost;
use countersign_core::risk::Environment::{NonProduction, Production};
use countersign_core::slots::Groups;

/// THREATS 65: whichever way a requester writes an instance, it is non-production only if it is so in
/// lower case too; and two operations of one name in two spellings are none that a requester chooses from.
#[test]
fn threat_65_no_spelling_makes_an_instance_non_production() {
    let text = BUNDLED_OPERATIONS.replace("\"dev-*\"", "\"dev-*\", \"Payments-*\", \"*-LAB\", \"qa?\"");
    let rules = Rules::parse(&text, &known()).unwrap();
    let nobody = Groups::new();
    for (instance, environment) in [
        ("dev-db", NonProduction),
        ("dev-Db", NonProduction),
        ("Dev-db", Production),
        ("DEV-db", Production),
        // The pattern has capitals: what it matches is production in lower case.
        ("Payments-db", Production),
        ("payments-db", Production),
        ("orders-LAB", Production),
        ("orders-lab", Production),
        ("qaX", NonProduction),
    ] {
        let proposal =
            Proposal { declared_environment: NonProduction, ..proposal("reboot", instance, &nobody) };
        assert_eq!(requirements(&rules, &proposal).environment, environment, "{instance}");
    }
    let twice =
        format!("{BUNDLED_OPERATIONS}\n[operations.Reboot]\nproduction = \"low\"\nnon_production = \"low\"");
    let error = Rules::parse(&twice, &known()).unwrap_err().to_string();
    assert!(error.contains("must not differ from `Reboot` by capitals alone"), "{error}");
}

#[test]
fn a_cost_that_is_missing_differs_from_one_above_every_range() {
    let rules = with_rules(
        "[rules.untold]\ncost_missing = true\napprovals = 3\n\
         [rules.expensive]\ncost_above = 500\ncost_missing = false\nslots = { dba = 1 }\n\
         [rules.told]\ncost_missing = false\npending_seconds = 7",
    );
    let nobody = Groups::new();
    for (cost, approvals, slots, seconds) in [
        (None, 3, "", 3600),
        (Some(0.0), 2, "", 7),
        (Some(500.0), 2, "", 7),
        (Some(500.01), 2, "1 of dba", 7),
    ] {
        let estimated_cost = cost.map(|cost| Cost::new(cost).unwrap());
        let requirements =
            requirements(&rules, &Proposal { estimated_cost, ..proposal("reboot", "orders-db", &nobody) });
        let found =
            (requirements.approvals_required, requirements.slots.to_string(), requirements.pending_seconds);
        assert_eq!(found, (approvals, slots.to_owned(), seconds), "{cost:?}");
    }
}

/// The longest of several demands holds, and a requester who falls short learns which parts of the policy made it.
#[test]
fn a_justification_has_a_shortest_length() {
    let text = format!(
        "{}\n[rules.reboots]\noperations = [\"reboot\"]\njustification_min = 20\n\
         [rules.some]\ninstances = [\"orders-*\"]\njustification_min = 20\n\
         [rules.short]\noperations = [\"reboot\"]\njustification_min = 5\n",
        BUNDLED_OPERATIONS.replace("[defaults]", "[defaults]\njustification_min = 10")
    );
    let rules = Rules::parse(&text, &known()).unwrap();
    let nobody = Groups::new();
    for (operation, length, expected) in [
        ("reboot", 20, None),
        ("reboot", 19, Some("must be at least 20 characters by policy, not 19 (rules.reboots, rules.some)")),
        ("failover", 10, Some("must be at least 20 characters by policy, not 10 (rules.some)")),
    ] {
        let assessment = rules.assess(&proposal(operation, "orders-db", &nobody));
        let stated = StatedFields {
            justification_length: length,
            ticket: false,
            rollback_plan: false,
            estimated_cost: None,
            estimated_duration: false,
        };
        let violations = assessment.violations(stated);
        let rules: Vec<_> =
            violations.iter().map(|violations| (violations.field, violations.rule.as_str())).collect();
        assert_eq!(rules, expected.map(|rule| ("justification", rule)).into_iter().collect::<Vec<_>>());
    }
    let assessment = rules.assess(&proposal("failover", "inventory", &nobody));
    let told = assessment.rules.iter().find(|part| part.name == "defaults.justification_min").unwrap();
    assert_eq!(told.demands, ["a justification of at least 10 characters"]);
    assert_eq!(assessment.requirements.justification_min, 10);
}
