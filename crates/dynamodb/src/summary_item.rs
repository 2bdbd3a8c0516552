//! What an index projects of a request: an entry of a list.

use crate::attribute::{InvalidAttribute, read, read_cost, read_name, read_option};
use crate::error::unreadable;
use crate::expression::Item;
use countersign_app::ports::{RequestSummary, StoreError};
use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::text::Identifier;
use countersign_core::timestamp::Timestamp;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

/// What an index projects.
#[derive(Debug, Clone, Deserialize)]
struct SummaryItem {
    request_id: String,
    operation_type: String,
    instance_id: String,
    requested_by: String,
    requested_at: String,
    risk_level: String,
    environment: String,
    estimated_cost: Option<f64>,
    status: String,
    approvals_required: u8,
    approved_by: Vec<String>,
    expires_at: String,
    execute_by: Option<String>,
    execution_started_at: Option<String>,
    executed_at: Option<String>,
}

/// The summary of an index's item, with the status as it is at `now`.
///
/// # Errors
/// [`StoreError::Inconsistent`] if an attribute is missing or impossible.
pub(crate) fn summary(item: Item, now: Timestamp) -> Result<RequestSummary, StoreError> {
    let item: SummaryItem = from_item(item).map_err(|error| unreadable("list entry", error))?;
    read_summary(&item, now).map_err(|error| unreadable("list entry", error))
}

fn read_summary(item: &SummaryItem, now: Timestamp) -> Result<RequestSummary, InvalidAttribute> {
    let written_status = read_name("status", &item.status, Status::parse)?;
    let expires_at = read("expires_at", &item.expires_at, Timestamp::parse)?;
    let execute_by = read_option("execute_by", item.execute_by.as_ref(), Timestamp::parse)?;
    Ok(RequestSummary {
        id: read("request_id", &item.request_id, RequestId::parse)?,
        operation_type: read("operation_type", &item.operation_type, Identifier::parse)?,
        instance_id: read("instance_id", &item.instance_id, Identifier::parse)?,
        requested_by: read("requested_by", &item.requested_by, PersonId::from_stored)?,
        requested_at: read("requested_at", &item.requested_at, Timestamp::parse)?,
        risk_level: read_name("risk_level", &item.risk_level, RiskLevel::parse)?,
        environment: read_name("environment", &item.environment, Environment::parse)?,
        estimated_cost: read_cost("estimated_cost", item.estimated_cost)?,
        status: written_status.at(now, expires_at, execute_by),
        approvals_required: item.approvals_required,
        approved_by: item
            .approved_by
            .iter()
            .map(|person| read("approved_by", person, PersonId::from_stored))
            .collect::<Result<_, _>>()?,
        expires_at,
        execute_by,
        execution_started_at: read_option(
            "execution_started_at",
            item.execution_started_at.as_ref(),
            Timestamp::parse,
        )?,
        executed_at: read_option("executed_at", item.executed_at.as_ref(), Timestamp::parse)?,
    })
}
