//! Why a command does not do what it was asked. Knows no number: those are `exit.rs`.

use countersign_api::problem::Code;
use countersign_client::change::ChangeError;
use countersign_client::config::ConfigurationError;
use countersign_client::content::ContentError;
use countersign_client::credential::CredentialError;
use countersign_client::executor::ExecutorError;
use countersign_client::oidc::LoginError;
use countersign_client::token_store::TokenStoreError;
use countersign_client::{agent::AgentError, error::Error};
use countersign_core::text::escaped_line;
use countersign_policy::load::LoadError;
use countersign_server::data_directory::DataDirectoryError;
use countersign_server::serve::ServeError;
use countersign_server::stopped_service::StoppedServiceError;
use std::io;
use std::sync::Arc;

/// Why a command does not do what it was asked, and what to do about it. Texts of others are escaped.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommandError {
    /// It did not come about.
    #[error("{0}")]
    Failed(String),
    /// The command line does not say what to do.
    #[error("{0}")]
    Usage(String),
    /// A rule says no.
    #[error("{0}")]
    Refused(String),
    /// What was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// What was named stands elsewhere than it must.
    #[error("{0}")]
    Conflict(String),
    /// It did not happen in time.
    #[error("{0}")]
    TimedOut(String),
    /// The person at the keyboard had enough.
    #[error("{0}")]
    Interrupted(String),
    /// What was simulated would be refused.
    #[error("it would be refused ({})", escaped_line(code))]
    WouldBeRefused {
        /// The status of the refusal.
        status: u16,
        /// Its code.
        code: String,
    },
    /// What is to be run is not what was approved any more: nothing was run.
    #[error("{0}")]
    TargetChanged(String),
    /// The end of a command that was run, or that could not be: its exit code is that of a shell.
    #[error("{message}")]
    Command {
        /// The exit code.
        code: u8,
        /// What is said of it; nothing if the command has run.
        message: String,
    },
    /// Nothing is left to say of it.
    #[error("")]
    Told(Box<Self>),
    /// The same in other words.
    #[error("{message}")]
    Explained {
        /// What is said of it.
        message: String,
        /// What happened.
        cause: Box<Self>,
    },
    /// Of several requests some failed.
    #[error("{failed} of {all} failed")]
    Several {
        /// How many of them failed.
        failed: usize,
        /// Of how many.
        all: usize,
        /// The last of them.
        last: Box<Self>,
    },
    /// Stdout cannot be written.
    #[error("stdout: {0}")]
    Stdout(Arc<io::Error>),
    /// What was asked of a service did not come about.
    #[error(transparent)]
    Client(#[from] Error),
    /// The service did not start, or ended by itself.
    #[error("{0}")]
    Serve(Arc<ServeError>),
    /// The data directory cannot be used.
    #[error("{0}")]
    DataDirectory(Arc<DataDirectoryError>),
    /// The store of a stopped service is not there, or not to be had.
    #[error("{0}")]
    StoppedService(Arc<StoppedServiceError>),
}

/// What sort of end an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It did not come about.
    Failed,
    /// The command line, or what stands behind it, does not say what to do.
    Usage,
    /// A rule says no.
    Refused,
    /// What was named is not there.
    NotFound,
    /// What was named stands elsewhere than it must.
    Conflict,
    /// It did not happen, or the service did not answer, in time.
    TimedOut,
    /// The person at the keyboard had enough.
    Interrupted,
    /// The output has no reader any more.
    Unread,
    /// A command ended, or could not be run: the exit code is its own.
    Command(u8),
}

