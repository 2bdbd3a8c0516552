//! Examples of bodies, and the answers that the code itself gives to them.
//!
//! One request is played through: its bodies are read like those of a caller, decided by the core
//! and shown by the wire types. So no example has a member that does not exist, and digests and
//! hashes are those of what is shown.

mod listed;
mod notifications;
mod reported;
mod webhooks;

pub(super) use webhooks::{DELIVERY_ID, WEBHOOK_ID};

use crate::call::Input;
use crate::fields::Fields;
use crate::operation::{Body, BodyType, OriginalOperation};
use crate::operations::CommandEndpoint;
use crate::operations::approve::Approve;
use crate::operations::cancel::Cancel;
use crate::operations::comment::Comment;
use crate::operations::create;
use crate::operations::finish::Finish;
use crate::operations::observe::Observe;
use crate::operations::reject::Reject;
use crate::operations::start::Start;
use crate::operations::withdraw::Withdraw;
use strum::IntoEnumIterator;

use crate::wire::{
    AuditBody, EventsBody, ExecutionBody, ExplainBody, HealthBody, RequestBody, SimulateBody, StatsBody,
};
use countersign_app::error::AppError;
use countersign_app::events::CheckedTrail;
use countersign_app::figure_store::StoredFigures;
use countersign_app::ports::{EventPage, Trail};
use countersign_app::simulate::Simulation;
use countersign_core::audit::AuditEvent;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::{Command, Draft, Shown};
use countersign_core::command_context::CommandContext;
use countersign_core::creation;
use countersign_core::decide::{self, Outcome};
use countersign_core::digest::DeploymentKey;
use countersign_core::event::Event;
use countersign_core::explain;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::policy::access::{AccessDecision, AccessRequest, Action, Authorizer, Subject};
use countersign_core::policy::people::People;
use countersign_core::policy::rules::Rules;
use countersign_core::policy::{Policy, PolicyText};
use countersign_core::principal::Principal;
use countersign_core::request::Request;
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use countersign_figures::fold::FigureState;
use countersign_figures::report::GroupBy;
use countersign_permit::{KeySet, KeyStatus, PrivateKey, Purpose};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The request of the examples.
pub(super) const REQUEST_ID: &str = "019c1339-a5c0-7000-8000-000000000001";
/// Its execution.
const EXECUTION_ID: &str = "019c1339-a5c0-7000-8000-0000000000e1";
/// Its permit, cut short: a signature is another one each time.
const PERMIT: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImNvdW50ZXJzaWduLXBlcm1pdCtqd3QifQ.e30.c2lnbmF0dXJl";
/// An executor, as a caller.
const EXECUTOR: &str = "rds-executor";
/// The requester.
pub(super) const REQUESTER: &str = "ann@example.com";
/// A cursor is opaque: this one was given out for no list.
pub(super) const CURSOR: &str = "eyJhZnRlciI6IjAxOWMxMzM5In0";

/// A policy of its own: the examples do not change with the one that comes with the program.
const OPERATIONS: &str = "\
[defaults]
pending_seconds = 259200
execute_within_seconds = 86400
[approvals]
low = 0
medium = 1
high = 2
[environments]
non_production_instances = ['dev-*']
[operations.modify_instance_class]
production = 'high'
non_production = 'medium'
[rules.databases]
operations = ['modify_*']
environment = 'production'
slots = { dba = 1 }
required_fields = ['rollback_plan']
digest_required = true
";

/// The groups of its people.
const PEOPLE: &str = "groups = ['approver', 'dba', 'developer']";

/// The groups that approve.
const APPROVERS: [&str; 2] = ["approver", "dba"];

/// Who may do what: some approve, none administers, and the rest is permitted.
#[derive(Debug)]
struct Permissions;

impl Authorizer for Permissions {
    fn answer(&self, access_request: &AccessRequest<'_>) -> AccessDecision {
        let groups = &access_request.actor.groups;
        let approves = APPROVERS.iter().any(|group| groups.contains(*group));
        let is_permitted = match access_request.action {
            Action::Approve | Action::Reject => approves,
            Action::Administer => false,
            Action::Create
            | Action::View
            | Action::ViewParameters
            | Action::Audit
            | Action::Comment
            | Action::Cancel
            | Action::Execute
            | Action::Claim
            | Action::List
            | Action::QueryAudit
            | Action::ManageWebhooks => true,
        };
        if is_permitted {
            return AccessDecision::Permitted;
        }
        let groups: Vec<_> = groups.iter().map(String::as_str).collect();
        let action = access_request.action.as_str();
        AccessDecision::Denied(vec![format!("no policy permits `{action}` to group {}", groups.join(", "))])
    }
}

