//! What access policies tell of themselves, so that not every question has to be put.

use crate::policy::Policy;
use crate::policy::access::{AccessRequest, Action, Reference, RequestAttribute};
use crate::risk::Cost;
use crate::timestamp::Timestamp;

/// Whether the answer about an action may differ with a part of the question.
pub fn turns_on(policy: &Policy, action: Action, part: RequestAttribute) -> bool {
    policy.access().turns_on(action, part)
}

/// Whether a question is denied, whatever is put in place of some of its parts.
pub fn denies_whatever(
    policy: &Policy,
    access_request: &AccessRequest<'_>,
    open: &[RequestAttribute],
) -> bool {
    policy.access().denies_whatever(access_request, open)
}

/// Moments at which answers about these actions may differ, if they are known.
pub fn moments(policy: &Policy, actions: &[Action], from: Timestamp) -> Option<Vec<Timestamp>> {
    policy.access().moments(actions, from)
}

/// Costs on both sides of each amount that policies name.
pub fn costs(policy: &Policy) -> Vec<Cost> {
    policy.access().costs()
}

/// The people, agents and services that policies name.
pub fn named_people(policy: &Policy) -> Vec<Reference> {
    policy.access().named_people()
}

/// The types of operation that they name.
pub fn named_operations(policy: &Policy) -> Vec<Reference> {
    policy.access().named_operations()
}
