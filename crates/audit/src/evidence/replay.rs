//! The state that the events make, built a second time from what is shown, and the rules that it must never break.
//!
//! Two members of the state are in no event: all addresses of an approver, and the idempotency keys. They are taken
//! from the state that is shown, whose digest the last event has.

use super::mismatch::Mismatch;
use countersign_core::audit::AuditEvent;
use countersign_core::event::EventType;
use countersign_core::request::Status;
use countersign_core::slots::{Groups, Slots};
use countersign_core::state::FORMAT;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

type Members = Map<String, Value>;

/// What the events so far have made.
struct Replay<'a> {
    content: &'a Members,
    status: Status,
    approved_at: Value,
    execute_by: Value,
    expired_at: Value,
    erased_at: Value,
    decisions: Vec<Members>,
    withdrawals: Vec<Value>,
    cancellation: Value,
    target: Value,
    execution: Option<Members>,
    comments: Vec<Value>,
}

/// Replays the events, and holds the state that is shown against what they make.
pub(super) fn check(
    content: &Members,
    shown: &Members,
    events: &[AuditEvent],
    mismatches: &mut Vec<Mismatch>,
) {
    let Some((first, rest)) = events.split_first() else { return };
    let wrong = |event: &AuditEvent, what| Mismatch::Event { sequence: event.sequence, what };
    let mut replay = match Replay::first(content, first) {
        Ok(replay) => replay,
        Err(what) => {
            mismatches.push(wrong(first, what));
            return;
        }
    };
    mismatches.extend(replay.broken_rules().map(|what| wrong(first, what)));
    for event in rest {
        if let Err(what) = replay.next(event) {
            mismatches.push(wrong(event, what));
            return;
        }
        mismatches.extend(replay.broken_rules().map(|what| wrong(event, what)));
    }
    let state = replay.state(shown, first, events);
    let names: BTreeSet<_> = state.keys().chain(shown.keys()).collect();
    let others = names.into_iter().filter(|name| state.get(*name) != shown.get(*name));
    mismatches.extend(others.map(|name| Mismatch::State(name.clone())));
}

const UNKNOWN_TYPE: &str = "is of a type that is not known: what it did is not known";
const IMPOSSIBLE: &str = "cannot follow the one before it";

