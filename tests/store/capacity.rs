//! What the projection of lists costs in DynamoDB's request units, by DynamoDB's rules, and that
//! docs/adr/0030-list-projection.md has the figures:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>

use crate::worst_item::worst;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{ChangeSet, CommitChange as _};
use countersign_core::request::{MAX_DECISIONS, Request, Status};
use countersign_dynamodb::keys::{LISTING, REQUEST_ID};
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::{APPROVALS, IndexDefinition, create_missing};
use countersign_e2e::inspection::{scan, tables};
use countersign_e2e::service::Service;
use countersign_embedded::Embedded;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};

const DECISION: &str = include_str!("../../docs/adr/0030-list-projection.md");

/// The bytes of a unit of writing, and of one of reading.
const WRITE_UNIT: usize = 1024;
const READ_UNIT: usize = 4096;
/// A page, and what is read for it: one more to know whether there is more, and one that may be on the page before.
const PAGE: usize = 25;
const READ_FOR_PAGE: usize = PAGE + 2;

type Item = HashMap<String, AttributeValue>;

/// How many bytes DynamoDB counts of a value.
fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len() / 2 + 2,
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(elements) => 3 + elements.iter().map(|element| 1 + size(element)).sum::<usize>(),
        AttributeValue::M(members) => {
            3 + members.iter().map(|(name, value)| 1 + name.len() + size(value)).sum::<usize>()
        }
        other => panic!("no item holds {other:?}"),
    }
}

/// How many bytes DynamoDB counts of an item.
pub(crate) fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size(value)).sum()
}

/// Whether the indexes hold [`LISTING`].
#[derive(Clone, Copy, PartialEq)]
enum Map {
    With,
    Without,
}

/// What an index holds of an item; `None` of an item without its keys.
fn entry(item: &Item, index: &IndexDefinition, map: Map) -> Option<Item> {
    let keys = [index.partition_key.name, index.sort_key.name];
    if keys.iter().any(|key| !item.contains_key(*key)) {
        return None;
    }
    let mut names = index.non_key_attributes();
    names.retain(|name| map == Map::With || *name != LISTING);
    names.extend(keys);
    names.push(REQUEST_ID);
    let held = item.iter().filter(|(name, _)| names.contains(&name.as_str()));
    Some(held.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The units of writing an entry of an index after a change of its item.
fn entry_write(before: Option<&Item>, after: &Item, index: &IndexDefinition, map: Map) -> usize {
    let units = |item: &Item| item_size(item).div_ceil(WRITE_UNIT);
    let before = before.and_then(|item| entry(item, index, map));
    let after = entry(after, index, map);
    match (before, after) {
        (None, None) => 0,
        (Some(only), None) | (None, Some(only)) => units(&only),
        (Some(before), Some(after)) if before == after => 0,
        (Some(before), Some(after)) => {
            let keys = [index.partition_key.name, index.sort_key.name];
            let is_moved = keys.iter().any(|key| before[*key] != after[*key]);
            // An entry with another key is one that is removed and one that is put.
            if is_moved { units(&before) + units(&after) } else { units(&before).max(units(&after)) }
        }
    }
}

/// The units of writing a change of a request, in a transaction, and of all entries. Its event and its message
/// come on top, and are the same with and without the map.
fn write(before: Option<&Item>, after: &Item, map: Map) -> usize {
    let largest = before.map_or(0, item_size).max(item_size(after));
    let entries = APPROVALS.indexes.iter().map(|index| entry_write(before, after, index, map));
    2 * largest.div_ceil(WRITE_UNIT) + entries.sum::<usize>()
}

/// The half units of reading a page, which is not read consistently. Without the map, the requests themselves are
/// read as well.
fn half_units_of_a_page(item: &Item, map: Map) -> usize {
    let entry = entry(item, &APPROVALS.indexes[0], map).unwrap();
    let entries = (READ_FOR_PAGE * item_size(&entry)).div_ceil(READ_UNIT);
    match map {
        Map::With => entries,
        Map::Without => entries + PAGE * item_size(item).div_ceil(READ_UNIT),
    }
}

/// A request as it was made, as it was before its last approval, and after it.
struct Life {
    made: Item,
    nearly: Item,
    approved: Item,
}

fn typical() -> Life {
    let service = Service::start();
    let request = || service.block_on(scan(&service.database, &tables().approvals)).remove(0);
    let ann = service.requester("ann");
    let created = ann.post_with_key("/v1/approvals", &Service::high(), "make").expect(201);
    let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
    let approve = |name: &str| {
        let body = json!({ "comments": "Agreed", "content_digest": created["content_digest"] });
        service.approver(name).post_with_key(&format!("{path}/approve"), &body, name).expect(200);
    };
    let made = request();
    approve("bob");
    let nearly = request();
    approve("cy");
    Life { made, nearly, approved: request() }
}

fn largest() -> Life {
    let mut approved = worst().0;
    approved.execution = None;
    approved.status = Status::Approved;
    let mut nearly = approved.clone();
    nearly.decisions.truncate(MAX_DECISIONS - 1);
    nearly.status = Status::Pending;
    (nearly.approved_at, nearly.execute_by) = (None, None);
    let mut made = nearly.clone();
    made.decisions.clear();
    made.withdrawals.clear();
    made.comments.clear();
    made.idempotency.truncate(1);
    Life { made: stored(&made), nearly: stored(&nearly), approved: stored(&approved) }
}

fn stored(request: &Request) -> Item {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = countersign_embedded::client(Embedded::in_memory().unwrap());
        create_missing(&client, &tables()).await.unwrap();
        let (_, audit, message) = worst();
        let addresses = BTreeSet::new();
        let change = ChangeSet {
            before: None,
            after: request,
            audit: &audit,
            addresses: &addresses,
            message: &message,
            timer: None,
            continuation: None,
        };
        DynamoStore::new(client.clone(), tables()).commit(change).await.unwrap();
        scan(&client, &tables().approvals).await.remove(0)
    })
}

