//! The audit trail: one event per change, each bound to the one before in its stream by its hash.
//!
//! An edited, missing or reordered event breaks the chain of its stream; the head of a request's chain is on
//! the request itself, so a cut tail shows as well. Free text never enters: its keyed digest does.
//! docs/audit-event.md has every byte.

use crate::caller::{Authentication, Channel, PrincipalKind};
use crate::canonical::CanonicalJson;
use crate::content::amount;
use crate::digest::{DeploymentKey, Digest};
use crate::event::{Change, Event, EventType};
use crate::execution::ExecutionMode;
use crate::ids::{EventId, RequestId};
use crate::origin::Origin;
use crate::person::PersonId;
use crate::request::{Request, Status};
use crate::risk::{Environment, RiskLevel};
use crate::source_address::SourceAddress;
use crate::text::{Identifier, InstanceId, Ticket};
use crate::timestamp::Timestamp;
use serde_json::{Map, Value, json};

pub mod anomaly;
pub mod call_record;
pub mod event_type;
pub mod replay;
pub mod stream;
pub mod unusual;

pub use event_type::AuditEventType;
pub use replay::Finding;
pub use stream::{Stream, StreamKind};

/// Names the set of members. Another meaning of a member gets another name; members may be added.
pub const FORMAT: &str = "countersign.audit.v1";

/// The members that this version knows.
const MEMBERS: [&str; 23] = [
    "format",
    "origin",
    "stream",
    "sequence",
    "event_id",
    "timestamp",
    "event_type",
    "user",
    "kind",
    "channel",
    "source_ip",
    "auth",
    "request_id",
    "operation_type",
    "instance_id",
    "environment",
    "risk_level",
    "requested_by",
    "status",
    "details",
    "state_digest",
    "prev_hash",
    "hash",
];

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// The deployment that recorded it.
    pub origin: Origin,
    /// The chain that it belongs to.
    pub stream: Stream,
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// Names the event.
    pub event_id: EventId,
    /// The time of the event.
    pub timestamp: Timestamp,
    /// What happened.
    pub event_type: AuditEventType,
    /// The actor; `system:expiry` and `system:retention` are sweeps.
    pub user: PersonId,
    /// What kind of principal.
    pub kind: PrincipalKind,
    /// The channel of the call.
    pub channel: Channel,
    /// From where, as far as the shell can vouch for it.
    pub source_ip: Option<SourceAddress>,
    /// How the caller was proven.
    pub authentication: Option<Authentication>,
    /// What an event of a request repeats of its request. No other event has it.
    pub request: Option<AuditedRequest>,
    /// What else belongs to the event: an object of digests, whole numbers, times and ids.
    pub details: CanonicalJson,
    /// SHA-256 of the state after the event of what the stream is about, see [`crate::state`].
    pub state_digest: Option<Digest>,
    /// The hash of the event before, [`Digest::ZERO`] for the first.
    pub prev_hash: Digest,
    /// Members that this version does not know. They are hashed like all others.
    pub others: Map<String, Value>,
    /// SHA-256 over the canonical JSON of all of the above and [`FORMAT`].
    pub hash: Digest,
}

/// What each event of a request repeats of its request.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditedRequest {
    /// The request it happened to.
    pub request_id: RequestId,
    /// What was asked for.
    pub operation_type: Identifier,
    /// The instance that the operation is for.
    pub instance_id: InstanceId,
    /// The environment of the instance.
    pub environment: Environment,
    /// The risk level of the operation.
    pub risk_level: RiskLevel,
    /// The requester.
    pub requested_by: PersonId,
    /// The request's status after the event.
    pub status: Status,
}

impl AuditedRequest {
    fn of(request: &Request, status: Status) -> Self {
        Self {
            request_id: request.id(),
            operation_type: request.content.operation_type.clone(),
            instance_id: request.content.instance_id.clone(),
            environment: request.content.environment,
            risk_level: request.content.risk_level,
            requested_by: request.content.requested_by.clone(),
            status,
        }
    }

