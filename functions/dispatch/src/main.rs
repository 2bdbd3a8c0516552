//! POST /approvals, the original single endpoint. Does what all the others do; publishes nothing.

use countersign_api::operations::dispatch::Dispatch;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Dispatch, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