fn policy() -> Option<Policy> {
    let text = PolicyText { operations: OPERATIONS, people: PEOPLE, access: "" };
    let people = People::parse(text.people).ok()?;
    let rules = Rules::parse(text.operations, people.groups()).ok()?;
    Some(Policy::new(text.version(), rules, people, Arc::new(Permissions)))
}

fn create() -> Value {
    json!({
        "operation_type": "modify_instance_class",
        "instance_id": "production-db-01",
        "parameters": { "target_instance_class": "db.r6g.xlarge", "apply_immediately": true },
        "environment": "production",
        "risk_level": "high",
        "justification": "CPU has been at 95 % since Monday",
        "estimated_cost": 250.5,
        "estimated_duration": "15 minutes",
        "ticket": "OPS-1234",
        "rollback_plan": "Change it back to db.r6g.large",
        "requested_by": REQUESTER,
    })
}

/// The same, without what policy demands of it.
fn create_without_rollback_plan() -> Value {
    let mut body = create();
    if let Some(body) = body.as_object_mut() {
        body.remove("rollback_plan");
    }
    body
}

/// The digest of what the request was made with: there is one only once it has been made.
fn content_digest() -> Value {
    // INVARIANT: the story begins; a test below fails if it does not.
    json!(Story::begin().map(|story| story.request.content.digest().to_string()))
}

fn approve() -> Value {
    json!({ "comments": "Capacity planning agrees", "content_digest": content_digest() })
}

fn finish() -> Value {
    json!({
        "execution_id": EXECUTION_ID,
        "outcome": "succeeded",
        "result": { "instance_class": "db.r6g.xlarge" },
        "actual_cost": 248.1,
        "content_digest": content_digest(),
    })
}

/// Examples of a body, by name.
pub(super) fn bodies(body: BodyType) -> Vec<(&'static str, Value)> {
    match body {
        BodyType::Create => vec![
            ("everything", create()),
            (
                "what_is_required",
                json!({
                    "operation_type": "modify_storage",
                    "instance_id": "dev-db-01",
                    "parameters": { "allocated_storage": 200 },
                    "environment": "non-production",
                    "justification": "The disk is nearly full",
                }),
            ),
        ],
        BodyType::Approve => vec![("as_shown", approve()), ("nothing", json!({}))],
        BodyType::Reject => vec![
            ("reason", json!({ "reason": "Not during the sale" })),
            ("as_shown", json!({ "reason": "Not during the sale", "content_digest": content_digest() })),
        ],
        BodyType::Withdraw => {
            vec![("reason", json!({ "reason": "The window has moved" })), ("nothing", json!({}))]
        }
        BodyType::Cancel => vec![("reason", json!({ "reason": "Solved otherwise" })), ("nothing", json!({}))],
        BodyType::Comment => vec![("text", json!({ "text": "The maintenance window is at 22:00 UTC" }))],
        BodyType::Start => {
            vec![("as_shown", json!({ "content_digest": content_digest() })), ("nothing", json!({}))]
        }
        BodyType::Finish => vec![
            ("succeeded", finish()),
            ("failed", json!({ "execution_id": EXECUTION_ID, "outcome": "failed", "result": "timed out" })),
            ("running", json!({ "execution_id": EXECUTION_ID, "outcome": "running" })),
        ],
        BodyType::Claim => vec![("permit", json!({ "permit": PERMIT, "content_digest": content_digest() }))],
        BodyType::Hold => vec![("half_an_hour", json!({ "minutes": 30 })), ("nothing", json!({}))],
        BodyType::Observe => {
            vec![("target", json!({ "target": { "instance_class": "db.r6g.large", "status": "available" } }))]
        }
        BodyType::Dispatch => originals(),
        BodyType::CreateWebhook => webhooks::creations(),
        BodyType::ChangeWebhook => webhooks::changes(),
        BodyType::RotateWebhook => {
            vec![("at_once", json!({ "overlap_seconds": 0 })), ("nothing", json!({}))]
        }
        BodyType::RedeliverWebhook => webhooks::redeliveries(),
        BodyType::SetNotifications => notifications::settings(),
    }
}

