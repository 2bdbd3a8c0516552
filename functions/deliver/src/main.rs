//! What waits for webhooks to their endpoints, by stream and by schedule. The only function that calls addresses that people
//! have given; knows no request.

use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_dynamodb::table::DELIVERIES;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let table = boot.required(DELIVERIES.name_variable)?;
    boot.serve_deliver(DynamoDeliveries::connect(&boot.aws()?, table)).await
}
