//! What a policy costs each call: calls of the API on a store that costs nothing, once under a
//! policy, and once under the same with an access that permits everything.
//!
//! Whole calls are compared, so that it is the code of the service that says what is asked.

use crate::claims::Claim;
use crate::cpu;
use countersign_api::call::{Call, Input};
use countersign_api::operations::approve::Approve;
use countersign_api::operations::create::Create;
use countersign_api::operations::get::Get;
use countersign_api::operations::list::List;
use countersign_api::run::{Endpoint, run};
use countersign_app::audit_keys::NoAuditKeys;
use countersign_app::dependencies::Dependencies;
use countersign_app::host::{BoxFuture, Clock, Ids, Observer};
use countersign_app::ports::{
    ChangeSet, CommitChange, CommitError, CountAttempts, CountOpen, FindEvent, LastEvent, ListHolds,
    ListQuery, ListRequests, LoadEvents, LoadHold, LoadRequest, NoWebhookClient, Page, RecordEvent,
    RequestSummary, Sequel, StoreError, StoredHold, Trail,
};
use countersign_app::waiting::NoWaiting;
use countersign_core::audit::{self, AuditEvent, Stream};
use countersign_core::caller::{Caller, Channel, PrincipalKind};
use countersign_core::command::{Command, Draft, Shown};
use countersign_core::command_context::CommandContext;
use countersign_core::creation;
use countersign_core::decide::{self, Outcome};
use countersign_core::digest::DeploymentKey;
use countersign_core::hold::Hold;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::policy::access::{AccessDecision, AccessRequest, Action, Authorizer};
use countersign_core::policy::{Policy, PolicyText};
use countersign_core::principal::Principal;
use countersign_core::request::{Request, Status};
use countersign_core::risk::Cost;
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use countersign_permit::PrivateKey;
use countersign_policy::load;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What policy may add to a call, in microseconds.
const CLAIM: f64 = 100.0;
/// What it may add to a page of a list, which asks of each approval that it shows whether it counts now.
const CLAIM_OF_A_LIST: f64 = 1_000.0;
/// What it may add to an approval, which asks five questions: view, parameters, approval, and of the first
/// approval again whether it counts.
const CLAIM_OF_AN_APPROVAL: f64 = 250.0;

/// The newcomer's policy: who, from where and when.
const OFFICE_HOURS: PolicyText<'static> = PolicyText {
    operations: include_str!("../../../policy/examples/office-hours/operations.toml"),
    people: include_str!("../../../policy/examples/office-hours/people.toml"),
    access: include_str!("../../../policy/examples/office-hours/access.cedar"),
};

/// The key of the deployment.
const KEY: [u8; 32] = [7; 32];

/// Ten in the morning of a Monday in New York, from the example's network.
const NOW: &str = "2026-03-09T14:00:00.000Z";
const SOURCE_IP: &str = "192.0.2.10";

const REQUEST: &str = "019cd2f0-0000-7000-8000-000000000001";
const EVENT: &str = "019cd2f0-0000-7000-8000-000000000002";
const EXECUTION: &str = "019cd2f0-0000-7000-8000-000000000003";

/// Measures what each policy adds to each call.
pub(crate) fn measure() -> Result<Vec<Claim>, String> {
    let mut claims = Vec::new();
    // What an organisation adds is its own: each policy that asks for costs, networks or hours adds to it.
    for (name, text, groups, is_claimed) in [
        ("default", load::BUNDLED, ["approver", "approver"], true),
        ("office-hours", OFFICE_HOURS, ["dba", "finance"], false),
    ] {
        let scene = Scene::of(&text, groups)?;
        for (call, claim, measured) in [
            ("approve, the second", CLAIM_OF_AN_APPROVAL, scene.approve()?),
            ("get", CLAIM, scene.get()?),
            ("create", CLAIM, scene.create()?),
            ("list page of 50", CLAIM_OF_A_LIST, scene.list(50)?),
            ("list page of 100", CLAIM_OF_A_LIST, scene.list(100)?),
        ] {
            let at_most = is_claimed.then_some(claim);
            claims.push(Claim { what: format!("{name}: {call}"), at_most, measured });
        }
    }
    // A question about each entry of a page, where the answer may differ from one to the next.
    let apart = format!("{}\n{TELLS_APART}", load::BUNDLED.access);
    let text = PolicyText { access: &apart, ..load::BUNDLED };
    let measured = Scene::of(&text, ["approver", "approver"])?.list(100)?;
    let what = "list page of 100, where who sees a request depends on it".to_owned();
    claims.push(Claim { what, at_most: None, measured });
    Ok(claims)
}

