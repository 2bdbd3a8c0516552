//! What an index projects of a request: an entry of a list.
//!
//! Each attribute is read by its name, so that of a row that cannot be read it is known which one is
//! wrong. What it holds instead is in no error.

use crate::attribute::{InvalidAttribute, read};
use crate::expression::Item;
use crate::keys::{INSTANCE_ID, LISTING, REQUEST_ID, REQUESTED_BY, STATUS_AT, sort_key};
use crate::listing_item::ListingItem;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{DamagedRow, RequestSummary};
use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use countersign_core::principal::Owner;
use countersign_core::request::{Status, Verdict};
use countersign_core::risk::Cost;
use countersign_core::text::{Identifier, InstanceId};
use countersign_core::timestamp::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::from_attribute_value;
use std::collections::BTreeSet;

/// The summary of an index's item, with the status as it is at `now`.
///
/// # Errors
/// What is damaged, if an attribute is missing, impossible, or contradicts another.
pub(crate) fn summary(item: &Item, now: Timestamp) -> Result<RequestSummary, DamagedRow> {
    read_summary(item, now).map_err(|error| damaged(item, error.name()))
}

/// The id of an index's item.
///
/// # Errors
/// As for [`summary`].
pub(crate) fn request_id(item: &Item) -> Result<RequestId, DamagedRow> {
    id(item).map_err(|error| damaged(item, error.name()))
}

fn damaged(item: &Item, attribute: &'static str) -> DamagedRow {
    DamagedRow { request_id: id(item).ok(), attribute }
}

fn id(item: &Item) -> Result<RequestId, InvalidAttribute> {
    required(item, REQUEST_ID, RequestId::parse)
}

fn read_summary(item: &Item, now: Timestamp) -> Result<RequestSummary, InvalidAttribute> {
    let id = id(item)?;
    let written_status = required(item, "status", str::parse)?;
    let expires_at = required(item, "expires_at", Timestamp::parse)?;
    let execute_by = optional(item, "execute_by", Timestamp::parse)?;
    let execution_started_at = optional(item, "execution_started_at", Timestamp::parse)?;
    let executed_at = optional(item, "executed_at", Timestamp::parse)?;
    let status_at = required(item, STATUS_AT, |text| {
        text.get(..24).ok_or(()).and_then(|time| {
            let time = Timestamp::parse(time).map_err(|_| ())?;
            (sort_key(time, id) == text).then_some(time).ok_or(())
        })
    })?;
    // What the sort key follows from, as far as an index holds it.
    let follows = match written_status {
        Status::Pending => Some(expires_at),
        Status::Approved => execute_by,
        Status::Executing => execution_started_at,
        Status::Executed | Status::Failed => executed_at,
        // An expired request may have missed a sooner deadline than the one on record.
        Status::Expired | Status::Rejected | Status::Cancelled => Some(status_at),
    };
    if follows != Some(status_at) {
        return Err(InvalidAttribute::Contradiction(STATUS_AT));
    }
    let status = written_status.at(now, expires_at, execute_by);
    let listing: ListingItem = item
        .get(LISTING)
        .cloned()
        .and_then(|value| from_attribute_value(value).ok())
        .ok_or(InvalidAttribute::Value(LISTING))?;
    let decisions = listing.decisions().map_err(|_| InvalidAttribute::Value(LISTING))?;
    let approved_by = people(item, "approved_by")?;
    let approvals = decisions.iter().filter(|decision| decision.verdict == Verdict::Approved);
    if !approvals.map(|decision| &decision.person).eq(&approved_by) {
        return Err(InvalidAttribute::Contradiction("approved_by"));
    }
    let requested_by = required(item, REQUESTED_BY, PersonId::from_stored)?;
    let owner = optional(item, "owner", PersonId::from_stored)?;
    Ok(RequestSummary {
        id,
        operation_type: required(item, "operation_type", Identifier::parse)?,
        instance_id: required(item, INSTANCE_ID, InstanceId::parse)?,
        requester_addresses: addresses(item, "requester_addresses", &requested_by)?,
        requested_by,
        filed_by: optional(item, "filed_by", PersonId::from_stored)?,
        owner: match owner {
            Some(person) => Some(Owner { addresses: addresses(item, "owner_addresses", &person)?, person }),
            None => None,
        },
        requester_groups: listing.requester_groups(),
        digest_required: listing.digest_required(),
        requested_at: required(item, "requested_at", Timestamp::parse)?,
        risk_level: required(item, "risk_level", str::parse)?,
        environment: required(item, "environment", str::parse)?,
        estimated_cost: cost(item, "estimated_cost")?,
        status,
        approvals_required: number(item, "approvals_required")?,
        decisions,
        expires_at,
        execute_by,
        execution_started_at,
        executed_at,
        closed_at: (!status.is_open()).then_some(status_at),
    })
}

fn text<'a>(item: &'a Item, attribute: &'static str) -> Result<Option<&'a String>, InvalidAttribute> {
    let value = item.get(attribute).map(AttributeValue::as_s).transpose();
    value.map_err(|_| InvalidAttribute::Value(attribute))
}

