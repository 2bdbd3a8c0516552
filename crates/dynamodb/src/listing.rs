//! Which index partitions a list reads, in which order, and what it leaves out.
//!
//! A list is a walk over stages, one after the other. A stage is ranges of index partitions that are merged
//! into one order. Each open status is a stage, all closed statuses together are one, and so is the history
//! of a requester or of an instance.

use crate::expression::{Expression, not_made_or_approved_by};
use crate::keys::{
    self, INSTANCE_ID, INSTANCE_INDEX, MADE_AT, OPEN_INDEX, OPEN_KEY, REQUESTED_BY, REQUESTER_INDEX,
    STATUS_AT, STATUS_INDEX, STATUS_KEY,
};
use countersign_app::ports::ListQuery;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;

/// How far back a list of a closed status goes unless the query says: 90 days.
const DEFAULT_RANGE_SECONDS: u32 = 90 * 24 * 60 * 60;

/// The stage of all closed statuses.
const CLOSED: &str = "closed";
/// The stage of a history, by the time that requests were made.
const MADE: &str = "made";

/// A range of one partition of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) index: &'static str,
    pub(crate) partition_attribute: &'static str,
    pub(crate) partition: String,
    pub(crate) sort_attribute: &'static str,
    /// Everything in it lies between these two, both included.
    pub(crate) range: (String, String),
}

impl Segment {
    fn of_status(partition: String, range: (String, String)) -> Self {
        Self {
            index: STATUS_INDEX,
            partition_attribute: STATUS_KEY,
            partition,
            sort_attribute: STATUS_AT,
            range,
        }
    }

    /// The end of its range at which reading begins.
    pub(crate) fn begin(&self, is_ascending: bool) -> &str {
        if is_ascending { &self.range.0 } else { &self.range.1 }
    }

    /// The key condition.
    pub(crate) fn condition(&self, expression: &mut Expression) -> String {
        let partition = expression.name(self.partition_attribute);
        let partition_value = expression.string("partition", &self.partition);
        let sort = expression.name(self.sort_attribute);
        let from = expression.string("range_from", &self.range.0);
        let to = expression.string("range_to", &self.range.1);
        format!("{partition} = {partition_value} AND {sort} BETWEEN {from} AND {to}")
    }
}

/// Partitions in one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    /// What positions call it.
    pub(crate) name: &'static str,
    pub(crate) is_ascending: bool,
    pub(crate) segments: Vec<Segment>,
}

/// Requests written down as `status` whose deadline has passed, the oldest first.
pub(crate) fn overdue(status: Status, (from, to): (Timestamp, Timestamp)) -> Stage {
    let segment = overdue_between(status, from, to);
    Stage { name: status.as_str(), is_ascending: true, segments: vec![segment] }
}

/// Requests that closed as `status` between two times, the oldest first.
pub(crate) fn closed_between(status: Status, (from, to): (Timestamp, Timestamp)) -> Stage {
    let segments = months_of(status, from, to);
    Stage { name: status.as_str(), is_ascending: true, segments }
}

fn overdue_between(status: Status, from: Timestamp, to: Timestamp) -> Segment {
    Segment::of_status(status.to_string(), (keys::first_key(from), keys::last_key(to)))
}

/// The stages of a list, in order: what is open, the most urgent first, then what is closed, the newest
/// first. `as_of` is when the walk began.
pub(crate) fn stages(query: &ListQuery, as_of: Timestamp) -> Vec<Stage> {
    let open = query.statuses.iter().filter(|status| status.is_open()).map(|status| open(*status, query));
    let mut stages: Vec<_> = open.collect();
    let closed = closed(query);
    if !closed.is_empty() || query.statuses.is_empty() {
        let histories = histories(query, as_of);
        stages.push(if histories.is_empty() {
            let segments =
                closed.into_iter().flat_map(|status| closed_segments(status, query, as_of)).collect();
            Stage { name: CLOSED, is_ascending: false, segments }
        } else {
            Stage { name: MADE, is_ascending: false, segments: histories }
        });
    }
    stages
}

/// The closed ones of the statuses that are asked for.
fn closed(query: &ListQuery) -> Vec<Status> {
    query.statuses.iter().copied().filter(|status| !status.is_open()).collect()
}