impl<'a> Replay<'a> {
    fn first(content: &'a Members, event: &AuditEvent) -> Result<Self, &'static str> {
        let event_type = event.event_type.known().ok_or(UNKNOWN_TYPE)?;
        let status = event.request.as_ref().ok_or(IMPOSSIBLE)?.status;
        let is_approved = status == Status::Approved;
        if event_type != EventType::ApprovalRequestCreated || !(is_approved || status == Status::Pending) {
            return Err("does not make a request");
        }
        let approved_at = if is_approved { json!(event.timestamp.to_string()) } else { Value::Null };
        Ok(Self {
            content,
            status,
            approved_at,
            execute_by: detail(&event.details.to_value(), "execute_by"),
            expired_at: Value::Null,
            erased_at: Value::Null,
            decisions: Vec::new(),
            withdrawals: Vec::new(),
            cancellation: Value::Null,
            target: Value::Null,
            execution: None,
            comments: Vec::new(),
        })
    }

    /// Whether an event of this type may lead from one status to the other.
    fn is_legal(&self, event_type: EventType, after: Status, details: &Value) -> bool {
        use Status::{Approved, Cancelled, Executed, Executing, Expired, Failed, Pending, Rejected};
        let before = self.status;
        let is_undecided = matches!(before, Pending | Approved);
        let of_execution = |name: &str| self.execution.as_ref().and_then(|execution| execution.get(name));
        let goes_on = before == Executing && of_execution("execution_id") == details.get("execution_id");
        match event_type {
            EventType::ApprovalGranted => is_undecided && matches!(after, Pending | Approved),
            EventType::ApprovalRejected => is_undecided && after == Rejected,
            EventType::ApprovalWithdrawn => is_undecided && matches!(after, Pending | Approved | Expired),
            EventType::ApprovalCancelled => is_undecided && after == Cancelled,
            EventType::ApprovalExpired => is_undecided && after == Expired,
            EventType::TargetObserved => is_undecided && after == before && self.target.is_null(),
            EventType::ExecutionStarted => before == Approved && after == Executing,
            EventType::ExecutionClaimed => {
                goes_on && after == Executing && of_execution("claimed_at").is_none()
            }
            EventType::ExecutionRenewed => goes_on && after == Executing,
            EventType::ExecutionUnknown => {
                goes_on
                    && after == Executing
                    && of_execution("unknown_since").is_none()
                    && of_execution("lease_until") == details.get("lease_until")
            }
            EventType::ExecutionSucceeded => goes_on && after == Executed,
            EventType::ExecutionFailed => goes_on && after == Failed,
            EventType::CommentAdded => after == before && before != Expired && self.erased_at.is_null(),
            EventType::ParametersErased => after == before && !before.is_open() && self.erased_at.is_null(),
            EventType::ApprovalRequestCreated
            | EventType::AnomalyDetected
            | EventType::AttemptRefused
            | EventType::AuditRead => false,
        }
    }

    fn next(&mut self, event: &AuditEvent) -> Result<(), &'static str> {
        let event_type = event.event_type.known().ok_or(UNKNOWN_TYPE)?;
        let after = event.request.as_ref().ok_or(IMPOSSIBLE)?.status;
        let details = event.details.to_value();
        if !self.is_legal(event_type, after, &details) {
            return Err(IMPOSSIBLE);
        }
        self.status = after;
        let detail = |name| detail(&details, name);
        let (at, by) = (json!(event.timestamp.to_string()), json!(event.user.as_str()));
        let event_id = json!(event.event_id.to_string());
        match event_type {
            EventType::ApprovalGranted => {
                self.forget(&detail("replaces"));
                self.decisions.push(decision(event, "approved", &details));
                if !detail("execute_by").is_null() {
                    self.approved_at = at;
                    self.execute_by = detail("execute_by");
                }
                self.check_counts(&details)?;
            }
            EventType::ApprovalRejected => {
                self.forget(&detail("replaces"));
                self.decisions.push(decision(event, "rejected", &details));
            }
            EventType::ApprovalWithdrawn => {
                self.forget(&detail("withdraws"));
                self.withdrawals.push(json!({ "person": by, "at": at, "event_id": event_id }));
                if !detail("reason_digest").is_null() {
                    self.comments.push(comment(event, detail("reason_digest")));
                }
                self.expired_at = if after == Status::Expired { at } else { Value::Null };
                self.check_counts(&details)?;
            }
            EventType::ApprovalCancelled => {
                let reason = detail("reason_digest");
                self.cancellation = present([("at", at), ("by", by), ("reason_digest", reason)]).into();
            }
            EventType::ApprovalExpired => {
                let expires_at = self.content.get("expires_at").cloned().unwrap_or_default();
                let is_approved = !self.execute_by.is_null();
                let on_record = if is_approved { self.execute_by.clone() } else { expires_at };
                let deadline = detail("deadline");
                self.expired_at = if deadline == on_record { Value::Null } else { deadline };
            }
            EventType::TargetObserved => {
                let target = [("by", by), ("at", at), ("target_digest", detail("target_digest"))];
                self.target = present(target).into();
            }
            EventType::ExecutionStarted => {
                let taken =
                    ["execution_id", "policy_version", "permit_expires_at", "lease_seconds", "lease_until"];
                let mut execution = present([("started_by", by), ("started_at", at)]);
                execution.extend(present(taken.map(|name| (name, detail(name)))));
                self.execution = Some(execution);
            }
            EventType::ExecutionClaimed => {
                self.of_execution([
                    ("claimed_by", by),
                    ("claimed_at", at),
                    ("lease_until", detail("lease_until")),
                ]);
            }
            EventType::ExecutionRenewed => {
                self.of_execution([("lease_until", detail("lease_until")), ("unknown_since", Value::Null)]);
            }
            EventType::ExecutionUnknown => self.of_execution([("unknown_since", at)]),
            EventType::ExecutionSucceeded | EventType::ExecutionFailed => {
                let is_success = event_type == EventType::ExecutionSucceeded;
                let finish = present([
                    ("at", at),
                    ("outcome", json!(if is_success { "succeeded" } else { "failed" })),
                    ("result_digest", detail("result_digest")),
                    ("actual_cost", detail("actual_cost")),
                    ("note_digest", detail("note_digest")),
                ]);
                self.of_execution([("finish", finish.into())]);
            }
            EventType::CommentAdded => self.comments.push(comment(event, detail("text_digest"))),
            EventType::ParametersErased => self.erased_at = at,
            // INVARIANT: none of them is legal.
            EventType::ApprovalRequestCreated
            | EventType::AnomalyDetected
            | EventType::AttemptRefused
            | EventType::AuditRead => {}
        }
        let waits_again = matches!(event_type, EventType::ApprovalGranted | EventType::ApprovalWithdrawn)
            && after != Status::Approved;
        if waits_again {
            self.approved_at = Value::Null;
            self.execute_by = Value::Null;
        }
        Ok(())
    }

