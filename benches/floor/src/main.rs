//! The floor that functions are measured against: TLS by ring, the SDK's client, one `GetItem` and one
//! `TransactWriteItems` of three items for every invocation, whatever its payload is. No rules, no log, no checks.

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};

/// The one request that it reads and counts up.
const REQUEST: &str = "5d3e7c1a-9f42-4b8e-8a31-0c6d2e9b7f10";

struct Tables {
    approvals: String,
    audit: String,
    outbox: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut trusted = TrustStore::empty();
    if let Ok(path) = std::env::var("AWS_CA_BUNDLE") {
        trusted = trusted.with_pem_certificate(std::fs::read(path)?);
    }
    let transport = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(TlsContext::builder().with_trust_store(trusted).build()?)
        .build_https();
    let credentials = Credentials::new(
        std::env::var("AWS_ACCESS_KEY_ID")?,
        std::env::var("AWS_SECRET_ACCESS_KEY")?,
        std::env::var("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    );
    let mut configuration = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(std::env::var("AWS_REGION")?))
        .credentials_provider(credentials)
        .http_client(transport);
    configuration.set_endpoint_url(std::env::var("AWS_ENDPOINT_URL").ok());
    let client = &Client::from_conf(configuration.build());
    let tables = &Tables {
        approvals: std::env::var("APPROVALS_TABLE")?,
        audit: std::env::var("AUDIT_LOG_TABLE")?,
        outbox: std::env::var("OUTBOX_TABLE")?,
    };
    Runtime::new(service_fn(|event: LambdaEvent<Value>| invoke(client, tables, event))).run().await
}

async fn invoke(client: &Client, tables: &Tables, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let key = ("request_id", text(REQUEST));
    let read = client.get_item().table_name(&tables.approvals).consistent_read(true);
    let read = read.key(key.0, key.1.clone()).send().await?;
    let count = read.item().and_then(|item| item.get("version")?.as_n().ok()?.parse().ok()).unwrap_or(0_u64);
    let next = (count + 1).to_string();
    let payload = event.payload.to_string();
    let update = Update::builder()
        .table_name(&tables.approvals)
        .key(key.0, key.1)
        .update_expression("SET #version = :next, #payload = :payload")
        .condition_expression("attribute_not_exists(#version) OR #version = :count")
        .expression_attribute_names("#version", "version")
        .expression_attribute_names("#payload", "payload")
        .expression_attribute_values(":next", AttributeValue::N(next.clone()))
        .expression_attribute_values(":count", AttributeValue::N(count.to_string()))
        .expression_attribute_values(":payload", text(&payload))
        .build()?;
    let event = Put::builder()
        .table_name(&tables.audit)
        .item("stream", text(REQUEST))
        .item("sequence", AttributeValue::N(next.clone()))
        .item("event", text(&payload))
        .condition_expression("attribute_not_exists(#stream)")
        .expression_attribute_names("#stream", "stream")
        .build()?;
    let message = Put::builder()
        .table_name(&tables.outbox)
        .item("shard", text("0"))
        .item("event_id", text(&next))
        .item("message", text(&payload))
        .build()?;
    client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().update(update).build())
        .transact_items(TransactWriteItem::builder().put(event).build())
        .transact_items(TransactWriteItem::builder().put(message).build())
        .send()
        .await?;
    Ok(json!({ "version": count + 1 }))
}
