//! The headers that the owner of a webhook adds to its deliveries.

use crate::rule::{Broken, Rule, pointer_to};
use std::collections::BTreeMap;
use std::fmt;

/// The most headers.
pub const MAX_HEADERS: usize = 10;
/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// The longest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 1024;

/// Names that the owner of a webhook cannot set: the service sets them, or they belong to the connection (RFC 9110 section
/// 7.6.1) or to intermediaries.
const RESERVED: [&str; 15] = [
    "connection",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    // Services of metadata answer only those who send one of these: a second wall behind the check of addresses.
    "metadata",
    "metadata-flavor",
    "x-google-metadata-request",
];
/// The beginnings of such names.
const RESERVED_PREFIXES: [&str; 6] =
    ["content-", "proxy-", "sec-", "webhook-", "x-aws-ec2-metadata-", "x-forwarded-"];

/// Headers that the owner of a webhook adds, such as one with a token for a gateway in front of the endpoint. Names are in
/// lower case. `Debug` shows no value: they may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CustomHeaders(BTreeMap<String, String>);

impl CustomHeaders {
    /// Checks all of them.
    ///
    /// # Errors
    /// Each broken rule, at its header.
    pub fn new(headers: &BTreeMap<String, String>) -> Result<Self, Vec<Broken>> {
        let mut broken = Vec::new();
        if headers.len() > MAX_HEADERS {
            broken.push(Broken { pointer: "/headers".to_owned(), rule: Rule::TooMany { max: MAX_HEADERS } });
        }
        let mut checked = BTreeMap::new();
        for (name, value) in headers {
            let lower = name.to_ascii_lowercase();
            let rule = if !is_name(name) {
                Some(Rule::HeaderName)
            } else if is_reserved(&lower) {
                Some(Rule::ReservedHeader)
            } else if !is_value(value) {
                Some(Rule::HeaderValue)
            } else if checked.insert(lower, value.clone()).is_some() {
                Some(Rule::Duplicate)
            } else {
                None
            };
            broken.extend(rule.map(|rule| Broken { pointer: pointer_to("headers", name), rule }));
        }
        if broken.is_empty() { Ok(Self(checked)) } else { Err(broken) }
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names, which are no secrets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names with their values.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// A token of RFC 9110 section 5.6.2.
fn is_name(name: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(is_token)
}

/// A field value of RFC 9110 section 5.5, without the bytes above ASCII that it calls obsolete: neither empty nor with white
/// space at an end.
fn is_value(value: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_graphic() || b == b' ' || b == b'\t';
    let is_trimmed = value.trim_matches([' ', '\t']) == value;
    !value.is_empty() && value.len() <= MAX_VALUE_BYTES && is_trimmed && value.bytes().all(is_allowed)
}

fn is_reserved(lower: &str) -> bool {
    RESERVED.contains(&lower) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> Result<CustomHeaders, Vec<Broken>> {
        CustomHeaders::new(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    fn rule(name: &str, value: &str) -> Option<Rule> {
        let broken = check(name, value).err()?;
        assert_eq!(broken.len(), 1, "{broken:?}");
        Some(broken[0].rule.clone())
    }

    #[test]
    fn headers_of_the_owner_are_kept_in_lower_case() {
        for name in ["Authorization", "X-Api-Key", "x", "traceparent", "cookie", &"n".repeat(64)] {
            let headers = check(name, "Bearer a\tb=\"c\"").unwrap();
            let expected = name.to_ascii_lowercase();
            assert_eq!(headers.iter().collect::<Vec<_>>(), [(expected.as_str(), "Bearer a\tb=\"c\"")]);
        }
        assert!(check("x", &"v".repeat(1024)).is_ok());
    }

    #[test]
    fn what_the_service_sets_or_a_connection_has_is_refused() {
        for name in [
            "Host",
            "user-agent",
            "Content-Type",
            "content-length",
            "content-encoding",
            "Connection",
            "keep-alive",
            "Transfer-Encoding",
            "TE",
            "trailer",
            "upgrade",
            "expect",
            "date",
            "via",
            "proxy-authorization",
            "webhook-id",
            "Webhook-Signature",
            "webhook-",
            "sec-fetch-mode",
            "forwarded",
            "X-Forwarded-For",
            "Metadata-Flavor",
            "metadata",
            "X-aws-ec2-metadata-token",
            "x-google-metadata-request",
        ] {
            assert_eq!(rule(name, "a"), Some(Rule::ReservedHeader), "{name}");
        }
    }

    #[test]
    fn names_and_values_are_those_of_http() {
        for name in ["", "a b", "a:", "a\r\nb", "é", "a\0", "(a)", "a/b", &"n".repeat(65)] {
            assert_eq!(rule(name, "a"), Some(Rule::HeaderName), "{name:?}");
        }
        for value in
            ["", " ", " a", "a ", "\ta", "a\r\nHost: b", "a\nb", "a\0", "é", "a\u{7f}", &"v".repeat(1025)]
        {
            assert_eq!(rule("x", value), Some(Rule::HeaderValue), "{value:?}");
        }
    }

    #[test]
    fn headers_are_few_and_each_is_given_once() {
        let many = |count: usize| (0..count).map(|n| (format!("x-{n}"), "a".to_owned())).collect();
        assert!(CustomHeaders::new(&many(10)).is_ok());
        let too_many = Broken { pointer: "/headers".to_owned(), rule: Rule::TooMany { max: 10 } };
        assert_eq!(CustomHeaders::new(&many(11)), Err(vec![too_many]));
        let twice = ["X-A", "x-a"].map(|name| (name.to_owned(), "a".to_owned()));
        let duplicate = Broken { pointer: "/headers/x-a".to_owned(), rule: Rule::Duplicate };
        assert_eq!(CustomHeaders::new(&BTreeMap::from(twice)), Err(vec![duplicate]));
    }

    #[test]
    fn every_broken_header_is_named_and_no_value_is_shown() {
        let headers = [("host", "a"), ("a~/b", "a"), ("x", "hunter2\n")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let broken = CustomHeaders::new(&BTreeMap::from(headers)).unwrap_err();
        let pointers: Vec<_> = broken.iter().map(|broken| broken.pointer.as_str()).collect();
        assert_eq!(pointers, ["/headers/a~0~1b", "/headers/host", "/headers/x"]);
        assert!(!format!("{broken:?}").contains("hunter2"));
        assert_eq!(format!("{:?}", check("Authorization", "hunter2").unwrap()), "{\"authorization\"}");
    }
}
