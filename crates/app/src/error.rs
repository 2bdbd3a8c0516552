//! Why a use case did not do what it was asked.

use crate::ports::StoreError;
use crate::signing::SigningError;
use countersign_core::audit::Finding;
use countersign_core::refusal::Refusal;
use countersign_executor::planner::Fault;

/// Why a use case did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The requester has as many pending requests as one may have.
    #[error("you have {limit} pending requests; wait for decisions or cancel some")]
    TooManyPending {
        /// The limit.
        limit: usize,
    },
    /// The requester has as many approved requests that were not started as one may have for policy to
    /// approve another at once.
    #[error("you have {limit} approved requests that were not started; start or cancel some")]
    TooManyApproved {
        /// The limit.
        limit: usize,
    },
    /// The executor that policy names could not carry it out.
    #[error("the executor of the operation could not carry it out")]
    CannotBeCarriedOut(Vec<Fault>),
    /// The cursor was not given out to the caller for this list.
    #[error("the cursor was not given out to you for this list")]
    MalformedCursor,
    /// There is no such webhook, or it is deleted.
    #[error("no such webhook")]
    NoSuchWebhook,
    /// The webhook has no delivery of this event, or has it no more.
    #[error("the webhook has no such delivery")]
    NoSuchDelivery,
    /// Settings of a webhook break rules: where, and which.
    #[error("the settings of the webhook break rules")]
    InvalidWebhook(Vec<(String, String)>),
    /// The change names another version than the webhook has.
    #[error("the webhook is at version {version}")]
    WebhookChanged {
        /// The version that it has.
        version: u64,
    },
    /// There are as many webhooks as there may be.
    #[error("there are {limit} webhooks, as many as there may be; delete one first")]
    WebhookLimit {
        /// The limit.
        limit: usize,
    },
    /// The caller is an agent or a service, which has no settings.
    #[error(
        "agents and services have no settings of notifications: who answers for them hears what becomes of their requests"
    )]
    PeopleOnly,
    /// The deployment has no `notifications.toml`.
    #[error("the service has no notifications.toml: it sends no messages to people")]
    NotConfigured,
    /// The change names another version than the settings have.
    #[error("your settings are at version {version}")]
    PreferencesChanged {
        /// The version that they have; 0 of a person who has said nothing.
        version: u64,
    },
    /// The webhook takes nothing.
    #[error("the webhook is disabled; enable it first")]
    WebhookDisabled,
    /// The store did not answer, or others were faster too often. Either nothing was changed, or
    /// asking again shows what was.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The key that signs permits did not answer. What was asked for is written down.
    #[error("the signing key is unavailable: {0}")]
    SigningUnavailable(String),
    /// The store holds something that cannot be, or refuses what must be accepted.
    #[error("the store is inconsistent: {0}")]
    Corrupt(String),
}

impl From<SigningError> for AppError {
    fn from(error: SigningError) -> Self {
        Self::SigningUnavailable(error.to_string())
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Unavailable(reason),
            StoreError::Corrupt(reason) => Self::Corrupt(reason),
            StoreError::Damaged(reason) => Refusal::Integrity(Finding::Unreadable(reason)).into(),
            StoreError::MalformedCursor => Self::MalformedCursor,
        }
    }
}
