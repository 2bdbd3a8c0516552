//! GET /v1/audit-logs/stats. Reads the figures in the outbox table; changes nothing.

use countersign_api::operations::stats::Stats;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Stats, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
