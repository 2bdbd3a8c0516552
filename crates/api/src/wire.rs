//! The bodies of requests and answers, apart from the states they show.

mod execution;
mod explanation;
mod hold;
mod keys;
mod list;
mod me;
mod notifications;
mod simulation;
mod stats;
mod trail;
mod webhooks;

pub use execution::{ExecutionBody, WindowBody};
pub use explanation::{ActionBody, ApprovalBody, ExplainBody, MissingBody};
pub use hold::HoldBody;
pub use keys::{KeyBody, KeysBody};
pub use list::{ListBody, SummaryBody};
pub use me::{MeBody, SIGN_IN_CODES_PATH, SignInCodeBody};
pub use notifications::{
    ChannelBody, DigestBody, NotificationsBody, NotifiesBody, OccasionBody, PlannedMessageBody,
    PreferencesBody, PreviewBody, QuietHoursBody, SettingsBody,
};
pub use simulation::{CallBody, RefusalBody, SimulateBody};
pub use stats::{
    AmountsBody, AnswersBody, ApproverBody, DurationsBody, FiguresBody, GroupBody, SlowestBody, StatsBody,
};
pub use trail::{AuditBody, AuthBody, EventBody, EventsBody};
pub use webhooks::{
    AttemptBody, DeliveriesBody, DeliveryBody, RedeliveredBody, WebhookBody, WebhookEventsBody,
    WebhookTrialBody, WebhooksBody,
};

use countersign_app::held::HeldRequest;
pub use countersign_figures::period_report::PeriodReport as ReportBody;

use countersign_core::approvals::Approvals;
use countersign_core::canonical::CanonicalJson;
use countersign_core::execution::{ExecutionMode, Target};
use countersign_core::ids::EventId;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::Action;
use countersign_core::policy::request_view::RequestView;
use countersign_core::principal::Principal;
use countersign_core::request::{Decision, Request, Verdict};
use countersign_core::requirements::MatchedRule;
use countersign_core::requirements::Requirements;
use countersign_core::risk::Cost;
use countersign_core::slots::Slots;
use countersign_core::text::CommentText;
use countersign_core::text_key::KeyedText;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// A request, as a caller who may see it sees it. Absent members do not apply, or not yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestBody {
    /// Names it.
    pub request_id: String,
    /// Where it is in its life, deadlines included.
    pub status: String,
    /// What is to be done.
    pub operation_type: String,
    /// The instance that the operation is for.
    pub instance_id: String,
    /// Exactly how. Absent for those who see requests without parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// SHA-256 of the parameters' canonical JSON (RFC 8785). Absent together with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_digest: Option<String>,
    /// SHA-256 of the canonical JSON (RFC 8785) of `content`: what a decision and a start may name.
    /// Absent together with the parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<String>,
    /// All that the request was made with, the parameters by their digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// The environment of the instance.
    pub environment: String,
    /// The risk level of the operation.
    pub risk_level: String,
    /// The requester.
    pub requested_by: String,
    /// The service that asks for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filed_by: Option<String>,
    /// When it was made.
    pub requested_at: String,
    /// Why the operation is needed. Absent once that was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// When parameters, texts and result were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<String>,
    /// What it is expected to cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<f64>,
    /// How long it is expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_duration: Option<String>,
    /// The ticket it belongs to, in some other system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// How to go back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_plan: Option<String>,
    /// How soon it needs an answer, as the requester has named it: `P1` to `P4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Who answers for the agent or service that asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The groups of the requester, when it was made.
    #[serde(default)]
    pub requester_groups: Vec<String>,
    /// How many distinct people must agree, those in `slots` included.
    pub approvals_required: u8,
    /// Which groups some of them must come from.
    #[serde(default)]
    pub slots: Vec<SlotBody>,
    /// Whether an approver must name the digest of what they were shown.
    #[serde(default)]
    pub digest_required: bool,
    /// The parts of the policy that demanded this, when it was made.
    #[serde(default)]
    pub rules: Vec<RuleBody>,
    /// How many of those on record count: while it is pending or approved, under the policy of now.
    pub approvals_received: usize,
    /// Who has approved; `decisions` says whose approval counts.
    pub approved_by: Vec<String>,
    /// Why it cannot go ahead even with all approvals: its requester or their owner is disabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// When it became approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<String>,
    /// Who refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_by: Option<String>,
    /// The time of the rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_at: Option<String>,
    /// The reason for the rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection_reason: Option<String>,
    /// When it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<String>,
    /// By the requester, by the owner of the requester, or by an admin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// The reason for the cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
    /// When it expires if it is still pending.
    pub expires_at: String,
    /// The executor that policy named when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// `automatic` if that executor starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The time before which it is not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute_at: Option<String>,
    /// The span in which it may be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowBody>,
    /// What the executor has found of the target. Absent for those who see requests without parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Value>,
    /// SHA-256 of its canonical JSON. Absent together with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_digest: Option<String>,
    /// Who has found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_observed_by: Option<String>,
    /// The time of the observation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_observed_at: Option<String>,
    /// By when it must be started, once approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute_by: Option<String>,
    /// When it closed; of an expired request the deadline that it missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
    /// Names its execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    /// When it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_started_at: Option<String>,
    /// The executor who started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_started_by: Option<String>,
    /// How far the execution has come: `started`, `claimed`, `unknown`, `succeeded` or `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_state: Option<String>,
    /// For whom the permit is: `client`, or the executor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_audience: Option<String>,
    /// The time from which the permit claims nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit_expires_at: Option<String>,
    /// The time from which the execution has been silent for too long. Absent once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<String>,
    /// Who carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<String>,
    /// The time of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<String>,
    /// What was found out, as it was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_note: Option<String>,
    /// The permit: in the answer to a start, for the caller who may claim with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<String>,
    /// When it was executed, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed_at: Option<String>,
    /// What came of it. Absent for those who see requests without parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_result: Option<Value>,
    /// What it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual_cost: Option<f64>,
    /// The approver who is looking at it, while it waits for approvers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldBody>,
    /// What people said, decisions included, in order.
    pub comments: Vec<CommentBody>,
    /// Who decided what.
    pub decisions: Vec<DecisionBody>,
    /// Who took an approval back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawals: Vec<WithdrawalBody>,
    /// How many events have happened to it.
    pub version: u64,
    /// SHA-256 of the policy that set its requirements.
    pub policy_version: String,
    /// The hash of its last audit event.
    pub audit_head: String,
    /// How many hear of it: in the answer to its creation, where there is a `notifications.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifies: Option<NotifiesBody>,
}

