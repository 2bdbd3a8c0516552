//! What is kept of an answer.

use countersign_core::timestamp::Timestamp;
use http::header::{HeaderMap, RETRY_AFTER};
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// How much of the body of an answer is read, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// The longest wait that an answer can ask for: an endpoint that takes nothing for so long is disabled anyway.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// The answer to a call. A redirect is an answer as any other: its target is not read.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, of three digits.
    pub status: u16,
    /// How long the other side asks to wait, from the time that was given for now (`Retry-After`, RFC 9110 section 10.2.3);
    /// at most [`MAX_RETRY_AFTER`].
    pub retry_after: Option<Duration>,
    /// The beginning of the body, at most [`MAX_BODY_BYTES`].
    pub body: Vec<u8>,
}

/// The wait that headers ask for. What is no number of seconds and no date of HTTP asks for none; a date that has passed
/// asks for no wait.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim_matches([' ', '\t']);
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are more seconds than anything else.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        let now = Duration::from_millis(u64::try_from(now.as_millisecond()).ok()?);
        date.duration_since(UNIX_EPOCH).ok()?.saturating_sub(now)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("retry_after", &self.retry_after)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn wait(text: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(text.as_bytes()).unwrap());
        let now = Timestamp::parse("1994-11-06T08:49:00Z").unwrap();
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_seconds() {
        let most = MAX_RETRY_AFTER.as_secs();
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("0120", Some(120)),
            ("432000", Some(most)),
            ("432001", Some(most)),
            ("99999999999999999999999999", Some(most)),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("1 2", None),
            ("\u{661}", None),
        ] {
            assert_eq!(wait(text), expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), Timestamp::EARLIEST), None);
    }

    /// The three forms of RFC 9110 section 5.6.7, with its own example.
    #[test]
    fn retry_after_is_a_date_in_any_form_of_http() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(wait(text), Some(37), "{text}");
        }
        assert_eq!(wait("Sun, 06 Nov 1994 08:48:00 GMT"), Some(0));
        assert_eq!(wait("Tue, 31 Dec 2199 23:59:59 GMT"), Some(MAX_RETRY_AFTER.as_secs()));
        assert_eq!(wait("1994-11-06T08:49:37Z"), None);
    }

    #[test]
    fn what_is_printed_holds_no_body() {
        let answer = Answer { status: 200, retry_after: None, body: b"SECRET".to_vec() };
        assert_eq!(format!("{answer:?}"), "Answer { status: 200, retry_after: None, body: 6 bytes }");
    }
}