    /// All of the members, or `None` of a document that lacks one or has one with an impossible value.
    fn read(document: &Value) -> Option<Self> {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        Some(Self {
            request_id: RequestId::parse(text("request_id")?).ok()?,
            operation_type: Identifier::parse(text("operation_type")?).ok()?,
            instance_id: InstanceId::parse(text("instance_id")?).ok()?,
            environment: text("environment")?.parse().ok()?,
            risk_level: text("risk_level")?.parse().ok()?,
            requested_by: PersonId::from_stored(text("requested_by")?).ok()?,
            status: text("status")?.parse().ok()?,
        })
    }

    fn members(&self) -> [(&'static str, Value); 7] {
        [
            ("request_id", json!(self.request_id.to_string())),
            ("operation_type", json!(self.operation_type.as_str())),
            ("instance_id", json!(self.instance_id.as_str())),
            ("environment", json!(self.environment.as_str())),
            ("risk_level", json!(self.risk_level.as_str())),
            ("requested_by", json!(self.requested_by.as_str())),
            ("status", json!(self.status.as_str())),
        ]
    }
}

/// How the caller was proven, as the member `auth` has it.
fn auth(authentication: &Authentication) -> Value {
    let mut auth = json!({ "issuer": authentication.issuer, "subject": authentication.subject });
    if let (Some(at), Value::Object(members)) = (authentication.at, &mut auth) {
        members.insert("at".to_owned(), json!(at.to_string()));
    }
    auth
}

fn read_auth(auth: &Value) -> Option<Authentication> {
    let text = |name: &str| auth.get(name).and_then(Value::as_str);
    Some(Authentication {
        issuer: text("issuer")?.to_owned(),
        subject: text("subject")?.to_owned(),
        at: text("at").map(Timestamp::parse).transpose().ok()?,
    })
}

impl AuditEvent {
    /// The record of an event. `after` is the request as the event left it, with the chain's head
    /// as it was before, and `key` the key of the deployment that records it.
    pub fn record(event: &Event, after: &Request, key: &DeploymentKey) -> Self {
        let record = Self {
            origin: Origin::of(key),
            stream: Stream::request(event.request_id),
            sequence: event.sequence,
            event_id: event.id,
            timestamp: event.at,
            event_type: event.change.event_type().into(),
            user: event.user.clone(),
            kind: event.kind,
            channel: event.channel,
            source_ip: event.source_ip,
            authentication: event.authentication.clone(),
            request: Some(AuditedRequest::of(after, event.status)),
            details: CanonicalJson::of(&Value::Object(details(event, after))),
            state_digest: Some(after.state_digest()),
            prev_hash: after.audit_head,
            others: Map::new(),
            hash: Digest::ZERO,
        };
        record.hashed()
    }

    /// The event with the hash that its members give.
    fn hashed(mut self) -> Self {
        self.hash = self.compute_hash();
        self
    }

    /// The hash that the event's members give.
    pub fn compute_hash(&self) -> Digest {
        CanonicalJson::of(&Value::Object(self.body())).digest()
    }

    /// The event as one canonical JSON document, which is what is stored and shown.
    pub fn document(&self) -> CanonicalJson {
        let mut document = self.body();
        document.insert("hash".to_owned(), json!(self.hash.to_string()));
        CanonicalJson::of(&Value::Object(document))
    }

