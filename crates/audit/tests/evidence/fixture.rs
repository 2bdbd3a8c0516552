//! Requests of every status with their events, a log of them, and evidence of each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::evidence::assembly::{Draft, Sources};
use countersign_audit::key::{KeyStatus, PrivateKey, PublicKey, Purpose};
use countersign_audit::key_set::KeySet;
use countersign_audit::proof::Proof;
use countersign_audit::tree::{inclusion_path, leaf_hash, root_of};
use countersign_core::audit::AuditEvent;
use countersign_core::caller::{Authentication, Channel, PrincipalKind};
use countersign_core::canonical::{self, CanonicalJson};
use countersign_core::command::CommandName;
use countersign_core::content::{Content, FixedContent};
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::{Change, Event};
use countersign_core::execution::{ExecutionMode, ExecutionOutcome, Schedule, Window};
use countersign_core::idempotency::IdempotencyRecord;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::policy::PolicyText;
use countersign_core::principal::Owner;
use countersign_core::request::{Request, Status};
use countersign_core::requirements::MatchedRule;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::slots::{Groups, Slots};
use countersign_core::text::{CommentText, DurationText, Identifier, Justification};
use countersign_core::text_key::{DigestedDocument, KeyedText, TextKey};
use countersign_core::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The policy that everything was decided under, unless a test says otherwise.
pub(crate) const POLICY: PolicyText<'static> = PolicyText {
    operations: "[approvals]\nlow = 0\nhigh = 2\n",
    people: "[people.ann]\naddresses = [\"ann@example.com\"]\n",
    access: "permit (principal, action, resource);\n",
};

pub(crate) fn person(name: &str) -> PersonId {
    PersonId::from_email(&format!("{name}@example.com")).unwrap()
}

