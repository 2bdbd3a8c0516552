//! The outbox to SNS, to the deliveries of webhooks and to those who wait for a request, by stream and by schedule. The only
//! function that publishes; reads requests where `notifications.toml` says who hears of them.

use countersign_continuations::AwsResumer;
use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::{DELIVERIES, OUTBOX, TableNames};
use countersign_lambda::boot::{Boot, Error};
use countersign_sns::publisher::SnsPublisher;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let aws = boot.aws()?;
    let outbox = DynamoOutbox::connect(&aws, boot.required(OUTBOX.name_variable)?);
    let topic_arn = boot.required("SNS_TOPIC_ARN")?;
    let dashboard_url = boot.optional("DASHBOARD_URL");
    let publisher = SnsPublisher::connect(&aws, topic_arn, dashboard_url);
    let resumer = AwsResumer::connect(&aws);
    let deliveries = boot.optional(DELIVERIES.name_variable);
    let deliveries = deliveries.map(|table| DynamoDeliveries::connect(&aws, table));
    let requests = DynamoStore::connect(&aws, TableNames::read(|name| boot.required(name))?);
    boot.serve_notify(outbox, deliveries, requests, publisher, resumer).await
}
