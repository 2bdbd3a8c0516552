//! What a list is asked for: the filters of the API, in one place.

use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};

/// The most that a page may hold.
pub const MAX_LIMIT: u32 = 100;

/// What a list is asked for. What is left out filters nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// One of these statuses.
    pub status: Vec<Status>,
    /// One of these risks.
    pub risk_level: Vec<RiskLevel>,
    /// One of these environments.
    pub environment: Vec<Environment>,
    /// One of these operations.
    pub operation_type: Vec<String>,
    /// Made by this person.
    pub requested_by: Option<String>,
    /// For this instance.
    pub instance_id: Option<String>,
    /// Not before this day or time.
    pub from: Option<String>,
    /// Not after this day or time.
    pub to: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many on a page.
    pub limit: Option<u32>,
}

impl ListQuery {
    /// `?name=value&…`, or nothing.
    pub fn text(&self) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        let parameters = [
            ("status", one_of(self.status.iter().map(|status| status.as_str()))),
            ("risk_level", one_of(self.risk_level.iter().map(|level| level.as_str()))),
            ("environment", one_of(self.environment.iter().map(|environment| environment.as_str()))),
            ("operation_type", one_of(self.operation_type.iter().map(String::as_str))),
            ("requested_by", self.requested_by.clone()),
            ("instance_id", self.instance_id.clone()),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("cursor", self.cursor.clone()),
            ("limit", limit),
        ];
        query_string(parameters)
    }
}

/// `?name=value&…` of the parameters that have a value, or nothing.
pub(crate) fn query_string(parameters: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let parameters = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let parameters: Vec<_> =
        parameters.map(|(name, value)| format!("{name}={}", percent_encoded(&value))).collect();
    if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) }
}

/// Several values of one filter; none is no filter.
pub(crate) fn one_of<'a>(values: impl Iterator<Item = &'a str>) -> Option<String> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// RFC 3986 section 2.1: everything but unreserved characters.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_encoded_and_what_is_not_is_left_out() {
        assert_eq!(ListQuery::default().text(), "");
        let query = ListQuery {
            status: vec![Status::Pending, Status::Approved],
            requested_by: Some("a&b=c@example.com".to_owned()),
            limit: Some(MAX_LIMIT),
            ..ListQuery::default()
        };
        assert_eq!(query.text(), "?status=pending%2Capproved&requested_by=a%26b%3Dc%40example.com&limit=100");
    }
}
