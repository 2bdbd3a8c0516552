//! The store: every port of the use cases, one SDK call after another.

use crate::answer_time::AnswerTime;
use crate::audit_item::{self, audit_event, audit_item};
use crate::continuation_item::continuation_item;
use crate::deliveries::DynamoDeliveries;
use crate::error::{commit_error, invalid, store_error, unreadable};
use crate::expression::{self, Deciding, Expression, Item};
use crate::hold_item::is_hold;
use crate::item;
use crate::keys::{
    self, EVENT_ID, OPEN_INDEX, OPEN_KEY, REQUEST_ID, SEQUENCE, SHARD, STATUS_AT, STREAM, VERSION,
};
use crate::listing::{self, Stage};
use crate::merge::{Merge, Next, Source};
use crate::outbox_item::outbox_item;
use crate::position::{Bound, Position};
use crate::summary_item;
use crate::table::TableNames;
use crate::timer_item::{self, timer_item, timer_key};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, Select, TransactWriteItem, Update};
use aws_types::SdkConfig;
use countersign_app::ports::{
    ChangeSet, CommitChange, CommitError, CountOpen, DuePage, FindDue, FindEvent, ListQuery, ListRequests,
    LoadEvents, LoadRequest, Page, Replicas, RequestSummary, ScanStore, StoreError, Timer, Timers, Trail,
};
use countersign_app::preferences::PreferencesStore;
use countersign_app::webhooks::WebhookStore;
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::cloud_event::Message;
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;

/// The most items that one query of a list reads.
const MAX_ITEMS: usize = 200;

/// How many items a page of a scan has: about as many as `DynamoDB` reads at once. Without a limit the embedded engine reads
/// all that is left of the table for each page.
const SCAN_PAGE: i32 = 500;

/// The store on `DynamoDB`.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    pub(crate) client: Client,
    pub(crate) tables: TableNames,
    answer_time: AnswerTime,
    deliveries: DynamoDeliveries,
}

impl DynamoStore {
    /// A store on these tables, through a client that the shell has built.
    pub fn new(client: Client, tables: TableNames) -> Self {
        let answer_time = AnswerTime::default();
        let config = client.config().to_builder().interceptor(answer_time.clone()).build();
        let client = Client::from_conf(config);
        let table = tables.deliveries.clone().unwrap_or_default();
        let deliveries = DynamoDeliveries::new(client.clone(), table);
        Self { client, tables, answer_time, deliveries }
    }

    /// The same, with a client of its own.
    pub fn connect(aws: &SdkConfig, tables: TableNames) -> Self {
        Self::new(Client::new(aws), tables)
    }
}

/// Puts an item whose attribute `version` is compared with the one that was read; without one, there must be no item.
pub(crate) fn versioned_put(table: &str, item: Item, before: Option<u64>) -> Result<Put, StoreError> {
    let mut condition = Expression::default();
    let version = condition.name(VERSION);
    condition.text = match before {
        None => format!("attribute_not_exists({version})"),
        Some(before) => {
            let before = condition.value("before", AttributeValue::N(before.to_string()));
            format!("{version} = {before}")
        }
    };
    Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression(condition.text)
        .set_expression_attribute_names(Some(condition.names))
        .set_expression_attribute_values(before.map(|_| condition.values))
        .build()
        .map_err(invalid)
}

fn request_key(id: RequestId) -> Item {
    Item::from([(REQUEST_ID.to_owned(), AttributeValue::S(id.to_string()))])
}

impl WebhookStore for DynamoStore {
    type Webhooks = DynamoDeliveries;

    fn webhooks(&self) -> &DynamoDeliveries {
        &self.deliveries
    }
}

impl PreferencesStore for DynamoStore {
    type Preferences = DynamoDeliveries;

    fn preferences(&self) -> &DynamoDeliveries {
        &self.deliveries
    }
}

