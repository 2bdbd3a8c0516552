//! Each rule on the events that it is about.

use crate::events::{BEGIN, DAY, HOUR, MINUTE, Recorder, SECOND, person};
use countersign_anomalies::finding::{Finding, Rule};
use countersign_anomalies::fold::{AnomalyState, Touched};
use countersign_core::audit::AuditEvent;
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use serde_json::json;

/// A log that is added as it grows.
struct Log {
    recorder: Recorder,
    state: AnomalyState,
    requests: u64,
}

impl Log {
    fn new() -> Self {
        Self { recorder: Recorder::new(), state: AnomalyState::default(), requests: 0 }
    }

    fn add(&mut self, event: &AuditEvent) -> Vec<Finding> {
        self.state.add(event)
    }

    fn request(&mut self, requester: &PersonId, at: i64) -> Vec<Finding> {
        self.requests += 1;
        let created = EventType::ApprovalRequestCreated;
        let event = self.recorder.of_request(created, requester, at, self.requests, requester);
        self.add(&event)
    }

    /// A request of one person on which another decides.
    fn decide(
        &mut self,
        decision: EventType,
        approver: &PersonId,
        requester: &PersonId,
        requested_at: i64,
        at: i64,
    ) -> Vec<Finding> {
        let mut findings = self.request(requester, requested_at);
        let event = self.recorder.of_request(decision, approver, at, self.requests, requester);
        findings.extend(self.add(&event));
        findings
    }

    fn approve(&mut self, approver: &PersonId, requester: &PersonId, at: i64) -> Vec<Finding> {
        self.decide(EventType::ApprovalGranted, approver, requester, at - HOUR, at)
    }
}

