//! Who may do what: requesters do not decide their own request, only people decide, each person counts once,
//! and what each group allows.

use crate::fixture::{
    ALL_GROUPS, HIGH, Trail, after, ann, answer, approve, bob, cancel, carol, change_content, comment,
    context, draft, every_command, finish, human, in_force, person, policy, policy_of_people, reject,
    service, start, word,
};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::ExecutionOutcome;
use countersign_core::decide::decide;
use countersign_core::person::PersonId;
use countersign_core::policy::BUNDLED_PEOPLE;
use countersign_core::policy::access::Action;
use countersign_core::principal::Principal;
use countersign_core::request::{Request, Status};
use strum::IntoEnumIterator;

use ExecutionOutcome::{Failed, Succeeded};

/// Groups of people: a member of `agent` is an agent.
fn groups_of_people() -> impl Iterator<Item = &'static str> {
    ALL_GROUPS.into_iter().filter(|group| *group != "agent")
}

fn open(requester: &Principal) -> Request {
    let mut request = Trail::open(HIGH).request;
    change_content(&mut request, |content| content.requested_by = requester.person.clone());
    request
}

/// Both ways to decide get the same refusal.
pub(crate) fn check_cannot_decide(request: &Request, actor: &Principal, expected: &str) {
    for command in [approve(), reject()] {
        let found = answer(request, &command, actor, after(5000));
        assert_eq!(found, expected, "{command:?} by {} in {:?}", actor.person, actor.groups);
    }
}

#[test]
fn requester_cannot_decide_own_request() {
    for group in groups_of_people() {
        let requester = human("ann", &[group]);
        check_cannot_decide(&open(&requester), &requester, "self_approval");
    }
    let everything: Vec<_> = groups_of_people().collect();
    let requester = human("ann", &everything);
    check_cannot_decide(&open(&requester), &requester, "self_approval");
}

/// With groups, a channel or a kind that the request was not made with.
#[test]
fn requester_cannot_come_back_as_another_person() {
    let request = Trail::open(HIGH).request;
    for channel in Channel::iter() {
        let returned = Principal::assumed(person("ann"), PrincipalKind::Human, channel, ["admin"]);
        check_cannot_decide(&request, &returned, "self_approval");
    }
    let mut on_behalf = human("ann", &["approver", "admin"]);
    on_behalf.filed_by = Some(PersonId::service("pipeline").unwrap());
    check_cannot_decide(&request, &on_behalf, "self_approval");
}

#[test]
fn requester_cannot_decide_under_another_spelling() {
    let request = Trail::open(HIGH).request;
    for spelling in [
        "ANN@EXAMPLE.COM",
        "Ann@Example.com",
        " ann@example.com",
        "ann@example.com\r\n",
        "\tann@example.COM ",
    ] {
        let same = PersonId::from_email(spelling).unwrap();
        let actor = Principal::assumed(same, PrincipalKind::Human, Channel::Api, ["approver"]);
        check_cannot_decide(&request, &actor, "self_approval");
    }
    for disguise in [
        "ａｎｎ@example.com",
        "аnn@example.com",
        "ann＠example.com",
        "ann\u{200b}@example.com",
        "a\u{ad}nn@example.com",
        "ann@example.com.",
        "ann(x)@example.com",
        "\"ann\"@example.com",
        "\u{a0}ann@example.com",
        "ann@\u{212a}example.com",
    ] {
        assert!(PersonId::from_email(disguise).is_err(), "{disguise:?} is nobody, so it decides nothing");
    }
}

/// The other half of case 4: spelling must not keep a true approver out, nor count them twice.
#[test]
fn an_approver_is_one_person_in_every_spelling() {
    let spelled = |email: &str| {
        Principal::assumed(
            PersonId::from_email(email).unwrap(),
            PrincipalKind::Human,
            Channel::Api,
            ["approver"],
        )
    };
    let trail = Trail::open(HIGH).then(&spelled("BOB@Example.COM"), &approve());
    assert_eq!(trail.request.decisions[0].person, person("bob"));
    for again in ["bob@example.com", " Bob@example.com", "bOb@EXAMPLE.com\n"] {
        check_cannot_decide(&trail.request, &spelled(again), "already_decided");
    }
    assert_eq!(trail.then(&spelled("Carol@Example.com"), &approve()).request.status, Status::Approved);
}