    /// All members but the hash.
    fn body(&self) -> Map<String, Value> {
        let mut body = self.others.clone();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                body.insert(name.to_owned(), value);
            }
        };
        put("format", json!(FORMAT));
        put("origin", json!(self.origin.as_str()));
        put("stream", json!(self.stream.to_string()));
        put("sequence", json!(self.sequence));
        put("event_id", json!(self.event_id.to_string()));
        put("timestamp", json!(self.timestamp.to_string()));
        put("event_type", json!(self.event_type.as_str()));
        put("user", json!(self.user.as_str()));
        put("kind", json!(self.kind.as_str()));
        put("channel", json!(self.channel.as_str()));
        put("source_ip", json!(self.source_ip.map(|address| address.to_string())));
        put("auth", json!(self.authentication.as_ref().map(auth)));
        for (name, value) in self.request.iter().flat_map(AuditedRequest::members) {
            put(name, value);
        }
        put("details", self.details.to_value());
        put("state_digest", json!(self.state_digest.map(|digest| digest.to_string())));
        put("prev_hash", json!(self.prev_hash.to_string()));
        body
    }

    /// Reads an event back from its document, in which all numbers are whole. Whether its hash is right is for [`verify`] to say.
    pub fn read(document: &CanonicalJson) -> Option<Self> {
        let value = document.to_value();
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if text("format")? != FORMAT || !document.has_whole_numbers_only() {
            return None;
        }
        let stream = Stream::parse(text("stream")?).ok()?;
        let request = AuditedRequest::read(&value);
        if request.as_ref().map(|request| request.request_id) != stream.request_id() {
            return None;
        }
        let others = value.as_object()?.iter().filter(|(name, _)| !MEMBERS.contains(&name.as_str()));
        let event = Self {
            origin: Origin::parse(text("origin")?).ok()?,
            stream,
            sequence: value.get("sequence")?.as_u64()?,
            event_id: EventId::parse(text("event_id")?).ok()?,
            timestamp: Timestamp::parse(text("timestamp")?).ok()?,
            event_type: AuditEventType::parse(text("event_type")?)?,
            user: PersonId::from_stored(text("user")?).ok()?,
            kind: text("kind")?.parse().ok()?,
            channel: text("channel")?.parse().ok()?,
            source_ip: text("source_ip").map(str::parse).transpose().ok()?,
            authentication: value.get("auth").and_then(read_auth),
            request,
            details: CanonicalJson::of(value.get("details").filter(|details| details.is_object())?),
            state_digest: text("state_digest").map(Digest::parse).transpose().ok()?,
            prev_hash: Digest::parse(text("prev_hash")?).ok()?,
            others: others.map(|(name, value)| (name.clone(), value.clone())).collect(),
            hash: Digest::parse(text("hash")?).ok()?,
        };
        // Nothing stands in the document that is not read: no known member has a form of another version.
        (event.document() == *document).then_some(event)
    }

    /// A text among the details.
    pub fn detail(&self, name: &str) -> Option<String> {
        self.details.to_value().get(name).and_then(Value::as_str).map(str::to_owned)
    }

    /// The ids of other events among the details.
    pub fn detail_events(&self, name: &str) -> Vec<EventId> {
        let details = self.details.to_value();
        let ids = details.get(name).and_then(Value::as_array).into_iter().flatten();
        ids.filter_map(Value::as_str).filter_map(|id| EventId::parse(id).ok()).collect()
    }
}

/// What binds a request's state and the head of its trail for those who have the deployment's key:
/// HMAC-SHA-256 over both. A change by anybody else than this deployment, however consistent, has
/// no seal that fits.
pub fn seal(request: &Request, key: &DeploymentKey) -> Digest {
    let context = format!("countersign.seal.v1:{}:{}", request.id(), request.version);
    key.digest(&context, &format!("{}:{}", request.state_digest(), request.audit_head))
}