/// A body of each original operation.
fn originals() -> Vec<(&'static str, Value)> {
    let body = |original: OriginalOperation| {
        let mut body = Map::from_iter([("operation".to_owned(), json!(original.as_str()))]);
        body.extend(original_fields(original).as_object().cloned().unwrap_or_default());
        Value::Object(body)
    };
    // The one that need not be named.
    let body = |original| if original == OriginalOperation::DEFAULT { create() } else { body(original) };
    OriginalOperation::iter().map(|original| (original.as_str(), body(original))).collect()
}

/// The members of a body besides `operation`.
fn original_fields(original: OriginalOperation) -> Value {
    let of_one = |fields: Value| {
        let mut body = Map::from_iter([("request_id".to_owned(), json!(REQUEST_ID))]);
        body.extend(fields.as_object().cloned().unwrap_or_default());
        Value::Object(body)
    };
    let first = |body| bodies(body).into_iter().next().map(|(_, body)| body).unwrap_or_default();
    match original {
        OriginalOperation::CreateRequest => create(),
        OriginalOperation::ApproveRequest => of_one(first(BodyType::Approve)),
        OriginalOperation::RejectRequest => of_one(first(BodyType::Reject)),
        OriginalOperation::WithdrawApproval => of_one(first(BodyType::Withdraw)),
        OriginalOperation::CancelRequest => of_one(first(BodyType::Cancel)),
        OriginalOperation::AddComment => of_one(first(BodyType::Comment)),
        OriginalOperation::GetRequest | OriginalOperation::GetRequestEvents => of_one(json!({})),
        OriginalOperation::GetPendingApprovals => json!({ "user_email": "bob@example.com", "limit": 50 }),
        OriginalOperation::GetUserRequests => json!({ "user_email": REQUESTER, "status": "pending" }),
        OriginalOperation::GetInstanceRequests => json!({ "instance_id": "production-db-01" }),
        OriginalOperation::StartExecution => of_one(first(BodyType::Start)),
        OriginalOperation::FinishExecution => of_one(first(BodyType::Finish)),
        OriginalOperation::MarkExecuted => of_one(json!({ "execution_result": { "done": true } })),
    }
}

fn fields(body: &Value) -> Option<Fields> {
    let input = Input::Http {
        path: std::collections::BTreeMap::new(),
        query: String::new(),
        body: body.to_string().into_bytes(),
        content_type: None,
        idempotency_key: None,
        if_none_match: None,
    };
    Fields::read(input, Body::Required(BodyType::Dispatch)).ok()
}

/// A request, played through.
#[derive(Debug, Clone)]
struct Story {
    request: Request,
    events: Vec<AuditEvent>,
    at: Timestamp,
}

impl Story {
    /// A person by their e-mail, or else a service.
    fn actor(name: &str, group: &str) -> Option<Principal> {
        let (person, kind) = match PersonId::from_email(name) {
            Ok(person) => (person, PrincipalKind::Human),
            Err(_) => (PersonId::service(name).ok()?, PrincipalKind::Service),
        };
        Some(Principal::assumed(person, kind, Channel::Local, [group]))
    }

    fn context(at: Timestamp, number: usize) -> Option<CommandContext> {
        let event_id = EventId::parse(&format!("019c1339-a5c0-7000-8000-0000000001{number:02}")).ok()?;
        Some(CommandContext {
            now: at,
            event_id,
            execution_id: ExecutionId::parse(EXECUTION_ID).ok()?,
            text_key: TextKey::new([0; 16]),
        })
    }

    /// When it begins, who asks, and what for.
    fn new_request(body: &Value) -> Option<(Timestamp, Principal, Draft)> {
        let at = Timestamp::parse("2026-01-31T09:30:00Z").ok()?;
        let ann = Self::actor(REQUESTER, "developer")?;
        let mut fields = fields(body)?;
        let draft = create::read(&mut fields, &ann);
        let (draft, _) = fields.finish(draft).ok()?;
        Some((at, ann, draft))
    }