#[test]
fn the_service_that_filed_a_request_counts_as_its_requester() {
    let mut requester = ann();
    requester.filed_by = Some(PersonId::service("pipeline").unwrap());
    let mut request = Trail::open_as(draft(HIGH), &requester, &policy(2), None).request;
    check_cannot_decide(&request, &human("ann", &["approver", "admin"]), "self_approval");
    // A service never decides, and would not decide this one if it did.
    check_cannot_decide(&request, &service("pipeline", &["approver", "admin"]), "agent_cannot_approve");
    let mut disguised = service("pipeline", &["approver", "admin"]);
    disguised.kind = PrincipalKind::Human;
    check_cannot_decide(&request, &disguised, "self_approval");

    change_content(&mut request, |content| content.filed_by = Some(person("bob")));
    for group in ["approver", "admin"] {
        check_cannot_decide(&request, &human("bob", &[group]), "self_approval");
    }
    assert_eq!(answer(&request, &approve(), &carol(), after(5000)), "pending");
}

#[test]
fn agents_and_services_never_decide() {
    let request = Trail::open(HIGH).request;
    for group in ["approver", "admin"] {
        for groups in [vec!["agent", group], ALL_GROUPS.to_vec()] {
            for kind in PrincipalKind::iter() {
                let actor = Principal::assumed(person("robo"), kind, Channel::Api, groups.iter().copied());
                assert_ne!(actor.kind, PrincipalKind::Human, "whoever is in the agent group is no human");
                check_cannot_decide(&request, &actor, "agent_cannot_approve");
            }
        }
        for kind in [PrincipalKind::Agent, PrincipalKind::Service] {
            for channel in Channel::iter() {
                let actor = Principal::assumed(person("robo"), kind, channel, [group]);
                check_cannot_decide(&request, &actor, "agent_cannot_approve");
            }
        }
        check_cannot_decide(&request, &service("pipeline", &[group]), "agent_cannot_approve");
    }
}

#[test]
fn an_agent_cannot_decide_its_own_request_either() {
    let robo = human("robo", &["agent", "approver"]);
    check_cannot_decide(&open(&robo), &robo, "agent_cannot_approve");
}

#[test]
fn one_person_in_many_groups_counts_once() {
    for groups in
        [vec!["approver", "admin"], groups_of_people().collect(), vec!["approver", "dba", "security"]]
    {
        let trail = Trail::open(HIGH).then(&human("bob", &groups), &approve());
        assert_eq!(
            (trail.request.status, trail.request.approvals_received()),
            (Status::Pending, 1),
            "{groups:?}"
        );
        check_cannot_decide(&trail.request, &human("bob", &groups), "already_decided");
        // Nor with one group at a time.
        for group in ["approver", "admin"] {
            check_cannot_decide(&trail.request, &human("bob", &[group]), "already_decided");
        }
    }
}

#[test]
fn two_people_of_one_group_count_as_two() {
    let trail = Trail::open(HIGH).then(&bob(), &approve()).then(&carol(), &approve());
    assert_eq!(trail.request.status, Status::Approved);
    assert!(trail.request.approved_by().eq([&bob().person, &carol().person]));
}

#[test]
fn an_approval_is_not_taken_back_by_rejecting() {
    let trail = Trail::in_status(Status::Pending);
    assert_eq!(answer(&trail.request, &reject(), &bob(), trail.now()), "already_decided");
    assert_eq!(answer(&trail.request, &reject(), &carol(), trail.now()), "rejected");
}

