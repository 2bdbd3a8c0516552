//! E-mail by SES version 2: the mail as it is.

use crate::failure::failed;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_mail::mail::Mail;

/// Sends one mail.
pub(crate) async fn send(client: &Client, mail: &Mail) -> Outcome {
    let raw = match RawMessage::builder().data(Blob::new(mail.bytes.clone())).build() {
        Ok(raw) => raw,
        Err(error) => {
            let (class, detail) = (FailureClass::Unusable, error.to_string());
            return Outcome::Failed(Failure { class, status: None, retry_after: None, detail });
        }
    };
    let sent = client
        .send_email()
        .from_email_address(mail.envelope_from.as_str())
        .destination(Destination::builder().to_addresses(mail.recipient.as_str()).build())
        .content(EmailContent::builder().raw(raw).build())
        .send()
        .await;
    match sent {
        Ok(answer) => {
            Outcome::Delivered { status: Some(200), reference: answer.message_id().map(str::to_owned) }
        }
        Err(error) => failed("SES", &error),
    }
}
