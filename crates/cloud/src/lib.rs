//! Sending to destinations through AWS, for functions: topics of SNS, buses of `EventBridge`, e-mail by SES version 2.
//!
//! Refuses to know who is told and what a message says; knows what the answers mean.
#![warn(missing_docs)]

mod event_bridge;
mod failure;
mod ses;

use aws_types::SdkConfig;
use countersign_app::host::BoxFuture;
use countersign_app::ports::{Publish as _, PublishError};
use countersign_channels::cloud::{Cloud, CloudMessage};
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_sns::publisher::SnsPublisher;

/// What sends through AWS. The clients are made once.
#[derive(Debug, Clone)]
pub struct AwsCloud {
    sns: aws_sdk_sns::Client,
    event_bridge: aws_sdk_eventbridge::Client,
    ses: aws_sdk_sesv2::Client,
}

impl AwsCloud {
    /// One with clients of its own.
    pub fn connect(aws: &SdkConfig) -> Self {
        Self {
            sns: aws_sdk_sns::Client::new(aws),
            event_bridge: aws_sdk_eventbridge::Client::new(aws),
            ses: aws_sdk_sesv2::Client::new(aws),
        }
    }

    async fn to_topic(&self, topic_arn: &str, event: &countersign_core::cloud_event::CloudEvent) -> Outcome {
        // The event has its link already.
        let publisher = SnsPublisher::new(self.sns.clone(), topic_arn.to_owned(), None);
        let (class, detail) = match publisher.publish(event).await {
            Ok(()) => return Outcome::Delivered { status: None, reference: None },
            Err(PublishError::Refused(detail)) => (FailureClass::Refused, detail),
            Err(PublishError::Unreachable(detail)) => (FailureClass::Connection, detail),
        };
        Outcome::Failed(Failure { class, status: None, retry_after: None, detail })
    }
}

impl Cloud for AwsCloud {
    fn send<'a>(&'a self, message: CloudMessage<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match message {
                CloudMessage::Topic { topic_arn, event } => self.to_topic(topic_arn, event).await,
                CloudMessage::Bus { bus, event } => event_bridge::put(&self.event_bridge, bus, event).await,
                CloudMessage::Mail(mail) => ses::send(&self.ses, mail).await,
            }
        })
    }
}
