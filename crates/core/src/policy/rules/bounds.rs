//! What numbers and names of `operations.toml` must be, each by itself.

use super::{MAX_JUSTIFICATION, MAX_LIFETIME_SECONDS};
use crate::policy::mistake::Mistake;
use crate::policy::source::Source;
use std::collections::BTreeMap;

/// A requester who chose the spelling would choose between the demands of two operations.
pub(super) fn check_spellings<'a>(
    source: Source<'_>,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), Mistake> {
    let mut spellings = BTreeMap::new();
    for name in names {
        if let Some(other) = spellings.insert(name.to_ascii_lowercase(), name) {
            let rule = format!("must not differ from `{other}` by capitals alone: list the operation once");
            return source.refuse(&["operations", name], rule);
        }
    }
    Ok(())
}

pub(super) fn check_lifetime(source: Source<'_>, path: &[&str], seconds: u32) -> Result<(), Mistake> {
    if (1..=MAX_LIFETIME_SECONDS).contains(&seconds) {
        return Ok(());
    }
    source.refuse(path, format!("must be a lifetime from 1 to {MAX_LIFETIME_SECONDS} seconds"))
}

pub(super) fn check_seconds(
    source: Source<'_>,
    path: &[&str],
    seconds: u32,
    most: u32,
) -> Result<(), Mistake> {
    if (1..=most).contains(&seconds) {
        return Ok(());
    }
    source.refuse(path, format!("must be from 1 to {most} seconds"))
}

pub(super) fn check_justification(source: Source<'_>, path: &[&str], characters: u16) -> Result<(), Mistake> {
    if characters <= MAX_JUSTIFICATION {
        return Ok(());
    }
    source.refuse(path, format!("must be at most {MAX_JUSTIFICATION} characters"))
}

pub(super) fn check_limit(source: Source<'_>, path: &[&str], limit: u16, most: u16) -> Result<(), Mistake> {
    if (1..=most).contains(&limit) {
        return Ok(());
    }
    source.refuse(path, format!("must be from 1 to {most}"))
}
