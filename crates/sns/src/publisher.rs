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

/// Codes of answers that say nothing about the message, only about the moment.
const TRANSIENT: &[&str] = &["Throttled", "ThrottledException", "Throttling", "KMSThrottling"];

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

/// Only the code is told: SNS's own words may quote the message.
fn publish_error(error: &SdkError<SnsError, HttpResponse>) -> PublishError {
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an error without a code");
            let text = format!("the topic answered {code}");
            if service.raw().status().is_server_error() || TRANSIENT.contains(&code) {
                PublishError::Unreachable(text)
            } else {
                PublishError::Refused(text)
            }
        }
        SdkError::TimeoutError(_) => PublishError::Unreachable("the topic did not answer in time".to_owned()),
        SdkError::DispatchFailure(_) => PublishError::Unreachable("the topic cannot be reached".to_owned()),
        SdkError::ResponseError(_) => PublishError::Unreachable("the topic's answer was cut off".to_owned()),
        _ => PublishError::Refused("the call to the topic could not be built".to_owned()),
    }
}
