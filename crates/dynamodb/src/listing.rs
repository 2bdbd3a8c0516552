//! Which index partitions a list reads, in which order, and what it leaves out.
//!
//! A list is a walk over segments: ranges of one index partition each. An open status is one
//! segment; a closed one is a segment a month; an instance is one, and so is each id of a requester.

use crate::cursor::Position;
use crate::expression::{Expression, Item, not_made_or_approved_by};
use crate::keys::{
    self, INSTANCE_ID, INSTANCE_INDEX, REQUEST_ID, REQUESTED_AT, REQUESTED_BY, REQUESTER_INDEX, STATUS_AT,
    STATUS_INDEX, STATUS_KEY,
};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{ListQuery, StoreError};
use countersign_core::ids::RequestId;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;

/// How far back a list of a closed status goes unless it is told: 90 days.
const DEFAULT_RANGE_SECONDS: u32 = 90 * 24 * 60 * 60;

/// A range of one partition of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) index: &'static str,
    pub(crate) partition_attribute: &'static str,
    pub(crate) partition: String,
    pub(crate) sort_attribute: &'static str,
    /// The first and the last sort value, both included.
    pub(crate) range: (Timestamp, Timestamp),
    pub(crate) ascending: bool,
}

impl Segment {
    fn of_status(partition: String, range: (Timestamp, Timestamp), ascending: bool) -> Self {
        Self {
            index: STATUS_INDEX,
            partition_attribute: STATUS_KEY,
            partition,
            sort_attribute: STATUS_AT,
            range,
            ascending,
        }
    }

    /// Requests written down as `status` whose deadline passed between two times.
    pub(crate) fn overdue(status: Status, range: (Timestamp, Timestamp)) -> Self {
        Self::of_status(status.to_string(), range, true)
    }

    /// The key condition.
    pub(crate) fn condition(&self, expression: &mut Expression) -> String {
        let partition = expression.name(self.partition_attribute);
        let partition_value = expression.string("partition", &self.partition);
        let sort = expression.name(self.sort_attribute);
        let from = expression.string("range_from", self.range.0);
        let to = expression.string("range_to", self.range.1);
        format!("{partition} = {partition_value} AND {sort} BETWEEN {from} AND {to}")
    }

    /// Where an item of this segment is.
    pub(crate) fn position(&self, item: &Item, as_of: Timestamp) -> Result<Position, StoreError> {
        let string = |attribute: &str| item.get(attribute).and_then(|value| value.as_s().ok());
        let sort = string(self.sort_attribute).and_then(|text| Timestamp::parse(text).ok());
        let request_id = string(REQUEST_ID).and_then(|text| RequestId::parse(text).ok());
        match (sort, request_id) {
            (Some(sort), Some(request_id)) => {
                Ok(Position { partition: self.partition.clone(), sort, request_id, as_of })
            }
            _ => Err(StoreError::Inconsistent("list entry without its keys".to_owned())),
        }
    }

    /// The key to start after.
    pub(crate) fn start_key(&self, position: &Position) -> Item {
        Item::from([
            (self.partition_attribute.to_owned(), AttributeValue::S(position.partition.clone())),
            (self.sort_attribute.to_owned(), AttributeValue::S(position.sort.to_string())),
            (REQUEST_ID.to_owned(), AttributeValue::S(position.request_id.to_string())),
        ])
    }

    fn holds(&self, position: &Position) -> bool {
        self.partition == position.partition && self.range.0 <= position.sort && position.sort <= self.range.1
    }
}

/// The segments of a list, in order. None is an empty range: the database refuses those.
pub(crate) fn segments(query: &ListQuery, as_of: Timestamp) -> Vec<Segment> {
    let mut segments = all_segments(query, as_of);
    segments.retain(Segment::is_range);
    segments
}

fn all_segments(query: &ListQuery, as_of: Timestamp) -> Vec<Segment> {
    // One partition for each id of the requester, or that of the instance.
    let mut partitions: Vec<_> =
        query.requested_by.iter().map(|person| (REQUESTER_INDEX, REQUESTED_BY, person.to_string())).collect();
    if let (true, Some(instance)) = (partitions.is_empty(), &query.instance_id) {
        partitions.push((INSTANCE_INDEX, INSTANCE_ID, instance.to_string()));
    }
    let all_times = (Timestamp::EARLIEST, Timestamp::LATEST);
    let not_yet = Timestamp::from_millisecond(query.now.as_millisecond() + 1);
    match (query.status, partitions.as_slice()) {
        (Some(status @ (Status::Pending | Status::Approved)), _) => {
            vec![Segment::of_status(status.to_string(), (not_yet, Timestamp::LATEST), true)]
        }
        (Some(status @ Status::Executing), _) => {
            vec![Segment::of_status(status.to_string(), all_times, true)]
        }
        (
            Some(Status::Rejected | Status::Expired | Status::Cancelled | Status::Executed | Status::Failed)
            | None,
            partitions @ [_, ..],
        ) => {
            let range = match query.status {
                // `from` and `to` mean the time it closed, see `filter`; it was made before that.
                Some(_) => (Timestamp::EARLIEST, closed_range(query, as_of).1),
                None => (query.from.unwrap_or(all_times.0), query.to.unwrap_or(all_times.1)),
            };
            partitions
                .iter()
                .map(|(index, partition_attribute, partition)| Segment {
                    index,
                    partition_attribute,
                    partition: partition.clone(),
                    sort_attribute: REQUESTED_AT,
                    range,
                    ascending: false,
                })
                .collect()
        }
        (Some(status), []) => closed_segments(status, query, as_of),
        (None, []) => Vec::new(),
    }
}

