//! The policy of an organisation: what it demands ([`crate::policy::rules`]), who is who
//! ([`crate::policy::people`]) and who may do what ([`crate::policy::access`]).
//!
//! Policies are read from text; where the text comes from is the shell's business.

pub mod access;
pub mod finding;
pub mod inspection;
pub mod mistake;
pub mod people;
pub mod request_view;
pub mod restrictions;
pub mod rules;
pub mod search;
pub mod signers;
pub mod source;

use crate::caller::{Channel, PrincipalKind};
use crate::digest::Digest;
use crate::person::PersonId;
use crate::policy::people::People;
use crate::policy::request_view::RequestView;
use crate::policy::rules::{Assessment, Proposal, Rules};
use crate::policy::source::Source;
use crate::principal::Principal;
use crate::request::{Request, Status};
use crate::requirements::Requirements;
use crate::timestamp::Timestamp;
pub use restrictions::Restrictions;

use access::{AccessDecision, AccessRequest, Action, Authorizer, Subject};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// The texts of a policy.
#[derive(Debug, Clone, Copy)]
pub struct PolicyText<'a> {
    /// `operations.toml`: what operations demand.
    pub operations: &'a str,
    /// `people.toml`: who is who.
    pub people: &'a str,
    /// `access.cedar`: who may do what.
    pub access: &'a str,
}

/// What comes with Countersign, access excepted: that is the business of the crate that reads Cedar.
pub const BUNDLED_OPERATIONS: &str = include_str!("../../../../policy/operations.toml");
/// See [`BUNDLED_OPERATIONS`].
pub const BUNDLED_PEOPLE: &str = include_str!("../../../../policy/people.toml");

/// The same texts, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeptText {
    operations: String,
    people: String,
    access: String,
}

impl PolicyText<'_> {
    /// Names the policy: the SHA-256 of what `sha256sum access.cedar operations.toml people.toml`
    /// prints, so that anybody can compute it from the files.
    pub fn version(&self) -> Digest {
        let files = [
            ("access.cedar", self.access),
            ("operations.toml", self.operations),
            ("people.toml", self.people),
        ];
        let lines: String =
            files.iter().map(|(name, text)| format!("{}  {name}\n", Digest::of(text))).collect();
        Digest::of(lines)
    }
}

impl PolicyText<'_> {
    /// The line of a table or key of a file, or of the innermost table around it that is there.
    pub fn line_of(&self, file: &'static str, path: &[String]) -> Option<usize> {
        let text = match file {
            crate::policy::rules::FILE => self.operations,
            crate::policy::people::FILE => self.people,
            _ => return None,
        };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Source { file, text }.line_of(&path)
    }
}

/// A checked policy.
#[derive(Debug, Clone)]
pub struct Policy {
    version: Digest,
    text: Option<Arc<KeptText>>,
    rules: Rules,
    people: People,
    access: Arc<dyn Authorizer>,
    restrictions: Restrictions,
}

impl Policy {
    /// A policy of parts that have been checked.
    pub fn new(version: Digest, rules: Rules, people: People, access: Arc<dyn Authorizer>) -> Self {
        Self { version, text: None, rules, people, access, restrictions: Restrictions::default() }
    }

    /// The policy with the texts that it was read from, whose version is its own.
    #[must_use]
    pub fn with_text(self, text: &PolicyText<'_>) -> Self {
        let kept = KeptText {
            operations: text.operations.to_owned(),
            people: text.people.to_owned(),
            access: text.access.to_owned(),
        };
        Self { text: Some(Arc::new(kept)), version: text.version(), ..self }
    }