const TELLS_APART: &str = r#"
@id("auditors-see-no-deletions")
forbid (
  principal in Group::"auditor",
  action == Action::"view",
  resource == Operation::"delete_instance"
);
"#;

/// A request with one approval on record, and who gives the second.
struct Scene {
    asked: Dependencies<Store>,
    free: Dependencies<Store>,
    requester: Principal,
    approver: Principal,
}

impl Scene {
    fn of(text: &PolicyText<'_>, groups: [&str; 2]) -> Result<Self, String> {
        let policy = load::check(text).map_err(text_of)?.0;
        let free = Policy::new(
            policy.version(),
            policy.rules().clone(),
            policy.people().clone(),
            Arc::new(PermitsEverything),
        );
        let [first, second] = groups;
        let requester = person("ann@example.com", "developer")?;
        let approver = person("carol@example.com", second)?;
        let request = request(&policy, &requester, &person("bob@example.com", first)?)?;
        let store = Store { page: page(&request, &approver)?, request };
        Ok(Self {
            asked: dependencies(store.clone(), policy)?,
            free: dependencies(store, free)?,
            requester,
            approver,
        })
    }

    fn approve(&self) -> Result<cpu::Spread, String> {
        let body = json!({"comments": "Agreed, the metrics show it"}).to_string();
        self.compare::<Approve>(&self.approver, &Sent { has_id: true, query: "", body })
    }

    fn get(&self) -> Result<cpu::Spread, String> {
        self.compare::<Get>(&self.approver, &Sent { has_id: true, query: "", body: String::new() })
    }

    fn create(&self) -> Result<cpu::Spread, String> {
        let body = json!({
            "operation_type": "modify_storage",
            "instance_id": "production-db-01",
            "parameters": {"allocated_storage": 200},
            "environment": "production",
            "justification": "The disk is nearly full",
            "estimated_cost": 750.5,
        });
        self.compare::<Create>(&self.requester, &Sent { has_id: false, query: "", body: body.to_string() })
    }

    fn list(&self, limit: usize) -> Result<cpu::Spread, String> {
        let query = format!("limit={limit}");
        self.compare::<List>(&self.approver, &Sent { has_id: false, query: &query, body: String::new() })
    }

    fn compare<E: Endpoint<Store>>(&self, actor: &Principal, sent: &Sent<'_>) -> Result<cpu::Spread, String> {
        cpu::difference(|| call::<E>(&self.asked, actor, sent), || call::<E>(&self.free, actor, sent))
    }
}

/// What a call carries.
struct Sent<'a> {
    has_id: bool,
    query: &'a str,
    body: String,
}

fn call<E: Endpoint<Store>>(
    dependencies: &Dependencies<Store>,
    actor: &Principal,
    sent: &Sent<'_>,
) -> Result<(), String> {
    let input = Input::Http {
        path: sent.has_id.then(|| ("id".to_owned(), REQUEST.to_owned())).into_iter().collect(),
        query: sent.query.to_owned(),
        body: sent.body.clone().into_bytes(),
        content_type: None,
        idempotency_key: None,
        if_none_match: None,
    };
    let call = Call {
        correlation_id: String::new(),
        identity: Ok(caller(actor)),
        input,
        resumes: false,
        waiting: Arc::new(NoWaiting),
    };
    // Nothing here ever waits: the store is in memory and answers at once.
    let mut context = Context::from_waker(Waker::noop());
    match pin!(run::<E, Store>(dependencies, call)).poll(&mut context) {
        Poll::Ready(Ok(_)) => Ok(()),
        Poll::Ready(Err(problem)) => Err(format!("{}: {problem:?}", E::OPERATION.slug())),
        Poll::Pending => Err(format!("{} waits for something", E::OPERATION.slug())),
    }
}

