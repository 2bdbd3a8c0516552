//! The outbox to SNS and to those who wait for a request, by stream and by schedule. The only function that publishes;
//! knows no request.

use countersign_continuations::AwsResumer;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::table::OUTBOX;
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
    boot.serve_notify(outbox, publisher, AwsResumer::connect(&aws)).await
}
