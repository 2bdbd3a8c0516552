//! A call as a value, and its answer. Addresses and headers may hold secrets, so neither is printed.

use countersign_delivery::outcome::{Failure, FailureClass};
use std::fmt;
use std::time::Duration;
use url::Url;

/// The content type of JSON.
pub(crate) const JSON: &str = "application/json; charset=utf-8";
/// The content type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// The longest word of an answer that is repeated to operators, in characters.
const MAX_WORD: usize = 64;

/// An address that is no web address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a web address that begins with https://, without user, password and fragment")]
pub struct InvalidAddress;

/// The address of a call. Its path may be all that a sender needs to know, so only its host is ever printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Checks that this is an address that a call can have. Which addresses may be called is decided by the sender of
    /// the call.
    ///
    /// # Errors
    /// No URL, another scheme than `https`, a user, a password or a fragment.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let url = Url::parse(text).map_err(|_| InvalidAddress)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.scheme() != "https" || url.host_str().is_none() || has_user || url.fragment().is_some() {
            return Err(InvalidAddress);
        }
        Ok(Self(url))
    }

    /// The host, in lower case, without the port.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// All of it, for the sender alone.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// The address of a method beneath this one. The name is one of ours.
    pub(crate) fn beneath(&self, method: &'static str) -> Self {
        let mut url = self.0.clone();
        let path = format!("{}/{method}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Self(url)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl(https://{}/...)", self.host())
    }
}

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the sender alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// A call to be sent with `POST`, which no redirect may turn elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// Where it goes.
    pub url: SecretUrl,
    /// Names in lower case, and values. `content-type` is among them, `content-length` and `host` are not.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("HttpCall")
            .field("url", &self.url)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl HttpCall {
    pub(crate) fn json(url: SecretUrl, document: &serde_json::Value) -> Self {
        Self {
            url,
            headers: vec![("content-type", Secret::new(JSON))],
            body: document.to_string().into_bytes(),
        }
    }
}

/// An answer, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The beginning of the body: 64 KiB are enough for all channels but the history of a Slack channel.
    pub body: &'a [u8],
    /// What `Retry-After` says.
    pub retry_after: Option<Duration>,
}

impl Answer<'_> {
    /// A failure of a class, with a text for operators.
    pub(crate) fn failure(&self, class: FailureClass, detail: impl Into<String>) -> Failure {
        Failure { class, status: Some(self.status), retry_after: self.retry_after, detail: detail.into() }
    }

    /// The failure that the status alone tells.
    pub(crate) fn failure_by_status(&self, channel: &str) -> Failure {
        self.failure(class_of(self.status), format!("{channel} answered {}", self.status))
    }

    /// The body as JSON, if it is that.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(self.body).ok()
    }
}

/// What a status means where nothing more is known.
pub(crate) fn class_of(status: u16) -> FailureClass {
    match status {
        401 | 403 => FailureClass::Credentials,
        404 | 410 => FailureClass::Gone,
        408 | 425 | 429 | 500..=599 => FailureClass::Overloaded,
        _ => FailureClass::Refused,
    }
}

/// A word of an answer that operators may see: an error code, never a sentence, which may repeat what people wrote.
pub(crate) fn word(text: &str) -> Option<&str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (!text.is_empty() && text.len() <= MAX_WORD && text.bytes().all(allowed)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_called() {
        for text in ["https://hooks.example.com/services/T/B/x", "https://hooks.example.com:8443/a?b=c"] {
            assert_eq!(SecretUrl::parse(text).unwrap().expose().as_str(), text);
        }
        for text in [
            "",
            "hooks.example.com",
            "http://hooks.example.com/",
            "https://ann@hooks.example.com/",
            "https://:pass@hooks.example.com/",
            "https://hooks.example.com/#a",
            "file:///etc/passwd",
            "data:text/plain,a",
        ] {
            assert_eq!(SecretUrl::parse(text), Err(InvalidAddress), "{text}");
        }
    }

    #[test]
    fn neither_path_nor_header_nor_body_is_printed() {
        let url = SecretUrl::parse("https://hooks.example.com:8443/s3cret?sig=s3cret").unwrap();
        let headers = vec![("authorization", Secret::new("Bearer s3cret"))];
        let printed = format!("{:?}", HttpCall { url, headers, body: b"s3cret".to_vec() });
        assert!(!printed.contains("s3cret"), "{printed}");
        assert!(printed.contains("hooks.example.com") && printed.contains("authorization"), "{printed}");
    }

    #[test]
    fn a_status_has_a_class() {
        for (status, class) in [
            (301, FailureClass::Refused),
            (400, FailureClass::Refused),
            (401, FailureClass::Credentials),
            (403, FailureClass::Credentials),
            (404, FailureClass::Gone),
            (410, FailureClass::Gone),
            (413, FailureClass::Refused),
            (429, FailureClass::Overloaded),
            (500, FailureClass::Overloaded),
            (503, FailureClass::Overloaded),
        ] {
            assert_eq!(class_of(status), class, "{status}");
        }
    }

    #[test]
    fn sentences_of_an_answer_are_not_repeated() {
        assert_eq!(word("no_service"), Some("no_service"));
        for text in ["", "no service", "a\nb", "<b>", "é", &"a".repeat(65)] {
            assert_eq!(word(text), None, "{text:?}");
        }
    }
}