fn groups(names: &[&str]) -> Groups {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn comment(text: &str) -> CommentText {
    CommentText::parse(text).unwrap()
}

pub(crate) fn at(seconds: u32) -> Timestamp {
    Timestamp::parse("2026-11-25T19:03:21.482Z").unwrap().plus_seconds(seconds)
}

/// A request with its trail.
pub(crate) struct Life {
    pub(crate) name: &'static str,
    pub(crate) request: Request,
    pub(crate) events: Vec<AuditEvent>,
    number: u64,
}

impl Life {
    fn key() -> DeploymentKey {
        DeploymentKey::new([7; 32])
    }

    fn event(id: RequestId, number: u64, sequence: u64, user: &str, status: Status, change: Change) -> Event {
        let is_sweep = user == "system";
        let user = if is_sweep { PersonId::expiry() } else { person(user) };
        let number = number * 100 + sequence;
        Event {
            id: EventId::parse(&format!("019abc00-0000-7000-8000-{number:012}")).unwrap(),
            request_id: id,
            sequence,
            at: at(sequence as u32 * 10),
            addresses: BTreeSet::from([user.clone(), person("zz")]),
            user: user.clone(),
            kind: if is_sweep { PrincipalKind::Service } else { PrincipalKind::Human },
            channel: Channel::Api,
            source_ip: (!is_sweep).then(|| "203.0.113.7".parse().unwrap()),
            authentication: (!is_sweep).then(|| Authentication {
                issuer: "https://idp.example.com".to_owned(),
                subject: "a1b2".to_owned(),
                at: Some(at(0)),
            }),
            text_key: TextKey::new(u128::from(number).to_be_bytes()),
            status,
            idempotency: (sequence % 2 == 1).then(|| IdempotencyRecord {
                person: user,
                command: CommandName::Create,
                key_digest: Digest::of("key"),
                body_digest: Digest::of("body"),
            }),
            change,
        }
    }

    fn new(name: &'static str, number: u64, status: Status, content: impl FnOnce(&mut Content)) -> Self {
        let request_id = RequestId::parse(&format!("019abc00-0000-7000-9000-{number:012}")).unwrap();
        let mut made = Content {
            request_id,
            operation_type: Identifier::parse("modify_instance_class").unwrap(),
            instance_id: "production-db-01".parse_instance(),
            parameters: DigestedDocument::Kept(CanonicalJson::of(
                &canonical::read(
                    r#"{"target":"db.r6g.xlarge","factor":1.5,"note":"Zurück 😀 \"quoted\""}"#.as_bytes(),
                )
                .unwrap(),
            )),
            requested_by: person("ann"),
            requester_addresses: BTreeSet::from([person("ann"), person("ann.b")]),
            requester_groups: groups(&["developer"]),
            filed_by: None,
            owner: None,
            requested_at: at(10),
            risk_level: RiskLevel::High,
            environment: Environment::Production,
            justification: KeyedText::Kept {
                text: Justification::parse("The class is too small\nfor “Friday”.").unwrap(),
                key: TextKey::new(u128::from(number * 100 + 1).to_be_bytes()),
            },
            estimated_cost: None,
            estimated_duration: None,
            ticket: None,
            rollback_plan: None,
            priority: None,
            approvals_required: 2,
            slots: Slots::new([(groups(&["dba"]), 1)]),
            digest_required: false,
            rules: vec![MatchedRule {
                name: "rules.expensive".to_owned(),
                demands: vec!["one of dba".to_owned()],
            }],
            policy_version: POLICY.version(),
            expires_at: at(3_600),
            execute_within_seconds: 600,
            executor: None,
            schedule: Schedule::default(),
        };
        content(&mut made);
        let content = Box::new(FixedContent::from(made));
        let event = Self::event(request_id, number, 1, "ann", status, Change::Created(content));
        let mut request = Request::create(&event).unwrap();
        let audit = AuditEvent::record(&event, &request, &Self::key());
        request.audit_head = audit.hash;
        Self { name, request, events: vec![audit], number }
    }

    fn then(mut self, user: &str, status: Status, change: Change) -> Self {
        let sequence = self.request.version + 1;
        let event = Self::event(self.request.id(), self.number, sequence, user, status, change);
        self.request.apply(&event);
        let audit = AuditEvent::record(&event, &self.request, &Self::key());
        self.request.audit_head = audit.hash;
        self.events.push(audit);
        self
    }

    fn granted(self, user: &str, status: Status, text: Option<&str>, replaces: &[usize]) -> Self {
        let replaces = replaces.iter().map(|sequence| self.events[sequence - 1].event_id).collect();
        let is_approved = status == Status::Approved;
        let change = Change::Granted {
            comment: text.map(comment),
            execute_by: is_approved.then(|| at(900)),
            groups: groups(&["approver", "dba"]),
            digest_presented: true,
            policy_version: POLICY.version(),
            replaces,
        };
        self.then(user, status, change)
    }

    fn withdrawn(self, user: &str, status: Status, sequence: usize, text: Option<&str>) -> Self {
        let withdraws = vec![self.events[sequence - 1].event_id];
        self.then(user, status, Change::Withdrawn { reason: text.map(comment), withdraws })
    }

    fn commented(self, user: &str, text: &str) -> Self {
        let status = self.request.status;
        self.then(user, status, Change::Commented { text: comment(text) })
    }

    fn approved(name: &'static str, number: u64, content: impl FnOnce(&mut Content)) -> Self {
        Self::new(name, number, Status::Pending, content)
            .granted("bob", Status::Pending, Some("Agreed, after the backup"), &[])
            .granted("eve", Status::Approved, None, &[])
    }

    fn execution_id() -> ExecutionId {
        ExecutionId::parse("0193aaaa-0000-7000-8000-000000000001").unwrap()
    }

    fn started(self) -> Self {
        let change = Change::Started {
            execution_id: Self::execution_id(),
            policy_version: Digest::of("a policy that came later"),
            permit_expires_at: at(1_000),
            lease_seconds: 300,
            lease_until: at(400),
        };
        self.then("ann", Status::Executing, change)
    }

    fn claimed(self) -> Self {
        let change = Change::Claimed { execution_id: Self::execution_id(), lease_until: at(500) };
        self.then("robo", Status::Executing, change)
    }

    fn finished(self, outcome: ExecutionOutcome, result: Option<&str>, note: Option<&str>) -> Self {
        let status = match outcome {
            ExecutionOutcome::Succeeded => Status::Executed,
            ExecutionOutcome::Failed => Status::Failed,
        };
        let change = Change::Finished {
            outcome,
            result: result.map(|text| CanonicalJson::from_stored(text).unwrap()),
            actual_cost: note.map(|_| Cost::new(99.5).unwrap()),
            note: note.map(comment),
        };
        self.then("robo", status, change)
    }

    /// The claims of the permit, if an execution was started.
    fn permit(&self) -> Option<Map<String, Value>> {
        let execution = self.request.execution.as_ref()?;
        let content = &self.request.content;
        let start =
            self.events.iter().find(|event| event.event_type.as_str() == "EXECUTION_STARTED").unwrap();
        let mut claims = json!({
            "iss": start.origin.as_str(),
            "aud": content.audience(),
            "sub": content.request_id.to_string(),
            "jti": execution.id.to_string(),
            "iat": execution.started_at.as_millisecond() / 1000,
            "exp": execution.permit_expires_at.as_millisecond() / 1000,
            "operation_type": content.operation_type.as_str(),
            "instance_id": content.instance_id.as_str(),
            "environment": content.environment.as_str(),
            "risk_level": content.risk_level.as_str(),
            "content_digest": content.digest().to_string(),
            "parameters_digest": content.parameters_digest().to_string(),
            "policy_version": execution.policy_version.to_string(),
            "requested_by": content.requested_by.as_str(),
            "started_by": execution.started_by.as_str(),
            "audit_head": start.hash.to_string(),
        });
        if let Some(target) = &self.request.target {
            claims["target_digest"] = json!(target.digest().to_string());
        }
        if self.name != "failed" {
            claims["approved_by"] = self.request.approved_by().map(PersonId::as_str).collect();
        }
        claims.as_object().cloned()
    }
}

trait ParseInstance {
    fn parse_instance(&self) -> countersign_core::text::InstanceId;
}

impl ParseInstance for str {
    fn parse_instance(&self) -> countersign_core::text::InstanceId {
        countersign_core::text::InstanceId::parse(self).unwrap()
    }
}

/// A request of each status, and what else may have happened.
pub(crate) fn lives() -> Vec<Life> {
    let whole = |content: &mut Content| {
        content.filed_by = Some(PersonId::service("ci").unwrap());
        content.owner = Some(Owner { person: person("olaf"), addresses: BTreeSet::from([person("olaf")]) });
        content.estimated_cost = Some(Cost::new(250.5).unwrap());
        content.estimated_duration = Some(DurationText::parse("two hours").unwrap());
        content.ticket = Some(countersign_core::text::Ticket::parse("CHG-1").unwrap());
        content.rollback_plan =
            Some(countersign_core::text::RollbackPlan::parse("Restore the snapshot").unwrap());
        content.executor = Some(Identifier::parse("rds").unwrap());
        content.schedule = Schedule {
            mode: ExecutionMode::Automatic,
            execute_at: Some(at(20)),
            window: Some(Window { from: at(15), to: at(2_000) }),
        };
    };
    let none = |_: &mut Content| {};
    let low = |content: &mut Content| {
        content.approvals_required = 0;
        content.slots = Slots::default();
    };
    let target = CanonicalJson::from_stored(r#"{"class":"db.r6g.large","iops":1.5}"#).unwrap();
    let renewed = Change::Renewed { execution_id: Life::execution_id(), lease_until: at(700) };
    let lost = |until| Change::LeaseEnded { execution_id: Life::execution_id(), lease_until: until };
    vec![
        Life::new("pending", 1, Status::Pending, none),
        Life::new("approved at once", 2, Status::Approved, low),
        Life::approved("approved", 3, whole).commented("ann", "Thank you"),
        Life::new("rejected", 4, Status::Pending, none)
            .granted("bob", Status::Pending, Some("Yes"), &[])
            .then(
                "bob",
                Status::Rejected,
                Change::Rejected {
                    reason: comment("No, on second thoughts"),
                    policy_version: Digest::of("a policy that came later"),
                    replaces: vec![EventId::parse("019abc00-0000-7000-8000-000000000402").unwrap()],
                },
            ),
        Life::new("expired", 5, Status::Pending, none).then(
            "system",
            Status::Expired,
            Change::Expired { deadline: at(3_600) },
        ),
        Life::approved("expired sooner", 6, none).then(
            "system",
            Status::Expired,
            Change::Expired { deadline: at(500) },
        ),
        Life::approved("cancelled", 7, none).then(
            "ann",
            Status::Cancelled,
            Change::Cancelled { reason: Some(comment("Not needed any more")) },
        ),
        Life::approved("pending again", 8, none)
            .withdrawn("bob", Status::Pending, 2, Some("The backup has failed"))
            .granted("eve", Status::Pending, Some("Still"), &[3]),
        Life::approved("expired by a withdrawal", 9, none).withdrawn("bob", Status::Expired, 2, None),
        Life::approved("executing", 10, none).started(),
        Life::approved("unknown", 11, whole).started().claimed().then(
            "system",
            Status::Executing,
            lost(at(500)),
        ),
        Life::approved("executed", 12, whole)
            .then("robo", Status::Approved, Change::TargetObserved { target })
            .commented("ann", "At eight")
            .started()
            .claimed()
            .then("system", Status::Executing, lost(at(500)))
            .then("robo", Status::Executing, renewed)
            .finished(ExecutionOutcome::Succeeded, Some(r#"{"rows":3}"#), Some("As planned")),
        Life::approved("failed", 13, none).started().finished(ExecutionOutcome::Failed, None, None),
    ]
}

pub(crate) fn private(byte: u8) -> PrivateKey {
    PrivateKey::from_bytes(&[byte; 32])
}

pub(crate) fn evidence_key() -> PublicKey {
    private(1).public(Purpose::Evidence, KeyStatus::Current)
}

pub(crate) fn log_key() -> PublicKey {
    private(2).public(Purpose::Log, KeyStatus::Current)
}

pub(crate) fn keys() -> KeySet {
    KeySet::new(vec![evidence_key(), log_key(), private(3).public(Purpose::Evidence, KeyStatus::Past)])
}

/// The key set as it is published, in one order of members whatever `serde_json` is built with.
pub(crate) fn jwks() -> String {
    let keys: Vec<_> = keys().iter().map(PublicKey::to_json).collect();
    CanonicalJson::of(&json!({ "keys": keys })).as_str().to_owned()
}

/// The proofs of all events, for each life in turn, of a log that has them all.
pub(crate) fn proofs(lives: &[Life]) -> Vec<Vec<Proof>> {
    let entries: Vec<_> = lives.iter().flat_map(|life| &life.events).map(|event| event.document()).collect();
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry.as_str().as_bytes())).collect();
    let size = leaves.len() as u64;
    let origin = lives[0].events[0].origin.to_string();
    let checkpoint = Checkpoint { origin, size, root: root_of(&leaves) };
    let note = checkpoint.signed(&log_key(), &private(2).sign(checkpoint.text().as_bytes()));
    let mut indexes = 0..size;
    let proof = |index| {
        let ranges = inclusion_path(index, size).unwrap().into_iter();
        let hashes = ranges.map(|range| root_of(&leaves[range.start as usize..range.end as usize])).collect();
        Proof { index, hashes, checkpoint: note.clone() }
    };
    lives.iter().map(|life| life.events.iter().map(|_| proof(indexes.next().unwrap())).collect()).collect()
}

/// What evidence of a life is made of.
pub(crate) fn sources<'a>(
    life: &'a Life,
    events: &'a [(AuditEvent, Option<Proof>)],
    redacted: bool,
) -> Sources<'a> {
    let policies = const { &[POLICY] };
    let permit = life.permit().filter(|_| life.name != "unknown");
    Sources { request: &life.request, events, policies, permit, made_at: at(5_000), redacted }
}