    /// Takes decisions off the record that another event stands in the place of.
    fn forget(&mut self, event_ids: &Value) {
        let forgotten = event_ids.as_array().cloned().unwrap_or_default();
        self.decisions.retain(|decision| !forgotten.iter().any(|id| decision.get("event_id") == Some(id)));
    }

    fn of_execution<const N: usize>(&mut self, members: [(&str, Value); N]) {
        let Some(execution) = &mut self.execution else { return };
        for (name, value) in members {
            if value.is_null() {
                execution.remove(name);
            } else {
                execution.insert(name.to_owned(), value);
            }
        }
    }

    fn approvals(&self) -> Vec<&Members> {
        let is_approval = |decision: &&Members| decision.get("decision") == Some(&json!("approved"));
        self.decisions.iter().filter(is_approval).collect()
    }

    fn check_counts(&self, details: &Value) -> Result<(), &'static str> {
        let received = json!(self.approvals().len());
        let required = self.content.get("approvals_required");
        let is_right = details.get("approvals_received") == Some(&received)
            && details.get("approvals_required") == required;
        if is_right { Ok(()) } else { Err("counts other approvals than there are") }
    }

    /// What must never be, whatever the policy was.
    fn broken_rules(&self) -> impl Iterator<Item = &'static str> + use<> {
        let person = |decision: &Members| decision.get("person").and_then(Value::as_str).map(str::to_owned);
        let people: BTreeSet<_> = self.decisions.iter().filter_map(person).collect();
        let one_each = people.len() == self.decisions.len();
        let own = ["requested_by", "owner"].map(|name| self.content.get(name).and_then(Value::as_str));
        let is_own = own.into_iter().flatten().any(|person| people.contains(person));
        let is_approved =
            matches!(self.status, Status::Approved | Status::Executing | Status::Executed | Status::Failed);
        let rules = [
            (one_each, "leaves one person with two decisions"),
            (!is_own, "leaves a decision by the requester, or by the requester's owner"),
            (!is_approved || self.is_filled(), "leaves an approved request with too few approvals"),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what)
    }

    /// Whether the approvals are enough for what the request was made with.
    fn is_filled(&self) -> bool {
        let required = self.content.get("approvals_required").and_then(Value::as_u64);
        let Some(required) = required.and_then(|required| u8::try_from(required).ok()) else { return false };
        let slots = self.content.get("slots").and_then(Value::as_array);
        let Some(slots) = slots.and_then(|slots| slots.iter().map(slot).collect::<Option<Vec<_>>>()) else {
            return false;
        };
        let approvals = self.approvals();
        let groups: Option<Vec<_>> =
            approvals.into_iter().map(|decision| groups(decision.get("groups")?)).collect();
        groups.is_some_and(|groups| {
            let groups: Vec<_> = groups.iter().collect();
            Slots::new(slots).fill(required, &groups).is_complete()
        })
    }

    /// The state as a document, with those members of the shown one that are in no event.
    fn state(self, shown: &Members, first: &AuditEvent, events: &[AuditEvent]) -> Members {
        let last = events.last().unwrap_or(first);
        let first = first.details.to_value();
        let decisions: Vec<_> = self
            .decisions
            .into_iter()
            .zip(shown.get("decisions").and_then(Value::as_array).into_iter().flatten())
            .map(|(mut decision, shown)| {
                decision.insert("addresses".to_owned(), addresses(&decision, shown));
                decision
            })
            .collect();
        present([
            ("format", json!(FORMAT)),
            ("content_digest", detail(&first, "content_digest")),
            ("justification_digest", detail(&first, "justification_digest")),
            ("version", json!(events.len())),
            ("updated_at", json!(last.timestamp.to_string())),
            ("last_event_id", json!(last.event_id.to_string())),
            ("status", json!(self.status.as_str())),
            ("approved_at", self.approved_at),
            ("execute_by", self.execute_by),
            ("expired_at", self.expired_at),
            ("erased_at", self.erased_at),
            ("decisions", json!(decisions)),
            ("withdrawals", json!(self.withdrawals)),
            ("cancellation", self.cancellation),
            ("target", self.target),
            ("execution", json!(self.execution)),
            ("comments", json!(self.comments)),
            (
                "idempotency",
                shown.get("idempotency").filter(|keys| keys.is_array()).cloned().unwrap_or_default(),
            ),
        ])
    }
}

