//! What an error of the SDK means for a delivery. The text has the code alone: the service's own words may quote the message.

use aws_sdk_sns::config::http::HttpResponse;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};

/// Codes by which a service says that it does not know or believe the sender, or that the sender may not do this.
const CREDENTIALS: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "MailFromDomainNotVerifiedException",
    "SendingPausedException",
    "AccountSuspendedException",
    "UnrecognizedClientException",
];
/// Codes by which it says that it is overloaded.
const OVERLOADED: &[&str] = &[
    "InternalException",
    "InternalFailure",
    "LimitExceededException",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// The outcome of a call that has failed.
pub(crate) fn failed<E: ProvideErrorMetadata>(service: &str, error: &SdkError<E, HttpResponse>) -> Outcome {
    let (class, status, detail) = match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or("an error without a code");
            (class_of(status, code), Some(status), format!("{service} answered {code}"))
        }
        SdkError::TimeoutError(_) => {
            (FailureClass::Timeout, None, format!("{service} did not answer in time"))
        }
        SdkError::DispatchFailure(_) => {
            (FailureClass::Connection, None, format!("{service} cannot be reached"))
        }
        SdkError::ResponseError(_) => {
            (FailureClass::Connection, None, format!("the answer of {service} was cut off"))
        }
        _ => (FailureClass::Unusable, None, format!("the call of {service} could not be built")),
    };
    Outcome::Failed(Failure { class, status, retry_after: None, detail })
}

/// The class of an answer.
pub(crate) fn class_of(status: u16, code: &str) -> FailureClass {
    if CREDENTIALS.contains(&code) {
        FailureClass::Credentials
    } else if OVERLOADED.contains(&code) || status >= 500 || status == 429 {
        FailureClass::Overloaded
    } else {
        FailureClass::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_class() {
        for (status, code, class) in [
            (400, "AccessDeniedException", FailureClass::Credentials),
            (400, "ThrottlingException", FailureClass::Overloaded),
            (400, "MessageRejected", FailureClass::Refused),
            (500, "Whatever", FailureClass::Overloaded),
            (429, "TooManyRequestsException", FailureClass::Overloaded),
        ] {
            assert_eq!(class_of(status, code), class, "{status} {code}");
        }
    }
}
