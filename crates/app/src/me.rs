//! Who calls, as policy knows them.

use crate::dependencies::Dependencies;
use countersign_core::caller::PrincipalKind;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use std::collections::BTreeSet;

/// A caller, as policy knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The id that stands for all of the caller's addresses.
    pub person: PersonId,
    /// Human, agent or service.
    pub kind: PrincipalKind,
    /// The groups that count.
    pub groups: BTreeSet<String>,
    /// Whether the caller may list what others asked for.
    pub sees_all: bool,
    /// Whether the caller may query what others did.
    pub may_query_audit: bool,
}

/// Says who calls. Nothing is stored of callers, so nothing is read.
pub async fn me<S>(dependencies: &Dependencies<S>, actor: &Principal) -> Me {
    let (policy, now) = (&dependencies.policy, dependencies.host.now());
    Me {
        person: actor.person.clone(),
        kind: actor.kind,
        groups: actor.groups.clone(),
        sees_all: policy.may_list(actor, false, now).is_permitted(),
        may_query_audit: policy.may_query_audit(actor, false, now).is_permitted(),
    }
}