fn required<T, E>(
    item: &Item,
    attribute: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, InvalidAttribute> {
    read(attribute, text(item, attribute)?.ok_or(InvalidAttribute::Value(attribute))?, parse)
}

fn optional<T, E>(
    item: &Item,
    attribute: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, InvalidAttribute> {
    text(item, attribute)?.map(|text| read(attribute, text, parse)).transpose()
}

fn number(item: &Item, attribute: &'static str) -> Result<u8, InvalidAttribute> {
    let digits = item.get(attribute).and_then(|value| value.as_n().ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or(InvalidAttribute::Value(attribute))
}

fn cost(item: &Item, attribute: &'static str) -> Result<Option<Cost>, InvalidAttribute> {
    let invalid = || InvalidAttribute::Value(attribute);
    let Some(value) = item.get(attribute) else { return Ok(None) };
    let amount = value.as_n().ok().and_then(|digits| digits.parse().ok()).ok_or_else(invalid)?;
    Cost::new(amount).map(Some).map_err(|_| invalid())
}

/// All addresses of a person, of whom further ones may be stored.
fn addresses(
    item: &Item,
    attribute: &'static str,
    person: &PersonId,
) -> Result<BTreeSet<PersonId>, InvalidAttribute> {
    let others = if item.contains_key(attribute) { people(item, attribute)? } else { Vec::new() };
    Ok(others.into_iter().chain([person.clone()]).collect())
}

fn people(item: &Item, attribute: &'static str) -> Result<Vec<PersonId>, InvalidAttribute> {
    let invalid = || InvalidAttribute::Value(attribute);
    let values = item.get(attribute).and_then(|value| value.as_l().ok()).ok_or_else(invalid)?;
    let person = |value: &AttributeValue| PersonId::from_stored(value.as_s().ok()?).ok();
    values.iter().map(|value| person(value).ok_or_else(invalid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01930000-0000-7000-8000-0000000000aa";

    fn row() -> Item {
        let texts = [
            ("request_id", ID),
            ("operation_type", "reboot"),
            ("instance_id", "dev-db-01"),
            ("requested_by", "ann@example.com"),
            ("requested_at", "2026-01-01T00:00:00.000Z"),
            ("risk_level", "medium"),
            ("environment", "production"),
            ("status", "pending"),
            ("expires_at", "2026-01-04T00:00:00.000Z"),
            ("status_at", "2026-01-04T00:00:00.000Z#01930000-0000-7000-8000-0000000000aa"),
        ];
        let mut row: Item = texts
            .into_iter()
            .map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())))
            .collect();
        row.insert("approvals_required".to_owned(), AttributeValue::N("1".to_owned()));
        row.insert("approved_by".to_owned(), AttributeValue::L(Vec::new()));
        let listing = [
            ("digest_required".to_owned(), AttributeValue::Bool(false)),
            ("decisions".to_owned(), AttributeValue::L(Vec::new())),
        ];
        row.insert(LISTING.to_owned(), AttributeValue::M(listing.into_iter().collect()));
        row
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-02T00:00:00Z").unwrap()
    }

    #[test]
    fn a_row_is_read_and_what_is_closed_says_since_when() {
        let open = summary(&row(), now()).unwrap();
        assert_eq!((open.status, open.closed_at), (Status::Pending, None));
        let expired = summary(&row(), Timestamp::LATEST).unwrap();
        assert_eq!((expired.status, expired.closed_at), (Status::Expired, Some(expired.expires_at)));
    }

    /// THREATS 62: whichever attribute it is, missing or impossible, it is named, and its value is not.
    #[test]
    fn every_damaged_attribute_is_named() {
        for name in row().keys() {
            let values = [
                None,
                Some(AttributeValue::S("<nonsense>".to_owned())),
                Some(AttributeValue::N("1000".to_owned())),
                Some(AttributeValue::Bool(true)),
                Some(AttributeValue::L(vec![AttributeValue::S("Ann".to_owned())])),
            ];
            for value in values {
                let mut row = row();
                match value {
                    None => drop(row.remove(name)),
                    Some(value) => drop(row.insert(name.clone(), value)),
                }
                let damaged = summary(&row, now()).unwrap_err();
                assert_eq!(damaged.attribute, name);
                assert_eq!(damaged.request_id.is_none(), name == "request_id");
            }
        }
        for optional in ["estimated_cost", "execute_by", "execution_started_at", "executed_at"] {
            let mut row = row();
            row.insert(optional.to_owned(), AttributeValue::Bool(true));
            assert_eq!(summary(&row, now()).unwrap_err().attribute, optional);
        }
    }

    #[test]
    fn a_status_that_its_place_does_not_follow_from_is_not_believed() {
        for status in ["approved", "executing", "executed", "failed"] {
            let mut row = row();
            row.insert("status".to_owned(), AttributeValue::S(status.to_owned()));
            assert_eq!(summary(&row, now()).unwrap_err().attribute, "status_at", "{status}");
        }
    }
}
