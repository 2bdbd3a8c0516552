//! A database whose indexes lag behind by so many writes, as those of `DynamoDB` may: writes and reads of
//! tables go to one engine, reads of indexes to a second one that hears of each write later.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use countersign_embedded::{Embedded, operation};
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

#[derive(Debug)]
struct Queue {
    lag: usize,
    writes: VecDeque<HttpRequest>,
}

/// The transport to both.
#[derive(Clone)]
pub struct LaggingTransport {
    tables: Embedded,
    indexes: Embedded,
    queue: Arc<Mutex<Queue>>,
}

impl Default for LaggingTransport {
    fn default() -> Self {
        let queue = Queue { lag: 0, writes: VecDeque::new() };
        Self {
            tables: Embedded::in_memory().unwrap(),
            indexes: Embedded::in_memory().unwrap(),
            queue: Arc::new(Mutex::new(queue)),
        }
    }
}

impl LaggingTransport {
    /// From now on indexes know all but the last `lag` writes, once there have been so many.
    pub fn set_lag(&self, lag: usize) {
        self.queue.lock().unwrap().lag = lag;
    }

    /// The writes that the indexes are to hear of now.
    fn due(&self) -> Vec<HttpRequest> {
        let mut queue = self.queue.lock().unwrap();
        let due = queue.writes.len().saturating_sub(queue.lag);
        queue.writes.drain(..due).collect()
    }
}

impl fmt::Debug for LaggingTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaggingTransport").finish_non_exhaustive()
    }
}

impl HttpClient for LaggingTransport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for LaggingTransport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        let name = operation(&request).expect("every call names its operation").to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        HttpConnectorFuture::new(async move {
            let is_write = !["GetItem", "Query", "Scan", "DescribeTable"].contains(&name.as_str());
            if is_write {
                transport.queue.lock().unwrap().writes.push_back(request.try_clone().unwrap());
            }
            for write in transport.due() {
                transport.indexes.call(write).await?;
            }
            if body["IndexName"].is_string() {
                return transport.indexes.call(request).await;
            }
            transport.tables.call(request).await
        })
    }
}