/// People who must be among those who agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotBody {
    /// Each of them is in at least one of these groups.
    pub groups: Vec<String>,
    /// How many there must be: other people than those of other slots.
    pub approvals: u8,
}

/// A part of a policy that matched a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleBody {
    /// Its place in `operations.toml`; or `declared`, for what the requester said.
    pub name: String,
    /// What it demanded, in words.
    pub demands: Vec<String>,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommentBody {
    /// The author of the comment.
    pub user: String,
    /// The time of the comment.
    pub timestamp: String,
    /// With what: `commented`, `approved` or `rejected`.
    pub action: String,
    /// The text.
    pub comment: String,
}

/// An approval that was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WithdrawalBody {
    /// The approver.
    pub person: String,
    /// The time of the withdrawal.
    pub at: String,
    /// The event that records it.
    pub event_id: String,
}

/// One person's decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionBody {
    /// The approver.
    pub person: String,
    /// `approved` or `rejected`.
    pub decision: String,
    /// The time of the decision.
    pub at: String,
    /// The groups that they were in, if they approved.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether they named the digest of what they were shown, if they approved.
    #[serde(default)]
    pub digest_presented: bool,
    /// Of an approval, whether it counts: under the policy of now while that can change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<bool>,
    /// Why it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// SHA-256 of the policy that it was made under.
    #[serde(default)]
    pub policy_version: String,
    /// The channel of the call: `api`, `direct` or `local`.
    #[serde(default)]
    pub channel: String,
    /// What they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The event that records it.
    pub event_id: String,
}

/// The answer to whether the service is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthBody {
    /// `healthy`.
    pub status: String,
    /// The release.
    pub version: String,
    /// SHA-256 of the policy in force.
    pub policy_version: String,
    /// SHA-256 of `notifications.toml`. Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications_version: Option<String>,
}

/// A problem (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemBody {
    /// A URN for the code.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The same for every problem of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// Names this problem in the log.
    pub instance: String,
    /// Stable name.
    pub code: String,
    /// The request's status, where the refusal comes from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_status: Option<String>,
    /// Why, one sentence each: of every 403, 409, 422 and 429, as `explain` gives them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The fields that break rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body, or `/` and the name of a query parameter.
    pub pointer: String,
    /// The rule.
    pub message: String,
}

