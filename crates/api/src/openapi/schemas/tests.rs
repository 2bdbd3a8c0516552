//! The schemas against the code that they describe.

use super::*;
use crate::wire::{
    ActionBody, ApprovalBody, AttemptBody, AuditBody, AuthBody, CallBody, ChannelBody, CommentBody,
    DecisionBody, DeliveriesBody, DeliveryBody, DigestBody, EventBody, EventsBody, ExecutionBody,
    ExplainBody, FieldError, HealthBody, HoldBody, KeysBody, ListBody, MissingBody, NotificationsBody,
    NotifiesBody, OccasionBody, PlannedMessageBody, PreferencesBody, PreviewBody, ProblemBody,
    QuietHoursBody, RedeliveredBody, RefusalBody, RequestBody, RuleBody, SettingsBody, SimulateBody,
    SlotBody, StatsBody, SummaryBody, WebhookBody, WebhookEventsBody, WebhookTrialBody, WebhooksBody,
    WindowBody, WithdrawalBody,
};
use countersign_core::idempotency::IdempotencyKey;
use countersign_core::requirements::RequiredField;
use countersign_core::risk::Cost;
use countersign_core::text::{
    CommentText, DurationText, Identifier, InstanceId, Justification, RollbackPlan, Ticket,
};
use countersign_figures::period_report::PeriodReport;
use serde::Serialize;
use serde_json::Map;
use std::collections::BTreeSet;
use strum::IntoEnumIterator;

fn request_body() -> RequestBody {
    let some = || Some(String::new());
    RequestBody {
        request_id: String::new(),
        status: String::new(),
        operation_type: String::new(),
        instance_id: String::new(),
        parameters: Some(json!({})),
        parameters_digest: some(),
        content_digest: some(),
        content: Some(json!({})),
        environment: String::new(),
        risk_level: String::new(),
        requested_by: String::new(),
        filed_by: some(),
        requested_at: String::new(),
        justification: Some(String::new()),
        erased_at: Some(String::new()),
        estimated_cost: Some(1.0),
        estimated_duration: some(),
        ticket: some(),
        rollback_plan: some(),
        priority: some(),
        owner: some(),
        requester_groups: Vec::new(),
        approvals_required: 0,
        slots: Vec::new(),
        digest_required: false,
        rules: Vec::new(),
        approvals_received: 0,
        approved_by: Vec::new(),
        blocked_by: vec![String::new()],
        approved_at: some(),
        rejected_by: some(),
        rejected_at: some(),
        rejection_reason: some(),
        cancelled_at: some(),
        cancelled_by: some(),
        cancellation_reason: some(),
        expires_at: String::new(),
        executor: some(),
        execution: some(),
        execute_at: some(),
        window: Some(WindowBody::default()),
        target: Some(json!({})),
        target_digest: some(),
        target_observed_by: some(),
        target_observed_at: some(),
        execute_by: some(),
        closed_at: some(),
        hold: Some(HoldBody::default()),
        execution_id: some(),
        execution_started_at: some(),
        execution_started_by: some(),
        execution_state: some(),
        execution_audience: some(),
        permit_expires_at: some(),
        lease_until: some(),
        claimed_by: some(),
        claimed_at: some(),
        execution_note: some(),
        permit: some(),
        executed_at: some(),
        execution_result: Some(json!(1)),
        actual_cost: Some(1.0),
        comments: Vec::new(),
        decisions: Vec::new(),
        withdrawals: vec![WithdrawalBody {
            person: String::new(),
            at: String::new(),
            event_id: String::new(),
        }],
        version: 1,
        policy_version: String::new(),
        audit_head: String::new(),
        notifies: Some(NotifiesBody::default()),
    }
}

fn summary_body() -> SummaryBody {
    let some = || Some(String::new());
    SummaryBody {
        request_id: String::new(),
        status: String::new(),
        operation_type: String::new(),
        instance_id: String::new(),
        environment: String::new(),
        risk_level: String::new(),
        requested_by: String::new(),
        requested_at: String::new(),
        estimated_cost: Some(1.0),
        approvals_required: 0,
        approvals_received: 0,
        approved_by: Vec::new(),
        blocked_by: vec![String::new()],
        expires_at: String::new(),
        execute_by: some(),
        execution_started_at: some(),
        executed_at: some(),
        closed_at: some(),
        hold: Some(HoldBody::default()),
        may: Some(Vec::new()),
        missing: Some(MissingBody { slots: Vec::new(), from_anybody: 0 }),
    }
}

