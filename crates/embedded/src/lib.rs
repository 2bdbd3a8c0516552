//! The embedded `DynamoDB` engine: `dynoxide` in this process, behind an SDK HTTP client.
//!
//! The store talks to it with the SDK that talks to AWS; only the transport differs. Requests are
//! handed to the library as function calls, so no database port is ever open. Which requests are
//! understood is listed in `call.rs`.
//!
//! The engine commits with `synchronous = FULL`: what is acknowledged has been written through to
//! the disk. It calls itself an engine for development and tests, and is no replacement for
//! `DynamoDB`; `docs/serve.md` says what follows from that.
#![warn(missing_docs)]

mod call;
mod writes;

pub use crate::call::operation;

use crate::call::{Call, Kind};
use crate::writes::{Write, Writer};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

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
    engine: Engine,
}

/// Where the database is, and how many connections it has.
#[derive(Clone)]
enum Engine {
    /// In memory: nothing waits for a disk.
    InMemory(Database),
    /// In a file.
    OnDisk(Arc<OnDisk>),
}

/// A database file. Each connection of the engine does one thing at a time, and a commit waits for the disk; so what only reads
/// has connections of its own. They see all that was committed when they begin, so reads are strongly consistent.
struct OnDisk {
    writer: Writer,
    /// Reads of items by their keys.
    items: Database,
    /// Reads of many items: one by its key does not wait for them.
    ranges: Database,
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
        let open = || {
            Database::new(path).map_err(|error| match error.to_string() {
                // The engine has no type for it, and goes on about options of its own build.
                reason if reason.contains("not a valid SQLite database") => {
                    OpenError::NotADatabase(shown.clone())
                }
                reason => refused(reason),
            })
        };
        // The first may have to make the file.
        let writer = open()?;
        let (items, ranges) = (open()?, open()?);
        let writer = Writer::start(writer).map_err(|error| refused(error.to_string()))?;
        Ok(Self { engine: Engine::OnDisk(Arc::new(OnDisk { writer, items, ranges })) })
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
        Ok(Self { engine: Engine::InMemory(database) })
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_on_disk = matches!(self.engine, Engine::OnDisk(_));
        f.debug_struct("Embedded").field("is_on_disk", &is_on_disk).finish_non_exhaustive()
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
        // The engine checks no signature, and none is made: without credentials, the SDK signs nothing.
        .allow_no_auth()
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
        let engine = self.engine.clone();
        HttpConnectorFuture::new(async move { answer(&engine, request).await })
    }
}

async fn answer(engine: &Engine, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let call = Call::of(request)?;
    let answered = match engine {
        Engine::InMemory(database) => call.answer(database),
        Engine::OnDisk(file) => match call.kind() {
            Kind::Items => call.answer(&file.items),
            Kind::Range => {
                let database = file.ranges.clone();
                tokio::task::spawn_blocking(move || call.answer(&database))
                    .await
                    .map_err(|error| ConnectorError::other(error.into(), None))?
            }
            Kind::Write => match Write::of(call) {
                Ok(write) => {
                    let written = file.writer.write(write).await;
                    written.map_err(|error| ConnectorError::other(error.into(), None))?
                }
                Err(error) => Err(error),
            },
        },
    };
    match answered {
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
