//! The names of findings. Scripts look for them and people look them up: they do not change, and
//! docs/policy.md lists each.

/// Declares the names in one place, so that none is missing in [`Name::ALL`].
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Name {
            $($(#[$doc])* $name,)+
        }

        impl Name {
            /// Every name.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name in answers: lower case, with hyphens.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

names! {
    /// A file is not there or is no text.
    UnreadableFile = "unreadable-file",
    /// A file is not TOML, or not of its shape.
    UnreadableToml = "unreadable-toml",
    /// A table or key breaks a rule of its file.
    RefusedValue = "refused-value",
    /// `access.cedar` is not Cedar, or does not fit its schema.
    RefusedAccess = "refused-access",
    /// Some requests would match more rules than a request remembers.
    TooManyRules = "too-many-rules",
    /// Rules together demand more approvals than a request holds.
    TooManyApprovals = "too-many-approvals",
    /// Policy lets nobody approve who is in the groups of a slot.
    SlotNeverFilled = "slot-never-filled",
    /// Policy lets nobody approve.
    NobodyApproves = "nobody-approves",
    /// A person is named by an address that is not their main one.
    AddressNotMain = "address-not-main",
    /// Who is in the groups of a slot may approve only if they are in another group as well.
    SlotNeedsAnotherGroup = "slot-needs-another-group",
    /// A rule whose conditions no request meets.
    RuleNeverHolds = "rule-never-holds",
    /// A rule that the rest of the policy makes superfluous.
    RuleChangesNothing = "rule-changes-nothing",
    /// Less is demanded above a range of costs than within it.
    LessAboveRange = "less-above-range",
    /// An operation that the catalogue does not have.
    UnlistedOperation = "unlisted-operation",
    /// Anybody may start an operation without approval.
    AnybodyUnapproved = "anybody-unapproved",
    /// People in no group may approve, or those in whichever group.
    AnybodyApproves = "anybody-approves",
    /// A policy of `access.cedar` whose conditions, or one of their alternatives, no question meets.
    PolicyNeverHolds = "policy-never-holds",
    /// A policy of `access.cedar` that holds at no time to come.
    PolicyIsOver = "policy-is-over",
    /// A comparison with a number that an hour or a minute cannot have.
    ImpossibleNumber = "impossible-number",
    /// A text that no operation, instance or group can be.
    ImpossibleText = "impossible-text",
    /// An exact name that another spelling evades.
    CapitalsInName = "capitals-in-name",
    /// A pattern of non-production that matches names of production.
    ProductionInNonProduction = "production-in-non-production",
    /// An agent or service that policy names and people.toml does not.
    AgentWithoutOwner = "agent-without-owner",
    /// What Cedar's validator finds odd.
    CedarValidator = "cedar-validator",
    /// An annotation that Countersign does not know.
    UnknownAnnotation = "unknown-annotation",
    /// A `@reason` that no refusal ever shows.
    ReasonNeverShown = "reason-never-shown",
    /// Too many combinations to try them all.
    TooManyCombinations = "too-many-combinations",
    /// Too many different demands to look for people for all of them.
    TooManyDemands = "too-many-demands",
    /// A search for people that was given up.
    SearchGivenUp = "search-given-up",
    /// An operation that some may start without approval.
    NoApprovalNeeded = "no-approval-needed",
    /// Agents and services may act without an owner.
    OwnerNotRequired = "owner-not-required",
    /// An agent or service whose owner is disabled.
    OwnerDisabled = "owner-disabled",
    /// A group that no part of the policy names.
    GroupWithoutMeaning = "group-without-meaning",
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Some requests could never be approved.
    Error,
    /// Hardly what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Every severity, the worst first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Note];

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}
