//! Who calls, as a shell has established it before it reads a single byte of the body: what a token, a gateway or an
//! invocation proves. Who that is to the people of a policy is not known here.

use crate::person::PersonId;
use crate::source_address::SourceAddress;
use crate::timestamp::Timestamp;
use std::collections::BTreeSet;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The kinds of principals. Only humans decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum PrincipalKind {
    /// A person.
    Human,
    /// An AI agent or other program with an e-mail of its own, known by its group.
    Agent,
    /// A program without an e-mail.
    Service,
}

impl PrincipalKind {
    /// The name in audit events.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How the call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Channel {
    /// API Gateway, with a token that its authorizer and the function verified, or a signature that it verified.
    Api,
    /// A page of the dashboard, which calls the API with the token of the person who looks at it.
    Dashboard,
    /// A direct Lambda invocation: the invoker vouches for the person.
    Direct,
    /// `countersign serve`, with a token that it verified, or a sweep inside it.
    Local,
}

impl Channel {
    /// The name in audit events.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The group that makes an identity an agent, in capitals or not: see [`is_agent_group`].
pub const AGENT_GROUP: &str = "agent";

/// Whether a group makes its members agents. Capitals make no agent human.
pub fn is_agent_group(group: &str) -> bool {
    group.eq_ignore_ascii_case(AGENT_GROUP)
}

/// How the caller was proven: by a token that an issuer gave to a subject, or by a signature that IAM verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// The claim `iss` of the token, or IAM's name.
    pub issuer: String,
    /// The claim `sub` of the token, or the ARN of the role's session or of the user that has signed.
    pub subject: String,
    /// The time of the claim `auth_time`, or else of `iat`.
    pub at: Option<Timestamp>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person or service that is proven, by the address that it was proven with.
    pub person: PersonId,
    /// Human, agent or service, as far as the proof tells.
    pub kind: PrincipalKind,
    /// The names of groups, as the proof has them.
    pub groups: BTreeSet<String>,
    /// How the call came in.
    pub channel: Channel,
    /// The service that asks on this person's behalf, if one does.
    pub filed_by: Option<PersonId>,
    /// Where the call comes from, as far as the shell can vouch for it.
    pub source_ip: Option<SourceAddress>,
    /// How they were proven. Absent where no token was verified: for direct calls and for sweeps.
    pub authentication: Option<Authentication>,
}

impl Caller {
    /// A caller who acts for themselves. A caller in the `agent` group is an agent, whatever else is said of
    /// them.
    pub fn new<'a>(
        person: PersonId,
        kind: PrincipalKind,
        channel: Channel,
        groups: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let groups: BTreeSet<String> = groups.into_iter().map(str::to_owned).collect();
        let kind = match kind {
            PrincipalKind::Human if groups.iter().any(|group| is_agent_group(group)) => PrincipalKind::Agent,
            PrincipalKind::Human | PrincipalKind::Agent | PrincipalKind::Service => kind,
        };
        Self { person, kind, groups, channel, filed_by: None, source_ip: None, authentication: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_65_the_group_of_agents_has_no_spelling_that_decides() {
        for group in ["agent", "Agent", "AGENT"] {
            let actor =
                Caller::new(PersonId::somebody(), PrincipalKind::Human, Channel::Api, [group, "approver"]);
            assert_eq!(actor.kind, PrincipalKind::Agent, "{group}");
        }
        let actor = Caller::new(PersonId::somebody(), PrincipalKind::Human, Channel::Api, ["agents"]);
        assert_eq!(actor.kind, PrincipalKind::Human);
    }
}
