//! How an execution goes: its permit is spent once, it is heard of or unknown, and only those who carry it out report
//! on it. When it may begin, and what an executor sees before it does.

use crate::fixture::{
    HIGH, LOW, Trail, after, ann, answer, approve, bob, cancel, canonical, carol, claim, comment, context,
    draft, executor, finish, human, in_force, observe, policy_of, renew, result, service, start, text, word,
};
use countersign_core::audit::replay;
use countersign_core::caller::Channel;
use countersign_core::command::{Command, Draft, ExecutionOutcome};
use countersign_core::creation;
use countersign_core::decide::decide;
use countersign_core::event::EventType;
use countersign_core::execution::{ExecutionMode, ExecutionState, Schedule, Window};
use countersign_core::policy::mistake::InvalidPolicy;
use countersign_core::policy::{Policy, Restrictions};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use std::sync::LazyLock;

/// The permit of the policy in these tests, and its lease, in milliseconds.
const PERMIT_MS: i64 = 900_000;
const LEASE_MS: i64 = 3_600_000;

fn expiry() -> Principal {
    Principal::expiry(Channel::Local)
}

fn state(trail: &Trail, clock: i64) -> ExecutionState {
    trail.request.execution.as_ref().unwrap().state_at(after(clock))
}

fn agrees(trail: &Trail) {
    assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));
}

/// A policy with an executor for the operations of high risk, and shorter times.
fn with_executor() -> &'static Policy {
    static POLICY: LazyLock<Policy> = LazyLock::new(|| {
        let bundled = countersign_core::policy::BUNDLED_PEOPLE;
        let text = format!(
            "[defaults]\npending_seconds = 3600\nexecute_within_seconds = 1800\npermit_seconds = 60\nlease_seconds = 30\n\
             [approvals]\nlow = 0\nmedium = 1\nhigh = 2\n[environments]\n[operations.{HIGH}]\nproduction = \"high\"\n\
             non_production = \"high\"\nexecutor = \"rds\"\nlease_seconds = 120\n\
             [operations.{LOW}]\nproduction = \"low\"\nnon_production = \"low\"\n"
        );
        let text = countersign_core::policy::PolicyText {
            operations: &text,
            people: bundled,
            access: countersign_access::BUNDLED,
        };
        countersign_policy::load::parse(&text).unwrap()
    });
    &POLICY
}

fn under(
    policy: &Policy,
    request: &Request,
    command: &Command,
    actor: &Principal,
    now: Timestamp,
) -> &'static str {
    word(&decide(request, command, actor, &context(request.version + 1, now), policy, None))
}

/// A draft that says when it is to be carried out.
fn scheduled(operation: &str, schedule: Schedule) -> Draft {
    Draft { schedule, ..draft(operation) }
}

/// Made and approved under the policy with an executor.
fn approved(schedule: Schedule) -> Trail {
    let mut trail = Trail::open_as(scheduled(HIGH, schedule), &ann(), with_executor(), None);
    for approver in [bob(), carol()] {
        trail.clock += 1000;
        trail.give_under(with_executor(), &approver, &approve(), None).unwrap();
    }
    trail
}

#[test]
fn a_permit_is_spent_once() {
    let trail = Trail::in_status(Status::Executing);
    assert_eq!(state(&trail, trail.clock), ExecutionState::Started);
    let command = claim(&trail.request);
    let trail = trail.then(&ann(), &command);
    agrees(&trail);
    assert_eq!(trail.request.status, Status::Executing);
    assert_eq!(state(&trail, trail.clock), ExecutionState::Claimed);
    let claimed = trail.request.execution.clone().unwrap();
    assert_eq!(
        (claimed.claim.as_ref().unwrap().by.clone(), claimed.lease_until),
        (ann().person, after(trail.clock + LEASE_MS))
    );
    for clock in [trail.clock, trail.clock + PERMIT_MS * 2, trail.clock + LEASE_MS * 2] {
        assert_eq!(answer(&trail.request, &command, &ann(), after(clock)), "permit_spent");
    }
    // Nor once it is over, however it ended.
    for outcome in [ExecutionOutcome::Succeeded, ExecutionOutcome::Failed] {
        let report = finish(&trail.request, outcome);
        let over = trail.clone().then(&ann(), &report);
        agrees(&over);
        assert_eq!(answer(&over.request, &command, &ann(), over.now()), "permit_spent");
    }
    for status in [Status::Executed, Status::Failed] {
        let unclaimed = Trail::in_status(status);
        let command = claim(&unclaimed.request);
        assert_eq!(answer(&unclaimed.request, &command, &ann(), unclaimed.now()), "permit_spent");
    }
    for status in [Status::Pending, Status::Approved, Status::Rejected, Status::Cancelled] {
        let other = Trail::in_status(status);
        assert_eq!(answer(&other.request, &command, &ann(), other.now()), "permit_invalid", "{status}");
    }
}

