//! Addresses that people give: what the text of one may be.
//!
//! One text must mean one host to each program that reads it, so that no other spelling of a host is taken than the one
//! that the URL standard (<https://url.spec.whatwg.org/#host-parsing>) would write. Resolves no name: what a name leads to
//! is checked at each connection ([`crate::resolver`]).

use crate::networks::ForbiddenAddress;
use crate::rules::{EgressRules, HTTPS_PORT, check_ip};
use http::Uri;
use std::fmt;
use std::net::IpAddr;
use url::{Host, Url};

/// The longest address, in bytes.
pub const MAX_BYTES: usize = 2048;
/// The longest name of a host, in bytes (RFC 1035 section 2.3.4, without the length of the root).
const MAX_NAME_BYTES: usize = 253;
/// The longest label of a name, in bytes (the same section).
const MAX_LABEL_BYTES: usize = 63;
/// Names that no public DNS has: RFC 6761, RFC 6762, RFC 8375, and `internal` by resolution of ICANN of 2024-07-29.
const INTERNAL_NAMES: [&str; 4] = ["home.arpa", "internal", LOCALHOST, "local"];
/// This machine (RFC 6761 section 6.3).
const LOCALHOST: &str = "localhost";
const SCHEME: &str = "https://";

/// An address that may be called: https to a public host, or to one that the rules allow.
///
/// Its path and query may be a secret, and often are: neither `Debug` nor `Display` shows them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    url: String,
    uri: Uri,
    host: String,
    ip: Option<IpAddr>,
    port: u16,
}

/// Which rule the text of an address breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Longer than [`MAX_BYTES`].
    #[error("must be at most {MAX_BYTES} bytes")]
    TooLong,
    /// White space, a control character, a backslash, or what is not ASCII.
    #[error(
        "must be visible ASCII characters and no backslash: write others percent-encoded, and in the name of a host as xn--"
    )]
    Character,
    /// Another scheme than https.
    #[error("must begin with https://")]
    Scheme,
    /// A user name or password, which would be sent to the host and can hide it.
    #[error("must not have a user name or password in it")]
    UserInformation,
    /// A fragment, which is never sent.
    #[error("must not have a fragment, which begins with #")]
    Fragment,
    /// No host.
    #[error("must have a host after https://")]
    NoHost,
    /// An underscore, at which programs do not agree where a host ends.
    #[error("must not have an underscore in the name of its host")]
    Underscore,
    /// An IP address in another form than its usual one.
    #[error(
        "must write an IP address in its usual form: four decimal numbers for IPv4, the short form of RFC 5952 in brackets for IPv6"
    )]
    IpSpelling,
    /// A host that the URL standard would write otherwise.
    #[error("must write the name of its host as it is in DNS, with nothing encoded")]
    HostSpelling,
    /// What is no name in DNS.
    #[error(
        "must have a host of letters, digits and hyphens in parts between dots, without a dot at its end"
    )]
    HostName,
    /// A name that only an internal network has.
    #[error("must have a host with a public name, unless the operator opens internal networks")]
    InternalName,
    /// An IP address that may not be called.
    #[error("must have a host with a public address, not {0}")]
    Forbidden(ForbiddenAddress),
    /// A port in another form than a plain decimal number.
    #[error("must write its port as a decimal number without leading zeros, or leave it and its colon out")]
    PortSpelling,
    /// A port that is not allowed.
    #[error("must have port 443, or one that the operator allows")]
    Port,
    /// What is no URL for another reason.
    #[error("must be a URL")]
    NotAUrl,
}

