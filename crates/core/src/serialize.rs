//! How values stand in JSON: each as the text, or the number, that its own constructor reads.

use crate::digest::Digest;
use crate::event::EventType;
use crate::ids::{EventId, RequestId};
use crate::origin::Origin;
use crate::person::PersonId;
use crate::risk::Cost;
use crate::status::Status;
use crate::text::{CommentText, DurationText, Identifier, InstanceId, Justification};
use crate::timestamp::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use std::str::FromStr as _;

/// The error names no value, which may be what people wrote.
const IMPOSSIBLE: &str = "an impossible value";

/// A type, what writes it as text, and what reads it: a `Result` or an `Option`.
macro_rules! as_text {
    ($($type:ty: $write:ident, $read:ident;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.$write())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::$read(&text).into_iter().next().ok_or_else(|| D::Error::custom(IMPOSSIBLE))
            }
        }
    )*};
}

as_text! {
    CommentText: as_str, parse;
    Digest: to_string, parse;
    DurationText: as_str, parse;
    EventId: to_string, parse;
    EventType: to_string, from_str;
    Identifier: as_str, parse;
    InstanceId: as_str, parse;
    Justification: as_str, parse;
    Origin: as_str, parse;
    PersonId: as_str, from_stored;
    RequestId: to_string, parse;
    Status: to_string, from_str;
    Timestamp: to_string, parse;
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.amount())
    }
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(|_| D::Error::custom(IMPOSSIBLE))
    }
}
