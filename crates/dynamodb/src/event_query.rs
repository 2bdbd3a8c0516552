//! Queries of events across streams: which index is the narrowest, and the walk over it.
//!
//! An index says which events there are, and holds no more than filters need. What is given is read from the table
//! itself and held against its keys there.

use crate::audit_item::audit_event;
use crate::error::{invalid, store_error, unreadable};
use crate::expression::{Expression, Item};
use crate::keys::{
    self, AT, EVENT_TYPE, EVENT_TYPE_INDEX, EVENT_TYPE_MONTH, INSTANCE_EVENTS_INDEX, INSTANCE_ID, MONTH,
    MONTH_INDEX, SEQUENCE, STREAM, USER, USER_INDEX,
};
use crate::listing::{Segment, Stage};
use crate::merge::{Merge, Next};
use crate::position::{Bound, Position};
use crate::store::DynamoStore;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use countersign_app::ports::{EventPage, EventQuery, QueryEvents, StoreError};
use countersign_core::timestamp::Timestamp;
use std::collections::HashMap;

/// The most rows of an index, or events of a stream, that one page looks at.
const MAX_LOOKED_AT: usize = 1000;
/// How often an index is asked for one page. More than there are partitions that the next event can be in.
const MAX_QUERIES: usize = 40;
/// How many items `BatchGetItem` reads at most
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>).
const BATCH: usize = 100;
/// How often a batch is asked for what the database left out.
const MAX_BATCH_ATTEMPTS: usize = 8;

/// What positions call the walk over indexes, and that over a stream.
const INDEX: &str = "index";
const ONE_STREAM: &str = "stream";

/// No event is older: the format of events is not. Where a query names nothing but time, its walk begins here.
fn first_month() -> Timestamp {
    Timestamp::parse("2025-11-01T00:00:00.000Z").unwrap_or(Timestamp::EARLIEST)
}

impl QueryEvents for DynamoStore {
    async fn query_events(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let position = query.after.as_deref().map(Position::parse).transpose()?;
        // A walk ends where it would have ended when it began: what comes meanwhile is on no page of it.
        let until = position.as_ref().map_or(query.until, |position| position.as_of.min(query.until));
        let query = &EventQuery { until, ..query.clone() };
        match &query.stream {
            Some(stream) => self.query_stream(query, stream.to_string(), position).await,
            None => self.query_index(query, position).await,
        }
    }
}

