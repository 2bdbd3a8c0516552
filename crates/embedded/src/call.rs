//! A call of the engine: one arm for each operation that the store or its inspection uses.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The prefix of `X-Amz-Target`, before the name of the operation.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The name of the `DynamoDB` operation that a request is for, such as `GetItem`.
pub fn operation(request: &HttpRequest) -> Option<&str> {
    request.headers().get("x-amz-target")?.strip_prefix(TARGET_PREFIX)
}

/// What is asked of the engine.
#[derive(Debug)]
pub(crate) struct Call(HttpRequest);

/// Whether a call changes anything, and how much it reads if not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Items by their keys.
    Items,
    /// Items of a range.
    Range,
    /// Changes.
    Write,
}

impl Call {
    /// A request that names an operation and has a body.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn of(request: HttpRequest) -> Result<Self, ConnectorError> {
        if request.body().bytes().is_none() {
            return Err(ConnectorError::user("a streaming body is not understood".into()));
        }
        if operation(&request).is_none() {
            return Err(ConnectorError::user("the request names no operation".into()));
        }
        Ok(Self(request))
    }

    pub(crate) fn operation(&self) -> &str {
        operation(&self.0).unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.operation() {
            "GetItem" | "BatchGetItem" | "DescribeTable" => Kind::Items,
            "Query" | "Scan" => Kind::Range,
            _ => Kind::Write,
        }
    }

    /// What it asks for.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read<Request: DeserializeOwned>(&self) -> Result<Request, DynoxideError> {
        serde_json::from_slice(self.0.body().bytes().unwrap_or_default())
            .map_err(|error| DynoxideError::SerializationException(error.to_string()))
    }

    /// Has the engine carry it out.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn answer(&self, database: &Database) -> Result<String, DynoxideError> {
        match self.operation() {
            "CreateTable" => self.run(|request| database.create_table(request)),
            "DescribeTable" => {
                self.run(|request: DescribeTableRequest| describe(database, &request.table_name))
            }
            "GetItem" => self.run(|request| database.get_item(request)),
            "BatchGetItem" => self.run(|request| database.batch_get_item(request)),
            "PutItem" => self.run(|request| database.put_item(request)),
            "UpdateItem" => self.run(|request| database.update_item(request)),
            "DeleteItem" => self.run(|request| database.delete_item(request)),
            "Query" => self.run(|request| database.query(request)),
            "Scan" => self.run(|request| database.scan(request)),
            "TransactWriteItems" => self.run(|mut request: TransactWriteItemsRequest| {
                // The SDK sends a token with every call so that its own retries count once. There are
                // none here, and the engine's memory of tokens makes every write look through it.
                request.client_request_token = None;
                database.transact_write_items(request)
            }),
            operation => {
                Err(DynoxideError::ValidationException(format!("{operation} is not used by the store")))
            }
        }
    }

    fn run<Request: DeserializeOwned, Response: Serialize>(
        &self,
        call: impl FnOnce(Request) -> Result<Response, DynoxideError>,
    ) -> Result<String, DynoxideError> {
        serde_json::to_string(&call(self.read()?)?)
            .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
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