fn details(event: &Event, after: &Request) -> Map<String, Value> {
    let keyed = |text: &str| event.text_key.digest(text).to_string();
    let mut details = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            details.insert(name.to_owned(), value);
        }
    };
    match &event.change {
        Change::Created(content) => {
            put("content_digest", json!(after.content.digest().to_string()));
            put("parameters_digest", json!(after.content.parameters_digest().to_string()));
            put("justification_digest", json!(content.justification.digest().to_string()));
            put("approvals_required", json!(content.approvals_required));
            let slots: Vec<_> = content
                .slots
                .iter()
                .map(|(groups, people)| json!({ "groups": groups, "approvals": people }))
                .collect();
            put("slots", json!(slots));
            put("owner", json!(content.owner.as_ref().map(|owner| owner.person.as_str())));
            put("ticket", json!(content.ticket.as_ref().map(Ticket::as_str)));
            let plan = content.rollback_plan.as_ref();
            put("rollback_plan_digest", json!(plan.map(|text| keyed(text.as_str()))));
            put("policy_version", json!(content.policy_version.to_string()));
            put("expires_at", json!(content.expires_at.to_string()));
            put("execute_by", json!(after.execute_by.map(|time| time.to_string())));
            put("executor", json!(content.executor.as_ref().map(Identifier::as_str)));
            let is_automatic = content.schedule.mode == ExecutionMode::Automatic;
            put("execution", json!(is_automatic.then(|| content.schedule.mode.to_string())));
            put("execute_at", json!(content.schedule.execute_at.map(|time| time.to_string())));
            put("filed_by", json!(content.filed_by.as_ref().map(PersonId::as_str)));
            put("estimated_cost", amount(content.estimated_cost));
            let duration = content.estimated_duration.as_ref();
            put("estimated_duration_digest", json!(duration.map(|text| keyed(text.as_str()))));
        }
        Change::Granted { comment, execute_by, groups, digest_presented, policy_version, replaces } => {
            put("groups", json!(groups));
            put("digest_presented", json!(digest_presented));
            put("policy_version", json!(policy_version.to_string()));
            put("replaces", events(replaces));
            put("content_digest", json!(after.content.digest().to_string()));
            put("parameters_digest", json!(after.content.parameters_digest().to_string()));
            put("approvals_received", json!(after.approvals_received()));
            put("approvals_required", json!(after.content.approvals_required));
            put("comment_digest", json!(comment.as_ref().map(|text| keyed(text.as_str()))));
            put("execute_by", json!(execute_by.map(|time| time.to_string())));
        }
        Change::Rejected { reason, policy_version, replaces } => {
            put("policy_version", json!(policy_version.to_string()));
            put("replaces", events(replaces));
            put("content_digest", json!(after.content.digest().to_string()));
            put("parameters_digest", json!(after.content.parameters_digest().to_string()));
            put("reason_digest", json!(keyed(reason.as_str())));
        }
        Change::Withdrawn { reason, withdraws } => {
            put("withdraws", events(withdraws));
            put("approvals_received", json!(after.approvals_received()));
            put("approvals_required", json!(after.content.approvals_required));
            put("reason_digest", json!(reason.as_ref().map(|text| keyed(text.as_str()))));
        }
        Change::Cancelled { reason } => {
            put("reason_digest", json!(reason.as_ref().map(|text| keyed(text.as_str()))));
        }
        Change::Expired { deadline } => put("deadline", json!(deadline.to_string())),
        Change::TargetObserved { target } => put("target_digest", json!(target.digest().to_string())),
        Change::Started { execution_id, policy_version, permit_expires_at, lease_seconds, lease_until } => {
            put("policy_version", json!(policy_version.to_string()));
            put("content_digest", json!(after.content.digest().to_string()));
            put("parameters_digest", json!(after.content.parameters_digest().to_string()));
            put("execution_id", json!(execution_id.to_string()));
            put("audience", json!(after.content.audience()));
            put("permit_expires_at", json!(permit_expires_at.to_string()));
            put("lease_seconds", json!(lease_seconds));
            put("lease_until", json!(lease_until.to_string()));
        }
        Change::Claimed { execution_id, lease_until }
        | Change::Renewed { execution_id, lease_until }
        | Change::LeaseEnded { execution_id, lease_until } => {
            put("execution_id", json!(execution_id.to_string()));
            put("lease_until", json!(lease_until.to_string()));
        }
        Change::Finished { result, actual_cost, note, .. } => {
            let execution = after.execution.as_ref();
            put("execution_id", json!(execution.map(|execution| execution.id.to_string())));
            put("result_digest", json!(result.as_ref().map(|result| keyed(result.as_str()))));
            put("actual_cost", amount(*actual_cost));
            put("note_digest", json!(note.as_ref().map(|note| keyed(note.as_str()))));
        }
        Change::Commented { text } => put("text_digest", json!(keyed(text.as_str()))),
        Change::Erased => {
            put("content_digest", json!(after.content.digest().to_string()));
            put("parameters_digest", json!(after.content.parameters_digest().to_string()));
            // The digest of the content cannot be computed any more: this one binds what is left of it.
            put("remaining_content_digest", json!(after.content.document().digest().to_string()));
        }
    }
    details
}