/// The events with their proofs; the last one waits for the log if it is pending.
pub(crate) fn with_proofs(
    life: &Life,
    proofs: &[Proof],
    is_pending: bool,
) -> Vec<(AuditEvent, Option<Proof>)> {
    let last = life.events.len() - 1;
    let proof = |place: usize| Some(proofs[place].clone()).filter(|_| !(is_pending && place == last));
    life.events.iter().enumerate().map(|(place, event)| (event.clone(), proof(place))).collect()
}

pub(crate) fn sign(draft: Draft) -> String {
    let signature = private(1).sign(&draft.signed_bytes());
    draft.with_signature(&evidence_key(), &signature).unwrap()
}

/// Evidence of each life, whole and redacted, in the log and in part not.
pub(crate) fn all_evidence() -> Vec<(String, String)> {
    let lives = lives();
    let proofs = proofs(&lives);
    let mut all = Vec::new();
    for (life, proofs) in lives.iter().zip(&proofs) {
        for (redacted, is_pending) in [(false, false), (true, false), (false, true)] {
            let events = with_proofs(life, proofs, is_pending);
            let draft = Draft::assemble(sources(life, &events, redacted))
                .unwrap_or_else(|unmade| panic!("{}: {unmade:?}", life.name));
            let name = format!("{} redacted {redacted} pending {is_pending}", life.name);
            all.push((name, sign(draft)));
        }
    }
    all
}

/// The document as a value, changed and signed again by the service's own key, whatever it says now.
pub(crate) fn signed_anyway(evidence: &str, change: impl FnOnce(&mut Value)) -> String {
    use countersign_audit::evidence::{document::Document, dsse};
    let mut value: Value = serde_json::from_str(evidence).unwrap();
    value.as_object_mut().unwrap().remove("dsse");
    change(&mut value);
    let document: Document = serde_json::from_value(value.clone()).unwrap();
    let statement = dsse::statement(&document);
    let signature = private(1).sign(&dsse::signed_bytes(&statement));
    value["dsse"] = json!({
        "payload": STANDARD.encode(&statement),
        "payloadType": dsse::PAYLOAD_TYPE,
        "signatures": [{ "keyid": evidence_key().key_id(), "sig": STANDARD.encode(signature) }],
    });
    CanonicalJson::of(&value).as_str().to_owned()
}
