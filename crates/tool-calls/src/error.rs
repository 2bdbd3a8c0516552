//! Why a call was not made, or cannot be followed.

use countersign_agents::notice::{APPROVAL_PENDING, Notice};
use countersign_api::wire::ProblemBody;
use countersign_client::error::Error;
use countersign_core::command::MAX_PARAMETERS_BYTES;
use countersign_core::text::escaped_line;
use countersign_system::private_file::Unsuitable;
use serde::Deserialize as _;
use std::io;
use std::path::PathBuf;

/// Calls cannot be made at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The service refuses, or cannot be reached.
    #[error(transparent)]
    Service(#[from] Error),
    /// The token is a person's, in whose name an agent is not to ask.
    #[error(
        "the token is for {}, a person: give this program the token of an agent, or --as-human if the person wants to ask \
         in their own name",
        escaped_line(person)
    )]
    Human {
        /// The person.
        person: String,
    },
    /// The records of calls cannot be kept.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl OpenError {
    /// The same for an agent.
    pub fn notice(self) -> Notice {
        match self {
            Self::Service(error) => notice_of_service(&error),
            Self::Directory(error) => CallError::Directory(error).notice(),
            human @ Self::Human { .. } => Notice::new(
                "human_token",
                &human.to_string(),
                "the operator has to give this program a token of the agent's own; nothing was run",
            ),
        }
    }
}

/// The records of calls cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file system says no.
    #[error("{}: {error}", escaped_line(&path.display().to_string()))]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// Other users could read or change it.
    #[error("{}: {error}", escaped_line(&path.display().to_string()))]
    Unsuitable {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: Unsuitable,
    },
    /// A record is none that this program has written.
    #[error(
        "{} is no record of a call of this version: look at the request in it before you remove the file",
        escaped_line(&path.display().to_string())
    )]
    NoRecord {
        /// The file.
        path: PathBuf,
    },
}

/// A call does not go on.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// What it is to be bound to is too long to be shown whole.
    #[error("the parameters have {bytes} bytes as canonical JSON, {MAX_PARAMETERS_BYTES} are the most")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// The service refuses, or cannot be reached.
    #[error(transparent)]
    Service(#[from] Error),
    /// What the service shows is not what it was sent: nothing is run.
    #[error("the service shows other parameters of {request_id} than it was sent; nothing was run")]
    OtherParameters {
        /// The request.
        request_id: String,
    },
    /// The request is not approved, or not any more.
    #[error("{}", .0.message)]
    NotApproved(Box<Notice>),
    /// The records of calls cannot be kept or read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl CallError {
    /// Whether it may pass by itself.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Service(error) => error.is_passing(),
            Self::NotApproved(notice) => notice.code == APPROVAL_PENDING,
            Self::TooLarge { .. } | Self::OtherParameters { .. } | Self::Directory(_) => false,
        }
    }

    /// The same for an agent.
    pub fn notice(&self) -> Notice {
        let message = self.to_string();
        let operator = "the operator has to look into it; nothing was run";
        match self {
            Self::TooLarge { .. } => {
                Notice::new("arguments_too_large", &message, "call with less; nothing is cut for you")
            }
            Self::Service(error) => notice_of_service(error),
            Self::OtherParameters { .. } => Notice::new("implausible_answer", &message, operator),
            Self::NotApproved(notice) => notice.as_ref().clone(),
            Self::Directory(_) => Notice::new("state_unavailable", &message, operator),
        }
    }
}

fn notice_of_service(error: &Error) -> Notice {
    if let Error::Refused(refusal) = error
        && let Some(problem) =
            refusal.problem.as_deref().and_then(|problem| ProblemBody::deserialize(problem).ok())
    {
        return Notice::of_problem(&problem);
    }
    let first = error.to_string().lines().next().unwrap_or_default().to_owned();
    let again = "call again with the same arguments once the service is back; nothing was run";
    match error {
        Error::TimedOut { .. } | Error::Unreachable { .. } => {
            Notice::new("service_unavailable", &first, again)
        }
        Error::Refused(refusal) if refusal.status >= 500 || refusal.status == 429 => {
            Notice::new("service_unavailable", &first, again)
        }
        Error::TooManyPending { .. } => {
            Notice::new("too_many_pending", &first, "wait until requests are decided, or cancel some")
        }
        Error::Credential(_) => Notice::new(
            "unauthenticated",
            &first,
            "the operator has to give this program a token that the service accepts",
        ),
        _ => Notice::new("service_refused", &first, "the operator has to look into it; nothing was run"),
    }
}
