//! Who may do what: the question that is put to policy, and its answer.
//!
//! These are permissions only. That requesters do not decide their own request, that only humans decide and
//! that each person counts once are rules of [`crate::decide`], and no policy is asked about them.

use crate::person::PersonId;
use crate::principal::Principal;
use crate::risk::{Cost, Environment, RiskLevel};
use crate::timestamp::Timestamp;
use std::fmt;
use std::net::IpAddr;
use strum::{Display, EnumIter, IntoStaticStr};

/// What policy may permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// Ask for an operation.
    Create,
    /// Know of a request, and see it without its parameters.
    View,
    /// See what exactly is to be run, and what came of it.
    ViewParameters,
    /// Read a request's audit trail.
    Audit,
    /// Comment on a request.
    Comment,
    /// Agree.
    Approve,
    /// Refuse.
    Reject,
    /// Withdraw a request. Asked for its requester only.
    Cancel,
    /// Start and finish an approved request. Asked for its requester, or the caller who started it.
    Execute,
    /// Carry out requests of others as their executor: observe the target, start what is automatic, spend the
    /// permit and report.
    Claim,
    /// Finish another person's stuck execution as failed.
    Administer,
    /// List requests; each entry needs [`Action::View`] as well.
    List,
    /// Ask the trails of all requests, and what else is recorded, in one query; take them away; see figures of them.
    QueryAudit,
    /// Make, see, change, try out and delete webhooks, and see what became of their deliveries.
    ManageWebhooks,
}

impl Action {
    /// The name in policies and reasons.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is done to one request. What is not is asked about with no [`AccessRequest::subject`].
    pub fn is_of_request(self) -> bool {
        match self {
            Self::List | Self::QueryAudit | Self::ManageWebhooks => false,
            Self::Create
            | Self::View
            | Self::ViewParameters
            | Self::Audit
            | Self::Comment
            | Self::Approve
            | Self::Reject
            | Self::Cancel
            | Self::Execute
            | Self::Claim
            | Self::Administer => true,
        }
    }
}

/// What an approval takes: an approver approves only what they are shown.
pub const TO_APPROVE: [Action; 3] = [Action::Approve, Action::View, Action::ViewParameters];

/// One question to policy.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// What the actor wants to do.
    pub action: Action,
    /// The actor.
    pub actor: &'a Principal,
    /// To what; `None` for an action that is of no request.
    pub subject: Option<Subject<'a>>,
    /// Whether it was made by, for, or by an agent of the actor; for a list or a query, whether it is of
    /// nothing else.
    pub is_own: bool,
    /// The time that the question is about: that of the call, or of an approval on record.
    pub now: Timestamp,
}

/// What policy may know of a request, or of one that is about to be made.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What is to be done.
    pub operation_type: &'a str,
    /// The instance that the operation is for.
    pub instance_id: &'a str,
    /// The effective environment.
    pub environment: Environment,
    /// The effective risk.
    pub risk_level: RiskLevel,
    /// What it is expected to cost; left out, it counts as above every amount.
    pub estimated_cost: Option<Cost>,
    /// The requester.
    pub requested_by: &'a PersonId,
}

/// What policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessDecision {
    /// Yes.
    Permitted,
    /// No, and why: sentences for the caller, at least one.
    Denied(Vec<String>),
}

impl AccessDecision {
    /// Whether it is a yes.
    pub fn is_permitted(&self) -> bool {
        *self == Self::Permitted
    }
}

/// A part of a question that an answer may turn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestAttribute {
    /// Who asks: their id, their groups and their kind.
    Person,
    /// Whether it is their own.
    Own,
    /// The channel of the call.
    Channel,
    /// The source address of the call.
    Address,
    /// The time.
    Time,
    /// The type of operation.
    Operation,
    /// The instance.
    Instance,
    /// The environment.
    Environment,
    /// The risk.
    Risk,
    /// The cost.
    Cost,
    /// Who asked for it.
    Requester,
}

/// A name that a policy has for a person or a type of operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The policy.
    pub policy: String,
    /// The name.
    pub name: String,
}

/// Answers questions. What it cannot answer is denied.
pub trait Authorizer: fmt::Debug + Send + Sync {
    /// Whether the question's action is permitted.
    fn answer(&self, access_request: &AccessRequest<'_>) -> AccessDecision;

    /// Whether the answer about an action may differ between requests, besides by whose they are.
    fn tells_requests_apart(&self, action: Action) -> bool {
        let _ = action;
        true
    }

    /// Whether the answer about an action may differ with a part of the question.
    fn turns_on(&self, action: Action, part: RequestAttribute) -> bool {
        let _ = (action, part);
        true
    }

    /// Whether the question is denied, whatever is put in place of some of its parts. `false` where
    /// that is not known without asking.
    fn denies_whatever(&self, access_request: &AccessRequest<'_>, open: &[RequestAttribute]) -> bool {
        let _ = (access_request, open);
        false
    }

    /// The people, agents and services that it names.
    fn named_people(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// The types of operation that it names, as far as they differ from other texts.
    fn named_operations(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// Whether it says anything of a group by name.
    fn names_group(&self, group: &str) -> bool {
        let _ = group;
        true
    }

    /// Moments from a time on, one at least of each span in which no answer about these actions changes:
    /// within a week, and around the times that it names. `None` where they are not known.
    fn moments(&self, actions: &[Action], from: Timestamp) -> Option<Vec<Timestamp>> {
        let _ = (actions, from);
        None
    }

    /// Costs on both sides of each amount that it names.
    fn costs(&self) -> Vec<Cost> {
        Vec::new()
    }

    /// Addresses that it asks for, one of each network, for trying out who could do something.
    fn addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }
}
