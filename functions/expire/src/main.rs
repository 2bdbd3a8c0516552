//! The schedule of expiry and erasure. Finds requests whose time is over and updates them one by one; publishes nothing.

use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve_expire(DynamoStore::connect(&boot.aws()?, tables)).await
}