/// THREATS 29: what is claimed too late is not carried out.
#[test]
fn a_permit_claims_until_its_last_millisecond() {
    let trail = Trail::in_status(Status::Executing);
    let command = claim(&trail.request);
    let answer = |ms: i64| answer(&trail.request, &command, &ann(), after(trail.clock + ms));
    assert_eq!((answer(PERMIT_MS - 1), answer(PERMIT_MS)), ("executing", "permit_expired"));
}

#[test]
fn only_the_starter_claims_what_no_executor_is_named_for() {
    let trail = Trail::in_status(Status::Executing);
    let command = claim(&trail.request);
    for (actor, expected) in [
        (human("ann", &["developer"]), "executing"),
        (human("ann", &["guest"]), "not_permitted"),
        (human("ben", &["developer"]), "not_found"),
        (bob(), "not_permitted"),
        (human("root", &["admin"]), "not_permitted"),
        (human("ella", &["executor"]), "not_permitted"),
        (human("bot", &["agent", "executor"]), "not_permitted"),
        // A service that policy lets claim may do so in place of the starter: the permit names the client.
        (executor(), "executing"),
        (service("other", &["developer"]), "not_found"),
    ] {
        assert_eq!(answer(&trail.request, &command, &actor, trail.now()), expected, "{actor:?}");
    }
}

#[test]
fn an_executor_that_policy_names_is_the_only_one_to_claim_and_report() {
    let mut trail = approved(Schedule::default());
    trail.clock += 1000;
    trail.give_under(with_executor(), &ann(), &start(), None).unwrap();
    assert_eq!(trail.request.content.audience(), "rds");
    let (request, now) = (&trail.request, trail.now());
    let policy = with_executor();
    assert_eq!(under(policy, request, &claim(request), &ann(), now), "not_permitted");
    assert_eq!(under(policy, request, &claim(request), &human("root", &["admin"]), now), "not_permitted");
    // The starter can end what nobody has claimed, and cannot say that it has happened.
    let succeeded = finish(request, ExecutionOutcome::Succeeded);
    assert_eq!(under(policy, request, &succeeded, &ann(), now), "not_permitted");
    assert_eq!(under(policy, request, &renew(request), &ann(), now), "not_permitted");
    assert_eq!(under(policy, request, &finish(request, ExecutionOutcome::Failed), &ann(), now), "failed");
    let command = claim(request);
    trail.clock += 1000;
    trail.give_under(policy, &executor(), &command, None).unwrap();
    agrees(&trail);
    let (request, now) = (&trail.request, trail.now());
    for outcome in [ExecutionOutcome::Succeeded, ExecutionOutcome::Failed] {
        assert_eq!(under(policy, request, &finish(request, outcome), &ann(), now), "not_permitted");
        let other = service("another", &["executor"]);
        assert_eq!(under(policy, request, &finish(request, outcome), &other, now), "not_permitted");
    }
    assert_eq!(under(policy, request, &succeeded, &executor(), now), "executed");
}