fn detail(details: &Value, name: &str) -> Value {
    details.get(name).cloned().unwrap_or_default()
}

fn present<const N: usize>(members: [(&str, Value); N]) -> Members {
    let given = members.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn decision(event: &AuditEvent, verdict: &str, details: &Value) -> Members {
    let is_approval = verdict == "approved";
    let comment = if is_approval { "comment_digest" } else { "reason_digest" };
    let of_approval = |name, of_rejection| if is_approval { detail(details, name) } else { of_rejection };
    present([
        ("person", json!(event.user.as_str())),
        ("decision", json!(verdict)),
        ("at", json!(event.timestamp.to_string())),
        ("comment_digest", detail(details, comment)),
        ("groups", of_approval("groups", json!([]))),
        ("digest_presented", of_approval("digest_presented", json!(false))),
        ("channel", json!(event.channel.as_str())),
        ("source_ip", json!(event.source_ip.map(|address| address.to_string()))),
        ("policy_version", detail(details, "policy_version")),
        ("event_id", json!(event.event_id.to_string())),
    ])
}

fn comment(event: &AuditEvent, digest: Value) -> Value {
    json!({
        "person": event.user.as_str(),
        "at": event.timestamp.to_string(),
        "text_digest": digest,
        "event_id": event.event_id.to_string(),
    })
}

/// The addresses of a decision that are shown, if the approver's own is among them.
fn addresses(decision: &Members, shown: &Value) -> Value {
    let addresses = shown.get("addresses").and_then(Value::as_array);
    let own = addresses.filter(|addresses| decision.get("person").is_some_and(|own| addresses.contains(own)));
    own.cloned().map_or(Value::Null, Value::Array)
}

fn slot(slot: &Value) -> Option<(Groups, u8)> {
    let people = u8::try_from(slot.get("approvals")?.as_u64()?).ok()?;
    Some((groups(slot.get("groups")?)?, people))
}

fn groups(groups: &Value) -> Option<Groups> {
    groups.as_array()?.iter().map(|group| group.as_str().map(str::to_owned)).collect()
}
