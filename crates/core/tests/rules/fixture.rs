//! People, requests and commands with defaults, and a request that keeps its whole trail.

use countersign_core::approvals::Approvals;
use countersign_core::audit::{self, AuditEvent};
use countersign_core::caller::{Caller, Channel, PrincipalKind};
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::{Command, Draft, ExecutionOutcome, Shown};
use countersign_core::command_context::CommandContext;
use countersign_core::content::Content;
use countersign_core::creation;
use countersign_core::decide::{self, Outcome};
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::Event;
use countersign_core::idempotency::{Idempotency, IdempotencyKey};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::policy::{BUNDLED_PEOPLE, Policy, PolicyText};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::text::CommentText;
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use serde_json::json;
use std::sync::LazyLock;
use uuid::Uuid;

/// Needs no approval under [`policy`].
pub(crate) const LOW: &str = "enable_enhanced_monitoring";
/// Needs one approval under [`policy`].
pub(crate) const MEDIUM: &str = "create_snapshot";
/// Needs two approvals under [`policy`], unless the test says otherwise.
pub(crate) const HIGH: &str = "modify_instance_class";

/// How long a request of [`policy`] stays pending.
pub(crate) const PENDING_MS: i64 = 3_600_000;
/// How long a request of [`policy`] stays approved.
pub(crate) const APPROVED_MS: i64 = 600_000;

pub(crate) const ALL_GROUPS: [&str; 6] = ["developer", "approver", "auditor", "admin", "guest", "agent"];

/// An execution that no context of this fixture ever begins.
pub(crate) const NO_EXECUTION: &str = "0193aaaa-0000-7000-8000-00000000dead";

/// A time, in milliseconds after the creation of every request of this fixture.
pub(crate) fn after(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_767_225_600_000 + ms)
}

pub(crate) fn policy(high: u8) -> Policy {
    policy_of_people(high, BUNDLED_PEOPLE)
}

/// The same with other people.
pub(crate) fn policy_of_people(high: u8, people: &str) -> Policy {
    policy_of(high, people, "")
}

/// The same with something at the top of `operations.toml`.
pub(crate) fn policy_of(high: u8, people: &str, top: &str) -> Policy {
    let text = format!(
        r#"
        {top}
        [defaults]
        pending_seconds = {}
        execute_within_seconds = {}
        [approvals]
        low = 0
        medium = 1
        high = {high}
        [environments]
        non_production_instances = ["dev-*"]
        [operations.{LOW}]
        production = "low"
        non_production = "low"
        [operations.{MEDIUM}]
        production = "medium"
        non_production = "low"
        [operations.{HIGH}]
        production = "high"
        non_production = "medium"
        "#,
        PENDING_MS / 1000,
        APPROVED_MS / 1000,
    );
    let text = PolicyText { operations: &text, people, access: countersign_access::BUNDLED };
    countersign_policy::load::parse(&text).unwrap()
}

/// The policy of the time of decisions. It asks for as little as a policy may: what a request was
/// made under is at least as strict.
pub(crate) fn in_force() -> &'static Policy {
    static POLICY: LazyLock<Policy> = LazyLock::new(|| policy(2));
    &POLICY
}

pub(crate) fn person(name: &str) -> PersonId {
    PersonId::from_email(&format!("{name}@example.com")).unwrap()
}

pub(crate) fn human(name: &str, groups: &[&str]) -> Principal {
    Principal::assumed(person(name), PrincipalKind::Human, Channel::Api, groups.iter().copied())
}

pub(crate) fn service(name: &str, groups: &[&str]) -> Principal {
    Principal::assumed(
        PersonId::service(name).unwrap(),
        PrincipalKind::Service,
        Channel::Direct,
        groups.iter().copied(),
    )
}

/// Who asks, unless a test says otherwise.
pub(crate) fn ann() -> Principal {
    human("ann", &["developer"])
}

/// The first approver.
pub(crate) fn bob() -> Principal {
    human("bob", &["approver"])
}

/// The second approver.
pub(crate) fn carol() -> Principal {
    human("carol", &["approver"])
}

pub(crate) fn context(number: u64, now: Timestamp) -> CommandContext {
    CommandContext {
        now,
        event_id: EventId::new(Uuid::from_u128(
            0x0193_0000_0000_7000_8000_0000_0000_0000 + u128::from(number),
        )),
        execution_id: ExecutionId::new(Uuid::from_u128(
            0x0193_aaaa_0000_7000_8000_0000_0000_0000 + u128::from(number),
        )),
        text_key: TextKey::new(u128::from(number).to_be_bytes()),
    }
}

pub(crate) fn request_id() -> RequestId {
    RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap()
}

pub(crate) fn deployment_key() -> DeploymentKey {
    DeploymentKey::new([7; 32])
}

