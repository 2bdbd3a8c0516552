//! What each key takes of reads and writes: units that calls consumed, given to the keys that they named.

use crate::metered_service::{count, tables};
use crate::metered_store::StoreCall;
use countersign_core::ids::RequestId;
use countersign_dynamodb::keys::{
    ANOMALIES, EVENT_TYPE_INDEX, EVENT_TYPE_MONTH, FIGURE_REQUESTS, FIGURES, INSTANCE_EVENTS_INDEX,
    INSTANCE_ID, INSTANCE_INDEX, LOG, MONTH, MONTH_INDEX, OPEN_INDEX, OPEN_KEY, RECORDED, REQUEST_ID,
    REQUESTED_BY, REQUESTER_INDEX, SHARD, STATUS_INDEX, STATUS_KEY, STREAM, TIMER, USER, USER_INDEX,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The bytes of a unit of writing.
const WRITE_UNIT: usize = 1024;
/// Partition keys of the approvals table's indexes, which follow from a request's state.
const OF_REQUESTS: [(&str, &str); 4] = [
    (STATUS_INDEX, STATUS_KEY),
    (OPEN_INDEX, OPEN_KEY),
    (REQUESTER_INDEX, REQUESTED_BY),
    (INSTANCE_INDEX, INSTANCE_ID),
];
/// The same of the audit table's.
const OF_EVENTS: [(&str, &str); 4] = [
    (USER_INDEX, USER),
    (EVENT_TYPE_INDEX, EVENT_TYPE_MONTH),
    (INSTANCE_EVENTS_INDEX, INSTANCE_ID),
    (MONTH_INDEX, MONTH),
];

/// The keys of a request as they stand.
type State = BTreeMap<String, String>;

/// Units by table or index, and partition.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    reads: BTreeMap<(String, String), f64>,
    writes: BTreeMap<(String, String), f64>,
    states: HashMap<String, State>,
    consumed: f64,
}

/// One item that a call writes.
struct Written<'a> {
    table: &'a str,
    /// All of it, or its key.
    attributes: &'a Map<String, Value>,
    /// The units of its size, of one that is put whole.
    weight: f64,
    update: Option<&'a Value>,
}

impl Loads {
    pub(crate) fn add_all(&mut self, calls: &[StoreCall]) {
        for call in calls {
            self.add(call);
        }
    }

    /// Reads that were not simulated.
    pub(crate) fn read(&mut self, place: &str, partition: &str, units: f64) {
        *self.reads.entry((place.to_owned(), partition.to_owned())).or_default() += units;
    }

    fn write(&mut self, place: &str, partition: &str, units: f64) {
        *self.writes.entry((place.to_owned(), partition.to_owned())).or_default() += units;
    }

    /// All units that were given to a key.
    #[cfg(test)]
    pub(crate) fn written(&self) -> f64 {
        self.writes.values().sum()
    }

    /// All units of writes that the engine has counted.
    pub(crate) fn consumed(&self) -> f64 {
        self.consumed
    }

    fn add(&mut self, call: &StoreCall) {
        let Some(request) = &call.request else { return };
        self.consumed += call.write_units;
        match call.operation.as_str() {
            "TransactWriteItems" => {
                let items = request.get("TransactItems").and_then(Value::as_array);
                let actions = items.into_iter().flatten().filter_map(Value::as_object);
                let written: Vec<_> =
                    actions.flat_map(|action| action.values()).filter_map(written).collect();
                self.add_writes(call, &written);
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                let written: Vec<_> = written(request).into_iter().collect();
                self.add_writes(call, &written);
            }
            "GetItem" => {
                if let (Some(table), Some(key)) =
                    (text(request, "TableName"), request.get("Key").and_then(Value::as_object))
                {
                    self.read(place(table), partition_of(table, key), call.read_units);
                }
            }
            "Query" => {
                let table = text(request, "TableName").unwrap_or_default();
                let place = match text(request, "IndexName") {
                    Some(index) => format!("{}/{index}", place(table)),
                    None => place(table).to_owned(),
                };
                let values = request.get("ExpressionAttributeValues");
                let partition = [":partition", ":stream", ":shard"]
                    .iter()
                    .find_map(|name| values?.get(name)?.get("S")?.as_str())
                    .unwrap_or_default();
                self.read(&place, partition, call.read_units);
            }
            // Scans and batches of keys that are all different.
            _ => {}
        }
    }