impl DynamoStore {
    async fn query_stream(
        &self,
        query: &EventQuery,
        stream: String,
        position: Option<Position>,
    ) -> Result<EventPage, StoreError> {
        let after = match position {
            None => None,
            Some(Position { stage, bound: Some(bound), .. }) if stage == ONE_STREAM => Some(bound.key),
            Some(_) => return Err(StoreError::MalformedCursor),
        };
        let key = |sequence: &str| {
            Item::from([
                (STREAM.to_owned(), AttributeValue::S(stream.clone())),
                (SEQUENCE.to_owned(), AttributeValue::N(sequence.to_owned())),
            ])
        };
        let mut condition = Expression::default();
        let name = condition.name(STREAM);
        let value = condition.string("stream", &stream);
        let mut filters = filters(query, STREAM, &mut condition);
        let at = condition.name(AT);
        let from = condition.string("from", keys::first_key(query.from.unwrap_or(Timestamp::EARLIEST)));
        let to = condition.string("until", keys::last_key(query.until));
        filters.push(format!("{at} BETWEEN {from} AND {to}"));
        let mut page = EventPage::until(query.until);
        let mut start = after.as_deref().map(key);
        let mut looked_at = 0;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.tables.audit)
                .consistent_read(true)
                .key_condition_expression(format!("{name} = {value}"))
                .filter_expression(filters.join(" AND "))
                .set_expression_attribute_names(Some(condition.names.clone()))
                .set_expression_attribute_values(Some(condition.values.clone()))
                .scan_index_forward(query.is_ascending)
                // What is looked at is not more than what is wanted, so that no event is read and left out.
                .limit(i32::try_from(query.limit - page.events.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(store_error)?;
            looked_at += usize::try_from(answer.scanned_count).unwrap_or_default();
            take(&mut page, answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            let stopped_at = start.as_ref().and_then(|item| item.get(SEQUENCE)?.as_n().ok()).cloned();
            if stopped_at.is_none() || page.events.len() >= query.limit || looked_at >= MAX_LOOKED_AT {
                page.next = stopped_at.map(|sequence| {
                    let bound = Some(Bound::after(sequence));
                    Position { as_of: query.until, stage: ONE_STREAM.to_owned(), bound }.text()
                });
                return Ok(page);
            }
        }
    }

    async fn query_index(
        &self,
        query: &EventQuery,
        position: Option<Position>,
    ) -> Result<EventPage, StoreError> {
        let bound = match position {
            None => None,
            Some(Position { stage, bound, .. }) if stage == INDEX => bound,
            Some(_) => return Err(StoreError::MalformedCursor),
        };
        let next = |bound| Some(Position { as_of: query.until, stage: INDEX.to_owned(), bound }.text());
        let mut merge = Merge::new(stage(query), bound.as_ref());
        let (mut found, mut last) = (Vec::new(), bound);
        let (mut looked_at, mut queries) = (0, 0);
        let position = loop {
            match merge.next() {
                Next::End => break None,
                // More than is wanted: it is the first of the next page.
                Next::Row(_) if found.len() >= query.limit => break next(last),
                Next::Row(row) => {
                    last = Some(Bound::after(row.key));
                    found.push(row.item);
                }
                Next::Ask(index) if looked_at >= MAX_LOOKED_AT || queries >= MAX_QUERIES => {
                    break next(merge.bound(index));
                }
                Next::Ask(index) => {
                    queries += 1;
                    // One to see whether there are more, one that may have been on the page before.
                    let wanted = (query.limit - found.len() + 2).min(MAX_LOOKED_AT - looked_at);
                    looked_at += self.ask_events(query, &mut merge, index, wanted).await?;
                }
            }
        };
        let mut page = EventPage { next: position, ..EventPage::until(query.until) };
        take(&mut page, self.read_events(found).await?);
        Ok(page)
    }

    /// Asks a source of a merge for its next rows; returns how many were looked at.
    async fn ask_events(
        &self,
        query: &EventQuery,
        merge: &mut Merge,
        index: usize,
        wanted: usize,
    ) -> Result<usize, StoreError> {
        // INVARIANT: a merge names its own sources.
        let Some(source) = merge.source(index) else { return Ok(0) };
        let segment = &source.segment;
        let mut condition = Expression::default();
        let key_condition = segment.condition(&mut condition);
        let filters = filters(query, segment.index, &mut condition);
        let limit = if filters.is_empty() { wanted } else { MAX_LOOKED_AT };
        let page = self
            .client
            .query()
            .table_name(&self.tables.audit)
            .index_name(segment.index)
            .key_condition_expression(key_condition)
            .set_filter_expression((!filters.is_empty()).then(|| filters.join(" AND ")))
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .scan_index_forward(merge.is_ascending())
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(source.start.clone())
            .send()
            .await
            .map_err(store_error)?;
        merge.fill(index, page.items.unwrap_or_default(), page.last_evaluated_key);
        Ok(usize::try_from(page.scanned_count).unwrap_or_default())
    }

    /// The items of the table that these rows of an index are of, in their order.
    async fn read_events(&self, rows: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut read: HashMap<(String, String), Item> = HashMap::new();
        for rows in rows.chunks(BATCH) {
            let mut wanted: Vec<Item> = rows.iter().filter_map(key_item).collect();
            for attempt in 1.. {
                let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true);
                let keys = keys.build().map_err(invalid)?;
                let answer =
                    self.client.batch_get_item().request_items(&self.tables.audit, keys).send().await;
                let answer = answer.map_err(store_error)?;
                let items = answer.responses.unwrap_or_default().into_values().flatten();
                read.extend(items.filter_map(|item| Some((place(&item)?, item))));
                let left_out = answer.unprocessed_keys.unwrap_or_default().into_values();
                wanted = left_out.flat_map(|left_out| left_out.keys).collect();
                if wanted.is_empty() {
                    break;
                }
                if attempt == MAX_BATCH_ATTEMPTS {
                    return Err(StoreError::Unavailable("events are read too slowly".to_owned()));
                }
            }
        }
        rows.iter()
            .map(|row| {
                let item = place(row).and_then(|place| read.remove(&place));
                // Nothing deletes an event. An index entry without one is not an event less: it is damage.
                item.ok_or_else(|| unreadable("audit event", "an index names an event that is not there"))
            })
            .collect()
    }
}

/// Where an item stands.
fn place(item: &Item) -> Option<(String, String)> {
    let stream = item.get(STREAM)?.as_s().ok()?;
    let sequence = item.get(SEQUENCE)?.as_n().ok()?;
    Some((stream.clone(), sequence.clone()))
}

fn key_item(item: &Item) -> Option<Item> {
    let (stream, sequence) = place(item)?;
    Some(Item::from([
        (STREAM.to_owned(), AttributeValue::S(stream)),
        (SEQUENCE.to_owned(), AttributeValue::N(sequence)),
    ]))
}

