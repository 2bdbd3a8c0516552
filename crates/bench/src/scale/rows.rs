//! A store with very many requests: rows as the service writes them, copied with other ids, people, instances and times.
//!
//! A copy is read by lists and counts as the original is. It has no valid seal and one event without a chain, so nothing
//! is decided on it: decisions are measured on requests that were really made.

use crate::metered_service::{MeteredService, Sent, high, id_of, person, tables};
use countersign_api::operations::approve::Approve;
use countersign_api::operations::cancel::Cancel;
use countersign_api::operations::create::Create;
use countersign_api::operations::finish::Finish;
use countersign_api::operations::reject::Reject;
use countersign_api::operations::start::Start;
use countersign_app::host::Clock as _;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::keys::{
    AT, EVENT_TYPE, EVENT_TYPE_MONTH, MONTH, STATUS_AT, STATUS_KEY, closed_status_key, event_type_month,
};
use countersign_embedded::Embedded;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::{AttributeValue, Database, ImportOptions, Item};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Whose requests are listed.
pub(crate) const MEASURED_REQUESTER: &str = "ann";
/// Whose requests of an instance are listed.
pub(crate) const MEASURED_INSTANCE: &str = "production-db-0000";
/// How many requests of that requester and for that instance there are at least, so that every page of them is full
/// in the smallest store: as many as one query of a list reads, and a quarter more.
const MEASURED: u64 = 250;
/// How many of them are pending besides.
const MEASURED_PENDING: u64 = 20;
/// How many requesters and instances the other requests are of.
const REQUESTERS: u64 = 1000;
/// Over how many days the closed ones are spread.
const DAYS: u64 = 365;
/// How many rows are written in one transaction.
const BATCH: u64 = 20_000;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// The statuses that are stored, and how many of a hundred requests have each.
const MIX: [(Status, u64); 7] = [
    (Status::Pending, 5),
    (Status::Approved, 2),
    (Status::Executing, 1),
    (Status::Rejected, 10),
    (Status::Cancelled, 4),
    (Status::Expired, 8),
    (Status::Executed, 70),
];

/// A part of a row.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    /// Milliseconds after the row's own time.
    Time(i64),
    Id,
    Requester,
    Instance,
}

/// A stored row as text, and what of it is another in each copy.
#[derive(Debug, Clone)]
struct Template {
    pieces: Vec<Piece>,
}

/// What a copy is of.
struct CopyOf<'a> {
    id: &'a str,
    requester: &'a str,
    instance: &'a str,
    at: i64,
}

impl Template {
    /// Takes a row apart. Its own time is that of `at_attribute`, which begins with one.
    fn of(item: &Item, at_attribute: &str, original: &CopyOf<'_>) -> Result<Self, String> {
        let at = time_of(item, at_attribute)?;
        let text = serde_json::to_string(item).map_err(|error| error.to_string())?;
        let mut pieces = vec![Piece::Text(text)];
        for (named, piece) in [
            (original.id, Piece::Id),
            (original.requester, Piece::Requester),
            (original.instance, Piece::Instance),
        ] {
            pieces = pieces
                .into_iter()
                .flat_map(|part| match part {
                    Piece::Text(text) => separated(&text, named, &piece),
                    other => vec![other],
                })
                .collect();
        }
        let pieces = pieces
            .into_iter()
            .flat_map(|part| match part {
                Piece::Text(text) => times(&text, at),
                other => vec![other],
            })
            .collect();
        Ok(Self { pieces })
    }

    fn copy(&self, copy: &CopyOf<'_>) -> Result<Item, String> {
        let mut text = String::with_capacity(4096);
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                // INVARIANT: a text takes everything that is written to it.
                Piece::Time(after) => {
                    let _ = write!(text, "{}", Timestamp::from_millisecond(copy.at + after));
                }
                Piece::Id => text.push_str(copy.id),
                Piece::Requester => text.push_str(copy.requester),
                Piece::Instance => text.push_str(copy.instance),
            }
        }
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

fn separated(text: &str, by: &str, piece: &Piece) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (place, part) in text.split(by).enumerate() {
        if place > 0 {
            pieces.push(piece.clone());
        }
        pieces.push(Piece::Text(part.to_owned()));
    }
    pieces
}

/// The length of a time as the service writes it.
const TIME_LENGTH: usize = 24;

fn times(text: &str, at: i64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut passed = String::new();
    while let Some(first) = rest.chars().next() {
        let time = rest.get(..TIME_LENGTH).filter(|time| time.ends_with('Z')).map(Timestamp::parse);
        if let Some(Ok(time)) = time {
            pieces.push(Piece::Text(std::mem::take(&mut passed)));
            pieces.push(Piece::Time(time.as_millisecond() - at));
            rest = rest.get(TIME_LENGTH..).unwrap_or_default();
        } else {
            passed.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    pieces.push(Piece::Text(passed));
    pieces
}

fn text_of<'a>(item: &'a Item, attribute: &str) -> Result<&'a str, String> {
    match item.get(attribute) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(format!("a row has no {attribute}")),
    }
}

