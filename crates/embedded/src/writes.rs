//! The one thread that writes to a database file, and what is written together.
//!
//! A commit waits for the disk, and while it does, further writes arrive. Those that wait are committed together: one
//! transaction of the engine, which is through to the disk before any of them is answered. Where it cannot be, because a
//! condition does not hold or two of them change one item, it has changed nothing, and each is tried without the others.

use crate::call::Call;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::transact_write_items::{
    TransactDelete, TransactUpdate, TransactWriteItem, TransactWriteItemsRequest,
};
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::{Database, DynoxideError};
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The most actions of one transaction: those of `DynamoDB`.
const MAX_ACTIONS: usize = 100;
/// What is answered to a write that asks for nothing but that it is made.
const NOTHING: &str = "{}";

/// The answer to a write: JSON.
pub(crate) type Written = Result<String, DynoxideError>;

/// Something to be written.
pub(crate) struct Write {
    /// As it came: what is made by itself.
    call: Call,
    /// The same as actions of a transaction; none if it can only be made by itself.
    actions: Vec<TransactWriteItem>,
}

impl Write {
    /// What a call would write.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn of(call: Call) -> Result<Self, DynoxideError> {
        let actions = match call.operation() {
            "TransactWriteItems" => actions_of_transaction(call.read()?),
            "UpdateItem" => action_of_update(call.read()?).into_iter().collect(),
            "DeleteItem" => action_of_deletion(call.read()?).into_iter().collect(),
            _ => Vec::new(),
        };
        Ok(Self { call, actions })
    }
}

/// None if the caller asks for more than that it is made.
fn actions_of_transaction(request: TransactWriteItemsRequest) -> Vec<TransactWriteItem> {
    match request.return_consumed_capacity.or(request.return_item_collection_metrics) {
        Some(_) => Vec::new(),
        None => request.transact_items,
    }
}

fn action_of_update(request: UpdateItemRequest) -> Option<TransactWriteItem> {
    let told = [
        request.return_values,
        request.return_values_on_condition_check_failure,
        request.return_consumed_capacity,
        request.return_item_collection_metrics,
    ];
    let is_of_old = request.attribute_updates.is_some() || request.expected.is_some();
    let update = TransactUpdate {
        table_name: request.table_name,
        key: request.key,
        update_expression: request.update_expression?,
        condition_expression: request.condition_expression,
        expression_attribute_names: request.expression_attribute_names,
        expression_attribute_values: request.expression_attribute_values,
        return_values_on_condition_check_failure: None,
    };
    (!is_of_old && told.iter().all(Option::is_none))
        .then(|| TransactWriteItem { update: Some(update), ..TransactWriteItem::default() })
}

fn action_of_deletion(request: DeleteItemRequest) -> Option<TransactWriteItem> {
    let told = [
        request.return_values,
        request.return_values_on_condition_check_failure,
        request.return_consumed_capacity,
        request.return_item_collection_metrics,
    ];
    let is_of_old = request.expected.is_some();
    let delete = TransactDelete {
        table_name: request.table_name,
        key: request.key,
        condition_expression: request.condition_expression,
        expression_attribute_names: request.expression_attribute_names,
        expression_attribute_values: request.expression_attribute_values,
        return_values_on_condition_check_failure: None,
    };
    (!is_of_old && told.iter().all(Option::is_none))
        .then(|| TransactWriteItem { delete: Some(delete), ..TransactWriteItem::default() })
}

/// A write, and who waits for it.
struct Waiting {
    write: Write,
    answer: oneshot::Sender<Written>,
}

impl Waiting {
    fn settle(self, database: &Database) {
        // A caller that has gone away does not hear of it.
        let _ = self.answer.send(self.write.call.answer(database));
    }
}

/// The thread that writes.
pub(crate) struct Writer {
    /// `None` once it is to end.
    queue: Option<Sender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(database: Database) -> std::io::Result<Self> {
        let (queue, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_all(&database, &waiting))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Has something written. The answer comes when it is through to the disk; none if the thread is gone.
    pub(crate) fn write(&self, write: Write) -> oneshot::Receiver<Written> {
        let (answer, written) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // If it is gone, so is `answer`, and the receiver says so.
            let _ = queue.send(Waiting { write, answer });
        }
        written
    }
}