/// THREATS 24: nothing was heard for as long as the lease.
#[test]
fn a_lease_that_ends_makes_an_execution_unknown_and_no_more() {
    let trail = Trail::in_status(Status::Executing);
    let command = claim(&trail.request);
    let trail = trail.then(&ann(), &command);
    let end = trail.clock + LEASE_MS;
    assert_eq!(
        (state(&trail, end - 1), state(&trail, end)),
        (ExecutionState::Claimed, ExecutionState::Unknown)
    );
    let give = |ms: i64| answer(&trail.request, &Command::EndLease, &expiry(), after(ms));
    assert_eq!((give(end - 1), give(end)), ("not_due", "executing"));
    for actor in [ann(), human("root", &["admin"]), executor()] {
        assert_eq!(answer(&trail.request, &Command::EndLease, &actor, after(end)), "not_permitted");
    }
    let mut trail = trail.at(end);
    trail.give(&expiry(), &Command::EndLease, None).unwrap();
    agrees(&trail);
    assert_eq!(trail.audit.last().unwrap().event_type, EventType::ExecutionUnknown.into());
    assert_eq!(trail.request.status, Status::Executing);
    assert_eq!(trail.request.lease_end(), None, "it is looked at once");
    let years = after(end + LEASE_MS * 24 * 366);
    assert_eq!(answer(&trail.request, &Command::EndLease, &expiry(), years), "not_due");
    // Nothing runs it again.
    assert_eq!(answer(&trail.request, &start(), &ann(), years), "not_approved");
    assert_eq!(answer(&trail.request, &claim(&trail.request), &ann(), years), "permit_spent");
    // The claimant may still report, or be heard of again.
    for outcome in [ExecutionOutcome::Succeeded, ExecutionOutcome::Failed] {
        let over = trail.clone().then(&ann(), &finish(&trail.request, outcome));
        agrees(&over);
        assert!(!over.request.status.is_open());
    }
    let heard_of = trail.clone().then(&ann(), &renew(&trail.request));
    agrees(&heard_of);
    assert_eq!(state(&heard_of, heard_of.clock), ExecutionState::Claimed);
    assert_eq!(heard_of.request.lease_end(), Some(after(heard_of.clock + LEASE_MS)));
}

/// THREATS 25: an admin has settled it, and then the claimant reports after all.
#[test]
fn what_is_settled_is_not_reported_again() {
    let trail = Trail::in_status(Status::Executing);
    let command = claim(&trail.request);
    let trail = trail.then(&ann(), &command);
    let mut trail = trail.clone().at(trail.clock + LEASE_MS);
    trail.give(&expiry(), &Command::EndLease, None).unwrap();
    let late = finish(&trail.request, ExecutionOutcome::Succeeded);
    let Command::Finish { execution_id, shown, .. } = late.clone() else { panic!("no report") };
    let settle = Command::Finish {
        execution_id,
        outcome: ExecutionOutcome::Succeeded,
        result: None,
        actual_cost: None,
        note: Some(text("the instance has the class")),
        shown,
    };
    for (actor, expected) in [
        (human("ann", &["admin"]), "executed"),
        (human("root", &["admin"]), "executed"),
        (bob(), "not_permitted"),
        (executor(), "not_permitted"),
    ] {
        assert_eq!(answer(&trail.request, &settle, &actor, trail.now()), expected, "{actor:?}");
    }
    let settled = trail.then(&human("root", &["admin"]), &settle);
    agrees(&settled);
    let note = settled.request.finish().unwrap().note.clone().unwrap();
    assert_eq!(note.text(), Some("the instance has the class"));
    for command in [late, renew(&settled.request)] {
        assert_eq!(answer(&settled.request, &command, &ann(), settled.now()), "execution_mismatch");
    }
}