impl Kind {
    /// The kind of an answer with this HTTP status.
    fn of_status(status: u16) -> Self {
        match status {
            400 => Self::Usage,
            404 => Self::NotFound,
            408 | 504 => Self::TimedOut,
            409 => Self::Conflict,
            401..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl CommandError {
    /// What was found is on stdout already, and is why the command fails.
    pub fn told() -> Self {
        Self::Told(Box::new(Self::Failed(String::new())))
    }

    /// Stdout cannot be written.
    pub fn stdout(error: io::Error) -> Self {
        Self::Stdout(Arc::new(error))
    }

    /// The same in other words.
    pub fn explained(self, message: String) -> Self {
        Self::Explained { message, cause: Box::new(self) }
    }

    /// The same, of which nothing is left to say.
    pub fn silenced(self) -> Self {
        Self::Told(Box::new(self))
    }

    /// What sort of end it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Failed(_) | Self::Serve(_) | Self::DataDirectory(_) => Kind::Failed,
            Self::Usage(_) => Kind::Usage,
            Self::Refused(_) => Kind::Refused,
            Self::NotFound(_) => Kind::NotFound,
            Self::Conflict(_) => Kind::Conflict,
            Self::TimedOut(_) => Kind::TimedOut,
            Self::Interrupted(_) => Kind::Interrupted,
            Self::TargetChanged(_) => Kind::Conflict,
            Self::Command { code, .. } => Kind::Command(*code),
            Self::WouldBeRefused { status, .. } => Kind::of_status(*status),
            Self::Told(cause) | Self::Explained { cause, .. } | Self::Several { last: cause, .. } => {
                cause.kind()
            }
            // A reader who has had enough, such as `head`, needs no message.
            Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe => Kind::Unread,
            Self::Stdout(_) => Kind::Failed,
            Self::Client(error) => kind_of(error),
            Self::StoppedService(error) => match **error {
                StoppedServiceError::NoDatabase { .. } => Kind::NotFound,
                StoppedServiceError::Io { .. }
                | StoppedServiceError::DataDirectory(_)
                | StoppedServiceError::Database(_) => Kind::Failed,
            },
        }
    }

    /// What the service refused, if it did.
    pub fn problem(&self) -> Option<Code> {
        match self {
            Self::Client(error) => error.problem(),
            Self::Told(cause) | Self::Explained { cause, .. } | Self::Several { last: cause, .. } => {
                cause.problem()
            }
            _ => None,
        }
    }

    /// Whether it may pass by itself.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_passing())
    }
}

fn kind_of(error: &Error) -> Kind {
    match error {
        Error::Configuration(error) => of_configuration(error),
        Error::Agent(error) => of_agent(error),
        Error::Credential(error) => of_credential(error),
        Error::Name(_) | Error::Ambiguous { .. } => Kind::Usage,
        Error::NoSuchRequest { .. } | Error::NoDashboard { .. } => Kind::NotFound,
        Error::TimedOut { .. } | Error::ListTimedOut { .. } => Kind::TimedOut,
        Error::Unreachable { .. }
        | Error::NotCountersign { .. }
        | Error::Implausible { .. }
        | Error::ListTooLong { .. } => Kind::Failed,
        // Switched off is a rule, and no failure.
        Error::Refused(refusal) if refusal.code == Some(Code::WorkflowDisabled) => Kind::Refused,
        Error::Refused(refusal) => Kind::of_status(refusal.status),
        Error::NoPermit { .. } => Kind::Conflict,
        Error::WorkflowDisabled | Error::TooManyPending { .. } => Kind::Refused,
        Error::Content(error) => of_content(error),
        Error::Change(ChangeError::Content(error)) => of_content(error),
        Error::Change(ChangeError::NotMade { .. }) => Kind::Failed,
    }
}

fn of_content(error: &ContentError) -> Kind {
    match error {
        ContentError::Hidden | ContentError::Erased { .. } => Kind::Refused,
        ContentError::Differs { .. } => Kind::Failed,
    }
}

fn of_configuration(error: &ConfigurationError) -> Kind {
    match error {
        ConfigurationError::Unwritable { .. } => Kind::Failed,
        ConfigurationError::Url(error) => of_agent(error),
        ConfigurationError::NoConfigHome
        | ConfigurationError::NoStateHome
        | ConfigurationError::Variable { .. }
        | ConfigurationError::Unreadable { .. }
        | ConfigurationError::Invalid { .. }
        | ConfigurationError::NoTables
        | ConfigurationError::ProfileName(_)
        | ConfigurationError::Auth(_)
        | ConfigurationError::UnknownProfile { .. }
        | ConfigurationError::NoSuchProfile { .. }
        | ConfigurationError::NoProfile
        | ConfigurationError::Path { .. } => Kind::Usage,
    }
}

