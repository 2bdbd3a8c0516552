//! GET /v1/reports/{period}. Reads the figures in the outbox table, and what is open; changes nothing.

use countersign_api::operations::report::Report;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Report, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