    fn add_writes(&mut self, call: &StoreCall, written: &[Written<'_>]) {
        let names = tables();
        for (consumed_at, units) in &call.units_by_place {
            match consumed_at.split_once('/') {
                None => {
                    let of_table = || written.iter().filter(|item| item.table == consumed_at);
                    let weights: f64 = of_table().map(|item| item.weight).sum();
                    for item in of_table() {
                        let partition = partition_of(item.table, item.attributes);
                        self.write(place(item.table), partition, units * item.weight / weights);
                    }
                }
                Some((table, index)) if table == names.audit => {
                    let attribute =
                        OF_EVENTS.iter().find(|(of, _)| *of == index).map(|(_, attribute)| *attribute);
                    let partitions: Vec<_> = written
                        .iter()
                        .filter(|item| item.table == table)
                        .filter_map(|item| string(item.attributes, attribute?))
                        .collect();
                    let each = units / count(partitions.len());
                    for partition in partitions {
                        self.write(&format!("{}/{index}", place(table)), partition, each);
                    }
                }
                Some((table, index)) => {
                    for item in written.iter().filter(|item| item.table == table) {
                        let touched = self.partitions_of_request(item, index);
                        let each = units / count(touched.len());
                        for partition in touched {
                            self.write(&format!("{}/{index}", place(table)), &partition, each);
                        }
                    }
                }
            }
        }
        for item in written.iter().filter(|item| item.table == names.approvals) {
            let (id, after) = self.state_after(item);
            self.states.insert(id, after);
        }
    }

    /// The partitions of an index that a change of a request writes: one, or that which it leaves and that which it comes
    /// to.
    fn partitions_of_request(&self, item: &Written<'_>, index: &str) -> BTreeSet<String> {
        let Some((_, attribute)) = OF_REQUESTS.iter().find(|(of, _)| *of == index) else {
            return BTreeSet::new();
        };
        let (id, after) = self.state_after(item);
        let before = self.states.get(&id);
        before.into_iter().chain([&after]).filter_map(|state| state.get(*attribute).cloned()).collect()
    }

    fn state_after(&self, item: &Written<'_>) -> (String, State) {
        let id = string(item.attributes, REQUEST_ID).unwrap_or_default().to_owned();
        let mut state = self.states.get(&id).cloned().unwrap_or_default();
        let update = item.update;
        let removed = update.and_then(|update| text(update, "UpdateExpression")?.split_once("REMOVE "));
        for (_, attribute) in OF_REQUESTS {
            let put = string(item.attributes, attribute);
            let set = update.and_then(|update| {
                update.get("ExpressionAttributeValues")?.get(format!(":{attribute}"))?.get("S")?.as_str()
            });
            if let Some(value) = put.or(set) {
                state.insert(attribute.to_owned(), value.to_owned());
            } else if removed.is_some_and(|(_, names)| names.contains(&format!("#{attribute}"))) {
                state.remove(attribute);
            }
        }
        (id, state)
    }

    /// The hottest key of each kind.
    pub(crate) fn hottest_writes(&self) -> Vec<(Kind, f64)> {
        hottest(&self.writes)
    }

    /// The same of reads.
    pub(crate) fn hottest_reads(&self) -> Vec<(Kind, f64)> {
        hottest(&self.reads)
    }
}

fn hottest(loads: &BTreeMap<(String, String), f64>) -> Vec<(Kind, f64)> {
    let mut hottest: BTreeMap<Kind, f64> = BTreeMap::new();
    for ((place, partition), units) in loads {
        let most = hottest.entry(Kind::of(place, partition)).or_default();
        *most = most.max(*units);
    }
    hottest.into_iter().filter(|(_, units)| *units > 0.0).collect()
}

fn written(action: &Value) -> Option<Written<'_>> {
    let table = text(action, "TableName")?;
    match action.get("Item").and_then(Value::as_object) {
        Some(item) => {
            let size: usize = item.iter().map(|(name, value)| name.len() + size(value)).sum();
            Some(Written { table, attributes: item, weight: count(size.div_ceil(WRITE_UNIT)), update: None })
        }
        None => {
            let key = action.get("Key").and_then(Value::as_object)?;
            Some(Written { table, attributes: key, weight: 1.0, update: Some(action) })
        }
    }
}

