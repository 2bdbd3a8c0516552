//! Who is found: those who could approve, and nobody else; and whose message closes.

use crate::fixture::{
    ACCESS, HIGH, Living, MEDIUM, SLOTTED, at, configuration, human, id, names, policy, policy_of, reject,
};
use countersign_core::caller::{Caller, Channel, PrincipalKind};
use countersign_core::command::Command;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::timestamp::Timestamp;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::recipients::{Askers, approvers, approvers_before, no_longer_asked};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn found(living: &Living, policy: &Policy, configuration: &Configuration, now: Timestamp) -> Vec<String> {
    let found = approvers(&living.request, policy, configuration, now);
    names(&found).into_iter().map(str::to_owned).collect()
}

/// The groups that the file lists a person in: what their token says.
fn groups_of(configuration: &Configuration, policy: &Policy, person: &PersonId) -> Vec<String> {
    let is_member =
        |members: &BTreeSet<PersonId>| members.iter().any(|member| policy.people().is_same(member, person));
    let groups = configuration.groups.iter().filter(|(_, group)| is_member(&group.members));
    groups.map(|(name, _)| name.clone()).collect()
}

#[test]
fn members_of_open_slots_are_found_and_nobody_else() {
    let (policy, configuration) = (policy(), configuration(""));
    let mut living = Living::of_ann(SLOTTED, &policy);
    let now = at("10:01:00");
    // Not bob and olga, who are in no group of a slot; nor mallory, who is disabled.
    assert_eq!(found(&living, &policy, &configuration, now), ["carol", "dan", "eve", "fred", "gina"]);
    // Carol fills the slot of dba: dan is in controlling as well.
    living.approve("carol", &["approver", "dba"], &policy, now).unwrap();
    assert_eq!(found(&living, &policy, &configuration, now), ["dan", "fred", "gina"]);
    living.approve("fred", &["finance"], &policy, now).unwrap();
    assert_eq!(found(&living, &policy, &configuration, now), Vec::<String>::new());
}

#[test]
fn who_is_in_two_slots_leaves_the_other_open() {
    let (policy, configuration) = (policy(), configuration(""));
    let mut living = Living::of_ann(SLOTTED, &policy);
    let now = at("10:01:00");
    // Dan fills either: the others of both are still wanted.
    living.approve("dan", &["dba", "controlling"], &policy, now).unwrap();
    assert_eq!(found(&living, &policy, &configuration, now), ["carol", "eve", "fred", "gina"]);
    living.approve("eve", &["dba"], &policy, now).unwrap();
    assert_eq!(found(&living, &policy, &configuration, now), Vec::<String>::new());
}

#[test]
fn requesters_owners_the_disabled_and_who_has_decided_are_not_found() {
    let (policy, configuration) = (policy(), configuration(""));
    let mut of_ann = Living::of_ann(HIGH, &policy);
    let now = at("10:01:00");
    let all = ["bob", "carol", "dan", "eve", "fred", "gina", "olga"];
    assert_eq!(found(&of_ann, &policy, &configuration, now), all);
    // Bob by the address that the file does not list him by.
    of_ann.approve("bob", &["approver"], &policy, now).unwrap();
    assert!(!found(&of_ann, &policy, &configuration, now).contains(&"bob".to_owned()));
    let bot = policy
        .people()
        .resolve(Caller::new(id("bot"), PrincipalKind::Human, Channel::Api, ["agent"]))
        .unwrap();
    let of_bot = Living::new(HIGH, "orders-db", &bot, &policy, at("10:00:00"));
    let found_of_bot = found(&of_bot, &policy, &configuration, now);
    assert!(!found_of_bot.contains(&"olga".to_owned()) && found_of_bot.contains(&"ann".to_owned()));
    let of_bob = Living::new(HIGH, "orders-db", &human("robert", &["developer"]), &policy, at("10:00:00"));
    assert!(!found(&of_bob, &policy, &configuration, now).contains(&"bob".to_owned()));
}

#[test]
fn nobody_is_found_for_what_waits_for_nobody() {
    let (policy, configuration) = (policy(), configuration(""));
    let mut living = Living::of_ann(MEDIUM, &policy);
    assert_eq!(found(&living, &policy, &configuration, at("18:00:00")), Vec::<String>::new(), "expired");
    living.command(&reject(), &human("carol", &["approver"]), &policy, at("10:01:00")).unwrap();
    assert_eq!(found(&living, &policy, &configuration, at("10:01:00")), Vec::<String>::new(), "rejected");
    let approved = Living::new(MEDIUM, "dev-db", &human("ann", &["developer"]), &policy, at("10:00:00"));
    let low = found(&approved, &policy, &configuration, at("10:01:00"));
    assert!(low.is_empty() == (approved.request.content.approvals_required == 0));
}

