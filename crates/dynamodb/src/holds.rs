//! Claims of requests by approvers: the calls of the SDK for them, in the table of requests.
//!
//! One is read by its key together with its request, by each caller who may read that. Those that last are a partition of the index
//! of statuses, so that who may list requests needs no further right.

use crate::deliveries::revised;
use crate::error::store_error;
use crate::expression::Expression;
use crate::hold_item::{hold_item, hold_key, read_hold, stored_hold};
use crate::keys::{HOLDS, STATUS_AT, STATUS_INDEX, STATUS_KEY, last_key};
use crate::store::DynamoStore;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use countersign_app::ports::{ListHolds, LoadHold, PutHold, StoreError, StoredHold};
use countersign_core::hold::Hold;
use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeMap;

impl LoadHold for DynamoStore {
    async fn load_hold(&self, id: RequestId) -> Result<Option<StoredHold>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.approvals)
            .set_key(Some(hold_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        found.item.map(|item| stored_hold(id, &item)).transpose()
    }
}

impl ListHolds for DynamoStore {
    async fn holds(&self, now: Timestamp) -> Result<BTreeMap<RequestId, Hold>, StoreError> {
        let mut condition = Expression::default();
        let (status_key, until) = (condition.name(STATUS_KEY), condition.name(STATUS_AT));
        let partition = condition.string("partition", HOLDS);
        let ended = condition.string("ended", last_key(now));
        condition.text = format!("{status_key} = {partition} AND {until} > {ended}");
        let mut holds = BTreeMap::new();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.tables.approvals)
                .index_name(STATUS_INDEX)
                .key_condition_expression(&condition.text)
                .set_expression_attribute_names(Some(condition.names.clone()))
                .set_expression_attribute_values(Some(condition.values.clone()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(store_error)?;
            // What cannot be read was not written here, and hides no other.
            let read = page.items.iter().flatten().filter_map(|item| read_hold(item).ok());
            holds.extend(read.map(|hold| (hold.request_id, hold)));
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(holds);
            }
        }
    }
}

impl PutHold for DynamoStore {
    async fn put_hold(&self, hold: &Hold, before: u64) -> Result<bool, StoreError> {
        let condition = revised(before);
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.approvals)
            .set_item(Some(hold_item(hold, before + 1)))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values).filter(|values| !values.is_empty()))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(store_error(error)),
        }
    }
}
