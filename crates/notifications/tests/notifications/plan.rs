//! The messages of one event: to whom, of which kind, and when.

use crate::fixture::{
    HIGH, Living, MEDIUM, SLOTTED, all_shown, at, configuration, configured, human, id, policy, reject, shown,
};
use countersign_core::caller::{Caller, Channel, PrincipalKind};
use countersign_core::command::{Command, ExecutionOutcome, Shown};
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_core::priority::Priority;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;
use countersign_notifications::audience::{Place, Recipient};
use countersign_notifications::configuration::Configuration;
use countersign_notifications::destination::{Destination, Target};
use countersign_notifications::plan::{MessageKind, Notifies, Plan, Planning, When};
use countersign_notifications::preferences::Preferences;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn ann() -> Principal {
    human("ann", &["developer"])
}

fn with_preferences(
    living: &Living,
    configuration: &Configuration,
    policy: &Policy,
    name: &str,
    document: &serde_json::Value,
) -> Plan {
    let said = Preferences::read(document, configuration).unwrap();
    let preferences = BTreeMap::from([(id(name), said)]);
    let planning = Planning { configuration, policy, preferences: &preferences };
    planning.plan(&living.happening, &living.request)
}

fn of<'a>(plan: &'a Plan, address: &str) -> Vec<&'a countersign_notifications::plan::PlannedMessage> {
    plan.messages.iter().filter(|message| message.address.as_deref() == Some(address)).collect()
}

#[test]
fn a_life_of_a_request_tells_each_person_what_concerns_them() {
    let (policy, configuration) = (policy(), configuration(""));
    let mut living = Living::of_ann(SLOTTED, &policy);
    let created = living.plan(&configuration, &policy);
    let asked = ["carol", "dan", "eve", "fred", "gina"].map(|name| format!("mail {name}@x.org Act"));
    assert_eq!(all_shown(&created)[..5], asked);
    assert_eq!(all_shown(&created)[5..], ["topic - Information"]);
    assert_eq!(created.notifies(), Notifies { people: 5, destinations: 2 });
    assert!(!created.is_nobody_found && created.outcome.is_none());

    living.approve("eve", &["dba"], &policy, at("10:05:00")).unwrap();
    let granted = living.plan(&configuration, &policy);
    assert_eq!(
        all_shown(&granted),
        ["mail carol@x.org Closing", "mail eve@x.org Closing", "topic - Information"],
        "dan is in controlling as well"
    );

    living.approve("fred", &["finance"], &policy, at("10:06:00")).unwrap();
    let approved = living.plan(&configuration, &policy);
    let expected = [
        "mail ann@x.org Outcome",
        "mail dan@x.org Closing",
        "mail fred@x.org Closing",
        "mail gina@x.org Closing",
        "topic - Information",
    ];
    assert_eq!(all_shown(&approved), expected);
    let outcome = approved.outcome.unwrap();
    assert_eq!(outcome.reason, "Approved by eve@x.org, fred@x.org.");
    assert!(outcome.next_step.contains("2026-01-15T11:06:00.000Z"), "{}", outcome.next_step);

    living.command(&Command::Start { shown: Shown::default() }, &ann(), &policy, at("10:10:00")).unwrap();
    assert_eq!(all_shown(&living.plan(&configuration, &policy)), ["topic - Information"]);
    let finish = Command::Finish {
        execution_id: living.request.execution.as_ref().unwrap().id,
        outcome: ExecutionOutcome::Failed,
        result: None,
        actual_cost: None,
        note: None,
        shown: Shown::default(),
    };
    living.command(&finish, &ann(), &policy, at("10:20:00")).unwrap();
    let failed = living.plan(&configuration, &policy);
    assert_eq!(all_shown(&failed), ["mail ann@x.org Outcome", "topic - Information"]);
}

