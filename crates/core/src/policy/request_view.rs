//! What policy looks at of a request: the request itself, or an entry of a list, which holds less.

use crate::person::PersonId;
use crate::principal::Owner;
use crate::request::{Decision, Request, Status, Verdict};
use crate::requirements::Requirements;
use crate::risk::Cost;
use crate::slots::Groups;
use crate::text::{Identifier, InstanceId};
use std::collections::BTreeSet;

/// A request, as far as policy asks about it.
pub trait RequestView {
    /// What is to be done.
    fn operation_type(&self) -> &Identifier;
    /// The instance that the operation is for.
    fn instance_id(&self) -> &InstanceId;
    /// What it is expected to cost.
    fn estimated_cost(&self) -> Option<Cost>;
    /// The requester.
    fn requested_by(&self) -> &PersonId;
    /// All ids that were known to be the requester's when it was made.
    fn requester_addresses(&self) -> &BTreeSet<PersonId>;
    /// The groups of the requester when it was made.
    fn requester_groups(&self) -> &Groups;
    /// The service that asks for the requester.
    fn filed_by(&self) -> Option<&PersonId>;
    /// Who answers for the agent or service that asks, as it was known when it was made.
    fn owner(&self) -> Option<&Owner>;
    /// The status on record.
    fn status(&self) -> Status;
    /// What was demanded of it when it was made.
    fn requirements(&self) -> Requirements;
    /// Who has decided what.
    fn decisions(&self) -> &[Decision];

    /// The decisions of those who agreed.
    fn approvals(&self) -> impl Iterator<Item = &Decision> {
        self.decisions().iter().filter(|decision| decision.verdict == Verdict::Approved)
    }
}

impl RequestView for Request {
    fn operation_type(&self) -> &Identifier {
        &self.content.operation_type
    }

    fn instance_id(&self) -> &InstanceId {
        &self.content.instance_id
    }

    fn estimated_cost(&self) -> Option<Cost> {
        self.content.estimated_cost
    }

    fn requested_by(&self) -> &PersonId {
        &self.content.requested_by
    }

    fn requester_addresses(&self) -> &BTreeSet<PersonId> {
        &self.content.requester_addresses
    }

    fn requester_groups(&self) -> &Groups {
        &self.content.requester_groups
    }

    fn filed_by(&self) -> Option<&PersonId> {
        self.content.filed_by.as_ref()
    }

    fn owner(&self) -> Option<&Owner> {
        self.content.owner.as_ref()
    }

    fn status(&self) -> Status {
        self.status
    }

    fn requirements(&self) -> Requirements {
        Self::requirements(self)
    }

    fn decisions(&self) -> &[Decision] {
        &self.decisions
    }
}