/// Each event stays for ever: a claimant that says so every second writes four an hour.
#[test]
fn a_renewal_before_a_quarter_of_the_lease_changes_nothing() {
    let trail = Trail::in_status(Status::Executing);
    let command = claim(&trail.request);
    let trail = trail.then(&ann(), &command);
    let renew = renew(&trail.request);
    let answer = |ms: i64| answer(&trail.request, &renew, &ann(), after(trail.clock + ms));
    assert_eq!(
        (answer(0), answer(LEASE_MS / 4 - 1), answer(LEASE_MS / 4)),
        ("replayed", "replayed", "executing")
    );
    assert_eq!(answer(LEASE_MS * 3), "executing");
    let renewed = trail.clone().at(trail.clock + LEASE_MS / 2).then(&ann(), &renew);
    agrees(&renewed);
    assert_eq!(renewed.request.execution.as_ref().unwrap().lease_until, after(renewed.clock + LEASE_MS));
    assert_eq!(
        result(&renewed.request, &renew, &human("root", &["admin"]), renewed.now())
            .map_err(|refusal| refusal.code()),
        Err("not_permitted")
    );
}

#[test]
fn an_operation_has_the_times_of_the_policy_of_its_start() {
    let mut trail = approved(Schedule::default());
    trail.clock += 1000;
    trail.give_under(with_executor(), &ann(), &start(), None).unwrap();
    let execution = trail.request.execution.clone().unwrap();
    assert_eq!(execution.permit_expires_at, after(trail.clock + 60_000));
    assert_eq!((execution.lease_seconds, execution.lease_until), (120, after(trail.clock + 120_000)));
    // A lease that is shorter than the permit begins with the claim.
    let short = policy_of(2, countersign_core::policy::BUNDLED_PEOPLE, "");
    let mut trail = Trail::in_status(Status::Approved);
    trail.clock += 1000;
    trail.give_under(&short, &ann(), &start(), None).unwrap();
    let execution = trail.request.execution.unwrap();
    assert!(execution.lease_until >= execution.permit_expires_at);
}

#[test]
fn an_automatic_request_is_started_by_its_executor_while_its_requester_may() {
    let schedule = Schedule { mode: ExecutionMode::Automatic, ..Schedule::default() };
    let trail = approved(schedule);
    let policy = with_executor();
    let (request, now) = (&trail.request, trail.now());
    for (actor, expected) in [
        (executor(), "executing"),
        (ann(), "executing"),
        (human("root", &["admin"]), "not_permitted"),
        (human("ella", &["executor"]), "not_permitted"),
        (service("other", &[]), "not_found"),
    ] {
        assert_eq!(under(policy, request, &start(), &actor, now), expected, "{actor:?}");
    }
    let manual = approved(Schedule::default());
    assert_eq!(under(policy, &manual.request, &start(), &executor(), manual.now()), "not_permitted");
    // A requester who could not start it any more has nothing started for them.
    let people = format!(
        "{}\n[people.\"ann@example.com\"]\ndisabled = true\n",
        countersign_core::policy::BUNDLED_PEOPLE
    );
    let refused = policy_with("executor = \"rds\"", &people);
    assert_eq!(under(&refused, request, &start(), &executor(), now), "not_permitted");
}

/// The operations of high risk with one more line, and these people.
fn policy_with(line: &str, people: &str) -> Policy {
    read_with(line, people).unwrap()
}

fn read_with(line: &str, people: &str) -> Result<Policy, InvalidPolicy> {
    let text = format!(
        "[defaults]\npending_seconds = 3600\nexecute_within_seconds = 1800\n[approvals]\nlow = 0\nmedium = 1\nhigh = 2\n\
         [environments]\n[operations.{HIGH}]\nproduction = \"high\"\nnon_production = \"high\"\n{line}\n"
    );
    let text = countersign_core::policy::PolicyText {
        operations: &text,
        people,
        access: countersign_access::BUNDLED,
    };
    countersign_policy::load::parse(&text)
}