fn time_of(item: &Item, attribute: &str) -> Result<i64, String> {
    let text = text_of(item, attribute)?;
    let time = text.get(..TIME_LENGTH).ok_or_else(|| format!("{attribute} is no time: {text}"))?;
    Timestamp::parse(time).map(Timestamp::as_millisecond).map_err(|error| error.to_string())
}

/// Fills a file with so many requests and their first events.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn fill(path: &Path, requests: u64) -> Result<(), String> {
    let engine = Embedded::open(path).map_err(|error| error.to_string())?;
    let service = MeteredService::on(engine)?;
    let now = service.host.now().as_millisecond();
    let originals = originals(&service)?;
    drop(service);
    let shown = path.to_str().ok_or("the path is not UTF-8")?;
    let database = Database::new(shown).map_err(|error| error.to_string())?;
    database.enable_bulk_loading().map_err(|error| error.to_string())?;
    let templates = templates(&database, &originals)?;
    let mut next = 0;
    while next < requests {
        let end = (next + BATCH).min(requests);
        let (mut rows, mut events) = (Vec::new(), Vec::new());
        for number in next..end {
            let (row, event) = templates.request(number, requests, now)?;
            rows.push(row);
            events.push(event);
        }
        for (table, items) in [(tables().approvals, rows), (tables().audit, events)] {
            let imported = database.import_items(&table, items, ImportOptions::default());
            imported.map_err(|error| error.to_string())?;
        }
        next = end;
    }
    Ok(())
}

/// One real request in each status, by its id.
fn originals(service: &MeteredService) -> Result<Vec<(Status, String)>, String> {
    let requester = person(MEASURED_REQUESTER, "developer")?;
    let approvers = [person("bob", "approver")?, person("cat", "approver")?];
    let mut originals = Vec::new();
    for (status, _) in MIX {
        let sent = Sent { body: Some(high(MEASURED_INSTANCE)), ..Sent::default() };
        let id = id_of(&service.call::<Create>(&requester, sent)?.answer)?;
        let sent = |body| Sent { id: Some(&id), body: Some(body), ..Sent::default() };
        let approve = || -> Result<(), String> {
            for approver in &approvers {
                service.call::<Approve>(approver, sent(json!({ "comments": "Agreed" })))?;
            }
            Ok(())
        };
        match status {
            // A request that expires is as it was, in another partition.
            Status::Pending | Status::Expired => {}
            Status::Rejected => {
                let [approver, _] = &approvers;
                service.call::<Reject>(approver, sent(json!({ "reason": "Not before the holidays" })))?;
            }
            Status::Cancelled => {
                service.call::<Cancel>(&requester, sent(json!({ "reason": "Not needed any more" })))?;
            }
            Status::Approved => approve()?,
            Status::Executing | Status::Executed | Status::Failed => {
                approve()?;
                let started = service.call::<Start>(&requester, sent(json!({})))?.answer;
                if status != Status::Executing {
                    let execution_id = started.get("execution_id");
                    let body = json!({ "execution_id": execution_id, "outcome": "succeeded" });
                    service.call::<Finish>(&requester, sent(body))?;
                }
            }
        }
        originals.push((status, id));
    }
    Ok(originals)
}

/// What every row is copied from.
struct Templates {
    of_status: Vec<(Status, Template)>,
    event: Template,
}

fn templates(database: &Database, originals: &[(Status, String)]) -> Result<Templates, String> {
    let requester = format!("{MEASURED_REQUESTER}@example.com");
    let mut of_status = Vec::new();
    let mut event = None;
    for (status, id) in originals {
        let original = CopyOf { id, requester: &requester, instance: MEASURED_INSTANCE, at: 0 };
        let mut key = Item::new();
        key.insert("request_id".to_owned(), AttributeValue::S(id.clone()));
        let request = GetItemRequest { table_name: tables().approvals, key, ..GetItemRequest::default() };
        let found = database.get_item(request).map_err(|error| error.to_string())?;
        let mut item = found.item.ok_or("a request is gone")?;
        if *status == Status::Expired {
            item.insert("status".to_owned(), AttributeValue::S(status.to_string()));
            item.remove("open_key");
        }
        of_status.push((*status, Template::of(&item, STATUS_AT, &original)?));
        if *status == Status::Pending {
            let request = ScanRequest { table_name: tables().audit, ..ScanRequest::default() };
            let found = database.scan(request).map_err(|error| error.to_string())?;
            let stream = format!("request/{id}");
            let first = found
                .items
                .into_iter()
                .flatten()
                .find(|item| text_of(item, "stream").is_ok_and(|of| of == stream));
            event = Some(Template::of(&first.ok_or("a request has no event")?, AT, &original)?);
        }
    }
    Ok(Templates { of_status, event: event.ok_or("no event was read")? })
}

