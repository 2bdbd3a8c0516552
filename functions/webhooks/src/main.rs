//! /v1/webhooks and what is below it. Writes webhooks and begins deliveries anew; tries webhooks out, and knows no request.

use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::{DELIVERIES, TableNames};
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    boot.required(DELIVERIES.name_variable)?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve_webhooks(DynamoStore::connect(&boot.aws()?, tables)).await
}