/// The rows of the decision's table.
fn rows(lives: &[Life; 2]) -> Vec<String> {
    let row = |name: &str, figure: &dyn Fn(&Life) -> String| {
        format!("| {name} | {} |", lives.each_ref().map(figure).join(" | "))
    };
    let both = |figure: &dyn Fn(Map) -> String| format!("{} | {}", figure(Map::With), figure(Map::Without));
    let mut rows = vec![row("bytes of the request", &|life| {
        let bytes = item_size(&life.approved);
        both(&|_| bytes.to_string())
    })];
    for index in APPROVALS.indexes {
        rows.push(row(&format!("bytes of its entry in `{}`", index.name), &|life| {
            both(&|map| item_size(&entry(&life.approved, index, map).unwrap()).to_string())
        }));
    }
    rows.push(row("WCU of its creation", &|life| both(&|map| write(None, &life.made, map).to_string())));
    rows.push(row("WCU of its last approval", &|life| {
        both(&|map| write(Some(&life.nearly), &life.approved, map).to_string())
    }));
    rows.push(row("RCU of a page of 25 such", &|life| {
        both(&|map| {
            let halves = half_units_of_a_page(&life.approved, map);
            format!("{}.{}", halves / 2, halves % 2 * 5)
        })
    }));
    rows
}

/// `cargo test --workspace --test store -- the_cost_of_lists --nocapture` prints the table.
#[test]
#[expect(clippy::print_stdout, reason = "the figures are for people, too")]
fn the_cost_of_lists_is_what_the_decision_says() {
    let rows = rows(&[typical(), largest()]);
    println!("{}", rows.join("\n"));
    for row in rows {
        assert!(DECISION.contains(&row), "docs/adr/0030-list-projection.md lacks\n{row}");
    }
}
