//! What an answer of RDS says about the call: whether it was taken.

use aws_sdk_rds::config::http::HttpResponse;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};

/// Codes of calls that RDS has not looked at.
const THROTTLING: [&str; 5] = [
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "TooManyRequestsException",
];

/// How much of RDS's own words is repeated, in characters.
const MAX_MESSAGE: usize = 500;

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// RDS takes it.
    Done,
    /// RDS has not looked at it.
    Throttled,
    /// RDS does not take it.
    Refused {
        /// The code.
        code: String,
        /// What RDS says.
        message: String,
    },
    /// It was never sent.
    Unbuildable(String),
    /// It is not known.
    Lost,
}

impl Answer {
    pub(crate) fn of<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E, HttpResponse>>) -> Self {
        let error = match result {
            Ok(_) => return Self::Done,
            Err(error) => error,
        };
        match &error {
            SdkError::ConstructionFailure(_) => Self::Unbuildable("the call cannot be built".to_owned()),
            SdkError::ServiceError(service) => {
                let code = service.err().code().unwrap_or_default();
                if THROTTLING.contains(&code) {
                    return Self::Throttled;
                }
                let is_refusal = service.raw().status().is_client_error() && !code.is_empty();
                if !is_refusal {
                    return Self::Lost;
                }
                let message = service.err().message().unwrap_or_default();
                Self::Refused { code: code.to_owned(), message: message.chars().take(MAX_MESSAGE).collect() }
            }
            _ => Self::Lost,
        }
    }
}
