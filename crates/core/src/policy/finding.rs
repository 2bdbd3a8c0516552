//! The names of findings. Scripts look for them and people look them up: they do not change, and
//! docs/policy.md lists each.

use serde::Serialize;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// What a finding is about.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Name {
    /// A file is not there or is no text.
    UnreadableFile,
    /// A file is not TOML, or not of its shape.
    UnreadableToml,
    /// A table or key breaks a rule of its file.
    RefusedValue,
    /// `access.cedar` is not Cedar, or does not fit its schema.
    RefusedAccess,
    /// Some requests would match more rules than a request remembers.
    TooManyRules,
    /// Rules together demand more approvals than a request holds.
    TooManyApprovals,
    /// Policy lets no person approve who is in the groups of a slot.
    SlotNeverFilled,
    /// Policy lets no person approve.
    NobodyApproves,
    /// A person is named by an address that is not their main one.
    AddressNotMain,
    /// Who is in the groups of a slot may approve only if they are in another group as well.
    SlotNeedsAnotherGroup,
    /// A rule whose conditions no request meets.
    RuleNeverHolds,
    /// A rule that the rest of the policy makes superfluous.
    RuleChangesNothing,
    /// Less is demanded above a range of costs than within it.
    LessAboveRange,
    /// An operation that the catalogue does not have.
    UnlistedOperation,
    /// Anybody may start an operation without approval.
    AnybodyUnapproved,
    /// People in no group may approve, or those in whichever group.
    AnybodyApproves,
    /// A policy of `access.cedar` whose conditions, or one of their alternatives, no question meets.
    PolicyNeverHolds,
    /// A policy of `access.cedar` that holds at no time to come.
    PolicyIsOver,
    /// A comparison with a number that an hour or a minute cannot have.
    ImpossibleNumber,
    /// A text that no operation, instance or group can be.
    ImpossibleText,
    /// An exact name that another spelling evades.
    CapitalsInName,
    /// A pattern of non-production that matches names of production.
    ProductionInNonProduction,
    /// An agent or service that policy names and people.toml does not.
    AgentWithoutOwner,
    /// What Cedar's validator finds odd.
    CedarValidator,
    /// An annotation that Countersign does not know.
    UnknownAnnotation,
    /// A `@reason` that no refusal ever shows.
    ReasonNeverShown,
    /// A destination that nothing sends to.
    DestinationUnused,
    /// A route that no event matches.
    RouteNeverHolds,
    /// A slot of whose groups notifications know no member.
    SlotWithoutMembers,
    /// Too many combinations to try them all.
    TooManyCombinations,
    /// Too many different demands to look for people for all of them.
    TooManyDemands,
    /// A search for people that was given up.
    SearchGivenUp,
    /// An operation that some may start without approval.
    NoApprovalNeeded,
    /// Agents and services may act without an owner.
    OwnerNotRequired,
    /// An agent or service whose owner is disabled.
    OwnerDisabled,
    /// A group that no part of the policy names.
    GroupWithoutMeaning,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, EnumIter)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Some requests could never be approved.
    Error,
    /// Hardly what was meant.
    Warning,
    /// Worth knowing.
    Note,
}
