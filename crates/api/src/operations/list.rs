//! GET /v1/approvals, and the three lists of the original endpoint.

use crate::fields::{self, Fields, identifier, one_of, person, string};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::ListBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::list::MAX_QUERIES;
use countersign_app::ports::{ListHolds, ListQuery, ListRequests};
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::timestamp::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use strum::{Display, EnumIter, EnumString, IntoEnumIterator, IntoStaticStr};

/// How many requests a page holds unless the query says.
pub(crate) const DEFAULT_LIMIT: usize = 50;
/// How many requests a page holds at most.
pub(crate) const MAX_LIMIT: usize = 100;
/// The longest range of time that is read at once: 366 days, from the first moment of a day to the first
/// moment of a day.
const MAX_RANGE_MILLISECONDS: i64 = 366 * 24 * 60 * 60 * 1000;

/// Lists requests.
#[derive(Debug)]
pub struct List;

impl<S: ListRequests + ListHolds> Endpoint<S> for List {
    const OPERATION: Operation = Operation::List;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let now = dependencies.host.now();
        let statuses = statuses(&mut fields);
        let requested_by = fields.optional("requested_by", person);
        let instance_id = fields.optional("instance_id", fields::instance_id);
        let (from, to) = range(&mut fields, now);
        let page = page(&mut fields, now);
        let waiting_for = fields.optional("waiting_for", one_of::<WaitingFor>);
        let is_waiting_for_actor = waiting_for.flatten().is_some();
        if is_waiting_for_actor
            && statuses.as_ref().is_some_and(|named| !named.is_empty() && *named != [Status::Pending])
        {
            fields.refuse("status", "must be pending where `waiting_for` is `me`");
        }
        let query = (|| {
            let (page, cursor) = page?;
            waiting_for?;
            let mut query = ListQuery {
                statuses: statuses?,
                requested_by: addresses(dependencies, requested_by?),
                instance_id: instance_id?,
                from: from?,
                to: to?,
                ..page
            };
            if query.requested_by.is_empty() && query.instance_id.is_none() && query.statuses.is_empty() {
                query.statuses.push(Status::Pending);
            }
            if is_waiting_for_actor {
                query.statuses = vec![Status::Pending];
                query.awaiting_decision_by.clone_from(&actor.addresses);
            }
            Some((query, cursor))
        })();
        answer(dependencies, actor, fields, query, is_waiting_for_actor).await
    }
}

/// For whom the requests of a list wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
enum WaitingFor {
    /// For the caller.
    Me,
}

/// `get_pending_approvals`: what is pending; with `user_email`, what that person could still
/// decide.
pub(super) async fn pending<S: ListRequests + ListHolds>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    mut fields: Fields,
) -> Result<Reply, Problem> {
    let awaiting_decision_by = fields.optional("user_email", person);
    let page = page(&mut fields, dependencies.host.now());
    let query = (|| {
        let (page, cursor) = page?;
        let awaiting_decision_by = addresses(dependencies, awaiting_decision_by?);
        Some((ListQuery { statuses: vec![Status::Pending], awaiting_decision_by, ..page }, cursor))
    })();
    answer(dependencies, actor, fields, query, false).await
}

/// `get_user_requests`: what one person made.
pub(super) async fn of_user<S: ListRequests + ListHolds>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    mut fields: Fields,
) -> Result<Reply, Problem> {
    let requested_by = fields.required("user_email", person);
    let statuses = statuses(&mut fields);
    let page = page(&mut fields, dependencies.host.now());
    let query = (|| {
        let (page, cursor) = page?;
        let requested_by = addresses(dependencies, Some(requested_by?));
        Some((ListQuery { statuses: statuses?, requested_by, ..page }, cursor))
    })();
    answer(dependencies, actor, fields, query, false).await
}