    /// What would come of it.
    fn simulated(body: &Value) -> Option<Value> {
        let (now, ann, draft) = Self::new_request(body)?;
        let policy = policy()?;
        let assessment = creation::assess(&draft, &ann, &policy);
        let refusals = creation::refusals(&draft, &ann, now, &policy, &assessment);
        let subject = Subject {
            operation_type: draft.operation_type.as_str(),
            instance_id: draft.instance_id.as_str(),
            environment: assessment.requirements.environment,
            risk_level: assessment.requirements.risk_level,
            estimated_cost: draft.estimated_cost,
            requested_by: &ann.person,
        };
        let satisfiable = explain::could_be_satisfied(&assessment.requirements, &subject, &ann, now, &policy);
        let refusals = refusals.into_iter().map(AppError::from).collect();
        let simulation = Simulation { now, assessment, refusals, satisfiable, plan: None, notifies: None };
        serde_json::to_value(SimulateBody::of(&draft, &ann, simulation, policy.version())).ok()
    }

    fn begin() -> Option<Self> {
        let (at, ann, draft) = Self::new_request(&create())?;
        let id = RequestId::parse(REQUEST_ID).ok()?;
        let policy = policy()?;
        let assessment = creation::assess(&draft, &ann, &policy);
        let context = Self::context(at, 1)?;
        let event = creation::create(id, draft, &assessment, &ann, &context, &policy, None).ok()?;
        let request = Request::create(&event).ok()?;
        Some(Self { request, events: Vec::new(), at }.with(&event))
    }

    /// Writes down what an event did; the request is as the event left it.
    fn with(mut self, event: &Event) -> Self {
        let record = AuditEvent::record(event, &self.request, &DeploymentKey::new([0; 32]));
        self.request.audit_head = record.hash;
        self.events.push(record);
        self
    }

    /// The story with one more command, ten minutes later.
    fn then<O: CommandEndpoint>(&self, email: &str, group: &str, body: &Value) -> Option<Self> {
        let actor = Self::actor(email, group)?;
        let mut fields = fields(body)?;
        let command = O::read(&mut fields, &actor);
        let (command, _) = fields.finish(command).ok()?;
        self.decided(&actor, &command)
    }

    fn decided(&self, actor: &Principal, command: &Command) -> Option<Self> {
        let mut story = self.clone();
        story.at = self.at.plus_seconds(600);
        let context = Self::context(story.at, self.events.len() + 1)?;
        match decide::decide(&self.request, command, actor, &context, &policy()?, None).ok()? {
            Outcome::Event(event) => {
                story.request.apply(&event);
                Some(story.with(&event))
            }
            Outcome::AlreadyApplied => None,
        }
    }

    fn shown(&self) -> Option<Value> {
        let reader = Self::actor("bob@example.com", "approver")?;
        serde_json::to_value(RequestBody::of(&self.request, &reader, &policy()?, self.at)).ok()
    }

    /// Explained to an approver who may approve it, or has.
    fn explained(&self) -> Option<Value> {
        let reader = Self::actor("bob@example.com", "approver")?;
        let policy = policy()?;
        let context = Self::context(self.at, self.events.len() + 1)?;
        let explanation = explain::explain(&self.request, &reader, &context, &policy);
        serde_json::to_value(ExplainBody::of(&self.request, &explanation, policy.version())).ok()
    }

    /// As its starter is answered.
    fn with_permit(&self) -> Option<Value> {
        let mut shown = self.shown()?;
        shown.as_object_mut()?.insert("permit".to_owned(), json!(PERMIT));
        Some(shown)
    }

    fn execution(&self) -> Option<Value> {
        let body = ExecutionBody::of(&self.request, Some(PERMIT.to_owned()), self.at)?;
        serde_json::to_value(body).ok()
    }

    /// Claimed by its starter. That the permit is one has been found out before.
    fn claimed(&self) -> Option<Self> {
        let command = Command::Claim {
            execution_id: self.request.execution.as_ref()?.id,
            shown: Shown::of(&self.request),
        };
        self.decided(&Self::actor(REQUESTER, "developer")?, &command)
    }