impl Address {
    /// Reads an address, which must be as it would be called: nothing in it is corrected but the path, of which dots are
    /// resolved and characters are encoded that a URL does not have.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str, rules: &EgressRules) -> Result<Self, InvalidAddress> {
        if text.len() > MAX_BYTES {
            return Err(InvalidAddress::TooLong);
        }
        // The URL standard passes over tabs, takes a backslash for a slash and maps letters of other scripts to ASCII.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(InvalidAddress::Character);
        }
        let (scheme, rest) = text.split_at_checked(SCHEME.len()).ok_or(InvalidAddress::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(InvalidAddress::Scheme);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(InvalidAddress::UserInformation);
        }
        if text.contains('#') {
            return Err(InvalidAddress::Fragment);
        }
        let (written_host, written_port) = parts(authority);
        if written_host.is_empty() {
            return Err(InvalidAddress::NoHost);
        }
        if written_host.contains('_') {
            return Err(InvalidAddress::Underscore);
        }
        if written_host.contains('%') {
            return Err(InvalidAddress::HostSpelling);
        }
        let url = Url::parse(text).map_err(|_| not_read(written_host))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let is_as_written = written_host.eq_ignore_ascii_case(&host);
        let ip = match url.host().ok_or(InvalidAddress::NoHost)? {
            Host::Domain(_) if !is_as_written => return Err(InvalidAddress::HostSpelling),
            Host::Ipv4(_) | Host::Ipv6(_) if !is_as_written => return Err(InvalidAddress::IpSpelling),
            Host::Domain(name) => {
                check_name(name, rules)?;
                None
            }
            Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        };
        if let Some(ip) = ip {
            check_ip(ip, rules).map_err(InvalidAddress::Forbidden)?;
        }
        let port = url.port().unwrap_or(HTTPS_PORT);
        if written_port.is_some_and(|written| written != port.to_string()) {
            return Err(InvalidAddress::PortSpelling);
        }
        if !rules.allows_port(port) {
            return Err(InvalidAddress::Port);
        }
        let url = String::from(url);
        if url.len() > MAX_BYTES {
            return Err(InvalidAddress::TooLong);
        }
        // What the client connects by is read by another program: it must find the same host and port.
        let uri: Uri = url.parse().map_err(|_| InvalidAddress::NotAUrl)?;
        if uri.host() != Some(&host) || uri.port_u16().unwrap_or(HTTPS_PORT) != port {
            return Err(InvalidAddress::NotAUrl);
        }
        Ok(Self { url, uri, host, ip, port })
    }

    /// The whole address, with what may be a secret: for the store, never for a log.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The host in lower case, for logs; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The IP address, if the host is one and not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
}

/// The host and the port of an authority without user information, as they are written.
fn parts(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // The colon is within an IPv6 address.
        Some((_, last)) if last.contains(']') => (authority, None),
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

/// Why the URL standard finds no host in this one: what ends in a number or is in brackets should be an IP address.
fn not_read(written_host: &str) -> InvalidAddress {
    let last = written_host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|c: char| c.is_ascii_digit());
    if is_number || written_host.starts_with('[') {
        InvalidAddress::IpSpelling
    } else {
        InvalidAddress::NotAUrl
    }
}