fn closed_range(query: &ListQuery, as_of: Timestamp) -> (Timestamp, Timestamp) {
    let to = query.to.unwrap_or(as_of);
    (query.from.unwrap_or_else(|| to.minus_seconds(DEFAULT_RANGE_SECONDS)), to)
}

/// A closed status: what is overdue and not yet written down, then month by month, newest first.
fn closed_segments(status: Status, query: &ListQuery, as_of: Timestamp) -> Vec<Segment> {
    let (from, to) = closed_range(query, as_of);
    let mut segments = Vec::new();
    if status == Status::Expired {
        for open in [Status::Pending, Status::Approved] {
            segments.push(Segment::of_status(open.to_string(), (from, to.min(as_of)), false));
        }
    }
    for month in months_between(from, to).into_iter().rev() {
        segments.push(Segment::of_status(keys::closed_status_key(status, &month), (from, to), false));
    }
    segments
}

/// The months that two times and everything between them fall into, as `2026-01`.
fn months_between(from: Timestamp, to: Timestamp) -> Vec<String> {
    let mut months = Vec::new();
    let mut time = from;
    // A step of 28 days skips no month.
    while time <= to {
        months.push(time.month());
        time = time.plus_seconds(28 * 24 * 60 * 60);
    }
    months.push(to.month());
    months.dedup();
    months.retain(|month| *month <= to.month());
    months
}

/// What a segment's items must also satisfy; `None` if nothing.
pub(crate) fn filter(
    query: &ListQuery,
    as_of: Timestamp,
    segment: &Segment,
    expression: &mut Expression,
) -> Option<String> {
    let mut conditions = Vec::new();
    if segment.index != REQUESTER_INDEX && !query.requested_by.is_empty() {
        let name = expression.name(REQUESTED_BY);
        let people = query.requested_by.iter().enumerate();
        let values: Vec<_> = people
            .map(|(place, person)| expression.string(&format!("requested_by{place}"), person))
            .collect();
        conditions.push(format!("{name} IN ({})", values.join(", ")));
    }
    if segment.index != INSTANCE_INDEX
        && let Some(instance) = &query.instance_id
    {
        let name = expression.name(INSTANCE_ID);
        let value = expression.string("instance_id", instance);
        conditions.push(format!("{name} = {value}"));
    }
    // A filter must not name a key of its own index.
    if segment.index != REQUESTER_INDEX && !query.undecided_by.is_empty() {
        conditions.push(not_made_or_approved_by(expression, &query.undecided_by, &BTreeSet::new()));
    }
    if let Some(status) = query.status {
        if segment.index != STATUS_INDEX {
            conditions.push(status_condition(status, query.now, expression));
            let (from, to) = closed_range(query, as_of);
            conditions.push(between(STATUS_AT, from, to, expression));
        } else if status.is_open() && (query.from.is_some() || query.to.is_some()) {
            let from = query.from.unwrap_or(Timestamp::EARLIEST);
            let to = query.to.unwrap_or(Timestamp::LATEST);
            conditions.push(between(REQUESTED_AT, from, to, expression));
        }
    }
    (!conditions.is_empty()).then(|| conditions.join(" AND "))
}

fn between(attribute: &str, from: Timestamp, to: Timestamp, expression: &mut Expression) -> String {
    let name = expression.name(attribute);
    let from = expression.string("from", from);
    let to = expression.string("to", to);
    format!("{name} BETWEEN {from} AND {to}")
}

/// Whether a request's status is `status` at `now`, deadlines included.
pub(crate) fn status_condition(status: Status, now: Timestamp, expression: &mut Expression) -> String {
    let name = expression.name("status");
    let wanted = expression.string("status", status);
    let mut deadline = |open: Status, comparison: &str| {
        let attribute = if open == Status::Pending { "expires_at" } else { "execute_by" };
        let deadline = expression.name(attribute);
        let now = expression.string("now", now);
        let open = expression.string(open.as_str(), open);
        format!("{name} = {open} AND {deadline} {comparison} {now}")
    };
    match status {
        Status::Pending | Status::Approved => {
            let condition = deadline(status, ">");
            // `:status` must not be left unused: the database refuses that.
            expression.values.remove(":status");
            format!("({condition})")
        }
        Status::Expired => {
            let pending = deadline(Status::Pending, "<=");
            let approved = deadline(Status::Approved, "<=");
            format!("({name} = {wanted} OR ({pending}) OR ({approved}))")
        }
        Status::Executing | Status::Rejected | Status::Cancelled | Status::Executed | Status::Failed => {
            format!("{name} = {wanted}")
        }
    }
}

