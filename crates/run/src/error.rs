//! Why a command cannot be bound, in words for its requester. Knows no exit code.

/// Why a command cannot be bound. Nothing is asked for then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// There is no such command.
    #[error("{name}: there is no such command")]
    NotFound {
        /// Its name.
        name: String,
    },
    /// What the command names cannot be executed.
    #[error("{name}: this cannot be executed")]
    NotExecutable {
        /// Its name.
        name: String,
    },
    /// The executable cannot be read, so nothing says what would be run.
    #[error("{path}: {reason}; only what can be read can be approved")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file cannot be read.
    #[error("{path}: {reason}; --no-bind leaves it out, and approvers are shown that")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file is a directory, a pipe or a device.
    #[error("{path} is not a regular file")]
    NotRegular {
        /// The file.
        path: String,
    },
    /// A file is too large to be bound.
    #[error(
        "{path} has more than {} MiB, which is the most that is bound; --no-bind leaves it out, and approvers are \
         shown that",
        max_bytes / (1024 * 1024)
    )]
    TooLarge {
        /// The file.
        path: String,
        /// How many bytes it may have.
        max_bytes: u64,
    },
    /// Parameters are JSON, whose texts are Unicode.
    #[error("{what} is not UTF-8, so approvers could not be shown it")]
    NotUtf8 {
        /// What.
        what: String,
    },
    /// A variable that is to be passed on is not set.
    #[error("the variable {name} is not set")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// There is no variable of such a name.
    #[error("`{name}` is not the name of a variable")]
    VariableName {
        /// The name.
        name: String,
    },
    /// A variable is to be shown and to be secret.
    #[error("the variable {name} is given with --env and with --env-secret; one of them has to go")]
    ShownSecret {
        /// Its name.
        name: String,
    },
    /// The token would be shown to approvers.
    #[error("COUNTERSIGN_TOKEN is your token; --env would show it to everybody who sees the request")]
    Token,
    /// What surrounds the command cannot be found out.
    #[error("{what}: {reason}")]
    Surroundings {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
