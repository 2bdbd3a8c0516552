//! An e-mail: its headers, and the MIME bytes (RFC 5322, RFC 2045).

use crate::address::{MailAddress, Sender};
use crate::body;
use countersign_chat::cut;
use countersign_chat::summary::Summary;
use countersign_core::digest::Digest;
use countersign_core::timestamp::Timestamp;
use lettre::Message;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, Headers, Subject,
};
use lettre::message::{Body, MultiPart, SinglePart};
use std::time::{Duration, SystemTime};

/// The longest subject as it is transmitted, in characters.
pub const MAX_SUBJECT: usize = 78;
/// The digits of a message id before the `@`: 128 bits of a digest.
const ID_DIGITS: usize = 32;

/// The mail could not be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the e-mail cannot be made: {0}")]
pub struct Unmade(String);

/// An e-mail to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Whom the transport is told it is from.
    pub envelope_from: MailAddress,
    /// To whom it is, and nobody else.
    pub recipient: MailAddress,
    /// Its `Message-ID`, in angle brackets: the same in retries.
    pub message_id: String,
    /// All of it, with lines that end in CR LF.
    pub bytes: Vec<u8>,
}

impl Mail {
    /// The mail about a message. `date` is when the delivery was made, not when this attempt is: then a retry has the same
    /// bytes, and a receiver that has the first one drops it.
    ///
    /// # Errors
    /// A header that cannot be written, which no value of these types leads to.
    pub fn of(
        sender: &Sender,
        recipient: &MailAddress,
        summary: &Summary,
        date: Timestamp,
    ) -> Result<Self, Unmade> {
        let event_id = summary.event_id.to_string();
        let domain = sender.address().domain();
        let message_id = id("countersign.mail.v1", &event_id, recipient, domain);
        let mut message = Message::builder()
            .from(sender.mailbox())
            .to(recipient.mailbox())
            .date(system_time(date))
            .message_id(Some(message_id.clone()))
            .subject(subject(&summary.title()));
        if let Some(request_id) = summary.request_id {
            // No mail has this id: whichever of a request's mails arrives first, all are answers to the same.
            let root = id("countersign.mail.thread.v1", &request_id.to_string(), recipient, domain);
            message = message.in_reply_to(root.clone()).references(root);
        }
        for (name, value) in [
            // RFC 3834: answering machines keep silent.
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("X-Auto-Response-Suppress", "All".to_owned()),
            // RFC 2919: what filters of mail go by.
            ("List-Id", format!("<countersign.{domain}>")),
        ] {
            let name =
                HeaderName::new_from_ascii(name.to_owned()).map_err(|error| Unmade(error.to_string()))?;
            message = message.raw_header(HeaderValue::new(name, value));
        }
        let parts = MultiPart::alternative()
            .boundary(boundary(&event_id, recipient))
            .singlepart(part(ContentType::TEXT_PLAIN, body::plain(summary))?)
            .singlepart(part(ContentType::TEXT_HTML, body::html(summary))?);
        let message = message.multipart(parts).map_err(|error| Unmade(error.to_string()))?;
        Ok(Self {
            envelope_from: sender.address().clone(),
            recipient: recipient.clone(),
            message_id,
            bytes: message.formatted(),
        })
    }
}

/// Quoted-printable whatever the text: lines are short, all of it is ASCII, and [`boundary`] relies on it.
fn part(content_type: ContentType, text: String) -> Result<SinglePart, Unmade> {
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| Unmade("a body is not text".to_owned()))?;
    Ok(SinglePart::builder().header(content_type).body(body))
}

/// Parts the bodies. `=_` never occurs in quoted-printable (RFC 2045 section 6.7), so no text can hold a boundary, not even one
/// that knows it.
fn boundary(event_id: &str, recipient: &MailAddress) -> String {
    format!("=_{}", digits("countersign.mail.boundary.v1", event_id, recipient))
}

/// A message id from which the recipient cannot be read.
fn id(purpose: &str, what: &str, recipient: &MailAddress, domain: &str) -> String {
    format!("<{}@{domain}>", digits(purpose, what, recipient))
}

fn digits(purpose: &str, what: &str, recipient: &MailAddress) -> String {
    Digest::of(format!("{purpose}:{what}:{recipient}")).to_string().chars().take(ID_DIGITS).collect()
}

/// A subject that is short enough as it is transmitted, and that nothing in it decodes to something else.
fn subject(title: &str) -> String {
    // RFC 2047: encoded words begin so.
    let title = title.replace("=?", "= ?");
    let subjects = (1..=MAX_SUBJECT).rev().map(|limit| cut::line(&title, limit, cut::characters));
    let mut last = String::new();
    for subject in subjects {
        if transmitted_length(&subject) <= MAX_SUBJECT {
            return subject;
        }
        last = subject;
    }
    last
}

/// The length of a subject with encoded words and without line breaks.
fn transmitted_length(subject: &str) -> usize {
    let mut headers = Headers::new();
    headers.set(Subject::from(subject.to_owned()));
    let header = headers.to_string();
    header.trim_end().trim_start_matches("Subject:").trim_start().replace("\r\n", "").chars().count()
}

fn system_time(time: Timestamp) -> SystemTime {
    let millisecond = u64::try_from(time.as_millisecond()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(millisecond)
}