pub(crate) fn draft(operation: &str) -> Draft {
    let parameters = json!({"target": "db.r6g.xlarge", "count": 2});
    Draft::new(operation, "orders-db", &parameters, "production", "CPU is at 95 % since Monday").unwrap()
}

pub(crate) fn text(text: &str) -> CommentText {
    CommentText::parse(text).unwrap()
}

pub(crate) fn approve() -> Command {
    Command::Approve { comment: None, shown: Shown::default() }
}

pub(crate) fn reject() -> Command {
    Command::Reject { reason: text("not during the sale"), shown: Shown::default() }
}

pub(crate) fn withdraw() -> Command {
    Command::Withdraw { reason: None }
}

pub(crate) fn cancel() -> Command {
    Command::Cancel { reason: None }
}

pub(crate) fn comment() -> Command {
    Command::Comment { text: text("which window?") }
}

pub(crate) fn start() -> Command {
    Command::Start { shown: Shown::default() }
}

/// Finishes the request's execution, or one that is none when it has none.
pub(crate) fn finish(request: &Request, outcome: ExecutionOutcome) -> Command {
    let execution_id = execution_id(request);
    Command::Finish {
        execution_id,
        outcome,
        result: None,
        actual_cost: None,
        note: None,
        shown: Shown::default(),
    }
}

/// The id of the request's execution, or of none when it has none.
fn execution_id(request: &Request) -> ExecutionId {
    match &request.execution {
        Some(execution) => execution.id,
        None => ExecutionId::parse(NO_EXECUTION).unwrap(),
    }
}

pub(crate) fn claim(request: &Request) -> Command {
    Command::Claim { execution_id: execution_id(request), shown: Shown::default() }
}

pub(crate) fn renew(request: &Request) -> Command {
    Command::Renew { execution_id: execution_id(request) }
}

pub(crate) fn observe() -> Command {
    Command::Observe { target: canonical(r#"{"class": "db.r6g.large"}"#) }
}

/// The erasure of what has ever closed.
pub(crate) fn erase() -> Command {
    Command::Erase { closed_before: Timestamp::LATEST }
}

/// An executor: a service that may claim.
pub(crate) fn executor() -> Principal {
    let id = PersonId::service("executor").unwrap();
    Principal::assumed(id, PrincipalKind::Service, Channel::Local, ["executor"])
}

/// One command of each kind, `Finish` with both outcomes.
pub(crate) fn every_command(request: &Request) -> [Command; 14] {
    [
        approve(),
        reject(),
        withdraw(),
        cancel(),
        comment(),
        start(),
        finish(request, ExecutionOutcome::Succeeded),
        finish(request, ExecutionOutcome::Failed),
        Command::Expire,
        observe(),
        claim(request),
        renew(request),
        Command::EndLease,
        // Of what is kept for ever.
        Command::Erase { closed_before: Timestamp::EARLIEST },
    ]
}

/// A person whom no rule about people keeps from giving this command to a request that ann made.
pub(crate) fn permitted_actor(command: &Command) -> Principal {
    match command {
        Command::Approve { .. } | Command::Reject { .. } => human("dan", &["approver"]),
        Command::Withdraw { .. } => bob(),
        Command::Cancel { .. }
        | Command::Comment { .. }
        | Command::Start { .. }
        | Command::Claim { .. }
        | Command::Renew { .. }
        | Command::Finish { .. } => ann(),
        Command::Observe { .. } => executor(),
        Command::Expire | Command::EndLease => Principal::expiry(Channel::Local),
        Command::Erase { .. } => Principal::retention(Channel::Local),
    }
}

pub(crate) fn key(name: &str, body: &str) -> Idempotency {
    Idempotency { key: IdempotencyKey::parse(name).unwrap(), body_digest: Digest::of(body) }
}

/// The API's name of a refusal, so that a test can tell classes apart without their wording.
pub(crate) fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotVisible => "not_found",
        Refusal::AgentCannotApprove => "agent_cannot_approve",
        Refusal::SelfApproval => "self_approval",
        Refusal::NotPermitted(_) => "not_permitted",
        Refusal::Violations(_) => "validation_failed",
        Refusal::ApprovalsInsufficient(_) => "approvals_insufficient",
        Refusal::Expired => "expired",
        Refusal::NotPending(_) => "not_pending",
        Refusal::NotApproved(_) => "not_approved",
        Refusal::AlreadyDecided(_) => "already_decided",
        Refusal::NotDecided(_) => "not_decided",
        Refusal::ClockSkew => "clock_skew",
        Refusal::Integrity(_) => "integrity",
        Refusal::DigestMismatch(_) => "digest_mismatch",
        Refusal::VersionMismatch(_) => "version_mismatch",
        Refusal::NotYet(_) => "not_yet",
        Refusal::PermitInvalid(_) => "permit_invalid",
        Refusal::PermitSpent(_) => "permit_spent",
        Refusal::PermitExpired(_) => "permit_expired",
        Refusal::AlreadyObserved(_) => "already_observed",
        Refusal::WorkflowDisabled => "workflow_disabled",
        Refusal::ExecutionMismatch(_) => "execution_mismatch",
        Refusal::IdempotencyConflict(_) => "idempotency_conflict",
        Refusal::CommentsFull => "comments_full",
        Refusal::Claimed { .. } => "claimed",
        Refusal::NotDue => "not_due",
    }
}