impl LoadRequest for DynamoStore {
    async fn load(&self, id: RequestId) -> Result<Option<Request>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.approvals)
            .set_key(Some(request_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        let request = found.item.map(item::request).transpose()?;
        // A key by itself is no proof: an item can be put under the key of another one.
        if request.as_ref().is_some_and(|request| request.id() != id) {
            return Err(unreadable("request", "another request stands under this id"));
        }
        Ok(request)
    }
}

impl CommitChange for DynamoStore {
    async fn commit(&self, change: ChangeSet<'_>) -> Result<(), CommitError> {
        let request = match change.before {
            None => self.put_request(change.after)?,
            Some(before) => self.update_request(before, &change)?,
        };
        let audit = self.put_event(change.audit)?;
        let outbox = self.put_message(change.message)?;
        let timer = change.timer.map(|timer| self.put_outbox(timer_item(timer))).transpose()?;
        let timer = timer.map(|timer| TransactWriteItem::builder().put(timer).build());
        let mut transaction = self
            .client
            .transact_write_items()
            .transact_items(request)
            .transact_items(TransactWriteItem::builder().put(audit).build())
            .transact_items(TransactWriteItem::builder().put(outbox).build());
        if let Some(timer) = timer {
            transaction = transaction.transact_items(timer);
        }
        if let Some(continuation) = change.continuation {
            let waiting = self.put_outbox(continuation_item(continuation, change.after))?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(waiting).build());
        }
        transaction.send().await.map(|_| ()).map_err(commit_error)
    }
}

impl DynamoStore {
    /// A query of the events of a stream, strongly consistent.
    pub(crate) fn events_of(&self, stream: &Stream, is_ascending: bool) -> QueryFluentBuilder {
        let mut condition = Expression::default();
        let stream_name = condition.name(STREAM);
        let stream = condition.string("stream", stream);
        self.client
            .query()
            .table_name(&self.tables.audit)
            .consistent_read(true)
            .key_condition_expression(format!("{stream_name} = {stream}"))
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .scan_index_forward(is_ascending)
    }

    /// Puts an event at its place, which is empty.
    pub(crate) fn put_event(&self, event: &AuditEvent) -> Result<Put, StoreError> {
        Put::builder()
            .table_name(&self.tables.audit)
            .set_item(Some(audit_item(event)?))
            .condition_expression(expression::ABSENT)
            .expression_attribute_names("#key", SEQUENCE)
            .build()
            .map_err(invalid)
    }

    pub(crate) fn put_message(&self, message: &Message) -> Result<Put, StoreError> {
        self.put_outbox(outbox_item(message)?)
    }

    pub(crate) fn put_outbox(&self, item: Item) -> Result<Put, StoreError> {
        Put::builder().table_name(&self.tables.outbox).set_item(Some(item)).build().map_err(invalid)
    }

