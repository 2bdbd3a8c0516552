//! URLs that a token, a key or a person is sent to: the one place for what such a URL may be, and, with the
//! feature `proxy`, for the proxies on the way there. Sends nothing itself.
#![warn(missing_docs)]

#[cfg(feature = "proxy")]
pub mod proxy;

use countersign_core::text::escaped_line;
use std::fmt;
use url::{Host, Url};

/// A URL whose host is known to be this machine or is reached over https, so that a stranger on the way
/// can neither read nor change what goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not a URL with a host.
    #[error("is no URL")]
    NotAUrl,
    /// Another scheme than https and http.
    #[error("must begin with https://, or http:// on this machine")]
    Scheme,
    /// Plain http to another machine.
    #[error("what is sent would travel in the clear; use https")]
    InTheClear,
    /// A user name or password, which would be printed and logged with the URL; in
    /// `http://127.0.0.1:80@example.com` it also hides the host.
    #[error("must not have a user name or password in it")]
    Credentials,
    /// A query or fragment, where something is appended.
    #[error("must be https://HOST or http://localhost, and no more than a path after it")]
    Query,
}

impl Endpoint {
    /// Reads a URL as the WHATWG standard has it: `http://127.1` is the address 127.0.0.1.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        // The standard passes over white space and takes a backslash for a slash; a person does not.
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(InvalidEndpoint::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| InvalidEndpoint::NotAUrl)?;
        let endpoint = match url.scheme() {
            "https" | "http" => Self(url),
            _ => return Err(InvalidEndpoint::Scheme),
        };
        let has_authority = text.split_once(':').is_some_and(|(_, rest)| rest.starts_with("//"));
        if !has_authority || !endpoint.0.has_host() {
            return Err(InvalidEndpoint::NotAUrl);
        }
        if !endpoint.0.username().is_empty() || endpoint.0.password().is_some() {
            return Err(InvalidEndpoint::Credentials);
        }
        if endpoint.0.scheme() == "http" && !endpoint.is_this_machine() {
            return Err(InvalidEndpoint::InTheClear);
        }
        Ok(endpoint)
    }

    /// Reads a URL that paths are appended to.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse_base(text: &str) -> Result<Self, InvalidEndpoint> {
        let endpoint = Self::parse(text)?;
        if endpoint.0.query().is_some() || endpoint.0.fragment().is_some() {
            return Err(InvalidEndpoint::Query);
        }
        Ok(endpoint)
    }

    /// The URL, in its normal form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL without a slash at its end.
    pub fn base(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Whether there is more than a host.
    pub fn has_path(&self) -> bool {
        self.0.path() != "/"
    }

    /// Whether the host is this machine, as far as it can be known without asking.
    pub fn is_this_machine(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
            Some(Host::Ipv6(address)) => {
                let canonical = address.to_canonical();
                canonical.is_loopback() || canonical.is_unspecified()
            }
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost")
            }
            None => false,
        }
    }

    /// Whether a document at this URL may name `other`. One that is elsewhere names no endpoint on this
    /// machine: what listens there would be taken for part of it.
    pub fn may_name(&self, other: &Self) -> bool {
        self.is_this_machine() || (!other.is_this_machine() && other.0.scheme() == "https")
    }
}

/// Where an issuer describes itself (OpenID Connect Discovery 1.0 section 4).
pub fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that should be a URL as it may be printed: escaped, and without what may be a secret: the user
/// name and password, the query and the fragment.
pub fn shown(text: &str) -> String {
    let (scheme, rest) = match text.split_once("//") {
        Some((scheme, rest)) => (format!("{scheme}//"), rest),
        None => (String::new(), text),
    };
    // A password may have characters in it that should have been encoded, so that the last `@` counts.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((_, host)) => ("***@", host),
        None => ("", rest),
    };
    let end = rest.find(['?', '#']).map_or(rest.len(), |at| at + 1);
    let hidden = if end < rest.len() { "***" } else { "" };
    escaped_line(&format!("{scheme}{user}{}{hidden}", rest.get(..end).unwrap_or_default()))
}

