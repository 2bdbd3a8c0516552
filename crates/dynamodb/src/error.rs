//! What the SDK's errors mean to us: try again, another call was faster, or a bug.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use countersign_app::ports::{CommitError, StoreError};
use std::error::Error;

/// Codes of answers that say nothing about the request, only about the moment.
const TRANSIENT: &[&str] = &[
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "InternalServerError",
    "InternalFailure",
    "ServiceUnavailable",
    "TransactionInProgressException",
    "IdempotentParameterMismatchException",
    "TransactionConflictException",
];

/// A call that cannot be put together.
pub(crate) fn invalid(error: BuildError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// Sorts an error of any call but a transaction. The message names the code alone: the database's
/// own words may quote values of the request.
pub(crate) fn store_error<E>(error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match &error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an error without a code").to_owned();
            // A 5xx says nothing about whether the work was done: a proxy may have answered it.
            let is_server_fault = service.raw().status().is_server_error();
            if is_server_fault || TRANSIENT.contains(&code.as_str()) {
                StoreError::Unavailable(code)
            } else {
                StoreError::Corrupt(format!("the database answered {code}"))
            }
        }
        SdkError::TimeoutError(_) => {
            StoreError::Unavailable("the database did not answer in time".to_owned())
        }
        SdkError::DispatchFailure(_) => StoreError::Unavailable("the database cannot be reached".to_owned()),
        SdkError::ResponseError(_) => StoreError::Unavailable("the database's answer was cut off".to_owned()),
        SdkError::ConstructionFailure(_) | _ => {
            StoreError::Corrupt("the call to the database could not be built".to_owned())
        }
    }
}

/// Sorts an error of a transaction by the reasons of its actions.
pub(crate) fn commit_error(error: SdkError<TransactWriteItemsError, HttpResponse>) -> CommitError {
    match error.as_service_error().and_then(cancelled) {
        Some(error) => error,
        None => store_error(error).into(),
    }
}

/// What it means that a transaction was cancelled; `None` if it was not.
pub(crate) fn cancelled(error: &TransactWriteItemsError) -> Option<CommitError> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { return None };
    let codes: Vec<&str> =
        cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    let has = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(code));
    if has(&["ValidationError", "ItemCollectionSizeLimitExceeded"]) {
        return Some(StoreError::Corrupt(format!("transaction cancelled: {}", codes.join(", "))).into());
    }
    if has(&["ThrottlingError", "ProvisionedThroughputExceeded"]) {
        return Some(StoreError::Unavailable("throttled".to_owned()).into());
    }
    Some(CommitError::Conflict)
}

/// Of a transaction that was cancelled, for each of its actions whether its condition does not hold. Nothing if it was not.
pub(crate) fn refused_actions(error: &TransactWriteItemsError) -> Vec<bool> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { return Vec::new() };
    let is_refused = |code: Option<&str>| code == Some("ConditionalCheckFailed");
    cancelled.cancellation_reasons().iter().map(|reason| is_refused(reason.code())).collect()
}

/// An item that should be there in this shape and is not.
pub(crate) fn unreadable(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("{what} cannot be read: {error}"))
}