fn rules(findings: &[Finding]) -> Vec<Rule> {
    findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn a_burst_is_found_once_with_what_set_it_off() {
    let (ann, mut log) = (person("ann"), Log::new());
    let mut findings = Vec::new();
    for number in 0..40 {
        findings.extend(log.request(&ann, BEGIN + number * MINUTE));
    }
    assert_eq!(rules(&findings), [Rule::RequestBurst]);
    assert_eq!(
        findings[0].details(),
        json!({
            "rule": "request_burst",
            "person": "ann@example.com",
            "observed": "10.000",
            "expected": "2.000",
            "probability": "0.000046498075",
            "at": "2026-01-05T00:09:00.000Z",
            "event": { "stream": "request/01930000-0000-7000-8000-00000000000a", "sequence": 10 },
        })
    );
}

#[test]
fn a_burst_of_another_day_is_found_anew_and_bursts_become_usual() {
    let (ann, mut log) = (person("ann"), Log::new());
    let found_on = |log: &mut Log, day: i64| {
        let all = (0..20).flat_map(|number| log.request(&ann, BEGIN + day * DAY + number * MINUTE));
        all.filter(|finding| finding.rule == Rule::RequestBurst).count()
    };
    let found: Vec<_> = (0..6).map(|day| found_on(&mut log, day)).collect();
    assert_eq!(found, [1, 1, 0, 0, 0, 0]);
}

#[test]
fn approvals_without_time_to_read_are_found_after_five() {
    let (ann, bob, mut log) = (person("ann"), person("bob"), Log::new());
    for number in 0..5 {
        let at = BEGIN + number * HOUR;
        let findings = log.decide(EventType::ApprovalGranted, &bob, &ann, at, at + 9 * SECOND);
        assert_eq!(rules(&findings), if number < 4 { vec![] } else { vec![Rule::QuickApprovals] });
        if let Some(finding) = findings.first() {
            let values = [&finding.observed, &finding.expected, &finding.probability];
            assert_eq!(values, ["5.000", "0.250", "0.000000312500"]);
            assert_eq!((&finding.person, &finding.other_person), (&bob, &None));
        }
    }
}

#[test]
fn requests_that_waited_are_read_one_after_another() {
    let (ann, bob) = (person("ann"), person("bob"));
    for (pause, is_found) in [(9 * SECOND, true), (10 * SECOND, false)] {
        let mut log = Log::new();
        let found: Vec<_> = (0..6)
            .flat_map(|number| {
                let at = BEGIN + DAY + number * pause;
                log.decide(EventType::ApprovalGranted, &bob, &ann, BEGIN + number * HOUR, at)
            })
            .collect();
        assert_eq!(rules(&found).contains(&Rule::QuickApprovals), is_found, "{pause}");
    }
}

#[test]
fn a_rejection_in_between_ends_a_quick_row_and_a_rejection_is_never_too_quick() {
    let (ann, bob, mut log) = (person("ann"), person("bob"), Log::new());
    for number in 0..30 {
        let decision = if number % 5 == 4 { EventType::ApprovalRejected } else { EventType::ApprovalGranted };
        let at = BEGIN + number * HOUR;
        assert!(log.decide(decision, &bob, &ann, at, at + SECOND).is_empty(), "{number}");
    }
}

#[test]
fn an_approver_who_never_refuses_is_found_where_others_do() {
    let (bob, eve, mut log) = (person("bob"), person("eve"), Log::new());
    let requesters: Vec<_> = (0..40).map(|number| person(&format!("requester-{number}"))).collect();
    let mut findings = Vec::new();
    for number in 0..300 {
        let at = BEGIN + number * HOUR;
        let requester = &requesters[number as usize % requesters.len()];
        let refuses = number % 10 == 0;
        let decision = if refuses { EventType::ApprovalRejected } else { EventType::ApprovalGranted };
        findings.extend(log.decide(decision, &eve, requester, at, at + MINUTE));
        let granted = EventType::ApprovalGranted;
        findings.extend(log.decide(granted, &bob, requester, at, at + 2 * MINUTE));
    }
    findings.retain(|finding| finding.rule == Rule::NoRejections);
    let found: Vec<_> = findings.iter().map(|finding| (&finding.person, finding.observed.as_str())).collect();
    assert_eq!(found, [(&bob, "0.000"); 2]);
    assert!(findings[0].expected.starts_with("9."), "{findings:?}");
}

/// Two persons who approve each other's requests, in a team of six in which all others approve those of all.
fn pair(each: i64, by_others: i64) -> Vec<Finding> {
    let team: Vec<_> = ["ann", "bob", "eve", "dan", "joe", "kim"].into_iter().map(person).collect();
    let (ann, bob, mut log) = (&team[0], &team[1], Log::new());
    let mut findings = Vec::new();
    let mut at = BEGIN;
    for _ in 0..each {
        for (approver, requester) in [(ann, bob), (bob, ann)] {
            at += 20 * MINUTE;
            findings.extend(log.approve(approver, requester, at));
        }
        for _ in 0..by_others {
            for approver in &team {
                for requester in team.iter().filter(|requester| *requester != approver) {
                    at += 5 * MINUTE;
                    findings.extend(log.approve(approver, requester, at));
                }
            }
        }
    }
    findings.retain(|finding| finding.rule == Rule::ReciprocalApproval);
    findings
}

#[test]
fn two_who_approve_each_other_alone_are_found_once() {
    let findings = pair(40, 0);
    assert_eq!(rules(&findings), [Rule::ReciprocalApproval]);
    let finding = &findings[0];
    assert_eq!((&finding.person, finding.other_person.as_ref()), (&person("ann"), Some(&person("bob"))));
    assert_eq!(finding.details()["other_person"], "bob@example.com");
}

#[test]
fn a_team_that_decides_among_itself_has_no_pairs() {
    assert_eq!(pair(20, 2), []);
}

#[test]
fn one_who_approves_all_of_another_without_return_is_no_pair() {
    let (ann, bob, mut log) = (person("ann"), person("bob"), Log::new());
    let found = (0..100).flat_map(|number| log.approve(&bob, &ann, BEGIN + number * HOUR));
    assert!(!rules(&found.collect::<Vec<_>>()).contains(&Rule::ReciprocalApproval));
}

#[test]
fn a_night_is_unusual_for_those_who_work_by_day_and_for_people_only() {
    let service = PersonId::service("pipeline").unwrap();
    for (who, found_at) in [(person("ann"), vec![Rule::UnusualHour]), (service, vec![])] {
        let mut log = Log::new();
        for day in 0..20 {
            for hour in [9, 11, 15] {
                assert_eq!(log.request(&who, BEGIN + day * DAY + hour * HOUR), []);
            }
        }
        let findings = log.request(&who, BEGIN + 20 * DAY + 2 * HOUR + 40 * MINUTE);
        assert_eq!(rules(&findings), found_at);
        assert!(findings.iter().all(|finding| finding.observed == "2.500"), "{findings:?}");
    }
}

#[test]
fn five_refused_attempts_in_ten_minutes_are_found_once() {
    let (ann, mut log) = (person("ann"), Log::new());
    let mut refuse = |at: i64| {
        let event = log.recorder.refused(&ann, BEGIN + at);
        rules(&log.state.add(&event))
    };
    for minute in [0, 3, 6, 9, 12, 15, 18] {
        assert!(refuse(minute * MINUTE).is_empty(), "{minute}");
    }
    assert!(refuse(19 * MINUTE + SECOND).is_empty());
    assert_eq!(refuse(20 * MINUTE), [Rule::RefusedAttempts]);
    for second in 1..300 {
        assert!(refuse(20 * MINUTE + second * SECOND).is_empty());
    }
}

#[test]
fn attempts_that_are_counted_are_spread_over_their_time() {
    let ann = person("ann");
    for (minutes, half, is_found) in
        [(5, 2, false), (5, 3, true), (10, 3, true), (60, 14, false), (60, 15, true)]
    {
        let mut log = Log::new();
        let event = log.recorder.refused_often(&ann, BEGIN, BEGIN + minutes * MINUTE, half);
        assert_eq!(!log.add(&event).is_empty(), is_found, "{half} in {minutes}");
    }
}

#[test]
fn callers_who_are_not_known_and_the_system_are_no_persons() {
    let mut log = Log::new();
    for user in [PersonId::unauthenticated(), PersonId::expiry()] {
        for second in 0..20 {
            let event = log.recorder.refused(&user, BEGIN + second * SECOND);
            assert!(log.add(&event).is_empty());
            let mut touched = Touched::default();
            touched.add(&event);
            assert!(touched.is_empty());
        }
    }
    assert_eq!(log.state, AnomalyState::default());
}

#[test]
fn a_request_is_remembered_until_it_ends() {
    let ann = person("ann");
    for end in [
        EventType::ApprovalRejected,
        EventType::ApprovalCancelled,
        EventType::ApprovalExpired,
        EventType::ExecutionSucceeded,
        EventType::ExecutionFailed,
    ] {
        let mut log = Log::new();
        log.request(&ann, BEGIN);
        assert_eq!(log.state.requests.len(), 1);
        let user = if end == EventType::ApprovalExpired { PersonId::expiry() } else { person("bob") };
        let event = log.recorder.of_request(end, &user, BEGIN + HOUR, 1, &ann);
        log.add(&event);
        assert!(log.state.requests.is_empty(), "{end:?}");
    }
}

/// Findings are events themselves. Those change nothing, or they would set off others.
#[test]
fn an_anomaly_is_no_act_of_a_person() {
    let mut log = Log::new();
    let event = log.recorder.of_request(EventType::AnomalyDetected, &person("ann"), BEGIN, 1, &person("ann"));
    assert!(log.add(&event).is_empty());
    assert_eq!(log.state, AnomalyState::default());
}
