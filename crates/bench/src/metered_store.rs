//! The embedded engine, with every call written down: which it was, its bytes, its capacity and its time.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use countersign_embedded::{Embedded, operation};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A call of the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StoreCall {
    /// As `DynamoDB` names it, such as `GetItem`.
    pub(crate) operation: String,
    /// The body of the request, before the question for its capacity was added.
    pub(crate) request_bytes: usize,
    /// The body of the answer, with the capacity.
    pub(crate) response_bytes: usize,
    /// Read request units, over table and indexes.
    pub(crate) read_units: f64,
    /// Write request units, over tables and indexes.
    pub(crate) write_units: f64,
    /// Those units by where they were consumed: a table, or `table/index`.
    #[serde(skip)]
    pub(crate) units_by_place: BTreeMap<String, f64>,
    /// The request itself, where requests are kept.
    #[serde(skip)]
    pub(crate) request: Option<Value>,
    /// From the whole request to the whole answer.
    #[serde(skip)]
    pub(crate) took: Duration,
}

/// A transport of the SDK, or what stands behind a listener.
#[derive(Debug, Clone)]
pub(crate) struct MeteredStore {
    engine: Embedded,
    /// What each call waits in addition, as on the way to a region.
    delay: Duration,
    keeps_requests: bool,
    calls: Arc<Mutex<Vec<StoreCall>>>,
}

impl MeteredStore {
    pub(crate) fn new(engine: Embedded, delay: Duration) -> Self {
        Self { engine, delay, keeps_requests: false, calls: Arc::default() }
    }

    /// The same, which keeps what each call asks for.
    pub(crate) fn keeping_requests(engine: Embedded) -> Self {
        Self { keeps_requests: true, ..Self::new(engine, Duration::ZERO) }
    }

    /// The calls since this was last asked.
    pub(crate) fn take_calls(&self) -> Vec<StoreCall> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpClient for MeteredStore {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for MeteredStore {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let store = self.clone();
        HttpConnectorFuture::new(async move {
            let began = Instant::now();
            let operation = operation(&request).unwrap_or_default().to_owned();
            let body = request.body().bytes().unwrap_or_default();
            let request_bytes = body.len();
            let table = table_of(body);
            let kept = store.keeps_requests.then(|| serde_json::from_slice(body).unwrap_or_default());
            *request.body_mut() = SdkBody::from(with_question(body));
            if !store.delay.is_zero() {
                tokio::time::sleep(store.delay).await;
            }
            let response = store.engine.call(request).await?;
            let body = response.body().bytes().unwrap_or_default();
            let (read_units, mut write_units) = units(&operation, body);
            let mut units_by_place = units_by_place(body);
            if !response.status().is_success()
                && ["DeleteItem", "PutItem", "UpdateItem"].contains(&&*operation)
            {
                write_units = FAILED_WRITE_UNITS;
                units_by_place.insert(table, FAILED_WRITE_UNITS);
            }
            let call = StoreCall {
                operation,
                request_bytes,
                response_bytes: body.len(),
                read_units,
                write_units,
                units_by_place,
                request: kept,
                took: began.elapsed(),
            };
            store.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            Ok(response)
        })
    }
}

/// A write whose condition fails consumes what the item takes that is there, and no answer says how much:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html>. The only items that this
/// happens to, again and again, are entries of the outbox of up to 2 KB, which were marked by another sweep.
const FAILED_WRITE_UNITS: f64 = 2.0;

fn table_of(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.get("TableName").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A request of `DynamoDB`, which is a JSON object that is not empty, with `ReturnConsumedCapacity`.
fn with_question(body: &[u8]) -> Vec<u8> {
    match body.strip_prefix(b"{") {
        Some(rest) => [br#"{"ReturnConsumedCapacity":"INDEXES","#, rest].concat(),
        None => body.to_vec(),
    }
}

/// The read and write units of an answer: one figure, or one for each table.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html>
fn units(operation: &str, answer: &[u8]) -> (f64, f64) {
    let total: f64 = consumed(answer).iter().filter_map(|table| table.get("CapacityUnits")?.as_f64()).sum();
    match operation {
        "GetItem" | "BatchGetItem" | "Query" | "Scan" => (total, 0.0),
        _ => (0.0, total),
    }
}

/// The same units, each table and each index by itself.
fn units_by_place(answer: &[u8]) -> BTreeMap<String, f64> {
    let mut places = BTreeMap::new();
    let mut add = |place: String, detail: Option<&Value>| {
        let units = detail.and_then(|detail| detail.get("CapacityUnits")?.as_f64()).unwrap_or_default();
        if units > 0.0 {
            *places.entry(place).or_default() += units;
        }
    };
    for table in consumed(answer) {
        let name = table.get("TableName").and_then(Value::as_str).unwrap_or_default();
        add(name.to_owned(), table.get("Table"));
        let indexes = table.get("GlobalSecondaryIndexes").and_then(Value::as_object);
        for (index, detail) in indexes.into_iter().flatten() {
            add(format!("{name}/{index}"), Some(detail));
        }
    }
    places
}

/// What an answer says of each table.
fn consumed(answer: &[u8]) -> Vec<Value> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.clone(),
        Some(table) => vec![table.clone()],
        None => Vec::new(),
    }
}