    fn trail(&self) -> Option<Value> {
        let trail = Trail { events: self.events.clone(), damaged: Vec::new() };
        serde_json::to_value(EventsBody::from(&CheckedTrail { trail, finding: None })).ok()
    }

    fn page_of_events(&self) -> Option<Value> {
        let page = EventPage {
            events: self.events.iter().take(2).cloned().collect(),
            next: Some(CURSOR.to_owned()),
            ..EventPage::until(self.at)
        };
        serde_json::to_value(AuditBody::from(page)).ok()
    }

    /// The figures of the story's own days.
    fn figures(&self) -> Option<Value> {
        let mut state = FigureState::default();
        self.events.iter().for_each(|event| state.add(event));
        let (from, to) = (state.days.keys().next()?.clone(), state.days.keys().next_back()?.clone());
        let figures = StoredFigures { size: u64::try_from(self.events.len()).ok()?, days: state.days };
        serde_json::to_value(StatsBody::of(&figures, &from, &to, GroupBy::Day)).ok()
    }
}

/// Examples of answers, by name.
pub(super) fn answers() -> Vec<(&'static str, Value)> {
    // INVARIANT: the story is legal; the test below fails if it is not.
    let mut answers = stories().unwrap_or_default();
    let health = HealthBody {
        status: "healthy".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        policy_version: policy().map(|policy| policy.version().to_string()).unwrap_or_default(),
        notifications_version: None,
    };
    answers.extend(webhooks::answers().unwrap_or_default());
    let noticed = Story::begin().as_ref().and_then(notifications::answers);
    answers.extend(noticed.unwrap_or_default());
    answers.push(("health", json!(health)));
    answers.push(("keys", keys().unwrap_or_default()));
    let info = json!({ "title": "Countersign", "version": env!("CARGO_PKG_VERSION") });
    answers.push(("openapi", json!({ "openapi": "3.1.0", "info": info, "paths": {} })));
    answers
}

/// The keys of a service that has rotated them once.
fn keys() -> Option<Value> {
    let key = |byte, status| Some(PrivateKey::from_bytes(&[byte; 32]).ok()?.public(Purpose::Permit, status));
    let keys = [key(1, KeyStatus::Next)?, key(2, KeyStatus::Current)?, key(3, KeyStatus::Past)?];
    let mut keys = KeySet::new(keys.to_vec()).to_json();
    // The key of RFC 8037 appendix A.
    keys.get_mut("keys")?.as_array_mut()?.push(json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "alg": "Ed25519", "use": "sig",
        "purpose": "log", "status": "current",
    }));
    Some(keys)
}