/// Describes a list, so that a cursor of another one is recognised. `limit` may differ from page
/// to page, and time goes on.
pub(crate) fn description(query: &ListQuery) -> String {
    let ListQuery { status, requested_by, instance_id, undecided_by, from, to, .. } = query;
    format!("{status:?} {requested_by:?} {instance_id:?} {undecided_by:?} {from:?} {to:?}")
}

/// The segments that are left after a position, and where to begin in the first of them.
pub(crate) fn remaining(
    mut segments: Vec<Segment>,
    position: Option<Position>,
) -> Result<(Vec<Segment>, Option<Position>), StoreError> {
    let Some(position) = position else { return Ok((segments, None)) };
    let Some(current) = segments.iter().position(|segment| segment.partition == position.partition) else {
        return Err(StoreError::MalformedCursor);
    };
    let mut segments = segments.split_off(current);
    // An entry may have left the range since: its deadline passed. The walk goes on from there all
    // the same.
    let begins_inside = segments.first().is_some_and(|segment| segment.holds(&position));
    if !begins_inside && let Some(segment) = segments.first_mut() {
        segment.clamp_after(&position);
        segments.retain(Segment::is_range);
        return Ok((segments, None));
    }
    Ok((segments, Some(position)))
}

impl Segment {
    fn is_range(&self) -> bool {
        self.range.0 <= self.range.1
    }

    /// Narrows the range to what comes after a position that lies outside of it.
    fn clamp_after(&mut self, position: &Position) {
        if self.ascending {
            self.range.0 = self.range.0.max(position.sort);
        } else {
            self.range.1 = self.range.1.min(position.sort);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::APPROVALS;
    use countersign_core::person::PersonId;
    use countersign_core::text::Identifier;
    use std::collections::BTreeSet;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn query(status: Option<Status>) -> ListQuery {
        ListQuery {
            status,
            requested_by: BTreeSet::new(),
            instance_id: None,
            undecided_by: BTreeSet::new(),
            from: None,
            to: None,
            limit: 50,
            cursor: None,
            now: time("2026-03-31T23:59:59Z"),
        }
    }

    fn partitions(query: &ListQuery) -> Vec<String> {
        segments(query, query.now).into_iter().map(|segment| segment.partition).collect()
    }

    #[test]
    fn an_open_status_is_one_partition() {
        for status in [Status::Pending, Status::Approved, Status::Executing] {
            assert_eq!(partitions(&query(Some(status))), [status.to_string()]);
        }
    }

    #[test]
    fn a_closed_status_is_read_month_by_month_newest_first() {
        assert_eq!(
            partitions(&query(Some(Status::Rejected))),
            ["rejected#2026-03", "rejected#2026-02", "rejected#2026-01", "rejected#2025-12"]
        );
        let mut february = query(Some(Status::Executed));
        february.from = Some(time("2026-02-28T23:59:59.999Z"));
        february.to = Some(time("2026-03-01T00:00:00Z"));
        assert_eq!(partitions(&february), ["executed#2026-03", "executed#2026-02"]);
    }

    #[test]
    fn expired_includes_what_no_sweep_has_written_down() {
        assert_eq!(partitions(&query(Some(Status::Expired))).first().unwrap(), "pending");
        assert_eq!(partitions(&query(Some(Status::Expired))).len(), 6);
    }

    /// An attribute that the index does not hold is missing in every item, and so leaves nothing out.
    #[test]
    fn a_list_filters_by_nothing_that_its_index_does_not_hold() {
        let ann = BTreeSet::from([PersonId::from_email("ann@example.com").unwrap()]);
        for status in std::iter::once(None).chain(Status::ALL.map(Some)) {
            for (requested_by, instance_id) in
                [(BTreeSet::new(), None), (ann.clone(), None), (BTreeSet::new(), Some("dev-db-01"))]
            {
                let instance_id = instance_id.map(|instance| Identifier::parse(instance).unwrap());
                let undecided_by = ann.clone();
                let query = ListQuery { requested_by, instance_id, undecided_by, ..query(status) };
                for segment in segments(&query, query.now) {
                    let mut expression = Expression::default();
                    filter(&query, query.now, &segment, &mut expression);
                    let index = APPROVALS.indexes.iter().find(|index| index.name == segment.index).unwrap();
                    let held = index.non_key_attributes();
                    for name in expression.names.values() {
                        assert!(held.contains(&name.as_str()), "{}: {name}", segment.index);
                    }
                }
            }
        }
    }

    #[test]
    fn every_month_of_a_year_is_read() {
        let months = months_between(time("2025-03-31T00:00:00Z"), time("2026-03-31T00:00:00Z"));
        assert_eq!(months.len(), 13, "{months:?}");
    }
}
