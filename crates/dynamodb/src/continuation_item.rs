//! Who waits for a request, as an item of the outbox table: in one partition until they are released, in another from
//! then on. The one place where what resumes them is stored.

use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{EVENT_ID, SHARD, WAITING};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::continuations::Released;
use countersign_app::ports::StoreError;
use countersign_core::continuation::{Continuation, Handle, Outcome, ResumeOn, goes_on};
use countersign_core::digest::Digest;
use countersign_core::ids::RequestId;
use countersign_core::request::Request;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;

/// Names the set of attributes. Another set gets another name.
const FORMAT: &str = "countersign.continuation.v1";
const FORMAT_ATTRIBUTE: &str = "format";
const TASK_TOKEN: &str = "task_token";
const CALLBACK_ID: &str = "callback_id";
const RESUME_ON: &str = "resume_on";
const CONTENT_DIGEST: &str = "content_digest";
const STATUS: &str = "status";
const RELEASED_AT: &str = "released_at";

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn read<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The key of who waits for a request, or is released for it.
pub(crate) fn continuation_key(shard: &str, request_id: RequestId) -> Item {
    Item::from([(SHARD.to_owned(), text(shard)), (EVENT_ID.to_owned(), text(request_id))])
}

/// The item of who waits for a request that is made.
pub(crate) fn continuation_item(continuation: &Continuation, request: &Request) -> Item {
    let mut item = continuation_key(WAITING, request.id());
    let (name, handle) = match &continuation.handle {
        Handle::TaskToken(token) => (TASK_TOKEN, token),
        Handle::CallbackId(id) => (CALLBACK_ID, id),
    };
    item.extend([
        (FORMAT_ATTRIBUTE.to_owned(), text(FORMAT)),
        (name.to_owned(), text(handle)),
        (RESUME_ON.to_owned(), text(continuation.resume_on)),
        (CONTENT_DIGEST.to_owned(), text(request.content.digest())),
    ]);
    item
}

/// Whether who waits, waits for this status.
///
/// # Errors
/// When the item does not say until when they wait.
pub(crate) fn waits_for(item: &Item, status: Status) -> Result<bool, StoreError> {
    let resume_on: Option<ResumeOn> = read(item, RESUME_ON).and_then(|resume_on| resume_on.parse().ok());
    let resume_on = resume_on.ok_or_else(|| unreadable("continuation", "it waits for nothing"))?;
    Ok(resume_on.is_reached_by(status))
}

/// The same item once they are released.
pub(crate) fn released_item(mut item: Item, shard: &str, status: Status, at: Timestamp) -> Item {
    item.extend([
        (SHARD.to_owned(), text(shard)),
        (STATUS.to_owned(), text(status)),
        (RELEASED_AT.to_owned(), text(at)),
    ]);
    item
}

/// Who is released.
///
/// # Errors
/// The request, if the rest cannot be read; and when not even that can.
pub(crate) fn released(item: &Item) -> Result<Result<Released, RequestId>, StoreError> {
    let request_id = read(item, EVENT_ID).and_then(|id| RequestId::parse(id).ok());
    let request_id =
        request_id.ok_or_else(|| StoreError::Corrupt("a continuation of no request".to_owned()))?;
    let of = || {
        let handle = match (read(item, TASK_TOKEN), read(item, CALLBACK_ID)) {
            (Some(token), None) => Handle::task_token(token).ok()?,
            (None, Some(id)) => Handle::callback_id(id).ok()?,
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let status: Status = read(item, STATUS)?.parse().ok()?;
        let digest = Digest::parse(read(item, CONTENT_DIGEST)?).ok()?;
        Some(Released {
            handle,
            outcome: Outcome::of(request_id, status, digest),
            goes_on: goes_on(status),
            at: Timestamp::parse(read(item, RELEASED_AT)?).ok()?,
        })
    };
    Ok(of().filter(|_| read(item, FORMAT_ATTRIBUTE) == Some(FORMAT)).ok_or(request_id))
}
