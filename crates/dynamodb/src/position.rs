//! Where a page of a list ended, as one text.
//!
//! It names a stage of the list and a sort key in its order. Sort keys are unique, so a position means the
//! same in every partition of the stage. It is for no caller's eyes: the use case seals it.

use countersign_app::ports::StoreError;
use countersign_core::timestamp::Timestamp;

/// Where in an order reading goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The sort key.
    pub(crate) key: String,
    /// Whether what has this very key is still to come.
    pub(crate) is_included: bool,
}

impl Bound {
    /// What comes after a key.
    pub(crate) fn after(key: impl Into<String>) -> Self {
        Self { key: key.into(), is_included: false }
    }
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// When the walk began: a range that ends with the present is the same on every page.
    pub(crate) as_of: Timestamp,
    /// The name of the stage.
    pub(crate) stage: String,
    /// Where in the stage; from its beginning if it is not said.
    pub(crate) bound: Option<Bound>,
}

impl Position {
    /// As a text.
    pub(crate) fn text(&self) -> String {
        let Self { as_of, stage, bound } = self;
        match bound {
            None => format!("{as_of} {stage}"),
            Some(Bound { key, is_included: true }) => format!("{as_of} {stage} ={key}"),
            Some(Bound { key, is_included: false }) => format!("{as_of} {stage} >{key}"),
        }
    }

    /// Reads what [`Self::text`] has written.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        let read = || {
            let mut parts = text.splitn(3, ' ');
            let as_of = Timestamp::parse(parts.next()?).ok()?;
            let stage = parts.next()?.to_owned();
            let bound = match parts.next() {
                None => None,
                Some(bound) => {
                    let included = bound.strip_prefix('=').map(|key| (key, true));
                    let (key, is_included) =
                        included.or_else(|| bound.strip_prefix('>').map(|key| (key, false)))?;
                    Some(Bound { key: key.to_owned(), is_included })
                }
            };
            Some(Self { as_of, stage, bound })
        };
        read().ok_or(StoreError::MalformedCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written_and_nothing_else_is() {
        let as_of = Timestamp::from_millisecond(1_700_000_000_123);
        let key = "2026-01-01T00:00:00.000Z#an id, or = > and whatever else stands there".to_owned();
        for bound in [
            None,
            Some(Bound { key: key.clone(), is_included: true }),
            Some(Bound::after(key)),
            Some(Bound::after("")),
        ] {
            let position = Position { as_of, stage: "closed".to_owned(), bound };
            assert_eq!(Position::parse(&position.text()), Ok(position));
        }
        for junk in
            ["", "pending", "2026 pending >a", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z a b"]
        {
            assert_eq!(Position::parse(junk), Err(StoreError::MalformedCursor), "{junk}");
        }
    }
}
