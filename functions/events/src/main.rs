//! GET /v1/approvals/{id}/events. Reads one request and its audit events; changes nothing.

use countersign_api::operations::events::Events;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Events, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