/// The bytes of a value as `DynamoDB` counts them, near enough for shares.
fn size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(digits)) => digits.len() / 2 + 2,
        ("L", Value::Array(elements)) => 3 + elements.iter().map(|element| 1 + size(element)).sum::<usize>(),
        ("M", Value::Object(members)) => {
            3 + members.iter().map(|(name, value)| 1 + name.len() + size(value)).sum::<usize>()
        }
        _ => 1,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn string<'a>(item: &'a Map<String, Value>, attribute: &str) -> Option<&'a str> {
    item.get(attribute)?.get("S")?.as_str()
}

/// The table without the environment.
fn place(table: &str) -> &'static str {
    let names = tables();
    match table {
        table if table == names.approvals => "approvals",
        table if table == names.audit => "audit",
        _ => "outbox",
    }
}

fn partition_of<'a>(table: &str, item: &'a Map<String, Value>) -> &'a str {
    let attribute = match place(table) {
        "approvals" => REQUEST_ID,
        "audit" => STREAM,
        _ => SHARD,
    };
    string(item, attribute).unwrap_or_default()
}

/// Keys that are alike: of any request, of any person; or one that there is once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    place: String,
    partition: String,
}

impl Kind {
    fn of(place: &str, partition: &str) -> Self {
        let alike = match place {
            "approvals" => "a request",
            "audit" if partition.starts_with("leaf/") => "the leaves of a stream",
            "audit" => "a stream",
            "approvals/requester-index" => "a requester",
            "approvals/open-index" => "a requester and a status",
            "approvals/instance-index" | "audit/instance-events-index" => "an instance",
            "audit/user-index" => "an actor",
            "outbox" if partition.parse::<u8>().is_ok() => "a shard of four",
            "outbox" if RequestId::parse(partition).is_ok() => "a request",
            _ => partition,
        };
        Self { place: place.to_owned(), partition: alike.to_owned() }
    }

    pub(crate) fn name(&self) -> String {
        match self.partition.starts_with("a ")
            || self.partition.starts_with("an ")
            || self.partition.starts_with("the ")
        {
            true => format!("`{}`, {}", self.place, self.partition),
            false => format!("`{}`, `{}`", self.place, self.partition),
        }
    }

    /// Whether a caller's transaction writes it, and not a sweep alone: the one is refused by a key that is full, and the
    /// other falls behind.
    pub(crate) fn refuses_callers(&self) -> bool {
        !matches!(
            (self.place.as_str(), self.partition.as_str()),
            ("outbox", FIGURE_REQUESTS | FIGURES | ANOMALIES | LOG | RECORDED)
                | ("audit", "the leaves of a stream")
        )
    }

    pub(crate) fn sort_keys(&self) -> SortKeys {
        match (self.place.as_str(), self.partition.as_str()) {
            ("outbox", FIGURE_REQUESTS | ANOMALIES) => SortKeys::Spread,
            ("outbox", FIGURES | LOG) | ("approvals", _) => SortKeys::OneItem,
            _ => SortKeys::Grow,
        }
    }

    /// What would move the rate at which it is full.
    pub(crate) fn remedy(&self) -> &'static str {
        match (self.place.as_str(), self.partition.as_str()) {
            ("outbox", "a shard of four") => "64 shards in place of four (`OUTBOX_SHARDS`)",
            ("outbox", TIMER) => "16 partitions of timers, which the sweep asks in turn",
            ("audit/month-index" | "audit/event-type-index", _) => {
                "16 partitions a month, which queries merge"
            }
            ("approvals/status-index", _) => "16 partitions of a status, which lists merge",
            _ => "less of one person, or on one instance",
        }
    }
}

/// Where what is written next stands among what a key has: it decides whether a partition that `DynamoDB` splits is two
/// that share the writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortKeys {
    /// After all others, as times are: a split moves nothing.
    Grow,
    /// Anywhere: a split halves it.
    Spread,
    /// There is one item that is written again and again.
    OneItem,
}

impl SortKeys {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Grow => "grow",
            Self::Spread => "are spread",
            Self::OneItem => "one item",
        }
    }
}