/// An open status: of a requester, from an index that holds nothing else.
fn open(status: Status, query: &ListQuery) -> Stage {
    let from = match status.is_open() && status != Status::Executing {
        // What is past its deadline is not in this status any more.
        true => Timestamp::from_millisecond(query.now.as_millisecond() + 1),
        false => Timestamp::EARLIEST,
    };
    let range = (keys::first_key(from), keys::last_key(Timestamp::LATEST));
    let segments = if query.requested_by.is_empty() {
        vec![Segment::of_status(status.to_string(), range)]
    } else {
        let of_requester = |person| Segment {
            index: OPEN_INDEX,
            partition_attribute: OPEN_KEY,
            partition: keys::open_key_of(person, status),
            sort_attribute: STATUS_AT,
            range: range.clone(),
        };
        query.requested_by.iter().map(of_requester).collect()
    };
    Stage { name: status.as_str(), is_ascending: true, segments }
}

/// One partition for each id of the requester, or that of the instance; none if neither is asked for.
fn histories(query: &ListQuery, as_of: Timestamp) -> Vec<Segment> {
    let (from, to) = match query.statuses.as_slice() {
        [] => (query.from.unwrap_or(Timestamp::EARLIEST), query.to.unwrap_or(Timestamp::LATEST)),
        // `from` and `to` mean the time it closed, see `filter`; it was made before that.
        _ => (Timestamp::EARLIEST, closed_range(query, as_of).1),
    };
    let segment = |index, partition_attribute, partition: String| Segment {
        index,
        partition_attribute,
        partition,
        sort_attribute: MADE_AT,
        range: (keys::first_key(from), keys::last_key(to)),
    };
    if query.requested_by.is_empty() {
        let instance = query.instance_id.iter();
        return instance.map(|id| segment(INSTANCE_INDEX, INSTANCE_ID, id.to_string())).collect();
    }
    let requesters = query.requested_by.iter();
    requesters.map(|person| segment(REQUESTER_INDEX, REQUESTED_BY, person.to_string())).collect()
}

/// Between which times a request must have closed. Whatever has closed meanwhile is in it: it may have
/// been open, and asked for as such, when the walk began.
fn closed_range(query: &ListQuery, as_of: Timestamp) -> (Timestamp, Timestamp) {
    let from = query.from.unwrap_or_else(|| query.to.unwrap_or(as_of).minus_seconds(DEFAULT_RANGE_SECONDS));
    (from, query.to.unwrap_or(query.now))
}

/// The months of a closed status; of `expired` also what is overdue and not yet written down. Its deadline
/// is its place in both, so the sweep moves nothing to another page.
fn closed_segments(status: Status, query: &ListQuery, as_of: Timestamp) -> Vec<Segment> {
    let (from, to) = closed_range(query, as_of);
    let mut segments = Vec::new();
    if status == Status::Expired {
        for open in [Status::Pending, Status::Approved] {
            segments.push(overdue_between(open, from, to.min(query.now)));
        }
    }
    segments.extend(months_of(status, from, to).into_iter().rev());
    segments
}

/// The months of a closed status, the oldest first.
fn months_of(status: Status, from: Timestamp, to: Timestamp) -> Vec<Segment> {
    let segment = |month: String| {
        // INVARIANT: a month is the beginning of the sort keys of its times.
        let range = (keys::first_key(from).max(month.clone()), keys::last_key(to).min(format!("{month}~")));
        Segment::of_status(keys::closed_status_key(status, &month), range)
    };
    months_between(from, to).into_iter().map(segment).collect()
}

/// The months that two times and everything between them fall into, as `2026-01`.
fn months_between(from: Timestamp, to: Timestamp) -> Vec<String> {
    let mut months = Vec::new();
    let mut time = from;
    // A step of 28 days skips no month. INVARIANT: a time past the latest one is the latest one again.
    while time < to {
        months.push(time.month());
        time = time.plus_seconds(28 * 24 * 60 * 60);
    }
    months.push(to.month());
    months.dedup();
    months.retain(|month| *month <= to.month());
    months
}