/// What came of a command: the status after it or `replayed`, or the refusal's code.
pub(crate) fn classed(answer: &Result<Outcome, Refusal>) -> Result<&'static str, &'static str> {
    match answer {
        Ok(Outcome::Event(event)) => Ok(event.status.as_str()),
        Ok(Outcome::AlreadyApplied) => Ok("replayed"),
        Err(refusal) => Err(code(refusal)),
    }
}

/// The same in a word, where it cannot be mistaken.
pub(crate) fn word(answer: &Result<Outcome, Refusal>) -> &'static str {
    classed(answer).unwrap_or_else(|code| code)
}

/// The status a command leads to, or why it does not.
pub(crate) fn result(
    request: &Request,
    command: &Command,
    actor: &Principal,
    now: Timestamp,
) -> Result<Status, Refusal> {
    match decide::decide(request, command, actor, &context(request.version + 1, now), in_force(), None)? {
        Outcome::Event(event) => Ok(event.status),
        Outcome::AlreadyApplied => Ok(request.status),
    }
}

/// The same, in a word.
pub(crate) fn answer(
    request: &Request,
    command: &Command,
    actor: &Principal,
    now: Timestamp,
) -> &'static str {
    word(&decide::decide(request, command, actor, &context(request.version + 1, now), in_force(), None))
}

/// A request with everything that ever happened to it.
#[derive(Clone)]
pub(crate) struct Trail {
    pub(crate) request: Request,
    pub(crate) events: Vec<Event>,
    pub(crate) audit: Vec<AuditEvent>,
    /// Milliseconds after the creation.
    pub(crate) clock: i64,
}

impl Trail {
    /// A request for an operation, made by ann.
    pub(crate) fn open(operation: &str) -> Self {
        Self::open_as(draft(operation), &ann(), &policy(2), None)
    }

    pub(crate) fn open_as(
        draft: Draft,
        requester: &Principal,
        policy: &Policy,
        idempotency: Option<&Idempotency>,
    ) -> Self {
        let created = create(draft, requester, policy, idempotency).unwrap();
        let request = Request::create(&created).unwrap();
        let mut trail = Self { request, events: Vec::new(), audit: Vec::new(), clock: 0 };
        trail.write_down(created);
        trail
    }

    /// A request of high risk in some status, the way it really gets there. Pending is one
    /// approval, bob's, short of approved.
    pub(crate) fn in_status(status: Status) -> Self {
        let pending = || Self::open(HIGH).then(&bob(), &approve());
        let approved = || pending().then(&carol(), &approve());
        let executing = || approved().then(&ann(), &start());
        let finished = |outcome| {
            let trail = executing();
            let command = finish(&trail.request, outcome);
            trail.then(&ann(), &command)
        };
        match status {
            Status::Pending => pending(),
            Status::Approved => approved(),
            Status::Executing => executing(),
            Status::Rejected => pending().then(&carol(), &reject()),
            Status::Expired => {
                pending().at(PENDING_MS).then(&Principal::expiry(Channel::Local), &Command::Expire)
            }
            Status::Cancelled => pending().then(&ann(), &cancel()),
            Status::Executed => finished(ExecutionOutcome::Succeeded),
            Status::Failed => finished(ExecutionOutcome::Failed),
        }
    }

    /// Moves the clock.
    pub(crate) fn at(mut self, clock: i64) -> Self {
        self.clock = clock;
        self
    }

    pub(crate) fn now(&self) -> Timestamp {
        after(self.clock)
    }

    /// Gives a command that has to be accepted, a second later.
    pub(crate) fn then(self, actor: &Principal, command: &Command) -> Self {
        self.then_with(actor, command, None)
    }

    pub(crate) fn then_with(
        mut self,
        actor: &Principal,
        command: &Command,
        idempotency: Option<&Idempotency>,
    ) -> Self {
        self.clock += 1000;
        let answer = self.give(actor, command, idempotency);
        assert!(matches!(answer, Ok(Outcome::Event(_))), "{command:?} came to {answer:?}");
        self
    }