    /// The texts that it was read from, if it has them.
    pub fn text(&self) -> Option<PolicyText<'_>> {
        let KeptText { operations, people, access } = self.text.as_deref()?;
        Some(PolicyText { operations, people, access })
    }

    /// The policy with what the operator of the process takes away from it.
    #[must_use]
    pub fn restricted(self, restrictions: Restrictions) -> Self {
        Self { restrictions, ..self }
    }

    /// What the operator of the process takes away from the policy.
    pub fn restrictions(&self) -> Restrictions {
        self.restrictions
    }

    /// Names this policy, see [`PolicyText::version`].
    pub fn version(&self) -> Digest {
        self.version
    }

    /// What operations demand.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Who is who.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// What this policy demands of a request that does not exist yet.
    pub fn assess(&self, proposal: &Proposal<'_>) -> Assessment {
        let mut assessment = self.rules.assess(proposal);
        if let Some(limit) = self.restrictions.max_pending {
            assessment.requirements.pending_limit = assessment.requirements.pending_limit.min(limit);
        }
        assessment
    }

    /// What this policy would demand of a request if it were made as it stands.
    pub fn reassess(&self, request: &impl RequestView) -> Assessment {
        let requirements = request.requirements();
        self.rules.assess(&Proposal {
            operation_type: request.operation_type().as_str(),
            instance_id: request.instance_id().as_str(),
            declared_risk: Some(requirements.risk_level),
            declared_environment: requirements.environment,
            estimated_cost: request.estimated_cost(),
            requester_groups: request.requester_groups(),
        })
    }

    /// What holds for a request now: while it is undecided or waits for its start, the stricter of
    /// what was demanded when it was made and of what this policy demands.
    pub fn requirements_in_force(&self, request: &impl RequestView) -> Requirements {
        match request.status() {
            Status::Pending | Status::Approved => {
                request.requirements().stricter(&self.reassess(request).requirements)
            }
            Status::Executing
            | Status::Rejected
            | Status::Expired
            | Status::Cancelled
            | Status::Executed
            | Status::Failed => request.requirements(),
        }
    }

    /// Whether an actor may list requests: their own, or everybody's.
    pub fn may_list(&self, actor: &Principal, is_own: bool, now: Timestamp) -> AccessDecision {
        self.access.answer(&AccessRequest { action: Action::List, actor, subject: None, is_own, now })
    }

    /// Whether an actor may query the audit events of all requests: what they did themselves, or what anybody did.
    pub fn may_query_audit(&self, actor: &Principal, is_own: bool, now: Timestamp) -> AccessDecision {
        self.access.answer(&AccessRequest { action: Action::QueryAudit, actor, subject: None, is_own, now })
    }

    /// Whether an actor may manage the webhooks of the deployment, those of other operators too.
    pub fn may_manage_webhooks(&self, actor: &Principal, now: Timestamp) -> AccessDecision {
        let action = Action::ManageWebhooks;
        self.access.answer(&AccessRequest { action, actor, subject: None, is_own: false, now })
    }

    /// Whether an actor may do something to a request.
    pub fn may(
        &self,
        action: Action,
        actor: &Principal,
        request: &impl RequestView,
        now: Timestamp,
    ) -> AccessDecision {
        self.ask(action, actor, self.subject(request), self.is_own(actor, request), now)
    }

    /// The same of an execution that the actor has started: it is theirs, whose request it may be.
    pub(crate) fn may_with_own_execution(
        &self,
        actor: &Principal,
        request: &Request,
        now: Timestamp,
    ) -> AccessDecision {
        self.ask(Action::Execute, actor, self.subject(request), true, now)
    }

    /// The requester as an actor, with the groups that they had when they asked: for the question whether they
    /// may still do what another principal does for them.
    pub(crate) fn requester_of(&self, request: &Request) -> Principal {
        let content = &request.content;
        let kind = match content.requested_by.service_subject() {
            Some(_) => PrincipalKind::Service,
            None => PrincipalKind::Human,
        };
        let groups = content.requester_groups.iter().map(String::as_str);
        let mut requester = Principal::assumed(content.requested_by.clone(), kind, Channel::Api, groups);
        requester.addresses.extend(content.requester_addresses.iter().cloned());
        requester
    }

    /// A request as access policies see it: with the environment and the risk that it has now.
    pub fn subject<'a>(&self, request: &'a impl RequestView) -> Subject<'a> {
        let requirements = self.requirements_in_force(request);
        Subject {
            operation_type: request.operation_type().as_str(),
            instance_id: request.instance_id().as_str(),
            environment: requirements.environment,
            risk_level: requirements.risk_level,
            estimated_cost: request.estimated_cost(),
            requested_by: request.requested_by(),
        }
    }

    /// Whether an actor may do something to what the target describes.
    pub fn ask(
        &self,
        action: Action,
        actor: &Principal,
        subject: Subject<'_>,
        is_own: bool,
        now: Timestamp,
    ) -> AccessDecision {
        self.access.answer(&AccessRequest { action, actor, subject: Some(subject), is_own, now })
    }

    /// Who may do what, for those who look at more than single answers.
    pub(crate) fn access(&self) -> &dyn Authorizer {
        self.access.as_ref()
    }

    /// Whether the answer about an action may differ between requests, besides by whose they are.
    pub fn tells_requests_apart(&self, action: Action) -> bool {
        self.access.tells_requests_apart(action)
    }

    /// Whether who may do what says anything of a group by name.
    pub fn names_group(&self, group: &str) -> bool {
        self.access.names_group(group)
    }

    /// Addresses that policy itself names, for trying out who could do something.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.access.addresses()
    }

    /// Whether the request is this actor's, who may do with it what policy lets people do with their
    /// own: made by them, for them, or by an agent or service that they answer for.
    ///
    /// As policy has it now: a person who is given an address inherits nothing from its former holder.
    pub fn is_own(&self, actor: &Principal, request: &impl RequestView) -> bool {
        self.is_made_by(actor, request.requested_by())
            || request.filed_by().is_some_and(|person| self.is_made_by(actor, person))
    }

    /// Whether this actor is too close to the request to decide on it: it is their own, or it was
    /// when it was made, by any address that was its requester's or owner's then.
    pub fn has_conflict_of_interest(&self, actor: &Principal, request: &impl RequestView) -> bool {
        let owner = request.owner().into_iter().flat_map(|owner| &owner.addresses);
        self.is_own(actor, request)
            || request.requester_addresses().iter().chain(owner).any(|address| self.is_actor(actor, address))
    }

    /// Whether this actor is who asks.
    pub fn is_requester(&self, actor: &Principal, request: &impl RequestView) -> bool {
        self.is_maker(actor, request.requested_by())
    }

    /// Whether the maker is this actor, or an agent or service that they answer for.
    pub fn is_made_by(&self, actor: &Principal, maker: &PersonId) -> bool {
        self.is_maker(actor, maker)
            || self.people.owner(maker).is_some_and(|owner| self.is_actor(actor, owner))
    }

    /// Whether what was made or started under an address is this actor's. What a person made stays
    /// theirs when their address is retired, and is not its next holder's.
    pub fn is_maker(&self, actor: &Principal, address: &PersonId) -> bool {
        let maker = self.people.maker(address);
        maker == &actor.person || (maker == self.people.person(address) && actor.is(address))
    }

    /// Why a request cannot go ahead even with all approvals: its requester, or the owner of its
    /// requester, may no longer act. One sentence each.
    pub fn blocked_by(&self, request: &impl RequestView) -> Vec<String> {
        self.blocked_requester(request.requested_by(), request.owner().map(|owner| &owner.person))
    }

    /// The same, of a requester and the owner that was known when the request was made.
    pub fn blocked_requester(&self, requested_by: &PersonId, owner: Option<&PersonId>) -> Vec<String> {
        let requester = self.people.maker(requested_by);
        let owners: BTreeSet<&PersonId> = self
            .people
            .owner(requester)
            .into_iter()
            .chain(owner)
            .map(|owner| self.people.maker(owner))
            .collect();
        let disabled = |role: &'static str, person: &PersonId| {
            self.people
                .is_disabled(person)
                .then(|| format!("its {role} `{person}` is disabled in {}", crate::policy::people::FILE))
        };
        let owners = owners.into_iter().filter_map(|owner| disabled("requester's owner", owner));
        disabled("requester", requester).into_iter().chain(owners).collect()
    }

    /// When the store was restored, if what was approved at `at` lapsed by that: the store may since
    /// have forgotten that it was spent.
    pub fn lapsed_by_restore(&self, at: Timestamp) -> Option<Timestamp> {
        self.rules.restored_at().filter(|restored_at| at < *restored_at)
    }

    /// Whether an id is this actor's: by what the actor is known by, or by what policy says now.
    pub fn is_actor(&self, actor: &Principal, person: &PersonId) -> bool {
        actor.is(person) || self.people.is_same(person, &actor.person)
    }
}