fn check_name(name: &str, rules: &EgressRules) -> Result<(), InvalidAddress> {
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > MAX_NAME_BYTES || !name.split('.').all(is_label) {
        return Err(InvalidAddress::HostName);
    }
    let is_below = |top: &str| {
        let rest = name.strip_suffix(top);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_internal = !name.contains('.') || INTERNAL_NAMES.into_iter().any(is_below);
    let is_opened = if is_below(LOCALHOST) { rules.opens_loopback() } else { rules.opens_networks() };
    if is_internal && !is_opened { Err(InvalidAddress::InternalName) } else { Ok(()) }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.host)?;
        if self.port == HTTPS_PORT { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self}/...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, InvalidAddress> {
        Address::parse(text, &EgressRules::default()).map(|address| address.as_str().to_owned())
    }

    #[test]
    fn public_addresses_are_taken_as_they_are() {
        for text in [
            "https://example.com/",
            "https://hooks.slack.com/services/T0/B0/x?y=z&a=%20",
            "https://xn--bcher-kva.example/hook",
            "https://a-b.c1.example/a_b/@c/d:e",
            "https://93.184.216.34/hook",
            "https://[2606:2800:220:1:248:1893:25c8:1946]/hook",
            "https://prod-01.westeurope.logic.azure.com/workflows/1/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers",
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn letters_of_the_host_and_the_port_of_https_do_not_matter() {
        assert_eq!(parsed("HTTPS://EXAMPLE.Com:443").as_deref(), Ok("https://example.com/"));
        assert_eq!(parsed("https://example.com?a").as_deref(), Ok("https://example.com/?a"));
        assert_eq!(
            parsed("https://example.com/a/../b\"{|}^`").as_deref(),
            Ok("https://example.com/b%22%7B|%7D^%60")
        );
    }

    #[test]
    fn the_limits_are_2048_bytes_of_which_a_name_has_253_and_a_label_63() {
        let prefix = "https://example.com/";
        let longest = format!("{prefix}{}", "a".repeat(MAX_BYTES - prefix.len()));
        assert!(parsed(&longest).is_ok());
        assert_eq!(parsed(&format!("{longest}a")), Err(InvalidAddress::TooLong));
        // Encoded, each quotation mark is three bytes.
        assert_eq!(parsed(&longest.replacen("aaa", "\"\"\"", 1)), Err(InvalidAddress::TooLong));
        let label = "a".repeat(MAX_LABEL_BYTES);
        assert!(parsed(&format!("https://{label}.example/")).is_ok());
        assert_eq!(parsed(&format!("https://{label}a.example/")), Err(InvalidAddress::HostName));
        let name = [label.as_str(); 3].join(".");
        // 63 * 3 + 2 bytes, a dot, and the rest of 253.
        let (fits, too_long) = ("a".repeat(61), "a".repeat(62));
        assert!(parsed(&format!("https://{name}.{fits}/")).is_ok());
        assert_eq!(parsed(&format!("https://{name}.{too_long}/")), Err(InvalidAddress::HostName));
    }

    #[test]
    fn what_is_printed_holds_no_path_and_no_query() {
        let rules = EgressRules::parse(["8443"], ["10.0.0.0/8"]).unwrap();
        let address = Address::parse("https://Hooks.Example:8443/SECRET?token=SECRET", &rules).unwrap();
        assert_eq!(address.to_string(), "https://hooks.example:8443");
        assert_eq!(format!("{address:?} {address:#?}").matches("SECRET").count(), 0);
        assert_eq!((address.host(), address.port(), address.ip()), ("hooks.example", 8443, None));
        assert!(address.as_str().ends_with("/SECRET?token=SECRET"));
        let address = Address::parse("https://10.1.2.3/", &rules).unwrap();
        assert_eq!(
            (address.to_string().as_str(), address.ip()),
            ("https://10.1.2.3", "10.1.2.3".parse().ok())
        );
    }

    #[test]
    fn internal_names_are_taken_once_internal_networks_are_open() {
        let private = EgressRules::parse(["443"], ["10.0.0.0/8"]).unwrap();
        for host in ["intranet", "hooks.internal", "printer.local", "nas.home.arpa", "internal"] {
            let text = format!("https://{host}/");
            assert_eq!(parsed(&text), Err(InvalidAddress::InternalName));
            assert!(Address::parse(&text, &private).is_ok(), "{text}");
        }
        let loopback = EgressRules::parse(["443"], ["127.0.0.0/8"]).unwrap();
        for host in ["localhost", "a.localhost", "LOCALHOST"] {
            let text = format!("https://{host}/");
            assert_eq!(Address::parse(&text, &private), Err(InvalidAddress::InternalName));
            assert!(Address::parse(&text, &loopback).is_ok(), "{text}");
        }
        assert!(parsed("https://mylocalhost.example/").is_ok() && parsed("https://notlocal.com/").is_ok());
    }
}
