//! /v1/me/notifications, and who would hear of a request. Writes what callers say of themselves; reads requests, and sends nothing.

use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::{DELIVERIES, TableNames};
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    boot.required(DELIVERIES.name_variable)?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve_notifications(DynamoStore::connect(&boot.aws()?, tables)).await
}
