//! Cursors: where a page ended, opaque to everybody else.
//!
//! A cursor holds the position and a digest of the list it belongs to. It opens nothing: the
//! partitions that a query reads follow from the query alone, so a forged cursor can only name
//! another place in what its bearer may see anyway. One that does not fit is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_app::ports::StoreError;
use countersign_core::digest::Digest;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest cursor that is looked at, in bytes. Ours are shorter than 500.
const MAX_LENGTH: usize = 1024;

/// The last item of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The index partition it is in.
    pub(crate) partition: String,
    /// Its place in that partition.
    pub(crate) sort: Timestamp,
    /// The item.
    pub(crate) request_id: RequestId,
    /// When the walk began: ranges that depend on the time are the same on every page.
    pub(crate) as_of: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    /// Digest of the list.
    list: String,
    partition: String,
    sort: String,
    request_id: String,
    as_of: String,
}

/// Writes a cursor for a list described by `list`.
pub(crate) fn encode(position: &Position, list: &str) -> Result<String, StoreError> {
    let wire = Wire {
        list: Digest::of(list).to_string(),
        partition: position.partition.clone(),
        sort: position.sort.to_string(),
        request_id: position.request_id.to_string(),
        as_of: position.as_of.to_string(),
    };
    let json = serde_json::to_vec(&wire).map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// Reads a cursor that was given out for a list described by `list`.
pub(crate) fn decode(cursor: &str, list: &str) -> Result<Position, StoreError> {
    let read = || {
        if cursor.len() > MAX_LENGTH {
            return None;
        }
        let wire: Wire = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        if wire.list != Digest::of(list).to_string() {
            return None;
        }
        Some(Position {
            sort: Timestamp::parse(&wire.sort).ok().filter(|sort| sort.to_string() == wire.sort)?,
            request_id: RequestId::parse(&wire.request_id).ok()?,
            as_of: Timestamp::parse(&wire.as_of).ok()?,
            partition: wire.partition,
        })
    };
    read().ok_or(StoreError::MalformedCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_fits_its_own_list_only() {
        let position = Position {
            partition: "pending".to_owned(),
            sort: Timestamp::from_millisecond(1_700_000_000_123),
            request_id: RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap(),
            as_of: Timestamp::from_millisecond(1_700_000_000_456),
        };
        let cursor = encode(&position, "list a").unwrap();
        assert_eq!(decode(&cursor, "list a"), Ok(position));
        assert_eq!(decode(&cursor, "list b"), Err(StoreError::MalformedCursor));
    }

    #[test]
    fn nonsense_is_refused() {
        let forged = URL_SAFE_NO_PAD.encode(format!(
            r#"{{"list":"{}","partition":"p","sort":"2026","request_id":"x","as_of":"2026"}}"#,
            Digest::of("a")
        ));
        let long = "A".repeat(MAX_LENGTH + 1);
        for cursor in ["", "%%%", "AAAA", "eyJhIjoxfQ", "bm90IGpzb24", &forged, &long] {
            assert_eq!(decode(cursor, "a"), Err(StoreError::MalformedCursor), "{cursor}");
        }
    }
}
