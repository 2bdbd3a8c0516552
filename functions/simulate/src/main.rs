//! POST /v1/approvals/simulate. Counts pending requests; changes nothing.

use countersign_api::operations::simulate::Simulate;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Simulate, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