    fn put_request(&self, request: &Request) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.tables.approvals)
            .set_item(Some(item::request_item(request)?))
            .condition_expression(expression::ABSENT)
            .expression_attribute_names("#key", REQUEST_ID)
            .build()
            .map_err(invalid)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn update_request(
        &self,
        before: &Request,
        change: &ChangeSet<'_>,
    ) -> Result<TransactWriteItem, StoreError> {
        let replaced: BTreeSet<PersonId> = before
            .decisions
            .iter()
            .filter(|decision| change.after.decisions.iter().all(|kept| kept.event_id != decision.event_id))
            .map(|decision| decision.person.clone())
            .collect();
        let deciding = change
            .audit
            .event_type
            .known()
            .is_some_and(EventType::is_decision)
            .then_some(Deciding { addresses: change.addresses, replaced: &replaced });
        let mut update = expression::update(&item::request_item(before)?, &item::request_item(change.after)?);
        let condition = expression::update_condition(&mut update, before.version, deciding);
        let update = Update::builder()
            .table_name(&self.tables.approvals)
            .set_key(Some(request_key(before.id())))
            .update_expression(update.text)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .build()
            .map_err(invalid)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

impl FindEvent for DynamoStore {
    async fn find_event(&self, request_id: RequestId, sequence: u64) -> Result<Option<EventId>, StoreError> {
        let mut condition = Expression::default();
        let stream_name = condition.name(STREAM);
        let stream = condition.string("stream", Stream::request(request_id));
        let sequence_name = condition.name(SEQUENCE);
        let sequence_value = condition.value("sequence", AttributeValue::N(sequence.to_string()));
        let event_id = condition.name(EVENT_ID);
        let found = self
            .client
            .query()
            .table_name(&self.tables.audit)
            .consistent_read(true)
            .key_condition_expression(format!(
                "{stream_name} = {stream} AND {sequence_name} = {sequence_value}"
            ))
            .projection_expression(event_id)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .send()
            .await
            .map_err(store_error)?;
        found.items.unwrap_or_default().first().map(audit_item::event_id).transpose()
    }
}

impl LoadEvents for DynamoStore {
    async fn load_stream(&self, stream: &Stream) -> Result<Trail, StoreError> {
        let mut trail = Trail::default();
        let mut start = None;
        loop {
            let page = self.events_of(stream, true).set_exclusive_start_key(start).send().await;
            let page = page.map_err(store_error)?;
            for item in page.items.unwrap_or_default() {
                match audit_event(item) {
                    Ok(event) => trail.events.push(event),
                    Err(error) => trail.damaged.push(error.to_string()),
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(trail);
            }
        }
    }
}

impl ScanStore for DynamoStore {
    async fn scan_ids(
        &self,
        cursor: Option<String>,
    ) -> Result<(BTreeSet<String>, Option<String>), StoreError> {
        // The approvals first, then the audit table: the cursor says in which table a page ended.
        let (table, start) = match cursor.as_deref().and_then(|cursor| cursor.split_once('\n')) {
            None => (&self.tables.approvals, None),
            Some(("approvals", id)) => {
                let start = Item::from([(REQUEST_ID.to_owned(), AttributeValue::S(id.to_owned()))]);
                (&self.tables.approvals, Some(start))
            }
            Some((sequence, stream)) => {
                let start = Item::from([
                    (STREAM.to_owned(), AttributeValue::S(stream.to_owned())),
                    (SEQUENCE.to_owned(), AttributeValue::N(sequence.to_owned())),
                ]);
                (&self.tables.audit, (!stream.is_empty()).then_some(start))
            }
        };
        let page = self
            .client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .limit(SCAN_PAGE)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(store_error)?;
        let items = page.items.unwrap_or_default();
        let string = |item: &Item, name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let is_approvals = *table == self.tables.approvals;
        let ids = items
            .iter()
            // A hold is no request, and has no trail.
            .filter(|item| !is_approvals || !is_hold(item))
            .filter_map(|item| match is_approvals {
                true => string(item, REQUEST_ID),
                false => audit_item::subject_of_stream(item),
            })
            .collect();
        let next = match (page.last_evaluated_key, is_approvals) {
            (Some(key), true) => string(&key, REQUEST_ID).map(|id| format!("approvals\n{id}")),
            (Some(key), false) => {
                let sequence = key.get(SEQUENCE).and_then(|value| value.as_n().ok()).cloned();
                sequence.zip(string(&key, STREAM)).map(|(sequence, stream)| format!("{sequence}\n{stream}"))
            }
            (None, true) => Some("0\n".to_owned()),
            (None, false) => None,
        };
        Ok((ids, next))
    }
}

impl CountOpen for DynamoStore {
    async fn count_open(
        &self,
        person: &PersonId,
        status: Status,
        now: Timestamp,
        at_most: usize,
    ) -> Result<usize, StoreError> {
        let mut condition = Expression::default();
        let open_key = condition.name(OPEN_KEY);
        let partition = condition.string("partition", keys::open_key_of(person, status));
        let deadline = condition.name(STATUS_AT);
        let now = condition.string("now", keys::last_key(now));
        let mut count = 0;
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.tables.approvals)
                .index_name(OPEN_INDEX)
                .select(Select::Count)
                .key_condition_expression(format!("{open_key} = {partition} AND {deadline} > {now}"))
                .set_expression_attribute_names(Some(condition.names.clone()))
                .set_expression_attribute_values(Some(condition.values.clone()))
                .limit(i32::try_from(at_most - count).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(store_error)?;
            count += usize::try_from(page.count).unwrap_or(0);
            start = page.last_evaluated_key;
            if start.is_none() || count >= at_most {
                return Ok(count);
            }
        }
    }
}

impl DynamoStore {
    /// Asks a source of a merge for its next items; at most `wanted` where no filter leaves any out.
    async fn ask(
        &self,
        merge: &mut Merge,
        index: usize,
        wanted: usize,
        filter: impl FnOnce(&Source, &mut Expression) -> Option<String>,
    ) -> Result<(), StoreError> {
        // INVARIANT: a merge names its own sources.
        let Some(source) = merge.source(index) else { return Ok(()) };
        let segment = &source.segment;
        let mut condition = Expression::default();
        let key_condition = segment.condition(&mut condition);
        let filter = filter(source, &mut condition);
        // If the first answer was not enough, policy leaves much out, or other partitions have little.
        let is_narrow = filter.is_none() && !source.is_begun();
        let page = self
            .client
            .query()
            .table_name(&self.tables.approvals)
            .index_name(segment.index)
            .key_condition_expression(key_condition)
            .set_filter_expression(filter)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .scan_index_forward(merge.is_ascending())
            .limit(
                i32::try_from(if is_narrow { wanted.min(MAX_ITEMS) } else { MAX_ITEMS }).unwrap_or(i32::MAX),
            )
            .set_exclusive_start_key(source.start.clone())
            .send()
            .await
            .map_err(store_error)?;
        merge.fill(index, page.items.unwrap_or_default(), page.last_evaluated_key);
        Ok(())
    }
}

impl ListRequests for DynamoStore {
    /// Whether there are more is found by looking for one more than asked for, so that the last page
    /// says that it is the last.
    async fn list(
        &self,
        query: &ListQuery,
        mut keep: impl FnMut(&RequestSummary) -> bool + Send,
    ) -> Result<Page, StoreError> {
        let position = query.after.as_deref().map(Position::parse).transpose()?;
        let as_of = position.as_ref().map_or(query.now, |position| position.as_of.min(query.now));
        let stages = listing::stages(query, as_of);
        let begins_at = match &position {
            None => 0,
            Some(position) => stages
                .iter()
                .position(|stage| stage.name == position.stage)
                .ok_or(StoreError::MalformedCursor)?,
        };
        let mut bound = position.and_then(|position| position.bound);
        let mut page = Page { items: Vec::new(), next: None, damaged: Vec::new() };
        let mut queries_left = query.max_queries;
        for stage in stages.into_iter().skip(begins_at) {
            let name = stage.name;
            let next = |bound| Some(Position { as_of, stage: name.to_owned(), bound }.text());
            let mut merge = Merge::new(stage, bound.as_ref());
            let mut last_listed: Option<String> = None;
            loop {
                match merge.next() {
                    Next::End => break,
                    Next::Ask(index) if queries_left == 0 => {
                        page.next = next(merge.bound(index));
                        return Ok(page);
                    }
                    Next::Ask(index) => {
                        queries_left -= 1;
                        // One to see whether there are more, one that may have been on the page before.
                        let wanted = query.limit - page.items.len() + 2;
                        self.ask(&mut merge, index, wanted, |source, expression| {
                            listing::filter(query, as_of, name, &source.segment, expression)
                        })
                        .await?;
                    }
                    // The sweep has moved it meanwhile, and both places are still there.
                    Next::Row(row) if last_listed.as_ref() == Some(&row.key) => {}
                    Next::Row(row) => {
                        match summary_item::summary(&row.item, query.now) {
                            Err(damaged) => page.damaged.push(damaged),
                            Ok(summary) if !keep(&summary) => {}
                            Ok(_) if page.items.len() >= query.limit => {
                                page.next = next(bound);
                                return Ok(page);
                            }
                            Ok(summary) => {
                                page.items.push(summary);
                                last_listed = Some(row.key.clone());
                            }
                        }
                        bound = Some(Bound::after(row.key));
                    }
                }
            }
            bound = None;
        }
        Ok(page)
    }
}

impl Timers for DynamoStore {
    async fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
        after: Option<Timer>,
    ) -> Result<Vec<Timer>, StoreError> {
        let mut condition = Expression::default();
        let shard = condition.name(SHARD);
        let partition = condition.string("shard", keys::TIMER);
        let key = condition.name(EVENT_ID);
        let last = condition.string("last", keys::last_key(now));
        let mut due = Vec::new();
        let mut start = after.map(timer_key);
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.tables.outbox)
                .key_condition_expression(format!("{shard} = {partition} AND {key} < {last}"))
                .set_expression_attribute_names(Some(condition.names.clone()))
                .set_expression_attribute_values(Some(condition.values.clone()))
                .limit(i32::try_from(limit - due.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(store_error)?;
            // What cannot be read was not written here, and nothing follows from it.
            due.extend(page.items.iter().flatten().filter_map(|item| timer_item::timer(item).ok()));
            start = page.last_evaluated_key;
            if start.is_none() || due.len() >= limit {
                return Ok(due);
            }
        }
    }

    async fn remove_timer(&self, timer: Timer) -> Result<(), StoreError> {
        let removed = self
            .client
            .delete_item()
            .table_name(&self.tables.outbox)
            .set_key(Some(timer_key(timer)))
            .send()
            .await;
        removed.map(|_| ()).map_err(store_error)
    }
}