/// What the items of a stage's segment must also satisfy; `None` if nothing. It names no key of the
/// segment's own index: the database refuses that.
pub(crate) fn filter(
    query: &ListQuery,
    as_of: Timestamp,
    stage: &'static str,
    segment: &Segment,
    expression: &mut Expression,
) -> Option<String> {
    let mut conditions = Vec::new();
    // Where there is a requester, every partition is one of theirs, but those of closed statuses: and
    // these are read for a list without one.
    if segment.index != INSTANCE_INDEX
        && let Some(instance) = &query.instance_id
    {
        conditions.push(one_of(INSTANCE_ID, [instance], expression));
    }
    if !query.operation_types.is_empty() {
        conditions.push(one_of("operation_type", &query.operation_types, expression));
    }
    if !query.risk_levels.is_empty() {
        let names = query.risk_levels.iter().map(|level| level.as_str());
        conditions.push(one_of("risk_level", names, expression));
    }
    if !query.environments.is_empty() {
        let names = query.environments.iter().map(|environment| environment.as_str());
        conditions.push(one_of("environment", names, expression));
    }
    if !query.awaiting_decision_by.is_empty() && segment.index != REQUESTER_INDEX {
        conditions.push(not_made_or_approved_by(expression, &query.awaiting_decision_by, &BTreeSet::new()));
    }
    match stage {
        MADE if !query.statuses.is_empty() => {
            conditions.push(closed_condition(&closed(query), query.now, expression));
            let (from, to) = closed_range(query, as_of);
            conditions.push(between(STATUS_AT, from, to, expression));
        }
        CLOSED | MADE => {}
        _open => {
            if query.from.is_some() || query.to.is_some() {
                let from = query.from.unwrap_or(Timestamp::EARLIEST);
                let to = query.to.unwrap_or(Timestamp::LATEST);
                conditions.push(between("requested_at", from, to, expression));
            }
        }
    }
    (!conditions.is_empty()).then(|| conditions.join(" AND "))
}

fn one_of(
    attribute: &str,
    values: impl IntoIterator<Item = impl ToString>,
    expression: &mut Expression,
) -> String {
    let name = expression.name(attribute);
    let values = values.into_iter().enumerate();
    let values: Vec<_> =
        values.map(|(place, value)| expression.string(&format!("{attribute}{place}"), value)).collect();
    format!("{name} IN ({})", values.join(", "))
}

/// A time, or the sort key of one, between two times.
fn between(attribute: &str, from: Timestamp, to: Timestamp, expression: &mut Expression) -> String {
    let name = expression.name(attribute);
    let from = expression.string("from", keys::first_key(from));
    let to = expression.string("to", keys::last_key(to));
    format!("{name} BETWEEN {from} AND {to}")
}

