//! What waits for webhooks and for the destinations of `notifications.toml`, by stream and by schedule. The only function that
//! calls addresses that people have given; knows no request.

use countersign_cloud::AwsCloud;
use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_dynamodb::table::DELIVERIES;
use countersign_lambda::boot::{Boot, Error};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let table = boot.required(DELIVERIES.name_variable)?;
    let aws = boot.aws()?;
    let cloud = Arc::new(AwsCloud::connect(&aws));
    boot.serve_deliver(DynamoDeliveries::connect(&aws, table), cloud).await
}
