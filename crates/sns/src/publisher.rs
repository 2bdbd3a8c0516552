//! Publishing to an SNS topic.

use crate::message::{self, Message};
use aws_sdk_sns::Client;
use aws_sdk_sns::config::http::HttpResponse;
use aws_sdk_sns::error::{BuildError, ProvideErrorMetadata as _, SdkError};
use aws_sdk_sns::operation::publish::PublishError as SnsError;
use aws_sdk_sns::types::MessageAttributeValue;
use aws_types::SdkConfig;
use countersign_app::ports::{Publish, PublishError};
use countersign_core::cloud_event::CloudEvent;

/// The codes of answers that are about the message: something in it breaks a rule of `Publish`
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors>).
///
/// Any other answer is about the topic, its key, its policy or the credentials, and every message would get the same.
const REFUSALS: &[&str] = &["InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"];

/// What SNS names in place of a parameter of the message, when the topic's own name is wrong.
const NOT_THE_MESSAGE: &str = "TopicArn";

/// Publishes to one topic.
#[derive(Debug, Clone)]
pub struct SnsPublisher {
    client: Client,
    topic_arn: String,
    dashboard_url: Option<String>,
}

impl SnsPublisher {
    /// A publisher to a topic. Messages link to the dashboard, if there is one.
    pub fn new(client: Client, topic_arn: String, dashboard_url: Option<String>) -> Self {
        Self { client, topic_arn, dashboard_url }
    }

    /// The same, with a client of its own.
    pub fn connect(aws: &SdkConfig, topic_arn: String, dashboard_url: Option<String>) -> Self {
        Self::new(Client::new(aws), topic_arn, dashboard_url)
    }
}

impl Publish for SnsPublisher {
    async fn publish(&self, event: &CloudEvent) -> Result<(), PublishError> {
        let Message { subject, document, attributes } =
            message::message(event, self.dashboard_url.as_deref());
        let mut publication = self
            .client
            .publish()
            .topic_arn(&self.topic_arn)
            .subject(subject)
            .message_structure("json")
            .message(document);
        for (name, value) in attributes {
            publication = publication.message_attributes(name, attribute(value).map_err(unbuildable)?);
        }
        publication.send().await.map(|_| ()).map_err(|error| publish_error(&error))
    }
}

fn attribute(value: String) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder().data_type("String").string_value(value).build()
}

fn unbuildable(error: BuildError) -> PublishError {
    PublishError::Refused(error.to_string())
}

/// The text has the code alone: SNS's own words may quote the message.
fn publish_error(error: &SdkError<SnsError, HttpResponse>) -> PublishError {
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an error without a code");
            let text = format!("the topic answered {code}");
            let is_about_the_topic =
                service.err().message().is_some_and(|message| message.contains(NOT_THE_MESSAGE));
            if REFUSALS.contains(&code) && !is_about_the_topic {
                PublishError::Refused(text)
            } else {
                PublishError::Unreachable(text)
            }
        }
        SdkError::TimeoutError(_) => PublishError::Unreachable("the topic did not answer in time".to_owned()),
        SdkError::DispatchFailure(_) => PublishError::Unreachable("the topic cannot be reached".to_owned()),
        SdkError::ResponseError(_) => PublishError::Unreachable("the topic's answer was cut off".to_owned()),
        _ => PublishError::Refused("the call to the topic could not be built".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sns::error::ErrorMetadata;
    use aws_smithy_types::body::SdkBody;

    fn answer(status: u16, code: &str, message: &str) -> PublishError {
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        publish_error(&SdkError::service_error(SnsError::generic(metadata), response))
    }

    /// Every error that the reference of `Publish` lists, and one that it does not.
    #[test]
    fn only_an_answer_about_the_message_counts_towards_a_dead_letter() {
        for (status, code, message, counts) in [
            (400, "InvalidParameter", "Invalid parameter: Message too long", true),
            (400, "ParameterValueInvalid", "The message attribute has an invalid value", true),
            (400, "InvalidParameterValue", "", true),
            (400, "InvalidParameter", "Invalid parameter: TopicArn Reason: no such region", false),
            (403, "AuthorizationError", "not authorized to perform: SNS:Publish", false),
            (403, "InvalidSecurity", "", false),
            (404, "NotFound", "Topic does not exist", false),
            (400, "EndpointDisabled", "", false),
            (400, "PlatformApplicationDisabled", "", false),
            (400, "KMSAccessDenied", "", false),
            (400, "KMSDisabled", "", false),
            (400, "KMSInvalidState", "", false),
            (400, "KMSNotFound", "", false),
            (403, "KMSOptInRequired", "", false),
            (400, "KMSThrottling", "", false),
            (400, "Throttled", "", false),
            (403, "ExpiredToken", "", false),
            (400, "ValidationException", "", false),
            (500, "InternalError", "", false),
        ] {
            let error = answer(status, code, message);
            assert_eq!(matches!(error, PublishError::Refused(_)), counts, "{code}: {message}");
            assert_eq!(error.to_string(), format!("the topic answered {code}"));
        }
    }
}
