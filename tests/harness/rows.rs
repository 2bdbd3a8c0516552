//! Requests written straight into the tables, as many as a flood has: only what lists and counts read of
//! them is as it would be. They have no audit trail, so no service may check such a store.

use crate::inspection::{scan, tables};
use crate::service::Service;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::keys::{closed_status_key, open_key_of, sort_key};
use std::collections::HashMap;

/// An item as the SDK knows it.
pub type Item = HashMap<String, AttributeValue>;

fn text(text: impl ToString) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

/// What rows are made from.
#[derive(Debug, Clone)]
pub struct Rows {
    template: Item,
}

impl Default for Rows {
    /// A request of medium risk, as a service writes it.
    fn default() -> Self {
        let service = Service::start();
        Service::create(&service.requester("ann"), &Service::medium());
        let items = service.block_on(scan(&service.database, &tables().approvals));
        Self { template: items.into_iter().next().expect("a request") }
    }
}

impl Rows {
    /// The row of a request in a status: `at` is its deadline, the start of its execution, or the time it
    /// closed.
    pub fn row(&self, number: u64, requester: &str, status: Status, at: Timestamp) -> Item {
        let requester = PersonId::from_email(requester).unwrap();
        let id = RequestId::derived(&requester, &number.to_string());
        let made = Timestamp::from_millisecond(at.as_millisecond() - 48 * 3_600_000);
        let mut row = self.template.clone();
        row.insert("request_id".to_owned(), text(id));
        row.insert("requested_by".to_owned(), text(&requester));
        row.insert("requested_at".to_owned(), text(made));
        row.insert("made_at".to_owned(), text(sort_key(made, id)));
        row.insert("expires_at".to_owned(), text(at));
        for (attribute, statuses) in [
            ("execute_by", [Status::Approved].as_slice()),
            ("execution_started_at", &[Status::Executing]),
            ("executed_at", &[Status::Executed, Status::Failed]),
        ] {
            row.remove(attribute);
            if statuses.contains(&status) {
                row.insert(attribute.to_owned(), text(at));
            }
        }
        row.insert("status".to_owned(), text(status));
        row.insert("status_at".to_owned(), text(sort_key(at, id)));
        row.remove("open_key");
        if status.is_open() {
            row.insert("open_key".to_owned(), text(open_key_of(&requester, status)));
            row.insert("status_key".to_owned(), text(status));
        } else {
            row.insert("status_key".to_owned(), text(closed_status_key(status, &at.month())));
        }
        row
    }
}

/// Writes a row, new or in place of what has the same id.
pub async fn put(client: &Client, row: Item) {
    client.put_item().table_name(tables().approvals).set_item(Some(row)).send().await.unwrap();
}

/// The id of a row.
pub fn id(row: &Item) -> String {
    row["request_id"].as_s().unwrap().clone()
}