/// Columns: another person's request, pending unless it is to be finished: approve, reject, comment,
/// finish as failed. Own request: cancel, comment, start, finish as succeeded.
#[test]
fn each_group_allows_what_the_design_says_and_no_more() {
    const HIDDEN: &str = "not_found";
    const NO: &str = "not_permitted";
    let nothing = [HIDDEN; 8];
    for (group, expected) in [
        ("developer", [HIDDEN, HIDDEN, HIDDEN, HIDDEN, "cancelled", "pending", "executing", "executed"]),
        ("approver", ["pending", "rejected", "pending", NO, NO, "pending", NO, NO]),
        ("auditor", [NO; 8]),
        (
            "admin",
            ["pending", "rejected", "pending", "failed", "cancelled", "pending", "executing", "executed"],
        ),
        ("guest", [NO; 8]),
        ("agent", [HIDDEN, HIDDEN, HIDDEN, HIDDEN, "cancelled", "pending", "executing", "executed"]),
        ("Approver", nothing),
        ("approver ", nothing),
        ("ADMIN", nothing),
        ("approvers", nothing),
        ("admin,approver", nothing),
        ("[admin approver]", nothing),
        ("*", nothing),
        ("", nothing),
    ] {
        let actor = human("sam", &[group]);
        let others = |status| Trail::in_status(status).request;
        let own = |status| {
            let mut request = Trail::in_status(status).request;
            change_content(&mut request, |content| content.requested_by = actor.person.clone());
            if let Some(execution) = &mut request.execution {
                execution.started_by = actor.person.clone();
            }
            request
        };
        let (running, own_running) = (others(Status::Executing), own(Status::Executing));
        let pending = Trail::open(HIGH).request;
        let found = [
            answer(&pending, &approve(), &actor, after(9000)),
            answer(&pending, &reject(), &actor, after(9000)),
            answer(&pending, &comment(), &actor, after(9000)),
            answer(&running, &finish(&running, Failed), &actor, after(9000)),
            answer(&own(Status::Pending), &cancel(), &actor, after(9000)),
            answer(&own(Status::Pending), &comment(), &actor, after(9000)),
            answer(&own(Status::Approved), &start(), &actor, after(9000)),
            answer(&own_running, &finish(&own_running, Succeeded), &actor, after(9000)),
        ];
        assert_eq!(found, expected, "{group:?}");
    }
}

fn may(action: Action, actor: &Principal, request: &Request) -> bool {
    in_force().may(action, actor, request, after(1)).is_permitted()
}

#[test]
fn a_person_in_no_group_sees_and_does_nothing() {
    for request in [Trail::open(HIGH).request, open(&human("sam", &[]))] {
        let nobody = human("sam", &[]);
        assert!(!may(Action::View, &nobody, &request));
        for command in every_command(&request).iter().filter(|command| !command.is_of_the_sweep()) {
            assert_eq!(answer(&request, command, &nobody, after(1)), "not_found", "{command:?}");
        }
    }
}

/// Columns: own request, own parameters, another's request, another's parameters.
#[test]
fn each_group_sees_what_the_design_says() {
    let others = Trail::open(HIGH).request;
    let own = open(&human("sam", &[]));
    for (group, expected) in [
        ("developer", [true, true, false, false]),
        ("approver", [true, true, true, true]),
        ("auditor", [true, true, true, true]),
        ("admin", [true, true, true, true]),
        ("guest", [true, true, true, false]),
        ("agent", [true, true, false, false]),
    ] {
        let actor = human("sam", &[group]);
        let sees = |request| {
            let sees = may(Action::View, &actor, request);
            [sees, sees && may(Action::ViewParameters, &actor, request)]
        };
        assert_eq!([sees(&own), sees(&others)].concat(), expected, "{group}");
    }
}

#[test]
fn the_service_that_filed_a_request_sees_it() {
    let mut request = Trail::open(HIGH).request;
    let pipeline = service("pipeline", &["developer"]);
    assert!(!may(Action::View, &pipeline, &request));
    change_content(&mut request, |content| content.filed_by = Some(pipeline.person.clone()));
    assert!(may(Action::View, &pipeline, &request));
}

/// To stop is safe: an admin stops what no other person is there to stop.
#[test]
fn the_requester_and_admins_cancel() {
    for status in [Status::Pending, Status::Approved] {
        let request = Trail::in_status(status).request;
        for actor in [bob(), human("dan", &["developer", "approver", "auditor", "guest"])] {
            assert_eq!(answer(&request, &cancel(), &actor, after(9000)), "not_permitted", "{}", actor.person);
        }
        for actor in [human("dave", &["admin"]), human("dave", &["admin", "developer"]), ann()] {
            let trail = Trail::in_status(status).then(&actor, &cancel());
            assert_eq!(trail.request.status, Status::Cancelled);
            assert_eq!(trail.request.cancellation.as_ref().unwrap().by, actor.person);
            assert_eq!(trail.audit.last().unwrap().user, actor.person);
        }
    }
}

