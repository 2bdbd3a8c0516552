//! Who waits for a request on AWS, resumed: tasks of Step Functions by their tokens, callbacks of Lambda's durable
//! functions by their ids.
//!
//! What they get to know is made by the core. Of an answer only its code is repeated: AWS's own words may quote the token.
#![warn(missing_docs)]

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::ErrorObject;
use aws_types::SdkConfig;
use countersign_app::continuations::{Released, Resume, ResumeError};
use countersign_core::continuation::Handle;

/// The codes of answers that say that nobody waits by this token: it was used, has timed out, or is none
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html#API_SendTaskSuccess_Errors>).
const TASK_IS_GONE: &[&str] = &["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"];
/// The same of a callback
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html>).
const CALLBACK_IS_GONE: &[&str] = &["CallbackTimeoutException", "InvalidParameterValueException"];

/// The error that those learn of who do not go on.
const NOT_APPROVED: &str = "Countersign.NotApproved";
/// The same, when it was approved, and its execution has failed.
const NOT_EXECUTED: &str = "Countersign.ExecutionFailed";

/// Resumes those who wait on AWS.
#[derive(Debug, Clone)]
pub struct AwsResumer {
    tasks: aws_sdk_sfn::Client,
    callbacks: aws_sdk_lambda::Client,
}

impl AwsResumer {
    /// By clients of its own.
    pub fn connect(aws: &SdkConfig) -> Self {
        Self { tasks: aws_sdk_sfn::Client::new(aws), callbacks: aws_sdk_lambda::Client::new(aws) }
    }
}

impl Resume for AwsResumer {
    async fn resume(&self, released: &Released) -> Result<(), ResumeError> {
        let outcome = released.outcome.to_json();
        let error = if released.outcome.execution_state.is_some() { NOT_EXECUTED } else { NOT_APPROVED };
        match (&released.handle, released.goes_on) {
            (Handle::TaskToken(token), true) => {
                let sent = self.tasks.send_task_success().task_token(token).output(outcome).send().await;
                sent.map(drop).map_err(|error| unsent(&error, TASK_IS_GONE))
            }
            (Handle::TaskToken(token), false) => {
                let failure = self.tasks.send_task_failure().task_token(token).error(error).cause(outcome);
                failure.send().await.map(drop).map_err(|error| unsent(&error, TASK_IS_GONE))
            }
            (Handle::CallbackId(id), true) => {
                let success = self.callbacks.send_durable_execution_callback_success().callback_id(id);
                let sent = success.result(Blob::new(outcome)).send().await;
                sent.map(drop).map_err(|error| unsent(&error, CALLBACK_IS_GONE))
            }
            (Handle::CallbackId(id), false) => {
                let message = format!("the request is {}", released.outcome.status);
                let error =
                    ErrorObject::builder().error_type(error).error_message(message).error_data(outcome);
                let failure = self.callbacks.send_durable_execution_callback_failure().callback_id(id);
                let sent = failure.error(error.build()).send().await;
                sent.map(drop).map_err(|error| unsent(&error, CALLBACK_IS_GONE))
            }
        }
    }
}

fn unsent<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, gone: &[&str]) -> ResumeError {
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an error without a code");
            let text = format!("AWS answered {code}");
            if gone.contains(&code) { ResumeError::Gone(text) } else { ResumeError::Unreached(text) }
        }
        SdkError::TimeoutError(_) => ResumeError::Unreached("AWS did not answer in time".to_owned()),
        SdkError::DispatchFailure(_) => ResumeError::Unreached("AWS cannot be reached".to_owned()),
        SdkError::ResponseError(_) => ResumeError::Unreached("the answer of AWS was cut off".to_owned()),
        _ => ResumeError::Unreached("the call to AWS could not be built".to_owned()),
    }
}
