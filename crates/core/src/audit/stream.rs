//! Streams of audit events: one chain of hashes each.

use crate::ids::RequestId;
use crate::person::PersonId;
use crate::timestamp::Timestamp;
use std::fmt;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The longest id of a stream, in characters.
const MAX_ID: usize = 512;

/// What the events of a stream are about. The set is closed: a format with another kind is another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum StreamKind {
    /// A request, by its id.
    Request,
    /// The refused attempts of one person on one day, by `DAY/PERSON`.
    Refused,
    /// What one person read of the trail on one day, by `DAY/PERSON`.
    Read,
    /// The policy.
    Policy,
    /// A grant of access, by its id.
    Grant,
    /// A delegation of a person's decisions, by its id.
    Delegation,
    /// An emergency, by its id.
    Emergency,
    /// The deployment itself.
    System,
}

/// One chain of events: a kind and the id of what the events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    kind: StreamKind,
    id: String,
}

/// The text names no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the kind of a stream, `/` and an id")]
pub struct InvalidStream;

impl Stream {
    /// The events of a request.
    pub fn request(id: RequestId) -> Self {
        Self { kind: StreamKind::Request, id: id.to_string() }
    }

    /// The one event about a request that is damaged: its own stream may be what is damaged.
    pub fn integrity(id: RequestId) -> Self {
        Self { kind: StreamKind::System, id: format!("integrity:{id}") }
    }

    /// What was found unusual about a person in the month of a time.
    pub fn anomalies(at: Timestamp, person: &PersonId) -> Self {
        Self { kind: StreamKind::System, id: format!("anomalies:{}/{person}", at.month()) }
    }

    /// What one person did on the day of a time: their refused attempts, or what they read.
    pub fn of_day(kind: StreamKind, at: Timestamp, person: &PersonId) -> Self {
        Self { kind, id: format!("{}/{person}", at.day()) }
    }

    /// Reads the text of a stream.
    ///
    /// # Errors
    /// Another kind, or no id.
    pub fn parse(text: &str) -> Result<Self, InvalidStream> {
        let (kind, id) = text.split_once('/').ok_or(InvalidStream)?;
        let kind = kind.parse().map_err(|_| InvalidStream)?;
        let is_printable = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_printable || id.len() > MAX_ID {
            return Err(InvalidStream);
        }
        if kind == StreamKind::Request && RequestId::parse(id).is_err() {
            return Err(InvalidStream);
        }
        Ok(Self { kind, id: id.to_owned() })
    }

    /// What its events are about.
    pub fn kind(&self) -> StreamKind {
        self.kind
    }

    /// The request whose events it has.
    pub fn request_id(&self) -> Option<RequestId> {
        match self.kind {
            StreamKind::Request => RequestId::parse(&self.id).ok(),
            StreamKind::Refused
            | StreamKind::Read
            | StreamKind::Policy
            | StreamKind::Grant
            | StreamKind::Delegation
            | StreamKind::Emergency
            | StreamKind::System => None,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn a_stream_reads_back_and_no_other_kind_does() {
        let id = RequestId::parse("01930000-0000-7000-8000-00000000beef").unwrap();
        let ann = PersonId::from_email("ann@example.com").unwrap();
        let day = Stream::of_day(StreamKind::Refused, Timestamp::EARLIEST, &ann);
        let month = Stream::anomalies(Timestamp::EARLIEST, &ann);
        assert_eq!(month.to_string(), "system/anomalies:1970-01/ann@example.com");
        for stream in [Stream::request(id), Stream::integrity(id), day, month] {
            assert_eq!(Stream::parse(&stream.to_string()), Ok(stream));
        }
        for kind in StreamKind::iter().filter(|kind| *kind != StreamKind::Request) {
            let text = format!("{kind}/2026-11-25/ann@example.com");
            assert_eq!(Stream::parse(&text).map(|stream| stream.to_string()), Ok(text));
        }
        for text in ["", "request", "request/", "request/x", "board/x", "system/", "system/a b"] {
            assert_eq!(Stream::parse(text), Err(InvalidStream), "{text}");
        }
    }
}
