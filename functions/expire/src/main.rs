//! The schedule of expiry and erasure. Finds requests whose time is over and updates them one by one; publishes nothing.

use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    let aws = boot.aws()?;
    let deliveries = tables.deliveries.clone().map(|table| DynamoDeliveries::connect(&aws, table));
    boot.serve_expire(DynamoStore::connect(&aws, tables), deliveries).await
}