/// The partitions that a query reads: of the narrowest filter that has an index.
fn stage(query: &EventQuery) -> Stage {
    let from = query.from.unwrap_or(Timestamp::EARLIEST);
    let range = (keys::first_key(from), keys::last_key(query.until));
    let segment = |index, partition_attribute, partition: String| Segment {
        index,
        partition_attribute,
        partition,
        sort_attribute: AT,
        range: range.clone(),
    };
    let months = || {
        let from = from.max(first_month());
        let (first, last) = (from.month(), query.until.month());
        months(&first, &last)
    };
    let segments: Vec<Segment> = if let Some(instance_id) = &query.instance_id {
        vec![segment(INSTANCE_EVENTS_INDEX, INSTANCE_ID, instance_id.to_string())]
    } else if !query.users.is_empty() {
        query.users.iter().map(|user| segment(USER_INDEX, USER, user.to_string())).collect()
    } else if query.event_types.is_empty() {
        months()
            .into_iter()
            .map(|month| in_month(segment(MONTH_INDEX, MONTH, month.clone()), &month))
            .collect()
    } else {
        let of_type = |month: &String| {
            let month = month.clone();
            query.event_types.iter().map(move |event_type| {
                let partition = keys::event_type_month(event_type.as_str(), &month);
                in_month(segment(EVENT_TYPE_INDEX, EVENT_TYPE_MONTH, partition), &month)
            })
        };
        months().iter().flat_map(of_type).collect()
    };
    Stage { name: INDEX, is_ascending: query.is_ascending, segments }
}

/// The part of a range that lies in a month: a partition is asked no sooner than its events can come.
fn in_month(mut segment: Segment, month: &str) -> Segment {
    let (first, last) = (format!("{month}-"), format!("{month}-~"));
    if segment.range.0 < first {
        segment.range.0 = first;
    }
    if segment.range.1 > last {
        segment.range.1 = last;
    }
    segment
}

/// The months from one such as `2026-01` to another, both included.
fn months(first: &str, last: &str) -> Vec<String> {
    let number = |month: &str| -> Option<u32> {
        let (year, month) = month.split_once('-')?;
        Some(year.parse::<u32>().ok()? * 12 + month.parse::<u32>().ok()? - 1)
    };
    let (Some(first), Some(last)) = (number(first), number(last)) else { return Vec::new() };
    (first..=last).map(|month| format!("{:04}-{:02}", month / 12, month % 12 + 1)).collect()
}

/// What else has to hold of a row, besides what the partition that is read stands for.
fn filters(query: &EventQuery, index: &str, condition: &mut Expression) -> Vec<String> {
    let mut filters = Vec::new();
    let mut one_of = |attribute: &str, texts: Vec<String>| {
        if !texts.is_empty() {
            let name = condition.name(attribute);
            let values: Vec<_> = texts
                .into_iter()
                .enumerate()
                .map(|(number, text)| condition.string(&format!("{attribute}_{number}"), text))
                .collect();
            filters.push(format!("{name} IN ({})", values.join(", ")));
        }
    };
    if index != INSTANCE_EVENTS_INDEX {
        one_of(INSTANCE_ID, query.instance_id.iter().map(ToString::to_string).collect());
    }
    if index != USER_INDEX {
        one_of(USER, query.users.iter().map(ToString::to_string).collect());
    }
    if index != EVENT_TYPE_INDEX {
        one_of(EVENT_TYPE, query.event_types.iter().map(|known| known.as_str().to_owned()).collect());
    }
    filters
}

/// Adds the events of these items to a page, and what is said of those that cannot be read.
fn take(page: &mut EventPage, items: Vec<Item>) {
    for item in items {
        match audit_event(item) {
            Ok(event) => page.events.push(event),
            Err(error) => page.damaged.push(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::AUDIT;
    use countersign_core::event::EventType;
    use countersign_core::person::PersonId;
    use countersign_core::text::InstanceId;
    use std::collections::BTreeSet;

    #[test]
    fn months_go_over_the_end_of_a_year() {
        assert_eq!(months("2025-11", "2026-02"), ["2025-11", "2025-12", "2026-01", "2026-02"]);
        assert_eq!(months("2026-02", "2026-02"), ["2026-02"]);
        assert!(months("2026-03", "2026-02").is_empty());
    }

    /// An index that nothing reads costs a write for each event all the same.
    #[test]
    fn every_index_is_read_by_a_filter_alone_or_by_none() {
        let until = Timestamp::parse("2026-03-31T23:59:59Z").unwrap();
        let all = EventQuery {
            stream: None,
            instance_id: None,
            users: BTreeSet::new(),
            event_types: BTreeSet::new(),
            from: None,
            until,
            is_ascending: true,
            limit: 50,
            after: None,
        };
        let queries = [
            EventQuery { instance_id: InstanceId::parse("dev-db-01").ok(), ..all.clone() },
            EventQuery {
                users: BTreeSet::from([PersonId::from_email("ann@example.com").unwrap()]),
                ..all.clone()
            },
            EventQuery { event_types: BTreeSet::from([EventType::AuditRead]), ..all.clone() },
            all,
        ];
        let segments = queries.iter().flat_map(|query| stage(query).segments);
        let read: BTreeSet<_> = segments.map(|segment| segment.index).collect();
        let defined: BTreeSet<_> = AUDIT.indexes.iter().map(|index| index.name).collect();
        assert_eq!(read, defined);
    }
}