#[test]
fn every_end_is_told_with_its_reason_and_what_to_do_next() {
    let (policy, configuration) = (policy(), configuration(""));
    let sweep = Principal::expiry(Channel::Local);
    let cancel = Command::Cancel { reason: Some(crate::fixture::text("not needed")) };
    let mut not_started = Living::of_ann(MEDIUM, &policy);
    not_started.approve("carol", &["approver"], &policy, at("10:01:00")).unwrap();
    for (mut living, command, actor, now, status, reason) in [
        (
            Living::of_ann(MEDIUM, &policy),
            reject(),
            human("carol", &["approver"]),
            "10:10:00",
            Status::Rejected,
            "Rejected by carol@x.org: not during the sale",
        ),
        (
            Living::of_ann(MEDIUM, &policy),
            cancel,
            ann(),
            "10:10:00",
            Status::Cancelled,
            "Cancelled by ann@x.org: not needed",
        ),
        (
            Living::of_ann(HIGH, &policy),
            Command::Expire,
            sweep.clone(),
            "18:00:00",
            Status::Expired,
            "Not approved in time: 0 of 2 approvals.",
        ),
        (
            not_started,
            Command::Expire,
            sweep,
            "18:00:00",
            Status::Expired,
            "Approved, and not started in time.",
        ),
    ] {
        living.command(&command, &actor, &policy, at(now)).unwrap();
        let plan = living.plan(&configuration, &policy);
        let told = of(&plan, "ann@x.org");
        assert_eq!(
            told.iter().map(|message| message.kind).collect::<Vec<_>>(),
            [MessageKind::Outcome],
            "{reason}"
        );
        let outcome = plan.outcome.unwrap();
        assert_eq!((outcome.status, outcome.reason.as_str()), (status, reason));
        assert!(!outcome.next_step.is_empty() && !outcome.reason.contains("of parameters"));
    }
}

#[test]
fn the_owner_of_an_agent_hears_what_became_of_its_request() {
    let (policy, configuration) = (policy(), configuration(""));
    let caller = Caller::new(id("bot"), PrincipalKind::Human, Channel::Api, ["agent"]);
    let bot = policy.people().resolve(caller).unwrap();
    let mut living = Living::new(MEDIUM, "orders-db", &bot, &policy, at("10:00:00"));
    living.command(&reject(), &human("carol", &["approver"]), &policy, at("10:10:00")).unwrap();
    let plan = living.plan(&configuration, &policy);
    assert_eq!(of(&plan, "olga@x.org")[0].kind, MessageKind::Outcome);
    assert!(of(&plan, "bot@x.org").is_empty());
}

#[test]
fn however_many_routes_match_the_message_is_one() {
    let more = r#"
[routes.again]
to = ["approvers", "group:dba", "person:dan@x.org"]
via = ["mail", "bot"]
[routes.production]
environment = "production"
risk = ["high"]
to = ["approvers"]
via = ["mail"]
[routes.elsewhere]
environment = "non-production"
to = ["group:watchers"]
via = ["mail"]
[routes.others]
operations = ["other*"]
to = ["group:watchers"]
via = ["mail"]
"#;
    let (policy, configuration) = (policy(), configuration(more));
    let plan = Living::of_ann(SLOTTED, &policy).plan(&configuration, &policy);
    let places: BTreeSet<&Place> = plan.messages.iter().map(|message| &message.place).collect();
    assert_eq!(places.len(), plan.messages.len());
    let dan: Vec<String> = of(&plan, "dan@x.org").into_iter().map(shown).collect();
    assert_eq!(dan, ["bot dan@x.org Act", "mail dan@x.org Act"]);
    assert!(of(&plan, "watchers@x.org").is_empty());
}