fn execution_body() -> ExecutionBody {
    let some = || Some(String::new());
    ExecutionBody {
        request_id: String::new(),
        execution_id: String::new(),
        execution_state: String::new(),
        execution_audience: String::new(),
        execution_started_by: String::new(),
        execution_started_at: String::new(),
        permit_expires_at: String::new(),
        lease_until: some(),
        claimed_by: some(),
        claimed_at: some(),
        permit: some(),
    }
}

fn event_body() -> EventBody {
    EventBody {
        format: String::new(),
        origin: "o".to_owned(),
        stream: String::new(),
        event_id: String::new(),
        request_id: String::new(),
        sequence: 1,
        timestamp: String::new(),
        event_type: String::new(),
        user: String::new(),
        kind: String::new(),
        channel: String::new(),
        source_ip: Some(String::new()),
        auth: Some(AuthBody { issuer: String::new(), subject: String::new(), at: Some(String::new()) }),
        instance_id: String::new(),
        operation_type: String::new(),
        environment: String::new(),
        risk_level: String::new(),
        requested_by: String::new(),
        status: String::new(),
        details: json!({}),
        state_digest: String::new(),
        prev_hash: String::new(),
        hash: String::new(),
        others: Map::new(),
    }
}

fn problem_body() -> ProblemBody {
    ProblemBody {
        problem_type: String::new(),
        title: String::new(),
        status: 400,
        detail: String::new(),
        instance: String::new(),
        code: String::new(),
        current_status: Some(String::new()),
        reasons: vec![String::new()],
        errors: vec![FieldError::new("", "")],
    }
}

fn explain_body() -> ExplainBody {
    ExplainBody {
        request_id: String::new(),
        status: String::new(),
        risk_level: String::new(),
        environment: String::new(),
        approvals_required: 0,
        slots: Vec::new(),
        digest_required: false,
        policy_version: String::new(),
        rules: Vec::new(),
        current_policy_version: String::new(),
        current_rules: Vec::new(),
        blocked_by: vec![String::new()],
        approvals: Vec::new(),
        missing: MissingBody { slots: Vec::new(), from_anybody: 0 },
        approvers: Vec::new(),
        actions: Vec::new(),
        otherwise: String::new(),
        deadline: Some(String::new()),
    }
}

fn simulate_body() -> SimulateBody {
    SimulateBody {
        permitted: false,
        refusals: Vec::new(),
        satisfiable: false,
        status: String::new(),
        operation_type: String::new(),
        instance_id: String::new(),
        environment: String::new(),
        risk_level: String::new(),
        requested_by: String::new(),
        requester_groups: Vec::new(),
        requested_at: String::new(),
        parameters_digest: String::new(),
        approvals_required: 0,
        slots: Vec::new(),
        digest_required: false,
        expires_at: String::new(),
        execute_by: Some(String::new()),
        execute_within_seconds: 1,
        required_fields: Vec::new(),
        cost_limit: Some(1.0),
        justification_min: Some(1),
        pending_limit: 1,
        approved_limit: 1,
        policy_version: String::new(),
        rules: Vec::new(),
        calls: vec![call_body()],
        notifies: Some(NotifiesBody::default()),
    }
}

fn call_body() -> CallBody {
    let text = String::new;
    CallBody { action: text(), parameters: Map::new(), configured: vec![text()], when: Some(text()) }
}

/// `full` has every member. The schema has the same, and requires those that the type always
/// writes.
#[track_caller]
fn is_described<T: Serialize + serde::de::DeserializeOwned>(schema: &str, full: &T) {
    let (_, _, members) = OBJECTS.iter().find(|(name, _, _)| *name == schema).unwrap();
    let described = object("", &members());
    let full = serde_json::to_value(full).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&described["properties"]), names(&full), "{schema}");
    let required = described["required"].as_array().unwrap();
    for name in names(&full) {
        // What may be absent stays absent when it is read without it and written again.
        let mut without = full.clone();
        without.as_object_mut().unwrap().remove(&name);
        let again = serde_json::from_value::<T>(without).map(|body| serde_json::to_value(body).unwrap());
        let optional = again.is_ok_and(|again| again.get(&name).is_none());
        assert_eq!(required.contains(&json!(name)), !optional, "{schema}.{name}");
    }
}