fn stories() -> Option<Vec<(&'static str, Value)>> {
    let body = |body: BodyType, name: &str| {
        bodies(body).into_iter().find(|(candidate, _)| *candidate == name).map(|(_, body)| body)
    };
    let (bob, cleo) = ("bob@example.com", "cleo@example.com");
    let pending = Story::begin()?;
    let half = pending.then::<Approve>(bob, "approver", &body(BodyType::Approve, "as_shown")?)?;
    let approved = half.then::<Approve>(cleo, "dba", &body(BodyType::Approve, "as_shown")?)?;
    let executing = approved.then::<Start>(REQUESTER, "developer", &body(BodyType::Start, "as_shown")?)?;
    let observed = half.then::<Observe>(EXECUTOR, "executor", &body(BodyType::Observe, "target")?)?;
    let execution = executing.execution()?;
    let claimed = executing.claimed()?;
    let executed = executing.then::<Finish>(REQUESTER, "developer", &body(BodyType::Finish, "succeeded")?)?;
    let failed = executing.then::<Finish>(REQUESTER, "developer", &body(BodyType::Finish, "failed")?)?;
    let withdrawn = approved.then::<Withdraw>(bob, "approver", &body(BodyType::Withdraw, "reason")?)?;
    let rejected = half.then::<Reject>(cleo, "dba", &body(BodyType::Reject, "reason")?)?;
    let cancelled = pending.then::<Cancel>(REQUESTER, "developer", &body(BodyType::Cancel, "reason")?)?;
    let commented = pending.then::<Comment>(bob, "approver", &body(BodyType::Comment, "text")?)?;
    Some(vec![
        ("pending", pending.shown()?),
        ("held", pending.held()?),
        ("half_approved", half.shown()?),
        ("approved", approved.shown()?),
        ("executing", executing.with_permit()?),
        ("execution", execution),
        ("execution_claimed", claimed.shown()?),
        ("observed", observed.shown()?),
        ("executed", executed.shown()?),
        ("failed", failed.shown()?),
        ("rejected", rejected.shown()?),
        ("withdrawn", withdrawn.shown()?),
        ("cancelled", cancelled.shown()?),
        ("commented", commented.shown()?),
        ("list", half.listed()?),
        ("events", executed.trail()?),
        ("audit", executed.page_of_events()?),
        ("stats", executed.figures()?),
        ("report", reported::report(&executed, &pending)?),
        ("me", listed::me()?),
        ("explained", pending.explained()?),
        ("half_approved_explained", half.explained()?),
        ("simulated", Story::simulated(&create())?),
        ("simulated_refusal", Story::simulated(&create_without_rollback_plan())?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::canonical::CanonicalJson;

    #[test]
    fn the_story_is_legal_and_every_answer_is_what_its_name_says() {
        let answers = stories().unwrap();
        for (name, answer) in answers {
            match name {
                "list" => assert_eq!(answer["items"][0]["approvals_received"], 1),
                "events" => assert_eq!(answer["items"].as_array().unwrap().len(), 5),
                "audit" => assert_eq!(answer["items"].as_array().unwrap().len(), 2),
                "stats" => assert_eq!(answer["totals"]["executed"], 1),
                "report" => assert_eq!(answer["outcomes"]["executed"], 1),
                "me" => assert_eq!(answer["kind"], "human"),
                "held" => assert_eq!(answer["hold"]["by"], "bob@example.com"),
                "half_approved" => assert_eq!(answer["approvals_received"], 1),
                "withdrawn" => {
                    assert_eq!(answer["status"], "pending");
                    assert_eq!(answer["approved_by"], json!(["cleo@example.com"]));
                    assert_eq!(answer["withdrawals"][0]["person"], "bob@example.com");
                }
                "explained" => assert_eq!(answer["actions"][0]["permitted"], true),
                "half_approved_explained" => {
                    assert_eq!(answer["missing"]["slots"][0]["groups"], json!(["dba"]))
                }
                "simulated" => assert_eq!(answer["permitted"], true),
                "simulated_refusal" => assert_eq!(answer["refusals"][0]["code"], "validation_failed"),
                "execution" => assert_eq!(answer["execution_state"], "started"),
                "execution_claimed" => assert_eq!(answer["execution_state"], "claimed"),
                "observed" => assert_eq!(answer["target"]["status"], "available"),
                "commented" => assert_eq!(answer["comments"][0]["user"], "bob@example.com"),
                status => assert_eq!(answer["status"], status),
            }
        }
    }

    #[test]
    fn what_is_simulated_is_what_a_request_then_says_of_itself() {
        let answers: std::collections::BTreeMap<_, _> = stories().unwrap().into_iter().collect();
        let (simulated, made) = (&answers["simulated"], &answers["pending"]);
        let shared = simulated.as_object().unwrap().iter().filter(|(name, _)| made.get(name).is_some());
        assert!(shared.clone().count() > 10);
        for (name, value) in shared {
            assert_eq!(*value, made[name], "{name}");
        }
    }

    #[test]
    fn what_is_approved_in_the_examples_is_the_content_that_they_show() {
        let answers: std::collections::BTreeMap<_, _> = stories().unwrap().into_iter().collect();
        let shown = &answers["pending"];
        let digest = CanonicalJson::of(&shown["content"]).digest().to_string();
        assert_eq!(shown["content_digest"], digest);
        for (schema, name) in
            [(BodyType::Approve, "as_shown"), (BodyType::Start, "as_shown"), (BodyType::Finish, "succeeded")]
        {
            let body = bodies(schema).into_iter().find(|(candidate, _)| *candidate == name).unwrap().1;
            assert_eq!(body["content_digest"], digest, "{schema:?}");
        }
    }

    #[test]
    fn every_original_operation_has_an_example() {
        let named: Vec<_> = originals().into_iter().map(|(name, _)| name).collect();
        assert!(OriginalOperation::iter().map(OriginalOperation::as_str).eq(named));
    }
}