#[test]
fn groups_have_places_of_their_own_and_channels_are_shared() {
    let more = r#"
[destinations.teams]
kind = "teams"
url = "env:TEAMS"
[destinations.dba-teams]
kind = "teams"
url = "env:DBA_TEAMS"
[groups.on-call]
members = ["dan@x.org"]
slack = "C99"
teams = "dba-teams"
[people."walter@x.org"]
slack = "U7"
[routes.rooms]
to = ["group:watchers", "group:on-call", "approvers"]
via = ["mail", "room", "bot", "teams"]
"#;
    let (policy, configuration) = (policy(), configuration(more));
    let mut living = Living::of_ann(SLOTTED, &policy);
    let plan = living.plan(&configuration, &policy);
    let places: Vec<String> = plan
        .messages
        .iter()
        .filter(|message| !matches!(message.place.recipient, Recipient::Person(_)))
        .map(shown)
        .collect();
    let expected = [
        "bot C99 Act",
        "dba-teams - Act",
        "mail watchers@x.org Information",
        "room - Act",
        "room C99 Act",
        "teams - Act",
        "topic - Information",
    ];
    assert_eq!(places, expected);
    assert_eq!(of(&plan, "U7")[0].place.destination, "bot");
    let room = plan.messages.iter().find(|message| shown(message) == "room - Act").unwrap();
    assert_eq!(room.people.len(), 5);
    // A bot changes its message with every step, and others say no more before the end.
    living.approve("eve", &["dba"], &policy, at("10:05:00")).unwrap();
    let kinds = |plan: &Plan, name: &str| -> Vec<MessageKind> {
        let messages = plan.messages.iter().filter(|message| {
            message.place.destination == name && message.place.recipient == Recipient::Shared
        });
        messages.map(|message| message.kind).collect()
    };
    let granted = living.plan(&configuration, &policy);
    assert_eq!(kinds(&granted, "room"), [MessageKind::Update]);
    assert_eq!(kinds(&granted, "teams"), []);
    living.command(&reject(), &human("dan", &["dba"]), &policy, at("10:10:00")).unwrap();
    let rejected = living.plan(&configuration, &policy);
    assert_eq!(kinds(&rejected, "room"), [MessageKind::Closing]);
    assert_eq!(kinds(&rejected, "teams"), [MessageKind::Closing]);
}

#[test]
fn routes_with_events_and_statuses_tell_of_those() {
    let more = r#"
[routes.comments]
events = ["COMMENT_ADDED"]
to = ["requester", "person:walter@x.org"]
via = ["mail"]
[routes.ends]
statuses = ["rejected"]
to = ["group:watchers"]
via = ["mail"]
"#;
    let (policy, configuration) = (policy(), configuration(more));
    let mut living = Living::of_ann(MEDIUM, &policy);
    assert!(of(&living.plan(&configuration, &policy), "walter@x.org").is_empty());
    let mut event = living.happening;
    event.event_type = EventType::CommentAdded;
    living.happening = event;
    let commented = living.plan(&configuration, &policy);
    assert_eq!(of(&commented, "ann@x.org")[0].kind, MessageKind::Information);
    assert_eq!(of(&commented, "walter@x.org")[0].kind, MessageKind::Information);
    assert!(of(&commented, "watchers@x.org").is_empty() && of(&commented, "carol@x.org").is_empty());
    living.command(&reject(), &human("carol", &["approver"]), &policy, at("10:10:00")).unwrap();
    assert_eq!(of(&living.plan(&configuration, &policy), "watchers@x.org")[0].kind, MessageKind::Information);
}

#[test]
fn where_nobody_can_approve_the_fallback_is_told() {
    let more = "[fallback]\nto = [\"group:watchers\"]\nvia = [\"mail\", \"room\"]\n";
    let without_approvers = crate::fixture::NOTIFICATIONS
        .replace("\"dan@x.org\", \"eve@x.org\", \"carol@x.org\"", "")
        .replace("\"fred@x.org\"", "")
        .replace("\"gina@x.org\", \"dan@x.org\"", "");
    let (policy, configuration) = (policy(), configured(&format!("{without_approvers}{more}")));
    let mut living = Living::of_ann(SLOTTED, &policy);
    let plan = living.plan(&configuration, &policy);
    assert!(plan.is_nobody_found);
    assert_eq!(
        all_shown(&plan),
        ["mail watchers@x.org Information", "room - Information", "topic - Information"]
    );
    living.happening.event_type = EventType::CommentAdded;
    assert!(!living.plan(&configuration, &policy).is_nobody_found);
}

