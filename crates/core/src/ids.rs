//! The ids of requests, events and executions: UUIDs in their one canonical spelling.

use crate::digest::Digest;
use crate::person::PersonId;
use crate::timestamp::Timestamp;
use std::fmt;
use std::str::FromStr;
use uuid::{Builder, Uuid};

/// The text is not a UUID in lower-case hyphenated form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID in lower-case hyphenated form")]
pub struct InvalidId;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID made elsewhere.
            pub fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Reads the canonical spelling and no other, so that one id has one text.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
                if uuid.to_string() != text {
                    return Err(InvalidId);
                }
                Ok(Self(uuid))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }
    };
}

uuid_id!(
    /// Names one approval request.
    RequestId
);
uuid_id!(
    /// Names one event: a UUIDv7, so that its text sorts by the time it was made.
    EventId
);
uuid_id!(
    /// Names the one execution of a request.
    ExecutionId
);

impl RequestId {
    /// The id of the request that `person` creates under an idempotency key: the same person and
    /// key give the same id, so the database itself refuses a second one. A UUIDv8 (RFC 9562)
    /// of SHA-256; the person is part of it, so no requester can take another's id.
    pub fn derived(person: &PersonId, key: &str) -> Self {
        let digest = Digest::of(format!("countersign.request-id\0{person}\0{key}"));
        let mut bytes = [0; 16];
        for (byte, source) in bytes.iter_mut().zip(digest.as_bytes()) {
            *byte = *source;
        }
        Self(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl EventId {
    /// The id of what time brings about, and no command: the same key gives the same id, so that it happens once. A UUIDv7
    /// whose time is `at`.
    pub fn derived(at: Timestamp, key: &str) -> Self {
        let digest = Digest::of(format!("countersign.timer-id\0{key}"));
        let mut bytes = [0; 10];
        for (byte, source) in bytes.iter_mut().zip(digest.as_bytes()) {
            *byte = *source;
        }
        let millisecond = u64::try_from(at.as_millisecond()).unwrap_or_default();
        Self(Builder::from_unix_timestamp_millis(millisecond, &bytes).into_uuid())
    }

    /// When the id was made: the first 48 bits of a UUIDv7 (RFC 9562 section 5.7).
    pub fn made_at(&self) -> Timestamp {
        let millisecond = self.0.as_u64_pair().0 >> 16;
        Timestamp::from_millisecond(i64::try_from(millisecond).unwrap_or(i64::MAX))
    }

    /// Which of `shards` outbox partitions this event belongs to.
    pub fn shard(&self, shards: u8) -> u8 {
        // The last byte of a UUIDv7 is random.
        self.0.as_bytes().last().map_or(0, |byte| byte % shards.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let id = "01930000-0000-7000-8000-0000000000aa";
        assert_eq!(RequestId::parse(id).unwrap().to_string(), id);
        for text in [
            "",
            "01930000-0000-7000-8000-0000000000AA",
            "0193000000007000800000000000000a",
            "{01930000-0000-7000-8000-0000000000aa}",
            " 01930000-0000-7000-8000-0000000000aa",
            "../../etc/passwd",
        ] {
            assert_eq!(RequestId::parse(text), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn a_derived_id_depends_on_the_person_and_the_key() {
        let ann = PersonId::from_email("ann@example.com").unwrap();
        let bob = PersonId::from_email("bob@example.com").unwrap();
        assert_eq!(RequestId::derived(&ann, "k"), RequestId::derived(&ann, "k"));
        assert_ne!(RequestId::derived(&ann, "k"), RequestId::derived(&bob, "k"));
        assert_ne!(RequestId::derived(&ann, "k"), RequestId::derived(&ann, "l"));
        let text = RequestId::derived(&ann, "k").to_string();
        assert_eq!(RequestId::parse(&text).unwrap().to_string(), text);
    }
}
