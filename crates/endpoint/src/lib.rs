//! URLs that a token, a key or a person is sent to: the one place for what such a URL may be, and for the
//! proxies on the way there. Sends nothing itself.
#![warn(missing_docs)]

use countersign_core::text::escaped_line;
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use ureq::{Proxy, ProxyProtocol};
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

    /// Whether an entry of `NO_PROXY` means this host: a name and what is below it, with or without a dot in front;
    /// an address, or a network of them; each with a port or without; `*` for everything.
    fn is_named_by(&self, exception: &str) -> bool {
        let host = match self.0.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_ascii_lowercase(),
            Some(Host::Ipv4(address)) => {
                return is_in(address.into(), exception, self.0.port_or_known_default());
            }
            Some(Host::Ipv6(address)) => {
                return is_in(address.into(), exception, self.0.port_or_known_default());
            }
            None => return false,
        };
        let (name, port) = match exception.rsplit_once(':') {
            Some((name, port)) => (name, port.parse::<u16>().ok()),
            None => (exception, None),
        };
        let is_port = port.is_none() || port == self.0.port_or_known_default();
        let name =
            name.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
        let below = host.strip_suffix(&name).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        exception == "*" || (is_port && !name.is_empty() && below)
    }

    /// The proxy of the environment on the way there. On the way to this machine there is none: a proxy would
    /// read the token that plain http carries, and could answer with keys of its own.
    ///
    /// # Errors
    /// When the environment names a proxy that cannot be used: the direct way may be one that was not meant.
    #[expect(clippy::disallowed_methods, reason = "the variables of proxies are those of every program")]
    pub fn proxy(&self) -> Result<Option<Proxy>, InvalidProxy> {
        if self.is_this_machine() {
            return Ok(None);
        }
        let set = |name: &'static str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some((variable, value)) = PROXIES.iter().find_map(|name| Some((*name, set(name)?))) else {
            return Ok(None);
        };
        let exceptions = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
        if exceptions.split([',', ' ']).any(|exception| self.is_named_by(exception)) {
            return Ok(None);
        }
        match Proxy::new(&value) {
            Ok(proxy) if is_usable(&proxy) => Ok(Some(proxy)),
            Ok(_) | Err(_) => Err(InvalidProxy { variable }),
        }
    }
}

/// Whether an address is the one that is named, with or without brackets and a port, or in the network.
fn is_in(address: IpAddr, exception: &str, port: Option<u16>) -> bool {
    let is_network = exception.parse::<IpNet>().is_ok_and(|network| network.contains(&address));
    let bare = exception.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<IpAddr>().is_ok_and(|named| named == address);
    let with_port = exception.parse::<SocketAddr>();
    let is_socket = with_port.is_ok_and(|named| named.ip() == address && Some(named.port()) == port);
    exception == "*" || is_network || is_address || is_socket
}

/// Whether a proxy speaks HTTP, at the port that is named: the library takes the usual one in place of one that
/// there cannot be.
fn is_usable(proxy: &Proxy) -> bool {
    let is_http = matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    let host = proxy.uri().authority().map_or("", |authority| authority.as_str());
    let port = host.rsplit(['@', ']']).next().and_then(|host| host.split_once(':'));
    is_http && port.is_none_or(|(_, port)| port.parse::<u16>().is_ok())
}

/// The variables that name a proxy for https, the first that is set first, as curl has it. Plain http is for this
/// machine alone.
const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// A variable of the environment does not name a proxy that can be used. Its value may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} is not the URL of an HTTP proxy (http:// or https://; SOCKS is not supported); correct it, or put \
     the host into NO_PROXY"
)]
pub struct InvalidProxy {
    variable: &'static str,
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
            assert!(endpoint.is_this_machine() && endpoint.proxy() == Ok(None), "{text}");
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
    fn an_exception_names_a_host_as_curl_has_it() {
        let is_named = |url: &str, exception: &str| Endpoint::parse(url).unwrap().is_named_by(exception);
        for (url, exception) in [
            ("https://cs.corp", "cs.corp"),
            ("https://CS.corp./", "cs.CORP"),
            ("https://cs.corp", "corp"),
            ("https://cs.corp", ".corp"),
            ("https://corp", ".corp"),
            ("https://cs.corp", "*.corp"),
            ("https://cs.corp", "cs.corp."),
            ("https://cs.corp:8443", "cs.corp:8443"),
            ("https://cs.corp", "cs.corp:443"),
            ("https://cs.corp", "*"),
            ("https://10.9.8.7", "10.0.0.0/8"),
            ("https://10.9.8.7", "10.9.8.7"),
            ("https://10.9.8.7:1", "10.9.8.7:1"),
            ("https://[2001:db8::1]", "2001:db8::1"),
            ("https://[2001:db8::1]", "[2001:db8::1]"),
            ("https://[2001:db8::1]", "2001:db8::/32"),
        ] {
            assert!(is_named(url, exception), "{url} {exception}");
        }
        for (url, exception) in [
            ("https://cs.corp", ""),
            ("https://cs.corp", "."),
            ("https://cs.corp", "s.corp"),
            ("https://cs.corp", "cs.corp:8443"),
            ("https://cs.corp.example", "cs.corp"),
            ("https://10.9.8.7", "10."),
            ("https://10.9.8.7", "11.0.0.0/8"),
            ("https://[2001:db8::1]", "2001:db8::2"),
        ] {
            assert!(!is_named(url, exception), "{url} {exception}");
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
