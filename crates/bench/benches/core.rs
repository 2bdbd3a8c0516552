//! What the rules take by themselves: a creation, a decision, the seal and the digests of a request, under the bundled policy.
//! `just bench-core`; criterion compares a run with the one before it, and keeps both in `target/criterion`.
#![expect(clippy::unwrap_used, reason = "a broken scene measures nothing")]

use countersign_core::audit::{self, AuditEvent};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::{Command, Draft, Shown};
use countersign_core::command_context::CommandContext;
use countersign_core::creation;
use countersign_core::decide::{self, Outcome};
use countersign_core::digest::DeploymentKey;
use countersign_core::event::Event;
use countersign_core::explain::explain;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_core::request::Request;
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use countersign_policy::load;
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::hint::black_box;

/// A request that two people approve, and all that takes part in it.
struct Scene {
    policy: Policy,
    key: DeploymentKey,
    requester: Principal,
    approver: Principal,
    parameters: Value,
    request: Request,
}

impl Scene {
    fn new() -> Self {
        let policy = load::check(&load::BUNDLED).unwrap().0;
        let key = DeploymentKey::new([7; 32]);
        let requester = person("ann@example.com", "developer");
        let parameters = json!({
            "allocated_storage": 200, "apply_immediately": true, "iops": 3000,
            "tags": {"team": "payments", "ticket": "OPS-4711"},
        });
        let created = create(&policy, &requester, &parameters);
        let mut request = Request::create(&created).unwrap();
        request.seal = audit::seal(&request, &key);
        Self { policy, key, requester, approver: person("bob@example.com", "approver"), parameters, request }
    }

    fn approve(&self) -> Event {
        let command = Command::Approve { comment: None, shown: Shown::default() };
        let outcome = decide::decide(&self.request, &command, &self.approver, &context(), &self.policy, None);
        let event = match outcome.unwrap() {
            Outcome::Event(event) => Some(*event),
            Outcome::AlreadyApplied => None,
        };
        event.unwrap()
    }
}

fn create(policy: &Policy, requester: &Principal, parameters: &Value) -> Event {
    let draft =
        Draft::new("modify_storage", "production-db-01", parameters, "production", "Nearly full").unwrap();
    let id = RequestId::parse("019cd2f0-0000-7000-8000-000000000001").unwrap();
    let assessment = creation::assess(&draft, requester, policy);
    creation::create(id, draft, &assessment, requester, &context(), policy, None).unwrap()
}

fn person(email: &str, group: &str) -> Principal {
    let person = PersonId::from_email(email).unwrap();
    Principal::assumed(person, PrincipalKind::Human, Channel::Api, [group])
}

fn context() -> CommandContext {
    CommandContext {
        now: Timestamp::parse("2026-03-09T14:00:00.000Z").unwrap(),
        event_id: EventId::parse("019cd2f0-0000-7000-8000-000000000002").unwrap(),
        execution_id: ExecutionId::parse("019cd2f0-0000-7000-8000-000000000003").unwrap(),
        text_key: TextKey::new([7; 16]),
    }
}

fn rules(criterion: &mut Criterion) {
    let scene = Scene::new();
    let approved = scene.approve();
    let document = CanonicalJson::of(&scene.parameters).as_str().to_owned();
    criterion.bench_function("read the bundled policy", |b| {
        b.iter(|| load::parse_checked(black_box(&load::BUNDLED)).unwrap());
    });
    criterion.bench_function("create", |b| {
        b.iter(|| create(&scene.policy, &scene.requester, black_box(&scene.parameters)));
    });
    criterion.bench_function("approve", |b| b.iter(|| black_box(&scene).approve()));
    criterion.bench_function("apply an event", |b| {
        b.iter(|| {
            let mut request = scene.request.clone();
            request.apply(black_box(&approved));
            request
        });
    });
    criterion.bench_function("explain", |b| {
        b.iter(|| explain(&scene.request, &scene.approver, &context(), &scene.policy));
    });
    criterion.bench_function("digest of the content", |b| {
        b.iter(|| scene.request.content.document().digest());
    });
    criterion.bench_function("digest of the state", |b| b.iter(|| scene.request.state_digest()));
    criterion.bench_function("seal", |b| b.iter(|| audit::seal(black_box(&scene.request), &scene.key)));
    criterion.bench_function("audit event", |b| {
        b.iter(|| AuditEvent::record(black_box(&approved), &scene.request, &scene.key));
    });
    criterion
        .bench_function("canonical JSON of parameters", |b| b.iter(|| CanonicalJson::of(&scene.parameters)));
    criterion.bench_function("strict reading of parameters", |b| {
        b.iter(|| countersign_core::canonical::read(black_box(document.as_bytes())).unwrap());
    });
}

criterion_group!(benches, rules);
criterion_main!(benches);
