//! Whether a log that was seen before is still that log: nothing that was in it has changed or is gone.

use crate::checkpoint::Checkpoint;
use crate::tree::{Hash, is_consistent};

/// What a monitor concludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The log is seen for the first time, and believed.
    FirstSeen,
    /// Nothing has been added.
    Unchanged,
    /// So many entries were added, and everything before is as it was.
    Grown(u64),
}

/// Why a log is not the one that was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is another deployment's.
    #[error("the log is of {now}, and the one that was seen is of {seen}")]
    Origin {
        /// Whose log was seen.
        seen: String,
        /// Whose log it is now.
        now: String,
    },
    /// Entries are gone.
    #[error("the log has been cut: there were {}, and now there are {}", .0.seen, .0.now)]
    Cut(Box<Difference>),
    /// Entries have changed.
    #[error(
        "the log has been rewritten: there were {}, and what is there now does not begin with them: {}",
        .0.seen, .0.now
    )]
    Rewritten(Box<Difference>),
}

/// What was seen, and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What was seen.
    pub seen: Checkpoint,
    /// What there is.
    pub now: Checkpoint,
}

/// Compares a checkpoint that is believed with the last one that was seen. `proof` is that the one follows from the other,
/// see [`crate::tree::consistency_path`].
///
/// # Errors
/// [`Refused`].
pub fn compare(seen: Option<&Checkpoint>, now: &Checkpoint, proof: &[Hash]) -> Result<Verdict, Refused> {
    let Some(seen) = seen else { return Ok(Verdict::FirstSeen) };
    if seen.origin != now.origin {
        return Err(Refused::Origin { seen: seen.origin.clone(), now: now.origin.clone() });
    }
    let difference = || Box::new(Difference { seen: seen.clone(), now: now.clone() });
    let Some(added) = now.size.checked_sub(seen.size) else { return Err(Refused::Cut(difference())) };
    if !is_consistent((seen.size, &seen.root), (now.size, &now.root), proof) {
        return Err(Refused::Rewritten(difference()));
    }
    Ok(if added == 0 { Verdict::Unchanged } else { Verdict::Grown(added) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{consistency_path, leaf_hash, root_of};

    fn log(entries: &[&str]) -> (Checkpoint, Vec<Hash>) {
        let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
        let checkpoint =
            Checkpoint { origin: "a".to_owned(), size: leaves.len() as u64, root: root_of(&leaves) };
        (checkpoint, leaves)
    }

    fn verdict(before: &[&str], after: &[&str]) -> Result<Verdict, Refused> {
        let ((seen, _), (now, leaves)) = (log(before), log(after));
        let path = consistency_path(seen.size, now.size).unwrap_or_default();
        let proof: Vec<_> = path
            .into_iter()
            .map(|range| root_of(&leaves[range.start as usize..range.end as usize]))
            .collect();
        compare(Some(&seen), &now, &proof)
    }

    #[test]
    fn only_a_log_that_begins_with_what_was_seen_is_the_same() {
        assert_eq!(compare(None, &log(&["a"]).0, &[]), Ok(Verdict::FirstSeen));
        assert_eq!(verdict(&["a", "b", "c"], &["a", "b", "c"]), Ok(Verdict::Unchanged));
        assert_eq!(verdict(&["a", "b", "c"], &["a", "b", "c", "d", "e"]), Ok(Verdict::Grown(2)));
        assert_eq!(verdict(&[], &["a"]), Ok(Verdict::Grown(1)));
        assert!(matches!(verdict(&["a", "b"], &["a"]), Err(Refused::Cut(_))));
        for after in
            [&["a", "x", "c"][..], &["a", "x", "c", "d"], &["b", "a", "c", "d", "e"], &["a", "b", "d", "c"]]
        {
            let refused = verdict(&["a", "b", "c"], after).unwrap_err();
            assert!(matches!(refused, Refused::Rewritten(_)), "{after:?}");
            let said = refused.to_string();
            assert!(
                said.contains("3 entries with root")
                    && said.contains(&format!("{} entries with", after.len()))
            );
        }
        let mut other = log(&["a"]).0;
        other.origin = "b".to_owned();
        assert!(matches!(compare(Some(&other), &log(&["a"]).0, &[]), Err(Refused::Origin { .. })));
    }
}
