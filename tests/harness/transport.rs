//! A transport below the SDK that counts calls and injects faults: what the embedded engine never
//! shows and `DynamoDB` does.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use countersign_embedded::{Embedded, operation, response};
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The transaction is cancelled: another one is under way on the same item.
    Conflict,
    /// Too many calls.
    Throttle,
    /// A transaction whose action on the request is throttled.
    ThrottledAction,
    /// `DynamoDB` has a fault of its own.
    ServerError,
    /// The call never arrives.
    TimeoutBefore,
    /// The call arrives and does its work; the answer never comes back.
    TimeoutAfter,
    /// The call is refused for good, which no call of ours should be: none of [`Fault::ALL`].
    Refused,
}

impl Fault {
    /// Every fault that may go away.
    pub const ALL: [Self; 6] = [
        Self::Conflict,
        Self::Throttle,
        Self::ThrottledAction,
        Self::ServerError,
        Self::TimeoutBefore,
        Self::TimeoutAfter,
    ];
}

type Plan = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

/// The embedded engine behind a plan of faults.
#[derive(Clone)]
pub struct FaultyTransport {
    inner: Embedded,
    plan: Arc<Mutex<Plan>>,
    calls: Arc<Mutex<Vec<String>>>,
    items_read: Arc<AtomicU64>,
    bytes_sent: Arc<AtomicU64>,
    date: Arc<Mutex<Option<&'static str>>>,
    is_replicated: Arc<AtomicBool>,
}

impl FaultyTransport {
    /// A transport without faults so far.
    pub fn new(inner: Embedded) -> Self {
        Self {
            inner,
            plan: Arc::new(Mutex::new(Box::new(|_| None))),
            calls: Arc::default(),
            items_read: Arc::default(),
            bytes_sent: Arc::default(),
            date: Arc::default(),
            is_replicated: Arc::default(),
        }
    }

    /// From now on the plan says, for the name of each operation in turn, what goes wrong.
    pub fn set_plan(&self, plan: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// From now on every answer has this `Date`, as those of `DynamoDB` have one, or none.
    pub fn set_date(&self, date: Option<&'static str>) {
        *self.date.lock().unwrap() = date;
    }

    /// From now on the database says that its tables have a replica in another region.
    pub fn replicate(&self) {
        self.is_replicated.store(true, Ordering::SeqCst);
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        self.set_plan(|_| None);
    }

    /// The names of the operations called since the last time this was asked.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Whether an operation was called since [`Self::take_calls`] was last asked.
    pub fn has_calls(&self) -> bool {
        !self.calls.lock().unwrap().is_empty()
    }

    /// How many bytes the bodies of requests had since the last time this was asked.
    pub fn take_bytes_sent(&self) -> u64 {
        self.bytes_sent.swap(0, Ordering::SeqCst)
    }

    /// How many items queries have read since the last time this was asked, those that a filter left out
    /// included.
    pub fn take_items_read(&self) -> u64 {
        self.items_read.swap(0, Ordering::SeqCst)
    }
}

impl fmt::Debug for FaultyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyTransport").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl HttpClient for FaultyTransport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for FaultyTransport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let name = operation(&request).expect("every call names its operation").to_owned();
        let fault = (self.plan.lock().unwrap())(&name);
        self.calls.lock().unwrap().push(name.clone());
        let bytes = request.body().bytes().map_or(0, <[u8]>::len);
        self.bytes_sent.fetch_add(u64::try_from(bytes).unwrap(), Ordering::SeqCst);
        let inner = self.inner.clone();
        let items_read = self.items_read.clone();
        let date = *self.date.lock().unwrap();
        let is_replica_told = name == "DescribeTable" && self.is_replicated.load(Ordering::SeqCst);
        let timeout = || ConnectorError::timeout("injected".into());
        HttpConnectorFuture::new(async move {
            match fault {
                None => {
                    let mut answer = inner.call(request).await?;
                    if let Some(date) = date {
                        answer.headers_mut().insert("date", date);
                    }
                    let body: Value =
                        serde_json::from_slice(answer.body().bytes().unwrap_or_default()).unwrap_or_default();
                    items_read.fetch_add(body["ScannedCount"].as_u64().unwrap_or(0), Ordering::SeqCst);
                    if is_replica_told {
                        let mut body = body;
                        body["Table"]["Replicas"] = json!([{ "RegionName": "eu-west-1" }]);
                        return response(200, body.to_string());
                    }
                    Ok(answer)
                }
                Some(Fault::TimeoutBefore) => Err(timeout()),
                Some(Fault::TimeoutAfter) => {
                    inner.call(request).await?;
                    Err(timeout())
                }
                Some(Fault::ServerError) => error(500, "InternalServerError", &[]),
                Some(Fault::Refused) => error(400, "ValidationException", &[]),
                Some(Fault::Throttle) => error(400, "ThrottlingException", &[]),
                // Only a transaction can be cancelled; any other call is throttled.
                Some(Fault::Conflict | Fault::ThrottledAction) if name != "TransactWriteItems" => {
                    error(400, "ProvisionedThroughputExceededException", &[])
                }
                Some(Fault::Conflict) => {
                    error(400, "TransactionCanceledException", &["TransactionConflict", "None", "None"])
                }
                Some(Fault::ThrottledAction) => {
                    error(400, "TransactionCanceledException", &["ThrottlingError", "None", "None"])
                }
            }
        })
    }
}

fn error(
    status: u16,
    code: &str,
    reasons: &[&str],
) -> Result<aws_smithy_runtime_api::client::orchestrator::HttpResponse, ConnectorError> {
    let reasons: Vec<_> = reasons.iter().map(|reason| json!({ "Code": reason })).collect();
    let body = json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
        "message": "injected",
        "CancellationReasons": reasons,
    });
    response(status, body.to_string())
}