/// Ids of events; absent if there are none.
fn events(ids: &[EventId]) -> Value {
    match ids {
        [] => Value::Null,
        ids => ids.iter().map(EventId::to_string).collect(),
    }
}

/// Where and how a trail is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// An event of another request, or not in its place: one is missing, doubled or moved.
    #[error("event {expected} of the trail is missing or out of place")]
    OutOfPlace {
        /// The sequence that should be there.
        expected: u64,
    },
    /// The event's fields do not give its hash.
    #[error("event {sequence} of the trail was edited")]
    Edited {
        /// The event's sequence.
        sequence: u64,
    },
    /// Time goes back.
    #[error("event {sequence} of the trail is earlier than the one before it")]
    BackInTime {
        /// The event's sequence.
        sequence: u64,
    },
    /// The event does not follow the one before.
    #[error("event {sequence} of the trail does not follow the one before it")]
    Unlinked {
        /// The event's sequence.
        sequence: u64,
    },
    /// The event was recorded by another deployment.
    #[error("event {sequence} of the trail was recorded by another deployment")]
    Origin {
        /// The event's sequence.
        sequence: u64,
    },
    /// The last event is not the one the request names.
    #[error("the trail does not end where its request says it does")]
    WrongHead,
}

/// Checks a whole stream, first event first, against the head that what it is about names. All events are of
/// one deployment: of `origin`, if that is known.
///
/// # Errors
/// The first break.
pub fn verify(
    stream: &Stream,
    origin: Option<&Origin>,
    events: &[AuditEvent],
    head: Digest,
) -> Result<(), BrokenChain> {
    let origin = origin.or(events.first().map(|event| &event.origin));
    let mut last = Digest::ZERO;
    let mut last_at = Timestamp::EARLIEST;
    for (expected, event) in (1..).zip(events) {
        if event.sequence != expected || event.stream != *stream {
            return Err(BrokenChain::OutOfPlace { expected });
        }
        if event.compute_hash() != event.hash {
            return Err(BrokenChain::Edited { sequence: expected });
        }
        if event.prev_hash != last {
            return Err(BrokenChain::Unlinked { sequence: expected });
        }
        if event.timestamp < last_at {
            return Err(BrokenChain::BackInTime { sequence: expected });
        }
        if Some(&event.origin) != origin {
            return Err(BrokenChain::Origin { sequence: expected });
        }
        last = event.hash;
        last_at = event.timestamp;
    }
    if last != head {
        return Err(BrokenChain::WrongHead);
    }
    Ok(())
}

/// Checks a whole stream that is of no request: its chain, and that each event is of a type that its kind of stream has.
///
/// # Errors
/// The first thing that is not as it was written.
pub fn verify_records(stream: &Stream, origin: &Origin, events: &[AuditEvent]) -> Result<(), Finding> {
    let head = events.last().map_or(Digest::ZERO, |event| event.hash);
    verify(stream, Some(origin), events, head)?;
    for event in events {
        let Some(event_type) = event.event_type.known() else { continue };
        let belongs = match stream.kind() {
            StreamKind::Refused => event_type == EventType::AttemptRefused,
            StreamKind::Read => event_type == EventType::AuditRead,
            StreamKind::System => {
                let about = event.detail("request_id").and_then(|id| RequestId::parse(&id).ok());
                let is_damage = event.sequence == 1 && about.map(Stream::integrity).as_ref() == Some(stream);
                let person = event.detail("person").and_then(|person| PersonId::from_stored(&person).ok());
                let at = event.detail("at").and_then(|at| Timestamp::parse(&at).ok());
                let unusual = at.zip(person).map(|(at, person)| Stream::anomalies(at, &person));
                event_type == EventType::AnomalyDetected && (is_damage || unusual.as_ref() == Some(stream))
            }
            StreamKind::Request
            | StreamKind::Policy
            | StreamKind::Grant
            | StreamKind::Delegation
            | StreamKind::Emergency => false,
        };
        if !belongs {
            return Err(Finding::WrongStream { sequence: event.sequence });
        }
    }
    Ok(())
}
