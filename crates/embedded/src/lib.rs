//! The embedded `DynamoDB` engine: `dynoxide` in this process, behind an SDK HTTP client.
//!
//! The store talks to it with the SDK that talks to AWS; only the transport differs. Requests are
//! handed to the library as function calls, so no database port is ever open. Which requests are
//! understood is listed in `dispatch`.
//!
//! The engine commits with `synchronous = FULL`: what is acknowledged has been written through to
//! the disk. It calls itself an engine for development and tests, and is no replacement for
//! `DynamoDB`; `docs/serve.md` says what follows from that.
#![warn(missing_docs)]

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;

/// The prefix of `X-Amz-Target`, before the name of the operation.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another program's file, or a damaged one.
    #[error("{0} is not a database, or is damaged; restore it from a backup")]
    NotADatabase(String),
    /// The engine says no.
    #[error("the database {path} cannot be opened: {reason}")]
    Refused {
        /// Its path.
        path: String,
        /// Why, in the engine's words.
        reason: String,
    },
}

/// An embedded database, as a transport of the SDK.
#[derive(Clone)]
pub struct Embedded {
    database: Database,
    /// A commit to a file waits for the disk, so it is moved off the runtime's threads.
    is_blocking: bool,
}

impl Embedded {
    /// Opens a database file, or creates it.
    ///
    /// # Errors
    /// When the file is not a database or cannot be written.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        let refused = |reason: String| OpenError::Refused { path: shown.clone(), reason };
        let path = path.to_str().ok_or_else(|| refused("its path is not UTF-8".to_owned()))?;
        let database = Database::new(path).map_err(|error| match error.to_string() {
            // The engine has no type for it, and goes on about options of its own build.
            reason if reason.contains("not a valid SQLite database") => {
                OpenError::NotADatabase(shown.clone())
            }
            reason => refused(reason),
        })?;
        Ok(Self { database, is_blocking: true })
    }

    /// A database in memory, gone when its last clone is dropped.
    ///
    /// # Errors
    /// When the engine does not start.
    pub fn in_memory() -> Result<Self, OpenError> {
        let database = Database::memory().map_err(|error| OpenError::Refused {
            path: "in memory".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { database, is_blocking: false })
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("is_blocking", &self.is_blocking).finish_non_exhaustive()
    }
}

/// An SDK client over a transport that needs neither credentials nor an address.
///
/// The transport is [`Embedded`] or something that wraps it.
pub fn client(transport: impl HttpClient + 'static) -> Client {
    let configuration = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(transport)
        .region(Region::from_static("local"))
        .endpoint_url("http://embedded.invalid")
        // The engine checks no signature, but the SDK insists on making one.
        .credentials_provider(Credentials::new("embedded", "embedded", None, None, "embedded"))
        // In one process there is no network that could lose a request; what fails here would
        // fail again.
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(configuration)
}

impl HttpClient for Embedded {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Embedded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let embedded = self.clone();
        HttpConnectorFuture::new(async move {
            if !embedded.is_blocking {
                return answer(&embedded.database, &request);
            }
            tokio::task::spawn_blocking(move || answer(&embedded.database, &request))
                .await
                .map_err(|error| ConnectorError::other(error.into(), None))?
        })
    }
}

/// The name of the `DynamoDB` operation that a request is for, such as `GetItem`.
pub fn operation(request: &HttpRequest) -> Option<&str> {
    request.headers().get("x-amz-target")?.strip_prefix(TARGET_PREFIX)
}

fn answer(database: &Database, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let body = request
        .body()
        .bytes()
        .ok_or_else(|| ConnectorError::user("a streaming body is not understood".into()))?;
    let name =
        operation(request).ok_or_else(|| ConnectorError::user("the request names no operation".into()))?;
    match dispatch(database, name, body) {
        Ok(json) => response(200, json),
        Err(error) => response(error.status_code(), error.to_json()),
    }
}

/// A response as `DynamoDB` gives it.
///
/// # Errors
/// When `status` is not an HTTP status.
pub fn response(status: u16, json: String) -> Result<HttpResponse, ConnectorError> {
    http::Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .body(SdkBody::from(json))
        .map_err(|error| ConnectorError::other(error.into(), None))
        .and_then(|response| {
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
}

/// Calls the engine: one arm for each operation that the store or its inspection uses.
fn dispatch(database: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    match operation {
        "CreateTable" => run(body, |request| database.create_table(request)),
        "DescribeTable" => run(body, |request: DescribeTableRequest| describe(database, &request.table_name)),
        "GetItem" => run(body, |request| database.get_item(request)),
        "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
        "PutItem" => run(body, |request| database.put_item(request)),
        "UpdateItem" => run(body, |request| database.update_item(request)),
        "DeleteItem" => run(body, |request| database.delete_item(request)),
        "Query" => run(body, |request| database.query(request)),
        "Scan" => run(body, |request| database.scan(request)),
        "TransactWriteItems" => run(body, |mut request: TransactWriteItemsRequest| {
            // The SDK sends a token with every call so that its own retries count once. There are
            // none here, and the engine's memory of tokens makes every write look through it.
            request.client_request_token = None;
            database.transact_write_items(request)
        }),
        _ => Err(DynoxideError::ValidationException(format!("{operation} is not used by the store"))),
    }
}

/// What is asked of a table before it is used: whether it is there, and which indexes it has. The engine's own description
/// also counts every item and entry and their bytes: with a hundred thousand requests that takes longer than the SDK waits,
/// so that the service could not be started any more.
fn describe(database: &Database, table: &str) -> Result<Value, DynoxideError> {
    let found = database.get_table_metadata(table)?;
    let found = found.ok_or_else(|| {
        DynoxideError::ResourceNotFoundException(format!(
            "Requested resource not found: Table: {table} not found"
        ))
    })?;
    let indexes: Vec<Value> = match &found.gsi_definitions {
        Some(definitions) => serde_json::from_str(definitions)
            .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?,
        None => Vec::new(),
    };
    let names = indexes.iter().filter_map(|index| index.get("IndexName"));
    let indexes: Vec<_> = names.map(|name| json!({ "IndexName": name })).collect();
    Ok(json!({
        "Table": { "TableName": table, "TableStatus": found.table_status, "GlobalSecondaryIndexes": indexes },
    }))
}

fn run<Request: DeserializeOwned, Response: Serialize>(
    body: &[u8],
    call: impl FnOnce(Request) -> Result<Response, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request = serde_json::from_slice(body)
        .map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
    serde_json::to_string(&call(request)?)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