/// `get_instance_requests`: what was asked of one instance.
pub(super) async fn of_instance<S: ListRequests + ListHolds>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    mut fields: Fields,
) -> Result<Reply, Problem> {
    let instance_id = fields.required("instance_id", fields::instance_id);
    let statuses = statuses(&mut fields);
    let page = page(&mut fields, dependencies.host.now());
    let query = (|| {
        let (page, cursor) = page?;
        Some((ListQuery { statuses: statuses?, instance_id: Some(instance_id?), ..page }, cursor))
    })();
    answer(dependencies, actor, fields, query, false).await
}

async fn answer<S: ListRequests + ListHolds>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    fields: Fields,
    query: Option<(ListQuery, Option<String>)>,
    is_waiting_for_actor: bool,
) -> Result<Reply, Problem> {
    let ((query, cursor), _) = fields.finish(query)?;
    let page =
        countersign_app::list::list(dependencies, query, cursor.as_deref(), actor, is_waiting_for_actor)
            .await?;
    Ok(Reply::json(200, &ListBody::of(&page, &dependencies.policy)))
}

/// All addresses of the person with this one; none without one.
pub(super) fn addresses<S>(dependencies: &Dependencies<S>, person: Option<PersonId>) -> BTreeSet<PersonId> {
    person.map(|person| dependencies.policy.people().addresses(&person)).unwrap_or_default()
}

/// The statuses that are asked for, each once and in their own order: the list is the same, however they
/// are said.
fn statuses(fields: &mut Fields) -> Option<Vec<Status>> {
    let named = fields.several("status", one_of::<Status>)?;
    Some(Status::iter().filter(|status| named.contains(status)).collect())
}

/// A query of the page that is asked for, with the filters that every list has, and its cursor.
fn page(fields: &mut Fields, now: Timestamp) -> Option<(ListQuery, Option<String>)> {
    let operation_types = fields.several("operation_type", identifier);
    let risk_levels = fields.several("risk_level", one_of::<RiskLevel>);
    let environments = fields.several("environment", one_of::<Environment>);
    let limit = fields.optional("limit", |value| limit(value, MAX_LIMIT));
    let cursor = fields.optional("cursor", string);
    let query = ListQuery {
        operation_types: operation_types?.into_iter().collect(),
        risk_levels: risk_levels?.into_iter().collect(),
        environments: environments?.into_iter().collect(),
        ..ListQuery::unfiltered(limit?.unwrap_or(DEFAULT_LIMIT), MAX_QUERIES, now)
    };
    Some((query, cursor?))
}

/// A whole number, or its decimal digits: a query string has only text.
pub(super) fn limit(value: &Value, at_most: usize) -> Result<usize, String> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let from_text = value.as_str().filter(|text| digits(text)).and_then(|text| text.parse().ok());
    let from_number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    from_text
        .or(from_number)
        .filter(|limit| (1..=at_most).contains(limit))
        .ok_or_else(|| format!("must be a whole number from 1 to {at_most}"))
}

/// `from` and `to`; each outer `None` is a broken rule.
fn range(fields: &mut Fields, now: Timestamp) -> (Option<Option<Timestamp>>, Option<Option<Timestamp>>) {
    let from = fields.optional("from", first);
    // A day is included whole, and yet the range is one from day to day.
    let to = fields.optional("to", |value| Ok::<_, String>((first(value)?, last(value)?)));
    if let (Some(Some(from)), Some(to)) = (from, to) {
        let (begin, end) = to.unwrap_or((now, now));
        if from > end {
            fields.refuse("from", "must not be after `to`, or in the future");
        } else if begin.as_millisecond() - from.as_millisecond() > MAX_RANGE_MILLISECONDS {
            fields.refuse("from", "must be at most 366 days before `to`, or before now");
        }
    }
    (from, to.map(|to| to.map(|(_, end)| end)))
}

/// A time, or the first moment of a day.
pub(super) fn first(value: &Value) -> Result<Timestamp, String> {
    Timestamp::parse_first(&string(value)?).map_err(|error| error.to_string())
}

/// A time, or the last moment of a day.
pub(super) fn last(value: &Value) -> Result<Timestamp, String> {
    Timestamp::parse_last(&string(value)?).map_err(|error| error.to_string())
}