impl FieldError {
    /// A field that breaks a rule.
    pub fn new(pointer: &str, message: &str) -> Self {
        Self { pointer: pointer.to_owned(), message: message.to_owned() }
    }
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A text that was not erased.
fn kept(text: Option<&KeyedText<CommentText>>) -> Option<String> {
    text.and_then(KeyedText::text).map(str::to_owned)
}

impl RequestBody {
    /// The request and who looks at it, as `actor` may see them at `now`.
    pub fn held(held: &HeldRequest, actor: &Principal, policy: &Policy, now: Timestamp) -> Self {
        let hold = held.shown(policy, now).map(HoldBody::of);
        Self { hold, ..Self::of(&held.request, actor, policy, now) }
    }

    /// The request as `actor` may see it at `now`, with what policy demands of it then.
    pub fn of(request: &Request, actor: &Principal, policy: &Policy, now: Timestamp) -> Self {
        let sees_parameters = policy.may(Action::ViewParameters, actor, request, now).is_permitted();
        let requirements = policy.requirements_in_force(request);
        let status = request.status_at(now);
        let counting = Counting::of(request, &requirements, policy);
        let rejection = request.rejection();
        let execution = request.execution.as_ref();
        let claim = execution.and_then(|execution| execution.claim.as_ref());
        let target = request.target.as_ref();
        let finish = request.finish();
        let cancellation = request.cancellation.as_ref();
        let content = &request.content;
        Self {
            request_id: request.id().to_string(),
            status: status.to_string(),
            operation_type: content.operation_type.to_string(),
            instance_id: content.instance_id.to_string(),
            parameters: content.parameters.kept().filter(|_| sees_parameters).map(CanonicalJson::to_value),
            parameters_digest: sees_parameters.then(|| content.parameters_digest().to_string()),
            content_digest: sees_parameters.then(|| content.digest().to_string()),
            content: sees_parameters.then(|| content.document().to_value()),
            environment: requirements.environment.as_str().to_owned(),
            risk_level: requirements.risk_level.as_str().to_owned(),
            requested_by: content.requested_by.to_string(),
            filed_by: text(content.filed_by.as_ref()),
            requested_at: content.requested_at.to_string(),
            justification: text(content.justification.text()),
            erased_at: text(request.erased_at),
            estimated_cost: content.estimated_cost.map(Cost::amount),
            estimated_duration: content.estimated_duration.as_ref().map(|text| text.as_str().to_owned()),
            ticket: text(content.ticket.as_ref()),
            rollback_plan: content.rollback_plan.as_ref().map(|text| text.as_str().to_owned()),
            priority: text(content.priority),
            owner: text(content.owner.as_ref().map(|owner| &owner.person)),
            requester_groups: content.requester_groups.iter().cloned().collect(),
            approvals_required: requirements.approvals_required,
            slots: slots(&requirements.slots),
            digest_required: requirements.digest_required,
            rules: rules(&content.rules),
            approvals_received: counting.received,
            approved_by: request.approved_by().map(PersonId::to_string).collect(),
            blocked_by: if status.is_decidable() { policy.blocked_by(request) } else { Vec::new() },
            approved_at: text(request.approved_at),
            rejected_by: text(rejection.map(|decision| &decision.person)),
            rejected_at: text(rejection.map(|decision| decision.at)),
            rejection_reason: kept(rejection.and_then(|decision| decision.comment.as_ref())),
            cancelled_at: text(cancellation.map(|cancellation| cancellation.at)),
            cancelled_by: text(cancellation.map(|cancellation| &cancellation.by)),
            cancellation_reason: kept(cancellation.and_then(|cancellation| cancellation.reason.as_ref())),
            expires_at: content.expires_at.to_string(),
            executor: text(content.executor.as_ref()),
            execution: (content.schedule.mode == ExecutionMode::Automatic)
                .then(|| content.schedule.mode.to_string()),
            execute_at: text(content.schedule.execute_at),
            window: content.schedule.window.map(WindowBody::of),
            target: target
                .filter(|_| sees_parameters)
                .and_then(|target| target.document.kept())
                .map(CanonicalJson::to_value),
            target_digest: text(target.filter(|_| sees_parameters).map(Target::digest)),
            target_observed_by: text(target.map(|target| &target.by)),
            target_observed_at: text(target.map(|target| target.at)),
            execute_by: text(request.execute_by),
            closed_at: text(request.closed_by(now)),
            execution_id: text(execution.map(|execution| execution.id)),
            execution_started_at: text(execution.map(|execution| execution.started_at)),
            execution_started_by: text(execution.map(|execution| &execution.started_by)),
            execution_state: text(execution.map(|execution| execution.state_at(now))),
            execution_audience: execution.map(|_| content.audience().to_owned()),
            permit_expires_at: text(execution.map(|execution| execution.permit_expires_at)),
            lease_until: execution.and_then(execution::lease_until),
            claimed_by: text(claim.map(|claim| &claim.by)),
            claimed_at: text(claim.map(|claim| claim.at)),
            execution_note: kept(finish.and_then(|finish| finish.note.as_ref())),
            permit: None,
            executed_at: text(finish.map(|finish| finish.at)),
            execution_result: finish
                .and_then(|finish| finish.result.as_ref())
                .filter(|_| sees_parameters)
                .and_then(KeyedText::kept)
                .map(|(result, _)| result.to_value()),
            actual_cost: finish.and_then(|finish| finish.actual_cost).map(Cost::amount),
            hold: None,
            comments: comments(request),
            decisions: request.decisions.iter().map(|decision| counting.decision(decision)).collect(),
            withdrawals: request
                .withdrawals
                .iter()
                .map(|withdrawal| WithdrawalBody {
                    person: withdrawal.person.to_string(),
                    at: withdrawal.at.to_string(),
                    event_id: withdrawal.event_id.to_string(),
                })
                .collect(),
            version: request.version,
            policy_version: content.policy_version.to_string(),
            audit_head: request.audit_head.to_string(),
            notifies: None,
        }
    }
}

/// Which approvals count: while a request is pending or approved, those that do under the policy of
/// now; after that, those that did.
struct Counting {
    received: usize,
    /// The events of the approvals that do not count, and why.
    discounted: HashMap<EventId, String>,
}

impl Counting {
    fn of(request: &impl RequestView, requirements: &Requirements, policy: &Policy) -> Self {
        if !request.status().is_decidable() {
            return Self { received: request.approvals().count(), discounted: HashMap::new() };
        }
        let approvals = Approvals::of(request, requirements, policy);
        let discounted = approvals.discounted.into_iter();
        Self {
            received: approvals.counting.len(),
            discounted: discounted.map(|(decision, reason)| (decision.event_id, reason)).collect(),
        }
    }