impl Replicas for DynamoStore {
    async fn replica_regions(&self) -> Result<Vec<String>, StoreError> {
        let described = self
            .client
            .describe_table()
            .table_name(&self.tables.approvals)
            .send()
            .await
            .map_err(store_error)?;
        let replicas = described.table.and_then(|table| table.replicas).unwrap_or_default();
        Ok(replicas.into_iter().filter_map(|replica| replica.region_name).collect())
    }
}

impl FindDue for DynamoStore {
    async fn find_due(
        &self,
        status: Status,
        due: (Timestamp, Timestamp),
        limit: usize,
        cursor: Option<String>,
    ) -> Result<DuePage, StoreError> {
        self.ids_of(listing::overdue(status, due), limit, cursor, |_, _| None).await
    }
}

impl DynamoStore {
    /// One page of a stage, as ids.
    pub(crate) async fn ids_of(
        &self,
        stage: Stage,
        limit: usize,
        cursor: Option<String>,
        filter: impl Fn(&Source, &mut Expression) -> Option<String>,
    ) -> Result<DuePage, StoreError> {
        let mut bound = cursor.map(Bound::after);
        let mut merge = Merge::new(stage, bound.as_ref());
        let mut page = DuePage { ids: Vec::new(), next_cursor: None, damaged: Vec::new(), answered_at: None };
        loop {
            match merge.next() {
                Next::End => {
                    page.answered_at = self.answer_time.last();
                    return Ok(page);
                }
                Next::Ask(index) => self.ask(&mut merge, index, limit + 2, &filter).await?,
                Next::Row(_) if page.ids.len() >= limit => {
                    page.next_cursor = bound.map(|bound| bound.key);
                    page.answered_at = self.answer_time.last();
                    return Ok(page);
                }
                Next::Row(row) => {
                    match summary_item::request_id(&row.item) {
                        Ok(id) => page.ids.push(id),
                        Err(damaged) => page.damaged.push(damaged),
                    }
                    bound = Some(Bound::after(row.key));
                }
            }
        }
    }
}
