//! POST /v1/approvals/{id}/target. Reads and updates one request; publishes nothing.

use countersign_api::operations::observe::Observe;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Observe, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