#[test]
fn the_schemas_have_the_members_of_the_wire_types() {
    is_described("Request", &request_body());
    is_described("Summary", &summary_body());
    is_described("List", &ListBody { items: Vec::new(), next_cursor: None, damaged: 1 });
    let events = EventsBody { items: Vec::new(), verified: false, findings: vec![String::new()] };
    is_described("Events", &events);
    is_described("Event", &event_body());
    let audit = AuditBody {
        items: Vec::new(),
        next_cursor: Some(String::new()),
        settled_until: String::new(),
        findings: vec![String::new()],
    };
    is_described("AuditPage", &audit);
    is_described_stats();
    is_described_report();
    is_described("Problem", &problem_body());
    is_described("FieldError", &FieldError::new("", ""));
    let text = String::new;
    is_described(
        "CommentOf",
        &CommentBody { user: text(), timestamp: text(), action: text(), comment: text() },
    );
    let (_, keys) = super::super::examples::answers().into_iter().find(|(name, _)| *name == "keys").unwrap();
    let keys: KeysBody = serde_json::from_value(keys).unwrap();
    is_described("Keys", &keys);
    is_described("Key", &keys.keys[0]);
    is_described(
        "Health",
        &HealthBody {
            status: text(),
            version: text(),
            policy_version: text(),
            notifications_version: Some(text()),
        },
    );
    let decision = DecisionBody {
        person: text(),
        decision: text(),
        at: text(),
        groups: Vec::new(),
        digest_presented: false,
        counts: Some(false),
        reason: Some(text()),
        policy_version: text(),
        channel: text(),
        comment: Some(text()),
        event_id: text(),
    };
    is_described("Decision", &decision);
    is_described("Withdrawal", &WithdrawalBody { person: text(), at: text(), event_id: text() });
    is_described("Window", &WindowBody::default());
    is_described("HoldOf", &HoldBody::default());
    is_described("Execution", &execution_body());
    is_described("Slot", &SlotBody { groups: Vec::new(), approvals: 1 });
    is_described("Rule", &RuleBody { name: text(), demands: Vec::new() });
}

#[test]
fn explanations_and_simulations_are_described_too() {
    let text = String::new;
    is_described("Explanation", &explain_body());
    let me = crate::wire::MeBody {
        person: text(),
        kind: text(),
        groups: Vec::new(),
        sees_all: true,
        may_query_audit: false,
    };
    is_described("Me", &me);
    is_described("Missing", &MissingBody { slots: Vec::new(), from_anybody: 0 });
    let approval = ApprovalBody { person: text(), groups: Vec::new(), counts: false, reason: Some(text()) };
    is_described("Approval", &approval);
    let action = ActionBody { action: text(), permitted: false, code: Some(text()), reasons: vec![text()] };
    is_described("Action", &action);
    is_described("Simulation", &simulate_body());
    is_described("Call", &call_body());
    let errors = vec![FieldError::new("", "")];
    is_described("Refusal", &RefusalBody { code: text(), detail: text(), reasons: Vec::new(), errors });
}

#[test]
fn webhooks_are_described_too() {
    let answers: std::collections::BTreeMap<_, _> = super::super::examples::answers().into_iter().collect();
    let some = || Some(String::new());
    let webhook = WebhookBody {
        description: some(),
        disabled_at: some(),
        disabled_reason: some(),
        secret: some(),
        previous_secret_until: some(),
        last_success_at: some(),
        failing_since: some(),
        paused_until: some(),
        deleted_at: some(),
        ..serde_json::from_value(answers["webhook"].clone()).unwrap()
    };
    is_described("Webhook", &webhook);
    is_described(
        "Webhooks",
        &WebhooksBody { webhooks: Vec::new(), damaged_ids: vec!["x".to_owned()], limit: 50 },
    );
    let trial =
        WebhookTrialBody { status: Some(1), failure: some(), detail: some(), ..WebhookTrialBody::default() };
    is_described("WebhookTrial", &trial);
    is_described("Redelivered", &RedeliveredBody::default());
    let attempt = AttemptBody { status: Some(1), failure: some(), host: some(), ..AttemptBody::default() };
    is_described("Attempt", &attempt);
    let delivery = DeliveryBody {
        sequence: Some(1),
        next_attempt_at: some(),
        last_attempt: Some(attempt),
        ..DeliveryBody::default()
    };
    is_described("Delivery", &delivery);
    is_described("Deliveries", &DeliveriesBody::default());
    let events = WebhookEventsBody { findings: vec![String::new()], ..WebhookEventsBody::default() };
    is_described("WebhookEvents", &events);
}