    /// Gives a command now, and writes down what comes of it.
    pub(crate) fn give(
        &mut self,
        actor: &Principal,
        command: &Command,
        idempotency: Option<&Idempotency>,
    ) -> Result<Outcome, Refusal> {
        self.give_under(in_force(), actor, command, idempotency)
    }

    /// The same under another policy than the one in force.
    pub(crate) fn give_under(
        &mut self,
        policy: &Policy,
        actor: &Principal,
        command: &Command,
        idempotency: Option<&Idempotency>,
    ) -> Result<Outcome, Refusal> {
        let context = context(self.request.version + 1, self.now());
        let outcome = decide::decide(&self.request, command, actor, &context, policy, idempotency)?;
        if let Outcome::Event(event) = &outcome {
            self.request.apply(event);
            self.write_down(event.as_ref().clone());
        }
        Ok(outcome)
    }

    fn write_down(&mut self, event: Event) {
        let record = AuditEvent::record(&event, &self.request, &deployment_key());
        self.request.audit_head = record.hash;
        self.request.seal = audit::seal(&self.request, &deployment_key());
        self.audit.push(record);
        self.events.push(event);
    }
}

/// Canonical JSON from JSON text.
pub(crate) fn canonical(json: &str) -> CanonicalJson {
    CanonicalJson::of(&serde_json::from_str(json).unwrap())
}

/// `policy(2)` with these people besides the bundled groups.
pub(crate) fn people(entries: &str) -> Policy {
    policy_of_people(2, &format!("{BUNDLED_PEOPLE}\n{entries}"))
}

/// The entry of a person of example.com.
pub(crate) fn entry(name: &str, rest: &str) -> String {
    format!("[people.\"{name}@example.com\"]\n{rest}\n")
}

pub(crate) fn disabled(names: &[&str]) -> Policy {
    people(&names.iter().map(|name| entry(name, "disabled = true")).collect::<String>())
}

pub(crate) fn identified(policy: &Policy, actor: Principal) -> Principal {
    policy.people().resolve(as_caller(actor)).unwrap()
}

/// A command by the bearer of a token, under a policy, now.
pub(crate) fn give(trail: &mut Trail, policy: &Policy, actor: Principal, command: &Command) -> &'static str {
    match policy.people().resolve(as_caller(actor)) {
        Err(_) => "door",
        Ok(actor) => word(&trail.give_under(policy, &actor, command, None)),
    }
}

pub(crate) fn counting(request: &Request, policy: &Policy) -> usize {
    Approvals::of(request, &policy.requirements_in_force(request), policy).counting.len()
}

pub(crate) fn parse(operations: &str) -> Policy {
    let text = PolicyText { operations, people: BUNDLED_PEOPLE, access: countersign_access::BUNDLED };
    countersign_policy::load::parse(&text).unwrap()
}

pub(crate) fn digest_required() -> Policy {
    let text = format!(
        "[defaults]\npending_seconds = {}\nexecute_within_seconds = {}\n\
         [approvals]\nlow = 0\nmedium = 1\nhigh = 2\n\
         [environments]\nnon_production_instances = [\"dev-*\"]\n\
         [operations.{HIGH}]\nproduction = \"high\"\nnon_production = \"medium\"\n\
         [rules.look]\ndigest_required = true\n",
        PENDING_MS / 1000,
        APPROVED_MS / 1000,
    );
    parse(&text)
}
/// With other deadlines than `policy(2)`.
pub(crate) fn sooner(pending: u32, executing: u32) -> Policy {
    let text = format!(
        "[defaults]\npending_seconds = {pending}\nexecute_within_seconds = {executing}\n\
         [approvals]\nlow = 0\nmedium = 1\nhigh = 2\n\
         [environments]\nnon_production_instances = [\"dev-*\"]\n"
    );
    parse(&text)
}

/// The event that creates the request of these tests at their first moment.
pub(crate) fn create(
    draft: Draft,
    requester: &Principal,
    policy: &Policy,
    idempotency: Option<&Idempotency>,
) -> Result<Event, Refusal> {
    let assessment = creation::assess(&draft, requester, policy);
    creation::create(request_id(), draft, &assessment, requester, &context(1, after(0)), policy, idempotency)
}

/// The caller who is resolved to such a principal where policy says nothing of them.
pub(crate) fn as_caller(principal: Principal) -> Caller {
    let Principal { person, kind, groups, channel, filed_by, source_ip, authentication, .. } = principal;
    Caller { person, kind, groups, channel, filed_by, source_ip, authentication }
}

/// What an edited store says that a request was made with: nothing else can change it.
pub(crate) fn change_content(request: &mut Request, change: impl FnOnce(&mut Content)) {
    let mut content = Content::clone(&request.content);
    change(&mut content);
    request.content = content.into();
}