#[test]
fn a_runbook_is_named_with_an_executor_that_runs_it() {
    let read = |lines: &str| read_with(lines, countersign_core::policy::BUNDLED_PEOPLE);
    let runbook = "runbook = \"Restart:7:InstanceId\"";
    for executor in ["ssm_automation", "runbooks-eu"] {
        let policy = read(&format!("executor = \"{executor}\"\n{runbook}")).unwrap();
        assert_eq!(policy.rules().runbook(HIGH).unwrap().to_string(), "Restart:7:InstanceId");
        assert_eq!(policy.rules().runbook(LOW), None);
    }
    for (lines, rule) in [
        (runbook.to_owned(), "needs an executor of runbooks"),
        (format!("executor = \"rds\"\n{runbook}"), "needs an executor of runbooks"),
        (format!("executor = \"program\"\n{runbook}"), "needs an executor of runbooks"),
        (
            "executor = \"ssm_automation\"\nrunbook = \"Restart:$LATEST:I\"".to_owned(),
            "NAME:VERSION:PARAMETER",
        ),
        ("executor = \"client\"".to_owned(), "must not be `client`"),
    ] {
        let error = read(&lines).unwrap_err().to_string();
        assert!(error.contains(rule), "{lines}: {error}");
    }
}

#[test]
fn who_carries_it_out_is_who_approvers_saw() {
    let trail = approved(Schedule::default());
    let bundled = countersign_core::policy::BUNDLED_PEOPLE;
    for line in ["", "executor = \"other\""] {
        let changed = policy_with(line, bundled);
        assert_eq!(under(&changed, &trail.request, &start(), &ann(), trail.now()), "not_permitted", "{line}");
    }
    let same = policy_with("executor = \"rds\"", bundled);
    assert_eq!(under(&same, &trail.request, &start(), &ann(), trail.now()), "executing");
}

#[test]
fn nothing_is_started_before_its_time_or_outside_its_window() {
    let window = |from: i64, to: i64| Some(Window { from: after(from), to: after(to) });
    for (schedule, begins, ends) in [
        (Schedule { execute_at: Some(after(600_000)), ..Schedule::default() }, 600_000, None),
        (Schedule { window: window(600_000, 900_000), ..Schedule::default() }, 600_000, Some(900_000)),
        (
            Schedule {
                execute_at: Some(after(700_000)),
                window: window(600_000, 900_000),
                ..Schedule::default()
            },
            700_000,
            Some(900_000),
        ),
    ] {
        let trail = approved(schedule);
        let give = |ms: i64| under(with_executor(), &trail.request, &start(), &ann(), after(ms));
        assert_eq!((give(begins - 1), give(begins)), ("not_yet", "executing"), "{schedule:?}");
        if let Some(end) = ends {
            assert_eq!((give(end - 1), give(end)), ("executing", "expired"), "{schedule:?}");
            assert_eq!(trail.request.execute_by, Some(after(end)));
        }
    }
    // What nobody approves before its window ends expires then.
    let pending = Trail::open_as(
        scheduled(HIGH, Schedule { window: window(1000, 2000), ..Schedule::default() }),
        &ann(),
        with_executor(),
        None,
    );
    assert_eq!(pending.request.status_at(after(1999)), Status::Pending);
    assert_eq!(pending.request.status_at(after(2000)), Status::Expired);
}

#[test]
fn a_schedule_that_cannot_be_kept_is_refused_with_its_field() {
    let window = |from: i64, to: i64| Some(Window { from: after(from), to: after(to) });
    let at = |ms: i64| Schedule { execute_at: Some(after(ms)), ..Schedule::default() };
    let within = |from, to| Schedule { window: window(from, to), ..Schedule::default() };
    let automatic = Schedule { mode: ExecutionMode::Automatic, ..Schedule::default() };
    for (operation, schedule, expected) in [
        (HIGH, Schedule::default(), None),
        (HIGH, at(1), None),
        (HIGH, at(0), Some("execute_at")),
        (HIGH, at(-1), Some("execute_at")),
        (HIGH, at(1_800_000), None),
        (HIGH, at(1_800_001), Some("execute_at")),
        (HIGH, within(-5, 1), None),
        (HIGH, within(0, 0), Some("window")),
        (HIGH, within(2, 1), Some("window")),
        (HIGH, within(-9, -1), Some("window")),
        (HIGH, within(1, 1_800_000), None),
        (HIGH, within(1, 1_800_001), Some("window")),
        (HIGH, Schedule { execute_at: Some(after(9)), ..within(1, 5) }, Some("execute_at")),
        (HIGH, automatic, None),
        (LOW, automatic, Some("execution")),
    ] {
        let draft = scheduled(operation, schedule);
        let assessment = creation::assess(&draft, &ann(), with_executor());
        let refusals = creation::refusals(&draft, &ann(), after(0), with_executor(), &assessment);
        let found = refusals.iter().find_map(|refusal| match refusal {
            Refusal::Violations(violations) => violations.first().map(|violation| violation.field),
            _ => Some("another refusal"),
        });
        assert_eq!(found, expected, "{operation} {schedule:?}");
    }
}