/// Lines of a file as they may be printed: URLs in quotation marks without what may be a secret.
pub fn without_passwords(line: &str) -> String {
    let masked: Vec<_> =
        line.split('"').map(|part| if part.contains("//") { shown(part) } else { part.to_owned() }).collect();
    masked.join("\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidEndpoint::{Credentials, InTheClear, NotAUrl, Query, Scheme};

    /// THREATS 53.
    #[test]
    fn threat_53_this_machine_differs_from_names_that_look_like_it() {
        for text in [
            "http://127.0.0.1:8080/keys",
            "http://127.1.2.3",
            "http://127.1",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://0.0.0.0:1/",
            "http://[::1]:1/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://localhost:8080",
            "HTTP://LOCALHOST/",
            "https://localhost.:8443/",
            "https://api.localhost/",
            "https://127.0.0.1:8443/",
            "https://１２７.0.0.1/",
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert!(endpoint.is_this_machine(), "{text}");
        }
        for text in [
            "https://localhost.example.com/",
            "https://127.0.0.1.example.com/",
            "https://mylocalhost/",
            "https://10.0.0.1/",
            "https://[::2]/",
            "https://example.com/?@127.0.0.1",
        ] {
            assert!(!Endpoint::parse(text).unwrap().is_this_machine(), "{text}");
        }
    }

    #[test]
    fn what_strangers_can_read_or_what_hides_the_host_is_refused() {
        for (text, rule) in [
            ("http://example.com/", InTheClear),
            ("http://127.0.0.1.example.com/", InTheClear),
            ("http://10.0.0.1", InTheClear),
            ("http://127.0.0.1@example.com/", Credentials),
            ("http://127.0.0.1:80@example.com/", Credentials),
            ("https://ann:secret@example.com/", Credentials),
            ("https://:secret@example.com/", Credentials),
            ("ftp://127.0.0.1/", Scheme),
            ("file:///etc/passwd", Scheme),
            ("", NotAUrl),
            ("example.com", NotAUrl),
            ("localhost:9000", Scheme),
            ("https://", NotAUrl),
            ("https:example.com", NotAUrl),
            ("https:/example.com", NotAUrl),
            ("https:\\\\example.com", NotAUrl),
            ("https://exa mple.com", NotAUrl),
            (" https://example.com", NotAUrl),
            ("https://example.com:99999", NotAUrl),
            ("https://exa\nmple.com", NotAUrl),
        ] {
            assert_eq!(Endpoint::parse(text), Err(rule), "{text}");
        }
        for text in ["https://example.com/?a=b", "https://example.com/#x", "https://example.com?"] {
            assert_eq!(Endpoint::parse_base(text), Err(Query), "{text}");
        }
        assert_eq!(
            Endpoint::parse_base("https://example.com/prod/").unwrap().base(),
            "https://example.com/prod"
        );
        assert_eq!(Endpoint::parse_base("http://127.0.0.1:9000").unwrap().base(), "http://127.0.0.1:9000");
    }

    #[test]
    fn a_document_from_elsewhere_names_nothing_on_this_machine() {
        let may =
            |from: &str, to: &str| Endpoint::parse(from).unwrap().may_name(&Endpoint::parse(to).unwrap());
        assert!(may("https://id.example.com", "https://keys.example.net/jwks"));
        assert!(may("http://127.0.0.1:1", "http://127.0.0.1:2/keys"));
        assert!(may("https://localhost:1", "https://id.example.com/keys"));
        for to in
            ["http://127.0.0.1/keys", "https://localhost/keys", "https://[::1]/keys", "https://127.1/keys"]
        {
            assert!(!may("https://id.example.com", to), "{to}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (text, expected) in [
            ("https://ann:secret@example.com/x", "https://***@example.com/x"),
            ("https://ann:sec/ret@example.com/x", "https://***@example.com/x"),
            ("https://ann:sec@ret@example.com", "https://***@example.com"),
            ("ann:secret@example.com", "***@example.com"),
            ("https://example.com/?token=secret", "https://example.com/?***"),
            ("https://example.com/#secret", "https://example.com/#***"),
            ("https://ann:sec?ret@example.com", "https://***@example.com"),
            ("https://example.com/x", "https://example.com/x"),
            ("https://example.com/\u{1b}[2J", "https://example.com/\\u{1b}[2J"),
        ] {
            assert_eq!(shown(text), expected);
        }
        let line = r#"url = "https://ann:secret@example.com/" # "mine""#;
        assert_eq!(without_passwords(line), r#"url = "https://***@example.com/" # "mine""#);
    }
}