fn dependencies(store: Store, policy: Policy) -> Result<Dependencies<Store>, String> {
    let host = Arc::new(StandingHost { context: context()? });
    let signing_keys = Arc::new(PrivateKey::from_bytes(&KEY).map_err(|error| error.to_string())?);
    let audit_keys = Arc::new(NoAuditKeys);
    Ok(Dependencies {
        store,
        policy,
        notifications: None,
        signing_keys,
        audit_keys,
        webhook_client: Arc::new(NoWebhookClient),
        deployment_key: DeploymentKey::new(KEY),
        host,
    })
}

fn context() -> Result<CommandContext, String> {
    Ok(CommandContext {
        now: Timestamp::parse(NOW).map_err(text_of)?,
        event_id: EventId::parse(EVENT).map_err(text_of)?,
        execution_id: ExecutionId::parse(EXECUTION).map_err(text_of)?,
        text_key: TextKey::new([7; 16]),
    })
}

/// The caller who is resolved to a principal of whom policy says nothing.
fn caller(actor: &Principal) -> Caller {
    let groups = actor.groups.iter().map(String::as_str);
    let caller = Caller::new(actor.person.clone(), actor.kind, actor.channel, groups);
    Caller { source_ip: actor.source_ip, ..caller }
}

fn person(email: &str, group: &str) -> Result<Principal, String> {
    let person = PersonId::from_email(email).map_err(text_of)?;
    let mut actor = Principal::assumed(person, PrincipalKind::Human, Channel::Api, [group]);
    actor.source_ip = Some(SOURCE_IP.parse().map_err(text_of)?);
    Ok(actor)
}

/// What the requester has asked for and the approver has approved.
fn request(policy: &Policy, requester: &Principal, approver: &Principal) -> Result<Request, String> {
    let parameters = json!({"allocated_storage": 200, "apply_immediately": true});
    let draft = Draft::new("modify_storage", "production-db-01", &parameters, "production", "Nearly full")
        .map_err(text_of)?;
    let draft = Draft { estimated_cost: Some(Cost::new(750.5).map_err(text_of)?), ..draft };
    let id = RequestId::parse(REQUEST).map_err(text_of)?;
    let assessment = creation::assess(&draft, requester, policy);
    let created =
        creation::create(id, draft, &assessment, requester, &context()?, policy, None).map_err(text_of)?;
    let mut request = Request::create(&created).map_err(text_of)?;
    let command = Command::Approve { comment: None, shown: Shown::default() };
    match decide::decide(&request, &command, approver, &context()?, policy, None).map_err(text_of)? {
        Outcome::Event(event) => request.apply(&event),
        Outcome::AlreadyApplied => return Err("the first approval was one before".to_owned()),
    }
    request.seal = audit::seal(&request, &DeploymentKey::new(KEY));
    Ok(request)
}

/// Entries of the requester and of the one who lists.
fn page(request: &Request, lists: &Principal) -> Result<Vec<RequestSummary>, String> {
    let entry = RequestSummary {
        id: request.id(),
        operation_type: request.content.operation_type.clone(),
        instance_id: request.content.instance_id.clone(),
        requested_by: request.content.requested_by.clone(),
        requested_at: request.content.requested_at,
        risk_level: request.content.risk_level,
        environment: request.content.environment,
        estimated_cost: request.content.estimated_cost,
        status: request.status,
        approvals_required: request.content.approvals_required,
        requester_addresses: request.content.requester_addresses.clone(),
        filed_by: request.content.filed_by.clone(),
        owner: request.content.owner.clone(),
        requester_groups: request.content.requester_groups.clone(),
        digest_required: request.content.digest_required,
        decisions: request.decisions.clone(),
        expires_at: request.content.expires_at,
        execute_by: request.execute_by,
        execution_started_at: None,
        executed_at: None,
        closed_at: None,
    };
    let own = RequestSummary { requested_by: lists.person.clone(), ..entry.clone() };
    Ok([entry, own].into_iter().cycle().take(100).collect())
}