/// The owner of an agent or a service takes back what it asked for, with the permissions that
/// they have for their own requests; and so does a service what it filed.
#[test]
fn the_owner_of_an_agent_or_a_service_cancels_what_it_asked_for() {
    let people = format!(
        "{BUNDLED_PEOPLE}\n[agents.\"robo@example.com\"]\nowner = \"erin@example.com\"\n\
         [services.pipeline]\nowner = \"erin@example.com\"\n"
    );
    let policy = policy_of_people(2, &people);
    let answer = |request: &Request, actor: &Principal| {
        word(&decide(request, &cancel(), actor, &context(9, after(9000)), &policy, None))
    };
    for requester in [human("robo", &["agent"]), service("pipeline", &["developer"])] {
        let request = Trail::open_as(draft(HIGH), &requester, &policy, None).request;
        assert_eq!(answer(&request, &human("erin", &["developer"])), "cancelled");
        // Policy still says what its own requester may do.
        assert_eq!(answer(&request, &human("erin", &["guest"])), "not_permitted");
        assert_eq!(answer(&request, &human("dan", &["developer"])), "not_found");
        assert_eq!(answer(&request, &human("dan", &["developer", "approver"])), "not_permitted");
    }
    let filed = Principal { filed_by: Some(PersonId::service("pipeline").unwrap()), ..ann() };
    let request = Trail::open_as(draft(HIGH), &filed, &policy, None).request;
    for actor in [ann(), service("pipeline", &["developer"]), human("erin", &["developer"])] {
        assert_eq!(answer(&request, &actor), "cancelled", "{}", actor.person);
    }
}

#[test]
fn only_the_requester_starts() {
    let request = Trail::in_status(Status::Approved).request;
    for actor in [bob(), carol(), human("dave", &["admin"]), human("bob", &["approver", "developer"])] {
        assert_eq!(answer(&request, &start(), &actor, after(9000)), "not_permitted", "{}", actor.person);
    }
    assert_eq!(answer(&request, &start(), &ann(), after(9000)), "executing");
}

#[test]
fn the_executor_who_started_finishes() {
    let mut request = Trail::in_status(Status::Executing).request;
    for outcome in [Succeeded, Failed] {
        let command = finish(&request, outcome);
        for actor in [bob(), human("dan", &["developer", "guest"]), human("dave", &["auditor"])] {
            assert_eq!(answer(&request, &command, &actor, after(9000)), "not_permitted", "{}", actor.person);
        }
    }
    // As a later executor service will: then the requester does not report on its work.
    let executor = service("executor", &["developer", "auditor"]);
    request.execution.as_mut().unwrap().started_by = executor.person.clone();
    assert_eq!(answer(&request, &finish(&request, Succeeded), &executor, after(9000)), "executed");
    assert_eq!(answer(&request, &finish(&request, Succeeded), &ann(), after(9000)), "not_permitted");
}

#[test]
fn an_admin_clears_a_stuck_execution_of_another_person_as_failed_only() {
    let mut request = Trail::in_status(Status::Executing).request;
    let dave = human("dave", &["admin"]);
    assert_eq!(answer(&request, &finish(&request, Succeeded), &dave, after(9000)), "not_permitted");
    assert_eq!(answer(&request, &finish(&request, Failed), &dave, after(9000)), "failed");

    // The requester is not "an admin other than the requester", even if another executor started it.
    request.execution.as_mut().unwrap().started_by = PersonId::service("executor").unwrap();
    let admin_requester = human("ann", &["admin", "developer"]);
    for outcome in [Succeeded, Failed] {
        let command = finish(&request, outcome);
        assert_eq!(answer(&request, &command, &admin_requester, after(9000)), "not_permitted", "{outcome:?}");
    }
}

#[test]
fn an_agent_asks_gives_up_and_executes_what_is_its_own() {
    let robo = human("robo", &["agent"]);
    let trail = Trail::open_as(draft(HIGH), &robo, &policy(2), None);
    assert_eq!(trail.events[0].kind, PrincipalKind::Agent);
    assert_eq!(answer(&trail.request, &cancel(), &robo, trail.now()), "cancelled");
    assert_eq!(answer(&trail.request, &comment(), &robo, trail.now()), "pending");
    let others = Trail::open(HIGH).request;
    assert_eq!(answer(&others, &cancel(), &robo, after(9000)), "not_found");
    let trail = trail.then(&bob(), &approve()).then(&carol(), &approve()).then(&robo, &start());
    let command = finish(&trail.request, Succeeded);
    assert_eq!(trail.then(&robo, &command).request.status, Status::Executed);
}
