//! Who acts, as the people of a policy know them: one id for all their addresses, their groups and owner.

use crate::caller::{Authentication, Caller, Channel, PrincipalKind};
use crate::person::PersonId;
use crate::source_address::SourceAddress;
use std::collections::BTreeSet;

/// Who answers for an agent or a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Their one id.
    pub person: PersonId,
    /// All ids that are known to be theirs, `person` included.
    pub addresses: BTreeSet<PersonId>,
}

/// Who is acting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The person, service or part of the system.
    pub person: PersonId,
    /// All ids that are known to be this person's, `person` included.
    pub addresses: BTreeSet<PersonId>,
    /// Human, agent or service.
    pub kind: PrincipalKind,
    /// The names of their groups that policy knows.
    pub groups: BTreeSet<String>,
    /// The channel of the call.
    pub channel: Channel,
    /// The service that asks on this person's behalf, if one does.
    pub filed_by: Option<PersonId>,
    /// Who answers for this agent or service, where policy says so.
    pub owner: Option<Owner>,
    /// Where the call comes from, as far as the shell can vouch for it.
    pub source_ip: Option<SourceAddress>,
    /// How they were proven. Absent where no token was verified: for direct calls and for sweeps.
    pub authentication: Option<Authentication>,
}

impl Principal {
    /// A principal whom no call has proven: one that a search, a lint or a test assumes. For callers there is
    /// [`People::resolve`](crate::policy::people::People::resolve) alone.
    pub fn assumed<'a>(
        person: PersonId,
        kind: PrincipalKind,
        channel: Channel,
        groups: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::unlisted(Caller::new(person, kind, channel, groups))
    }

    /// A caller of whom the people of a policy say nothing.
    pub(crate) fn unlisted(caller: Caller) -> Self {
        let Caller { person, kind, groups, channel, filed_by, source_ip, authentication } = caller;
        let addresses = BTreeSet::from([person.clone()]);
        Self { person, addresses, kind, groups, channel, filed_by, owner: None, source_ip, authentication }
    }

    /// Whether an id is this person's.
    pub fn is(&self, person: &PersonId) -> bool {
        self.addresses.contains(person)
    }

    /// The callers who are not known.
    pub fn unauthenticated(channel: Channel) -> Self {
        Self::assumed(PersonId::unauthenticated(), PrincipalKind::Service, channel, [])
    }

    /// The sweep that writes down passed deadlines.
    pub fn expiry(channel: Channel) -> Self {
        Self::assumed(PersonId::expiry(), PrincipalKind::Service, channel, [])
    }

    /// The part of the system that finds what is unusual in the audit log.
    pub fn anomalies(channel: Channel) -> Self {
        Self::assumed(PersonId::anomalies(), PrincipalKind::Service, channel, [])
    }

    /// The sweep that erases what has been kept for long enough.
    pub fn retention(channel: Channel) -> Self {
        Self::assumed(PersonId::retention(), PrincipalKind::Service, channel, [])
    }
}