#[test]
fn messages_to_people_are_described_too() {
    let some = || Some(String::new());
    let errors = vec![FieldError::new("", "")];
    is_described("Notifications", &NotificationsBody { ignored: errors, ..NotificationsBody::default() });
    is_described(
        "Preferences",
        &PreferencesBody {
            channels: Some(Vec::new()),
            quiet_hours: Some(Vec::new()),
            muted_events: Some(Vec::new()),
            digest: Some(json!("off")),
        },
    );
    let settings = SettingsBody { digest: Some(DigestBody::default()), ..SettingsBody::default() };
    is_described("NotificationSettings", &settings);
    let days = Some(Vec::new());
    is_described("QuietHours", &QuietHoursBody { days, zone: some(), ..QuietHoursBody::default() });
    is_described("DigestTime", &DigestBody { zone: some(), ..DigestBody::default() });
    is_described("Channel", &ChannelBody::default());
    is_described("Notifies", &NotifiesBody::default());
    is_described("NotifyPreview", &PreviewBody::default());
    is_described("Occasion", &OccasionBody { name: some(), ..OccasionBody::default() });
    is_described("PlannedMessage", &PlannedMessageBody { group: some(), ..PlannedMessageBody::default() });
}

#[test]
fn every_field_that_policy_may_demand_is_described() {
    let refused = serde_json::from_value::<RequiredField>(json!("")).unwrap_err().to_string();
    let described: Vec<_> = RequiredField::iter().map(|field| format!("`{field}`")).collect();
    assert!(refused.ends_with(&described.join(", ")), "{refused}");
}

#[test]
fn lengths_are_what_the_code_allows() {
    let all = all();
    let longest = |schema: &str, name: &str| {
        usize::try_from(all[schema]["properties"][name]["maxLength"].as_u64().unwrap()).unwrap()
    };
    for extra in [0, 1] {
        let sent = |schema: &str, name: &str| "é".repeat(longest(schema, name) + extra);
        let fits = extra == 0;
        assert_eq!(Justification::parse(&sent("Create", "justification")).is_ok(), fits);
        assert_eq!(RollbackPlan::parse(&sent("Create", "rollback_plan")).is_ok(), fits);
        assert_eq!(DurationText::parse(&sent("Create", "estimated_duration")).is_ok(), fits);
        for (schema, name) in [
            ("Approve", "comments"),
            ("Reject", "reason"),
            ("Withdraw", "reason"),
            ("Cancel", "reason"),
            ("Comment", "text"),
        ] {
            assert_eq!(CommentText::parse(&sent(schema, name)).is_ok(), fits, "{schema}");
        }
        // The patterns of identifiers and keys.
        assert_eq!(Identifier::parse(&"a".repeat(128 + extra)).is_ok(), fits);
        assert_eq!(InstanceId::parse(&"a".repeat(512 + extra)).is_ok(), fits);
        assert_eq!(Ticket::parse(&"a".repeat(256 + extra)).is_ok(), fits);
        assert_eq!(IdempotencyKey::parse(&"a".repeat(128 + extra)).is_ok(), fits);
    }
}

#[test]
fn costs_are_what_the_code_allows() {
    let cost = cost();
    let least = cost["not"]["exclusiveMaximum"].as_f64().unwrap();
    let most = cost["maximum"].as_f64().unwrap();
    for (amount, fits) in
        [(0.0, true), (least, true), (least / 2.0, false), (most, true), (most * 2.0, false)]
    {
        assert_eq!(Cost::new(amount).is_ok(), fits, "{amount}");
    }
}

#[test]
fn no_two_schemas_have_the_same_name() {
    assert_eq!(all().len(), OBJECTS.len() + OriginalOperation::iter().len() + 5);
}

#[track_caller]
fn is_described_stats() {
    let (_, stats) =
        super::super::examples::answers().into_iter().find(|(name, _)| *name == "stats").unwrap();
    let stats: StatsBody = serde_json::from_value(stats).unwrap();
    is_described("Stats", &stats);
    is_described("Group", &stats.groups[0]);
    is_described("Figures", &stats.totals);
    is_described("Durations", &stats.totals.time_to_decision.unwrap());
    is_described("Approver", &stats.busiest_approvers[0]);
    is_described("Slowest", &stats.slowest_approvers[0]);
    is_described("Answers", &stats.totals.time_to_answer.unwrap());
    is_described("Amounts", &stats.totals.estimated_cost.unwrap());
}

#[track_caller]
fn is_described_report() {
    let (_, report) =
        super::super::examples::answers().into_iter().find(|(name, _)| *name == "report").unwrap();
    let report: PeriodReport = serde_json::from_value(report).unwrap();
    is_described("Report", &report);
    is_described("Outcomes", &report.outcomes);
    is_described("DecisionTimes", &report.time_to_decision.unwrap());
    is_described("Waiting", &report.waiting);
    is_described("OldestRequest", &report.waiting.oldest.unwrap());
    is_described("PersonFigures", &report.people[0]);
    is_described("DeadLetters", &report.dead_letters.unwrap());
}
