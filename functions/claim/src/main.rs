//! POST /v1/approvals/{id}/execution/claim. Reads and updates one request; publishes nothing.

use countersign_api::operations::claim::Claim;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Claim, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