#[test]
fn quiet_hours_digests_and_muted_events() {
    let (policy, configuration) =
        (policy(), configuration("[routes.w]\nto = [\"person:walter@x.org\"]\nvia = [\"mail\"]\n"));
    // Of medium risk in production: P3, and pending until 18:00.
    let living = Living::of_ann(MEDIUM, &policy);
    let when = |name: &str, document: &serde_json::Value| {
        let plan = with_preferences(&living, &configuration, &policy, name, document);
        of(&plan, &format!("{name}@x.org")).first().map(|message| message.when)
    };
    let settled = Some(When::Settled(at("10:00:10")));
    let quiet_until = |to: &str| json!({"quiet_hours": [{"from": "09:00", "to": to}]});
    assert_eq!(when("carol", &json!({})), settled);
    assert_eq!(when("carol", &quiet_until("12:00")), Some(When::AfterQuietHours(at("12:00:00"))));
    assert_eq!(when("carol", &quiet_until("18:00")), settled, "it would expire first");
    assert_eq!(when("walter", &quiet_until("18:00")), Some(When::AfterQuietHours(at("18:00:00"))));
    let digest = json!({"digest": {"period": "daily", "at": "17:00"}});
    assert_eq!(when("carol", &digest), settled, "a person who is asked does not wait for a digest");
    assert_eq!(when("walter", &digest), Some(When::InDigest(at("17:00:00"))));
    let muted = json!({"muted_events": ["APPROVAL_REQUEST_CREATED"]});
    assert_eq!((when("carol", &muted), when("walter", &muted)), (None, None));
    assert_eq!(when("carol", &json!({"channels": []})), None);
    // What is urgent waits for nobody's morning.
    let urgent = Living::of_ann(HIGH, &policy);
    let plan = with_preferences(&urgent, &configuration, &policy, "carol", &quiet_until("12:00"));
    assert_eq!(of(&plan, "carol@x.org")[0].when, When::Settled(at("10:00:10")));
    assert!(
        plan.messages
            .iter()
            .any(|message| message.when == When::AtOnce && shown(message) == "topic - Information")
    );
    assert_eq!(When::Settled(at("10:00:10")).not_before(at("10:00:00")), at("10:00:10"));
    assert_eq!(When::AtOnce.not_before(at("10:00:00")), at("10:00:00"));
}

#[test]
fn people_choose_their_channels_among_those_of_a_route() {
    let (policy, configuration) =
        (policy(), configuration("[routes.both]\nto = [\"approvers\"]\nvia = [\"mail\", \"bot\"]\n"));
    let living = Living::of_ann(SLOTTED, &policy);
    let by = |document: &serde_json::Value| -> Vec<String> {
        let plan = with_preferences(&living, &configuration, &policy, "eve", document);
        of(&plan, "eve@x.org").iter().map(|message| message.place.destination.clone()).collect()
    };
    assert_eq!(by(&json!({})), ["bot", "mail"]);
    assert_eq!(by(&json!({"channels": ["bot"]})), ["bot"]);
    assert_eq!(by(&json!({"channels": []})), Vec::<String>::new());
}

#[test]
fn what_became_of_a_request_is_not_muted() {
    let (policy, configuration) = (policy(), configuration(""));
    let mut living = Living::of_ann(MEDIUM, &policy);
    living.command(&reject(), &human("carol", &["approver"]), &policy, at("10:10:00")).unwrap();
    let muted = json!({"muted_events": ["APPROVAL_REJECTED"]});
    let plan = with_preferences(&living, &configuration, &policy, "ann", &muted);
    assert_eq!(of(&plan, "ann@x.org").len(), 1);
}

#[test]
fn an_escalation_is_taken_back_when_the_wait_is_over() {
    // Of high risk in production: P2, whose bundled escalation comes after an hour.
    let (policy, configuration) = (policy(), configuration(""));
    let pager = |now: Timestamp| {
        let mut living = Living::of_ann(HIGH, &policy);
        living.command(&reject(), &human("carol", &["approver"]), &policy, now).unwrap();
        let plan = living.plan(&configuration, &policy);
        plan.messages
            .iter()
            .filter(|message| message.place.destination == "pager")
            .map(shown)
            .collect::<Vec<_>>()
    };
    assert_eq!(pager(at("10:59:59")), Vec::<String>::new());
    assert_eq!(pager(at("11:00:00")), ["pager - Closing"]);
}

#[test]
fn without_a_file_every_event_goes_to_the_one_channel_and_nobody_else_hears() {
    let policy = policy();
    let log = Configuration::of_one_channel(Destination { target: Target::Log, rate_per_minute: None });
    let mut living = Living::of_ann(MEDIUM, &policy);
    assert_eq!(all_shown(&living.plan(&log, &policy)), ["log - Information"]);
    living.command(&reject(), &human("carol", &["approver"]), &policy, at("10:10:00")).unwrap();
    let plan = living.plan(&log, &policy);
    assert_eq!(all_shown(&plan), ["log - Information"]);
    assert_eq!(plan.messages[0].when, When::AtOnce);
}