#[test]
fn a_target_is_observed_once_by_an_executor_before_the_start() {
    let trail = Trail::open(HIGH);
    for (actor, expected) in [
        (executor(), "pending"),
        (ann(), "not_permitted"),
        (bob(), "not_permitted"),
        (human("root", &["admin"]), "not_permitted"),
    ] {
        assert_eq!(answer(&trail.request, &observe(), &actor, trail.now()), expected, "{actor:?}");
    }
    let content = trail.request.content.digest();
    let trail = trail.then(&executor(), &observe());
    agrees(&trail);
    assert_eq!(trail.request.content.digest(), content, "what is approved stays what it was");
    let target = trail.request.target.clone().unwrap();
    assert_eq!(target.document.kept().unwrap(), &canonical(r#"{"class": "db.r6g.large"}"#));
    assert_eq!(answer(&trail.request, &observe(), &executor(), trail.now()), "already_observed");
    for status in [Status::Executing, Status::Rejected, Status::Cancelled, Status::Executed, Status::Failed] {
        let other = Trail::in_status(status);
        assert_eq!(answer(&other.request, &observe(), &executor(), other.now()), "not_pending", "{status}");
    }
    let approved = Trail::in_status(Status::Approved).then(&executor(), &observe());
    agrees(&approved);
    assert_eq!(approved.request.status, Status::Approved);
}

/// THREATS 33: switched off means that nothing goes ahead, never that it goes ahead without approvals.
#[test]
fn threat_33_nothing_that_needs_approvals_goes_ahead_while_they_are_switched_off() {
    let off = in_force().clone().restricted(Restrictions { workflow_enabled: false, max_pending: None });
    let refusal_of = |operation: &str| {
        let draft = draft(operation);
        let assessment = creation::assess(&draft, &ann(), &off);
        creation::refusals(&draft, &ann(), after(0), &off, &assessment).into_iter().next()
    };
    assert_eq!(refusal_of(HIGH), Some(Refusal::WorkflowDisabled));
    assert_eq!(refusal_of(LOW), None);
    let pending = Trail::open(HIGH);
    assert_eq!(under(&off, &pending.request, &approve(), &bob(), pending.now()), "workflow_disabled");
    for (command, expected) in [(cancel(), "cancelled"), (comment(), "pending")] {
        assert_eq!(under(&off, &pending.request, &command, &ann(), pending.now()), expected);
    }
    let approved = Trail::in_status(Status::Approved);
    assert_eq!(under(&off, &approved.request, &start(), &ann(), approved.now()), "workflow_disabled");
    let executing = Trail::in_status(Status::Executing);
    let claimed = claim(&executing.request);
    assert_eq!(under(&off, &executing.request, &claimed, &ann(), executing.now()), "workflow_disabled");
    // What has happened can be said.
    let report = finish(&executing.request, ExecutionOutcome::Succeeded);
    assert_eq!(under(&off, &executing.request, &report, &ann(), executing.now()), "executed");
}

#[test]
fn an_operator_lowers_the_limit_on_pending_requests_and_never_raises_it() {
    for (most, expected) in [(None, 50), (Some(3), 3), (Some(1000), 50)] {
        let limited =
            in_force().clone().restricted(Restrictions { workflow_enabled: true, max_pending: most });
        let assessment = creation::assess(&draft(HIGH), &ann(), &limited);
        assert_eq!(assessment.requirements.pending_limit, expected);
    }
}