/// Whether a request's status is one of these closed ones at `now`, deadlines included.
fn closed_condition(closed: &[Status], now: Timestamp, expression: &mut Expression) -> String {
    let mut alternatives = vec![one_of("status", closed, expression)];
    if closed.contains(&Status::Expired) {
        let status = expression.name("status");
        let now = expression.string("now", now);
        for (open, deadline) in [(Status::Pending, "expires_at"), (Status::Approved, "execute_by")] {
            let deadline = expression.name(deadline);
            let open = expression.string(open.as_str(), open);
            alternatives.push(format!("({status} = {open} AND {deadline} <= {now})"));
        }
    }
    format!("({})", alternatives.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{APPROVALS, OUTBOX};
    use countersign_core::person::PersonId;
    use countersign_core::risk::{Environment, RiskLevel};
    use countersign_core::text::{Identifier, InstanceId};
    use std::collections::BTreeSet;
    use strum::IntoEnumIterator;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn months_end_at_the_latest_time_too() {
        assert_eq!(
            months_between(time("9999-11-02T00:00:00.000Z"), Timestamp::LATEST),
            ["9999-11", "9999-12"]
        );
        assert_eq!(months_between(Timestamp::LATEST, Timestamp::LATEST), ["9999-12"]);
        let range = (time("2026-01-31T00:00:00.000Z"), time("2026-03-01T00:00:00.000Z"));
        assert_eq!(months_between(range.0, range.1), ["2026-01", "2026-02", "2026-03"]);
    }

    fn query(statuses: &[Status]) -> ListQuery {
        ListQuery {
            statuses: statuses.to_vec(),
            ..ListQuery::unfiltered(50, 25, time("2026-03-31T23:59:59Z"))
        }
    }

    fn partitions(query: &ListQuery) -> Vec<(&'static str, Vec<String>)> {
        let stages = stages(query, query.now).into_iter();
        let names = |stage: Stage| stage.segments.into_iter().map(|segment| segment.partition).collect();
        stages.map(|stage| (stage.name, names(stage))).collect()
    }

    fn of(people: &[&str]) -> BTreeSet<PersonId> {
        people.iter().map(|person| PersonId::from_email(person).unwrap()).collect()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn an_open_status_is_one_partition_and_of_a_requester_one_of_theirs() {
        for status in [Status::Pending, Status::Approved, Status::Executing] {
            assert_eq!(partitions(&query(&[status])), [(status.as_str(), texts(&[status.as_str()]))]);
            let own = ListQuery { requested_by: of(&["ann@a.com", "ann@b.com"]), ..query(&[status]) };
            let expected = vec![format!("ann@a.com#{status}"), format!("ann@b.com#{status}")];
            assert_eq!(partitions(&own), [(status.as_str(), expected)]);
        }
    }

    #[test]
    fn a_closed_status_is_read_month_by_month_newest_first() {
        let months = texts(&["rejected#2026-03", "rejected#2026-02", "rejected#2026-01", "rejected#2025-12"]);
        assert_eq!(partitions(&query(&[Status::Rejected])), [("closed", months)]);
        let mut february = query(&[Status::Executed]);
        february.from = Some(time("2026-02-28T23:59:59.999Z"));
        february.to = Some(time("2026-03-01T00:00:00Z"));
        let stages = stages(&february, february.now);
        let ranges: Vec<_> = stages[0].segments.iter().map(|segment| segment.range.clone()).collect();
        assert_eq!(
            ranges,
            [
                ("2026-03".to_owned(), "2026-03-01T00:00:00.000Z~".to_owned()),
                ("2026-02-28T23:59:59.999Z".to_owned(), "2026-02~".to_owned())
            ]
        );
    }

    #[test]
    fn several_statuses_are_the_open_ones_one_by_one_and_then_the_closed_ones_merged() {
        let mixed = query(&[Status::Pending, Status::Executing, Status::Rejected, Status::Expired]);
        let stages = partitions(&mixed);
        let names: Vec<_> = stages.iter().map(|(name, partitions)| (*name, partitions.len())).collect();
        // Four months of each, and what is overdue.
        assert_eq!(names, [("pending", 1), ("executing", 1), ("closed", 10)]);
        let own = ListQuery { requested_by: of(&["ann@a.com"]), ..mixed };
        let expected =
            [("pending", "ann@a.com#pending"), ("executing", "ann@a.com#executing"), ("made", "ann@a.com")];
        assert_eq!(partitions(&own), expected.map(|(name, partition)| (name, texts(&[partition]))));
    }

    /// An attribute that the index does not hold is missing in every item, and so leaves nothing out. One
    /// of its keys is refused.
    #[test]
    fn a_list_filters_by_nothing_that_its_index_does_not_hold() {
        let ann = of(&["ann@example.com"]);
        let every: Vec<_> = std::iter::once(Vec::new())
            .chain(Status::iter().map(|status| vec![status]))
            .chain([Status::iter().collect()])
            .collect();
        for statuses in every {
            for (requested_by, instance_id) in [
                (BTreeSet::new(), None),
                (ann.clone(), None),
                (BTreeSet::new(), Some("dev-db-01")),
                (ann.clone(), Some("dev-db-01")),
            ] {
                let query = ListQuery {
                    requested_by,
                    instance_id: instance_id.map(|instance| InstanceId::parse(instance).unwrap()),
                    operation_types: [Identifier::parse("reboot").unwrap()].into(),
                    risk_levels: RiskLevel::iter().collect(),
                    environments: Environment::iter().collect(),
                    awaiting_decision_by: ann.clone(),
                    from: Some(time("2026-03-01T00:00:00Z")),
                    ..query(&statuses)
                };
                for stage in stages(&query, query.now) {
                    for segment in stage.segments {
                        let mut expression = Expression::default();
                        filter(&query, query.now, stage.name, &segment, &mut expression);
                        let index =
                            APPROVALS.indexes.iter().find(|index| index.name == segment.index).unwrap();
                        let held = index.non_key_attributes();
                        for name in expression.names.values() {
                            assert!(held.contains(&name.as_str()), "{}: {name}", segment.index);
                        }
                    }
                }
            }
        }
    }

    /// An index that nothing reads costs a write for each change all the same.
    #[test]
    fn every_index_is_read_by_a_list() {
        let ann = || of(&["ann@example.com"]);
        let instance_id = || InstanceId::parse("dev-db-01").ok();
        let lists = [
            query(&[Status::Pending]),
            ListQuery { requested_by: ann(), ..query(&[Status::Pending]) },
            ListQuery { requested_by: ann(), ..query(&[]) },
            ListQuery { instance_id: instance_id(), ..query(&[]) },
        ];
        let segments = lists.iter().flat_map(|list| stages(list, list.now)).flat_map(|stage| stage.segments);
        let read: BTreeSet<_> = segments.map(|segment| segment.index).collect();
        let defined: BTreeSet<_> =
            [APPROVALS, OUTBOX].iter().flat_map(|table| table.indexes).map(|index| index.name).collect();
        assert_eq!(read, defined);
    }

    #[test]
    fn every_month_of_a_year_is_read() {
        let months = months_between(time("2025-03-31T00:00:00Z"), time("2026-03-31T00:00:00Z"));
        assert_eq!(months.len(), 13, "{months:?}");
    }
}