fn text_of(error: impl Display) -> String {
    error.to_string()
}

/// Costs nothing.
#[derive(Debug)]
struct PermitsEverything;

impl Authorizer for PermitsEverything {
    fn answer(&self, _question: &AccessRequest<'_>) -> AccessDecision {
        AccessDecision::Permitted
    }

    fn tells_requests_apart(&self, _action: Action) -> bool {
        false
    }
}

/// Holds one request, and forgets what is written.
#[derive(Debug, Clone)]
struct Store {
    request: Request,
    page: Vec<RequestSummary>,
}

impl LoadRequest for Store {
    async fn load(&self, _id: RequestId) -> Result<Option<Request>, StoreError> {
        Ok(Some(self.request.clone()))
    }
}

impl CommitChange for Store {
    async fn commit(&self, _change: ChangeSet<'_>) -> Result<(), CommitError> {
        Ok(())
    }
}

/// What only a start asks for.
impl LoadEvents for Store {
    async fn load_stream(&self, _stream: &Stream) -> Result<Trail, StoreError> {
        Ok(Trail::default())
    }
}

impl LastEvent for Store {
    async fn last_event(&self, _stream: &Stream) -> Result<Option<AuditEvent>, StoreError> {
        Ok(None)
    }
}

impl RecordEvent for Store {
    async fn record_event(&self, _event: &AuditEvent, _sequel: Sequel<'_>) -> Result<bool, StoreError> {
        Ok(false)
    }
}

impl CountAttempts for Store {
    async fn count_attempts(
        &self,
        _actor: &Principal,
        _code: &'static str,
        _attempts: u64,
        _at: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

impl FindEvent for Store {
    async fn find_event(&self, _id: RequestId, _sequence: u64) -> Result<Option<EventId>, StoreError> {
        Ok(None)
    }
}

impl CountOpen for Store {
    async fn count_open(
        &self,
        _person: &PersonId,
        _status: Status,
        _now: Timestamp,
        _at_most: usize,
    ) -> Result<usize, StoreError> {
        Ok(0)
    }
}

impl LoadHold for Store {
    async fn load_hold(&self, _id: RequestId) -> Result<Option<StoredHold>, StoreError> {
        Ok(None)
    }
}

impl ListHolds for Store {
    async fn holds(&self, _now: Timestamp) -> Result<BTreeMap<RequestId, Hold>, StoreError> {
        Ok(BTreeMap::new())
    }
}

impl ListRequests for Store {
    async fn list(
        &self,
        query: &ListQuery,
        mut keep: impl FnMut(&RequestSummary) -> bool + Send,
    ) -> Result<Page, StoreError> {
        let kept = self.page.iter().filter(|entry| keep(entry));
        Ok(Page { items: kept.take(query.limit).cloned().collect(), next: None, damaged: Vec::new() })
    }
}

/// A clock that stands still.
#[derive(Debug)]
struct StandingHost {
    context: CommandContext,
}

impl Clock for StandingHost {
    fn now(&self) -> Timestamp {
        self.context.now
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn pause(&self, _at_most: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Ids for StandingHost {
    fn event_id(&self) -> EventId {
        self.context.event_id
    }

    fn request_id(&self) -> RequestId {
        RequestId::derived(&PersonId::somebody(), "bench")
    }

    fn execution_id(&self) -> ExecutionId {
        self.context.execution_id
    }

    fn text_key(&self) -> TextKey {
        self.context.text_key
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }

    fn nonce(&self) -> [u8; 12] {
        [7; 12]
    }
}

impl Observer for StandingHost {}
