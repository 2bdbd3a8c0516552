//! Why what was asked of a service did not come about. Knows what happened; what follows from it is for who
//! asked.

use crate::agent::AgentError;
use crate::change::ChangeError;
use crate::config::ConfigurationError;
use crate::content::ContentError;
use crate::credential::CredentialError;
use crate::refusal::Refusal;
use crate::request_name::InvalidName;
use countersign_api::problem::Code;
use countersign_core::text::escaped_line;

/// Why what was asked of a service did not come about. Texts of others are escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The configuration does not say which service, or says it wrongly.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// Nothing is sent to the URL.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// There is no token to send, or none that may be sent.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// What is to name a request does not.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// No request begins so.
    #[error(
        "no request that you can see begins with {prefix}, neither an open one nor one that closed in the last \
         {days} days; give the whole id for one that is older"
    )]
    NoSuchRequest {
        /// The beginning.
        prefix: String,
        /// How far back was looked.
        days: u32,
    },
    /// Several requests begin so.
    #[error("{prefix} is the beginning of {} requests; which one?\n  {}", ids.len(), ids.join("\n  "))]
    Ambiguous {
        /// The beginning.
        prefix: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// There is no answer, and none is known to come.
    #[error("{} did not answer in {seconds} s; asking again shows what happened", escaped_line(url))]
    TimedOut {
        /// The service.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The service cannot be reached.
    #[error(
        "{} cannot be reached{}: {}; {advice}",
        escaped_line(url),
        if *is_through_proxy { " through the proxy of the environment" } else { "" },
        escaped_line(reason)
    )]
    Unreachable {
        /// The service.
        url: String,
        /// Whether the environment names a proxy on the way.
        is_through_proxy: bool,
        /// Why, in the words of the transport.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// What answers is not Countersign.
    #[error(
        "{} does not answer as Countersign does: is the URL right?{}",
        escaped_line(url),
        if *has_path { Self::ADVICE_ON_PATH } else { "" }
    )]
    NotCountersign {
        /// The service.
        url: String,
        /// Whether the URL has a path, which is a frequent mistake.
        has_path: bool,
    },
    /// An answer that Countersign would not give: nothing of it is believed or shown.
    #[error(
        "{} does not answer as Countersign does: {what}; trust nothing that it says, and ask the operator",
        escaped_line(url)
    )]
    Implausible {
        /// The service.
        url: String,
        /// What is odd about it.
        what: String,
    },
    /// The service says no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The execution is not this client's to carry out.
    #[error(
        "the service gives no permit for {request_id}: it is claimed, expired, or another's; `countersign execution \
         {request_id}` shows how far it has come"
    )]
    NoPermit {
        /// The request.
        request_id: String,
    },
    /// The service answers the API alone.
    #[error("{} has no dashboard; it may have been started with --no-dashboard", escaped_line(url))]
    NoDashboard {
        /// The service.
        url: String,
    },
    /// This machine asks for nothing that needs approvals.
    #[error(
        "this needs approvals, and they are switched off here: APPROVAL_WORKFLOW_ENABLED is false, so nothing is asked for"
    )]
    WorkflowDisabled,
    /// This machine lets no more requests of one person wait.
    #[error(
        "{max} of your requests are pending or more, and APPROVAL_MAX_PENDING allows no other; see `countersign list`"
    )]
    TooManyPending {
        /// How many may be.
        max: u32,
    },
    /// A list takes too long.
    #[error("the list of {} does not end within {seconds} s; narrow it with filters", escaped_line(url))]
    ListTimedOut {
        /// The service.
        url: String,
        /// How long it was read.
        seconds: u64,
    },
    /// A list has no end.
    #[error(
        "the list of {} does not end within {pages} pages and {mebibytes} MiB; narrow it with filters",
        escaped_line(url)
    )]
    ListTooLong {
        /// The service.
        url: String,
        /// How many pages were read at most.
        pages: usize,
        /// How much of it was read at most.
        mebibytes: usize,
    },
    /// A request is not shown as its digest names it.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// A change is not seen in the answer to it.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Error {
    /// A URL with a path is right for some deployments.
    pub(crate) const ADVICE_ON_PATH: &str =
        "\n  the URL has a path: leave it out, unless the service is deployed below one";

    /// Which refusal of the service it is, if it is one.
    pub fn problem(&self) -> Option<Code> {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::TooManyPending { .. } => Some(Code::TooManyPending),
            Self::WorkflowDisabled => Some(Code::WorkflowDisabled),
            _ => None,
        }
    }

    /// Whether it may pass by itself: a connection that is lost, a service that is not ready.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Unreachable { .. } => true,
            // What an operator has switched off does not come back by itself.
            Self::Refused(refusal) if refusal.code == Some(Code::WorkflowDisabled) => false,
            Self::Refused(refusal) => matches!(refusal.status, 408 | 429 | 502..=504),
            _ => false,
        }
    }
}