fn of_agent(error: &AgentError) -> Kind {
    match error {
        AgentError::Url { .. } | AgentError::Proxy(_) => Kind::Usage,
        AgentError::CaBundle { .. } => Kind::Failed,
    }
}

fn of_credential(error: &CredentialError) -> Kind {
    match error {
        CredentialError::File { .. } => Kind::Failed,
        CredentialError::EmptyFile { .. }
        | CredentialError::OfAnotherService { .. }
        | CredentialError::SchemeInToken
        | CredentialError::NotAToken => Kind::Usage,
        CredentialError::Signing(_) => Kind::Failed,
        CredentialError::AnotherPerson { .. } => Kind::Refused,
        CredentialError::Configuration(error) => of_configuration(error),
        CredentialError::Login(error) => of_login(error),
        CredentialError::Store(TokenStoreError::File { .. }) => Kind::Failed,
        CredentialError::Store(TokenStoreError::NobodyLoggedIn { .. }) => Kind::Refused,
        CredentialError::Store(TokenStoreError::Login(error)) => of_login(error),
    }
}

fn of_login(error: &LoginError) -> Kind {
    match error {
        LoginError::NoIssuer | LoginError::NotAsked(_) => Kind::Usage,
        LoginError::Agent(error) => of_agent(error),
        LoginError::TimedOut { .. } => Kind::TimedOut,
        LoginError::Denied
        | LoginError::AnotherSubject
        | LoginError::OfAnotherService { .. }
        | LoginError::Ended => Kind::Refused,
        LoginError::Unreachable { .. }
        | LoginError::Refused { .. }
        | LoginError::NotRevoked(_)
        | LoginError::AnotherIssuer { .. }
        | LoginError::OpenEndpoint { .. }
        | LoginError::NoDeviceGrant { .. }
        | LoginError::LongCode { .. }
        | LoginError::OpenPage { .. }
        | LoginError::NoToken
        | LoginError::TokenOfAnother
        | LoginError::ExpiredToken => Kind::Failed,
    }
}

impl From<LoadError> for CommandError {
    fn from(error: LoadError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<String> for CommandError {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<ExecutorError> for CommandError {
    fn from(error: ExecutorError) -> Self {
        match error {
            ExecutorError::Call(error) => Self::Client(error),
            ExecutorError::NotClaimed(_)
            | ExecutorError::Hidden
            | ExecutorError::AnotherTarget
            | ExecutorError::NoClaim => Self::Refused(error.to_string()),
        }
    }
}

impl From<ConfigurationError> for CommandError {
    fn from(error: ConfigurationError) -> Self {
        Self::Client(error.into())
    }
}

impl From<AgentError> for CommandError {
    fn from(error: AgentError) -> Self {
        Self::Client(error.into())
    }
}

impl From<CredentialError> for CommandError {
    fn from(error: CredentialError) -> Self {
        Self::Client(error.into())
    }
}

impl From<LoginError> for CommandError {
    fn from(error: LoginError) -> Self {
        CredentialError::from(error).into()
    }
}

impl From<TokenStoreError> for CommandError {
    fn from(error: TokenStoreError) -> Self {
        CredentialError::from(error).into()
    }
}

impl From<ContentError> for CommandError {
    fn from(error: ContentError) -> Self {
        Self::Client(error.into())
    }
}

impl From<ChangeError> for CommandError {
    fn from(error: ChangeError) -> Self {
        Self::Client(error.into())
    }
}

impl From<ServeError> for CommandError {
    fn from(error: ServeError) -> Self {
        Self::Serve(Arc::new(error))
    }
}

impl From<DataDirectoryError> for CommandError {
    fn from(error: DataDirectoryError) -> Self {
        Self::DataDirectory(Arc::new(error))
    }
}

impl From<StoppedServiceError> for CommandError {
    fn from(error: StoppedServiceError) -> Self {
        Self::StoppedService(Arc::new(error))
    }
}
