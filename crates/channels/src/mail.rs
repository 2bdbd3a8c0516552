//! The e-mail of a message, to one recipient.

use countersign_chat::summary::Summary;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass};
use countersign_mail::address::{MailAddress, Sender};
use countersign_mail::mail::Mail;

/// The mail to an address.
pub(crate) fn mail(
    from: &str,
    address: Option<&str>,
    summary: &Summary,
    made_at: Timestamp,
) -> Result<Mail, Failure> {
    let unusable =
        |detail: String| Failure { class: FailureClass::Unusable, status: None, retry_after: None, detail };
    let from = MailAddress::parse(from).map_err(|error| unusable(format!("`from` {error}")))?;
    let sender = Sender::new(Some("Countersign"), from).map_err(|error| unusable(error.to_string()))?;
    let address = address.ok_or_else(|| unusable("the message names no address".to_owned()))?;
    let recipient = MailAddress::parse(address).map_err(|error| unusable(format!("the address {error}")))?;
    Mail::of(&sender, &recipient, summary, made_at).map_err(|error| unusable(error.to_string()))
}