impl Drop for Writer {
    /// Waits for what is under way: who drops the last handle may open the file again.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // It has panicked if this fails, and nothing is left to wait for.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

fn write_all(database: &Database, waiting: &Receiver<Waiting>) {
    let mut next = waiting.recv().ok();
    while let Some(first) = next.take() {
        let mut actions = first.write.actions.len();
        let is_alone = actions == 0;
        let mut together = vec![first];
        while !is_alone && let Ok(further) = waiting.try_recv() {
            let more = further.write.actions.len();
            if more == 0 || actions + more > MAX_ACTIONS {
                next = Some(further);
                break;
            }
            actions += more;
            together.push(further);
        }
        settle(database, together);
        if next.is_none() {
            next = waiting.recv().ok();
        }
    }
}

/// Makes writes, together if that is possible.
fn settle(database: &Database, mut writes: Vec<Waiting>) {
    if writes.len() < 2 {
        return writes.into_iter().for_each(|write| write.settle(database));
    }
    let transact_items = writes.iter().flat_map(|waiting| waiting.write.actions.iter().cloned()).collect();
    let request = TransactWriteItemsRequest { transact_items, ..TransactWriteItemsRequest::default() };
    match database.transact_write_items(request) {
        Ok(_) => {
            for waiting in writes {
                let _ = waiting.answer.send(Ok(NOTHING.to_owned()));
            }
        }
        Err(DynoxideError::TransactionCanceledException(_, reasons)) => {
            // Nothing has changed. Those whose conditions do not hold hear so, each by itself; the others are made.
            let mut reasons = reasons.into_iter();
            let (refused, others): (Vec<_>, Vec<_>) = writes.into_iter().partition(|waiting| {
                let of_write = reasons.by_ref().take(waiting.write.actions.len());
                of_write.filter(|reason| reason.code != "None").count() > 0
            });
            if refused.is_empty() {
                return others.into_iter().for_each(|write| write.settle(database));
            }
            settle(database, others);
            refused.into_iter().for_each(|write| write.settle(database));
        }
        // One of them cannot be asked for, or not beside another.
        Err(_) => {
            let half = writes.split_off(writes.len() / 2);
            settle(database, writes);
            settle(database, half);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;
    use serde_json::{Value, json};

    fn write(operation: &str, body: &Value) -> Write {
        let request = http::Request::builder()
            .uri("http://embedded.invalid")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .body(SdkBody::from(body.to_string()))
            .unwrap();
        Write::of(Call::of(request.try_into().unwrap()).unwrap()).unwrap()
    }

    fn database() -> Database {
        let database = Database::memory().unwrap();
        let table = json!({
            "TableName": "table",
            "KeySchema": [{ "AttributeName": "key", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "key", "AttributeType": "S" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        write("CreateTable", &table).call.answer(&database).unwrap();
        database
    }

    /// Puts items that are not there, in one transaction.
    fn put(keys: &[&str]) -> Write {
        let puts: Vec<_> = keys
            .iter()
            .map(|key| {
                let item = json!({ "key": { "S": key }, "count": { "N": "0" } });
                let condition = "attribute_not_exists(#key)";
                json!({ "Put": {
                    "TableName": "table", "Item": item, "ConditionExpression": condition,
                    "ExpressionAttributeNames": { "#key": "key" },
                } })
            })
            .collect();
        write("TransactWriteItems", &json!({ "TransactItems": puts, "ClientRequestToken": "same" }))
    }

    fn count(key: &str) -> Write {
        write(
            "UpdateItem",
            &json!({
                "TableName": "table", "Key": { "key": { "S": key } }, "UpdateExpression": "ADD #count :one",
                "ConditionExpression": "attribute_exists(#count)",
                "ExpressionAttributeNames": { "#count": "count" },
                "ExpressionAttributeValues": { ":one": { "N": "1" } },
            }),
        )
    }

    fn delete(key: &str) -> Write {
        write(
            "DeleteItem",
            &json!({ "TableName": "table", "Key": { "key": { "S": key } }, "ConditionExpression": "attribute_exists(#key)",
                     "ExpressionAttributeNames": { "#key": "key" } }),
        )
    }

    /// Whether each is made, where all have waited together.
    fn made(database: &Database, writes: Vec<Write>) -> Vec<bool> {
        let (waiting, answers): (Vec<_>, Vec<_>) = writes
            .into_iter()
            .map(|write| {
                let (answer, written) = oneshot::channel();
                (Waiting { write, answer }, written)
            })
            .unzip();
        settle(database, waiting);
        answers.into_iter().map(|answer| answer.blocking_recv().unwrap().is_ok()).collect()
    }

    fn there(database: &Database) -> Vec<(String, u64)> {
        let found = write("Scan", &json!({ "TableName": "table" })).call.answer(database).unwrap();
        let found: Value = serde_json::from_str(&found).unwrap();
        let mut items: Vec<_> = found["Items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                let text = |name: &str, kind: &str| item[name][kind].as_str().unwrap().to_owned();
                (text("key", "S"), text("count", "N").parse().unwrap())
            })
            .collect();
        items.sort();
        items
    }

    #[test]
    fn what_waits_together_is_made_or_refused_each_for_itself() {
        let database = database();
        assert_eq!(made(&database, vec![put(&["a", "b"]), put(&["c"])]), [true, true]);
        let writes = vec![
            put(&["d", "a"]),
            count("a"),
            count("nobody"),
            put(&["e"]),
            count("b"),
            delete("c"),
            delete("nobody"),
        ];
        assert_eq!(made(&database, writes), [false, true, false, true, true, true, false]);
        let of = |items: &[(&str, u64)]| -> Vec<_> {
            items.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
        };
        assert_eq!(there(&database), of(&[("a", 1), ("b", 1), ("e", 0)]));
        // One item cannot be twice in a transaction of the engine.
        let writes = vec![count("a"), count("a"), put(&["f"]), put(&["f"]), count("a")];
        assert_eq!(made(&database, writes), [true, true, true, false, true]);
        assert_eq!(there(&database), of(&[("a", 4), ("b", 1), ("e", 0), ("f", 0)]));
    }

    #[test]
    fn what_is_told_more_than_that_it_was_made_is_made_by_itself() {
        assert_eq!(count("a").actions.len(), 1);
        let mut told = json!({ "TableName": "table", "Key": { "key": { "S": "a" } } });
        for (name, value) in [("ReturnValues", "ALL_OLD"), ("ReturnConsumedCapacity", "TOTAL")] {
            told[name] = json!(value);
            assert!(write("DeleteItem", &told).actions.is_empty());
        }
        assert!(write("PutItem", &json!({})).actions.is_empty());
    }
}
