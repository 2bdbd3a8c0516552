//! What the context of a question can hold.

use countersign_core::policy::access::RequestAttribute;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// What the context can hold. [`crate::schema`] says of what type each is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, EnumIter, EnumString, IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "docs/policy.md and the schema of the policies say what each is")]
pub enum Attribute {
    Operation,
    Instance,
    Environment,
    Risk,
    EstimatedCost,
    Requester,
    Own,
    Groups,
    Kind,
    Channel,
    SourceIp,
    Time,
    Weekday,
    Hour,
    Minute,
}

impl Attribute {
    /// The part of a question that it is made from.
    pub fn part(self) -> RequestAttribute {
        match self {
            Self::Operation => RequestAttribute::Operation,
            Self::Instance => RequestAttribute::Instance,
            Self::Environment => RequestAttribute::Environment,
            Self::Risk => RequestAttribute::Risk,
            Self::EstimatedCost => RequestAttribute::Cost,
            Self::Requester => RequestAttribute::Requester,
            Self::Own => RequestAttribute::Own,
            Self::Groups | Self::Kind => RequestAttribute::Person,
            Self::Channel => RequestAttribute::Channel,
            Self::SourceIp => RequestAttribute::Address,
            Self::Time | Self::Weekday | Self::Hour | Self::Minute => RequestAttribute::Time,
        }
    }

    /// Whether it is of one request, and not of who asks, when, and whether the request is theirs.
    pub fn is_of_request(self) -> bool {
        match self.part() {
            RequestAttribute::Operation
            | RequestAttribute::Instance
            | RequestAttribute::Environment
            | RequestAttribute::Risk
            | RequestAttribute::Cost
            | RequestAttribute::Requester => true,
            RequestAttribute::Person
            | RequestAttribute::Own
            | RequestAttribute::Channel
            | RequestAttribute::Address
            | RequestAttribute::Time => false,
        }
    }
}
