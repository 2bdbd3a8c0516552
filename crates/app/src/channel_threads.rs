//! What is remembered of the messages about one request at one destination: what the other side calls them, and whether an approver
//! was asked.

use crate::channel_parts::{asks, part_of};
use crate::ports::{ChannelStore, StoreError, StoredDelivery, Thread};
use crate::sending::REREADS;
use countersign_core::ids::RequestId;
use countersign_delivery::destination::DestinationId;
use std::collections::BTreeSet;

/// Remembers the message about a request, and for which requests messages have asked.
pub(crate) async fn note_threads<D: ChannelStore>(
    store: &D,
    destination: &DestinationId,
    request_id: RequestId,
    reference: Option<String>,
    asked: BTreeSet<RequestId>,
) -> Result<(), StoreError> {
    let with_reference = reference.as_ref().map(|_| request_id);
    let all: BTreeSet<RequestId> = asked.iter().copied().chain(with_reference).collect();
    for id in all {
        for _ in 0..REREADS {
            let before = store.thread(destination, id).await?;
            let mut after = before.clone();
            after.is_asked |= asked.contains(&id);
            if id == request_id {
                after.reference = reference.clone().or(after.reference);
            }
            if after == before || store.put_thread(&after).await? {
                break;
            }
        }
    }
    Ok(())
}

/// Remembers that an approval is wanted no more, which no message has asked for: one that waits for another attempt would ask for
/// what is decided, and nothing would take it back.
pub(crate) async fn note_over<D: ChannelStore>(
    store: &D,
    closing: &StoredDelivery,
) -> Result<(), StoreError> {
    let (Some(request_id), at) = (closing.delivery.request_id, closing.delivery.created_at) else {
        return Ok(());
    };
    for _ in 0..REREADS {
        let before = store.thread(&closing.delivery.destination, request_id).await?;
        let is_known = before.is_asked || before.over_at >= Some(at);
        if is_known || store.put_thread(&Thread { over_at: Some(at), ..before }).await? {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable("what is remembered of a request changes all the time".to_owned()))
}

/// Whether a message asks for an approval that is wanted no more. One that asks anew after a withdrawal was made later.
pub(crate) fn is_over(stored: &StoredDelivery, thread: Option<&Thread>) -> bool {
    asks(part_of(stored)) && thread.is_some_and(|thread| thread.over_at > Some(stored.delivery.created_at))
}
