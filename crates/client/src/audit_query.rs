//! What queries of audit events and of figures are asked for: the filters of the API, in one place.

use crate::list_query::{one_of, query_string};
use countersign_core::event::EventType;

/// What a query is asked for. What is left out filters nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Who acted.
    pub user: Option<String>,
    /// One of these types.
    pub event_type: Vec<EventType>,
    /// Of this request.
    pub request_id: Option<String>,
    /// Of requests for this instance.
    pub instance_id: Option<String>,
    /// Of this stream.
    pub stream: Option<String>,
    /// Not before this day or time.
    pub from: Option<String>,
    /// Not after this day or time.
    pub to: Option<String>,
    /// Whether the newest comes first.
    pub is_descending: bool,
    /// At most so many on a page.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl AuditQuery {
    /// `?name=value&…`, or nothing.
    pub fn text(&self) -> String {
        query_string([
            ("user", self.user.clone()),
            ("event_type", one_of(self.event_type.iter().map(|event_type| event_type.as_str()))),
            ("request_id", self.request_id.clone()),
            ("instance_id", self.instance_id.clone()),
            ("stream", self.stream.clone()),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("order", self.is_descending.then(|| "desc".to_owned())),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor.clone()),
        ])
    }
}

/// What figures are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsQuery {
    /// The first day.
    pub from: Option<String>,
    /// The last day.
    pub to: Option<String>,
    /// What groups are told apart by.
    pub group_by: Option<String>,
}

impl StatsQuery {
    /// `?name=value&…`, or nothing.
    pub fn text(&self) -> String {
        query_string([
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("group_by", self.group_by.clone()),
        ])
    }
}