#[test]
fn who_may_later_or_elsewhere_is_found_and_who_may_never_is_not() {
    let forbid = |when: &str| {
        format!(
            "{ACCESS}\n@id(\"no\") forbid (principal, action == Action::\"approve\", resource) when {{ {when} }};"
        )
    };
    let configuration = configuration("");
    let found_under = |when: &str, now: &str| {
        let policy = policy_of(&forbid(when));
        let living = Living::of_ann(MEDIUM, &policy);
        found(&living, &policy, &configuration, at(now))
    };
    let nobody = Vec::<String>::new();
    assert_eq!(found_under("true", "10:00:00"), nobody);
    // At noon it is let, and expires at 18.
    assert_eq!(found_under("context.hour < 12", "10:00:00").len(), 7);
    assert_eq!(found_under("context.hour < 18", "10:00:00"), nobody);
    let from_the_office = "!(context has source_ip && context.source_ip.isInRange(ip(\"10.0.0.0/8\")))";
    assert_eq!(found_under(from_the_office, "10:00:00").len(), 7);
    assert_eq!(found_under("context.groups.contains(\"finance\")", "10:00:00").len(), 6);
}

#[test]
fn a_person_without_an_address_is_not_told() {
    let policy = policy();
    let askers = |living: &Living| Askers::of(&living.request, &policy);
    let of_ann = Living::of_ann(MEDIUM, &policy);
    assert_eq!(askers(&of_ann), Askers { requester: Some(id("ann")), owner: None });
    let bot = policy
        .people()
        .resolve(Caller::new(id("bot"), PrincipalKind::Human, Channel::Api, ["agent"]))
        .unwrap();
    let of_bot = Living::new(MEDIUM, "orders-db", &bot, &policy, at("10:00:00"));
    assert_eq!(askers(&of_bot), Askers { requester: None, owner: Some(id("olga")) });
    let service = countersign_core::principal::Principal::assumed(
        PersonId::service("pipeline").unwrap(),
        PrincipalKind::Service,
        Channel::Api,
        ["developer"],
    );
    let of_service = Living::new(MEDIUM, "orders-db", &service, &policy, at("10:00:00"));
    assert_eq!(askers(&of_service), Askers::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Everybody who is found could approve, and everybody who is not could not: the decision core is asked in both cases.
    /// Whoever was asked and is asked no more has their message closed, in whichever order slots are filled.
    #[test]
    fn who_is_found_could_approve_and_closed_messages_are_those_of_filled_slots(
        operation in prop::sample::select(vec![SLOTTED, HIGH, MEDIUM]),
        order in Just(vec!["ann", "bob", "carol", "dan", "eve", "fred", "gina", "olga", "mallory", "walter", "robert"]).prop_shuffle(),
        requester in prop::sample::select(vec!["ann", "bob", "dan", "fred"]),
        steps in 0_usize..11,
    ) {
        let (policy, configuration) = (policy(), configuration(""));
        let mut living = Living::new(operation, "orders-db", &human(requester, &["developer"]), &policy, at("10:00:00"));
        let now = at("10:05:00");
        let mut asked = approvers(&living.request, &policy, &configuration, now);
        let mut open = asked.clone();
        for name in order.iter().take(steps) {
            let groups = groups_of(&configuration, &policy, &id(name));
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            if living.approve(name, &groups, &policy, now).is_err() {
                continue;
            }
            let before = approvers_before(living.happening.event_type, living.happening.event_id, &living.request, &policy, &configuration);
            prop_assert_eq!(&before, &open, "what was before is known from what is after");
            let after = approvers(&living.request, &policy, &configuration, now);
            for person in no_longer_asked(&before, &after) {
                prop_assert!(asked.contains(&person));
                open.remove(&person);
            }
            prop_assert_eq!(&open, &after);
            asked.extend(after);
        }
        for name in order {
            let groups = groups_of(&configuration, &policy, &id(name));
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            let is_accepted = living.clone().approve(name, &groups, &policy, now).is_ok();
            let is_found = open.contains(policy.people().person(&id(name)));
            prop_assert_eq!(is_found, is_accepted, "{}", name);
        }
        if operation == SLOTTED && living.request.approved_at.is_some() {
            prop_assert!(open.is_empty());
        }
    }
}

#[test]
fn a_rejection_closes_the_messages_of_all_who_were_asked() {
    let (policy, configuration) = (policy(), configuration(""));
    let mut living = Living::of_ann(SLOTTED, &policy);
    let asked = approvers(&living.request, &policy, &configuration, at("10:00:00"));
    let command = Command::Cancel { reason: None };
    let mut cancelled = living.clone();
    cancelled.command(&command, &human("ann", &["developer"]), &policy, at("10:10:00")).unwrap();
    living.command(&reject(), &human("dan", &["dba"]), &policy, at("10:10:00")).unwrap();
    let mut expired = Living::of_ann(SLOTTED, &policy);
    let sweep = countersign_core::principal::Principal::expiry(Channel::Local);
    expired.command(&Command::Expire, &sweep, &policy, at("18:00:00")).unwrap();
    for ended in [living, cancelled, expired] {
        let happening = ended.happening;
        let before = approvers_before(
            happening.event_type,
            happening.event_id,
            &ended.request,
            &policy,
            &configuration,
        );
        assert_eq!(before, asked, "{happening:?}");
    }
    // What waits for its start asks nobody.
    let mut approved = Living::of_ann(MEDIUM, &policy);
    approved.approve("carol", &["approver"], &policy, at("10:01:00")).unwrap();
    approved.command(&command, &human("ann", &["developer"]), &policy, at("10:10:00")).unwrap();
    let happening = approved.happening;
    let before = approvers_before(
        happening.event_type,
        happening.event_id,
        &approved.request,
        &policy,
        &configuration,
    );
    assert_eq!(before, BTreeSet::new());
}