/// Spreads numbers without a pattern, and the same in every run.
fn spread(number: u64, by: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % by
}

fn milliseconds(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Templates {
    /// The row of a request and that of its first event.
    fn request(&self, number: u64, requests: u64, now: i64) -> Result<(Item, Item), String> {
        let is_measured = number < MEASURED + MEASURED_PENDING;
        let status = match number {
            0..MEASURED => Status::Executed,
            _ if is_measured => Status::Pending,
            _ => mixed_status(spread(number, 100)),
        };
        // What the measured requester and instance have open is the same in every store: it is for each of them, and
        // not for the whole store, that policy sets limits.
        let first = if status.is_open() { 1 } else { 0 };
        let one_of = |salt: u64| match is_measured {
            true => 0,
            false => first + spread(number ^ salt, REQUESTERS - first),
        };
        let (requester, instance) = (one_of(0x5bd1_e995), one_of(0x2545_f491));
        let requester = match requester {
            0 => format!("{MEASURED_REQUESTER}@example.com"),
            number => format!("requester-{number:03}@example.com"),
        };
        let instance = format!("production-db-{instance:04}");
        let somewhere = |range: i64| milliseconds(spread(number ^ 0x1234_5678, range.unsigned_abs()));
        let at = match status {
            // Deadlines of the next days, none of them so soon that a sweep meets it.
            Status::Pending => now + HOUR + somewhere(70 * HOUR),
            Status::Approved => now + HOUR + somewhere(22 * HOUR),
            Status::Executing => now - MINUTE - somewhere(HOUR),
            // In the order of their numbers: what an index gets is mostly at the end of its partitions, so that a file
            // of many gigabytes is written in minutes.
            Status::Executed | Status::Failed | Status::Rejected | Status::Cancelled | Status::Expired => {
                let range = milliseconds(DAYS) * 24 * HOUR;
                let left = milliseconds(requests.saturating_sub(number));
                let before = range / milliseconds(requests.max(1)) * left;
                now - HOUR - if is_measured { somewhere(range) } else { before }
            }
        };
        // In the order of their numbers, too: it is where entries of indexes are looked up by.
        let id = format!("{number:08x}-0000-4000-8000-000000000000");
        let template =
            self.of_status.iter().find(|(of, _)| *of == status).ok_or("a status has no template")?;
        let copy = CopyOf { id: &id, requester: &requester, instance: &instance, at };
        let mut row = template.1.copy(&copy)?;
        if !status.is_open() {
            let key = closed_status_key(status, &month_of(&row, STATUS_AT)?);
            row.insert(STATUS_KEY.to_owned(), AttributeValue::S(key));
        }
        let made = time_of(&row, "requested_at")?;
        let mut event = self.event.copy(&CopyOf { at: made, ..copy })?;
        let month = month_of(&event, AT)?;
        let of_type = event_type_month(text_of(&event, EVENT_TYPE)?, &month);
        event.insert(MONTH.to_owned(), AttributeValue::S(month));
        event.insert(EVENT_TYPE_MONTH.to_owned(), AttributeValue::S(of_type));
        Ok((row, event))
    }
}

fn mixed_status(mut of_a_hundred: u64) -> Status {
    for (status, share) in MIX {
        if of_a_hundred < share {
            return status;
        }
        of_a_hundred -= share;
    }
    Status::Executed
}

fn month_of(item: &Item, attribute: &str) -> Result<String, String> {
    Ok(Timestamp::from_millisecond(time_of(item, attribute)?).month())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_the_mix_are_a_hundred() {
        assert_eq!(MIX.iter().map(|(_, share)| share).sum::<u64>(), 100);
        assert_eq!(mixed_status(0), Status::Pending);
        assert_eq!(mixed_status(99), Status::Executed);
    }

    #[test]
    fn a_copy_differs_in_what_it_is_of_and_in_nothing_else() {
        let text = r#"{"request_id":{"S":"id-1"},"at":{"S":"2026-01-01T00:00:00.000Z#id-1"},
            "made":{"S":"2025-12-31T00:00:00.000Z"},"who":{"S":"ann@example.com"},"db":{"S":"db-0"}}"#;
        let item: Item = serde_json::from_str(text).unwrap();
        let original = CopyOf { id: "id-1", requester: "ann@example.com", instance: "db-0", at: 0 };
        let template = Template::of(&item, "at", &original).unwrap();
        let at = Timestamp::parse("2026-02-01T00:00:00.000Z").unwrap().as_millisecond();
        let copy = CopyOf { id: "id-2", requester: "bob@example.com", instance: "db-1", at };
        let expected = text
            .replace("id-1", "id-2")
            .replace("ann@", "bob@")
            .replace("db-0", "db-1")
            .replace("2026-01-01", "2026-02-01")
            .replace("2025-12-31", "2026-01-31");
        assert_eq!(template.copy(&copy).unwrap(), serde_json::from_str::<Item>(&expected).unwrap());
    }
}
