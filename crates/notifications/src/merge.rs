//! What becomes of several messages that wait for one recipient: changes in quick succession, quiet hours and floods end in one
//! message.

use crate::plan::MessageKind;
pub use crate::quiet::SETTLE_SECONDS;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeMap;

/// How many messages a recipient gets by one destination in an hour before the rest becomes a summary.
pub const MAX_MESSAGES_PER_HOUR: usize = 20;
const HOUR_SECONDS: u32 = 60 * 60;

/// A message that waits for a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The request that it is about.
    pub request_id: RequestId,
    /// What kind of message it is.
    pub kind: MessageKind,
}

/// Which of the messages that wait for one recipient are sent: their places in the list, which is in the order of their
/// events. At most one for each request; the others are superseded. More than one of them make one summary.
///
/// `was_asked` says whether the recipient has got a message before that asks for their part: one that closes closes nothing
/// else.
pub fn standing(waiting: &[Waiting], was_asked: impl Fn(RequestId) -> bool) -> Vec<usize> {
    let mut standing = BTreeMap::<RequestId, Option<(usize, MessageKind)>>::new();
    for (place, Waiting { request_id, kind }) in waiting.iter().enumerate() {
        let stands = standing.entry(*request_id).or_default();
        let next = (place, *kind);
        *stands = match (kind, *stands) {
            (MessageKind::Act | MessageKind::Outcome, _) => Some(next),
            (MessageKind::Closing, _) if was_asked(*request_id) => Some(next),
            // What was never asked is not taken back; nor does it hide what is said besides.
            (MessageKind::Closing, Some((_, MessageKind::Act)) | None) => None,
            (MessageKind::Closing, stands) => stands,
            (MessageKind::Update | MessageKind::Information, Some((place, MessageKind::Act))) => {
                Some((place, MessageKind::Act))
            }
            (
                MessageKind::Update | MessageKind::Information,
                Some((place, kind @ (MessageKind::Outcome | MessageKind::Closing))),
            ) => Some((place, kind)),
            (
                MessageKind::Update | MessageKind::Information,
                Some((_, MessageKind::Update | MessageKind::Information)) | None,
            ) => Some(next),
        };
    }
    let mut places: Vec<usize> = standing.into_values().flatten().map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

/// Until when messages to a recipient wait who has got as many as one gets in an hour; none if the next may be sent.
/// `sent` are the times of messages to them by this destination, a summary being one.
pub fn flood_until(sent: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    let since = now.minus_seconds(HOUR_SECONDS);
    let mut recent: Vec<Timestamp> = sent.iter().copied().filter(|at| *at > since && *at <= now).collect();
    recent.sort_unstable();
    // Once the oldest of the last twenty is an hour old, nineteen are left.
    let oldest = recent.len().checked_sub(MAX_MESSAGES_PER_HOUR).and_then(|place| recent.get(place));
    oldest.map(|oldest| oldest.plus_seconds(HOUR_SECONDS))
}

/// Changes of one request by the messages they become: each group is of those that fall within [`SETTLE_SECONDS`] of its
/// first, and is sent that long after it.
pub fn settled(changes: &[Timestamp]) -> Vec<(Timestamp, Vec<Timestamp>)> {
    let mut changes = changes.to_vec();
    changes.sort_unstable();
    let mut groups: Vec<(Timestamp, Vec<Timestamp>)> = Vec::new();
    for change in changes {
        match groups.last_mut() {
            Some((sent_at, group)) if change < *sent_at => group.push(change),
            Some(_) | None => groups.push((change.plus_seconds(SETTLE_SECONDS), vec![change])),
        }
    }
    groups
}