    fn decision(&self, decision: &Decision) -> DecisionBody {
        let reason = self.discounted.get(&decision.event_id).cloned();
        DecisionBody {
            person: decision.person.to_string(),
            decision: decision.verdict.as_str().to_owned(),
            at: decision.at.to_string(),
            groups: decision.groups.iter().cloned().collect(),
            digest_presented: decision.digest_presented,
            counts: (decision.verdict == Verdict::Approved).then_some(reason.is_none()),
            reason,
            policy_version: decision.policy_version.to_string(),
            channel: decision.channel.as_str().to_owned(),
            comment: kept(decision.comment.as_ref()),
            event_id: decision.event_id.to_string(),
        }
    }
}

fn slots(slots: &Slots) -> Vec<SlotBody> {
    slots
        .iter()
        .map(|(groups, approvals)| SlotBody { groups: groups.iter().cloned().collect(), approvals })
        .collect()
}

fn rules(rules: &[MatchedRule]) -> Vec<RuleBody> {
    rules.iter().map(|rule| RuleBody { name: rule.name.clone(), demands: rule.demands.clone() }).collect()
}

fn comments(request: &Request) -> Vec<CommentBody> {
    let said =
        request.comments.iter().map(|comment| (comment.at, &comment.person, "commented", &comment.text));
    let decided = request.decisions.iter().filter_map(|decision| {
        let action = match decision.verdict {
            Verdict::Approved => "approved",
            Verdict::Rejected => "rejected",
        };
        decision.comment.as_ref().map(|text| (decision.at, &decision.person, action, text))
    });
    let mut all: Vec<_> = said.chain(decided).collect();
    all.sort_by_key(|(at, ..)| *at);
    // What was erased is said no more; the trail still has who commented when.
    all.into_iter()
        .filter_map(|(at, person, action, text)| {
            Some(CommentBody {
                user: person.to_string(),
                timestamp: at.to_string(),
                action: action.to_owned(),
                comment: text.text()?.to_owned(),
            })
        })
        .collect()
}