#[test]
fn a_named_priority_is_that_of_the_routes() {
    let (policy, configuration) = (
        policy(),
        configuration("[routes.p1]\npriority = [\"P1\"]\nto = [\"group:watchers\"]\nvia = [\"mail\"]\n"),
    );
    let is_heard = |priority| {
        let living = Living::with_priority(MEDIUM, priority, &policy);
        !of(&living.plan(&configuration, &policy), "watchers@x.org").is_empty()
    };
    assert!(is_heard(Some(Priority::P1)) && !is_heard(Some(Priority::P2)) && !is_heard(None));
}

#[test]
fn of_several_reasons_for_one_message_the_weightiest_is_told() {
    let policy = policy();
    for (first, second) in [("a", "b"), ("b", "a")] {
        let more = format!(
            "[routes.{first}]\nvia = [\"room\"]\n[routes.{second}]\nto = [\"approvers\"]\nvia = [\"room\"]\n"
        );
        let plan = Living::of_ann(MEDIUM, &policy).plan(&configuration(&more), &policy);
        let room: Vec<String> =
            all_shown(&plan).into_iter().filter(|message| message.starts_with("room")).collect();
        assert_eq!(room, ["room - Act"]);
    }
}

#[test]
fn who_is_disabled_hears_of_nothing() {
    let more = "[routes.all]\nto = [\"group:approver\", \"person:mallory@x.org\", \"requester\"]\nvia = [\"mail\"]\n";
    let (policy, configuration) = (policy(), configuration(more));
    let mut living =
        Living::new(MEDIUM, "orders-db", &human("mallory", &["developer"]), &policy, at("10:00:00"));
    let created = living.plan(&configuration, &policy);
    assert!(of(&created, "mallory@x.org").is_empty() && !of(&created, "carol@x.org").is_empty());
    living.command(&reject(), &human("carol", &["approver"]), &policy, at("10:10:00")).unwrap();
    assert!(of(&living.plan(&configuration, &policy), "mallory@x.org").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever is asked for an approval could give it, by whichever routes and in whichever order slots are filled; and a message
    /// that closes goes to nobody who is still asked.
    #[test]
    fn nobody_is_asked_who_could_not_approve(
        operation in prop::sample::select(vec![SLOTTED, HIGH, MEDIUM]),
        order in Just(vec!["bob", "carol", "dan", "eve", "fred", "gina", "olga"]).prop_shuffle(),
        steps in 0_usize..4,
        to in prop::sample::subsequence(vec!["\"approvers\"", "\"group:dba\"", "\"group:approver\"", "\"person:mallory@x.org\"", "\"requester\""], 1..5),
        via in prop::sample::subsequence(vec!["\"mail\"", "\"bot\"", "\"room\""], 1..3),
    ) {
        let policy = policy();
        let more = format!("[routes.any]\nto = [{}]\nvia = [{}]\n", to.join(", "), via.join(", "));
        let configuration = configuration(&more);
        let groups_of = |name: &str| -> Vec<&str> {
            let groups = configuration.groups.iter().filter(|(_, group)| group.members.iter().any(|member| policy.people().is_same(member, &id(name))));
            groups.map(|(name, _)| name.as_str()).collect()
        };
        let mut living = Living::of_ann(operation, &policy);
        let mut events = vec![living.clone()];
        for name in order.iter().take(steps) {
            if living.approve(name, &groups_of(name), &policy, at("10:05:00")).is_ok() {
                events.push(living.clone());
            }
        }
        for living in events {
            let could = |person: &PersonId| {
                let name = person.as_str().split('@').next().unwrap();
                living.clone().approve(name, &groups_of(name), &policy, at("10:05:00")).is_ok()
            };
            for message in living.plan(&configuration, &policy).messages {
                let people = &message.people;
                match message.kind {
                    MessageKind::Act => prop_assert!(!people.is_empty() && people.iter().all(could), "{:?}", message),
                    MessageKind::Closing => prop_assert!(!people.iter().any(could), "{:?}", message),
                    MessageKind::Update => prop_assert!(people.iter().all(could), "{:?}", message),
                    MessageKind::Outcome | MessageKind::Information => {}
                }
            }
        }
    }
}
