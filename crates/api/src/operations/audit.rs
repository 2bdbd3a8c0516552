//! GET /v1/audit-logs

use super::list::{addresses, first, last, limit};
use crate::fields::{self, Fields, one_of, person, string};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::AuditBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{EventQuery, LoadEvents, QueryEvents, RecordEvent};
use countersign_core::audit::Stream;
use countersign_core::audit::call_record::Reading;
use countersign_core::event::EventType;
use countersign_core::ids::RequestId;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use strum::{EnumIter, EnumString, IntoStaticStr};

/// How many events a page holds unless the query says.
pub(crate) const DEFAULT_LIMIT: usize = 100;
/// How many events a page holds at most. With the longest events a page is then below 6 MB, the most that a function
/// answers (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub(crate) const MAX_LIMIT: usize = 500;

/// Which event comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Order {
    /// The oldest.
    Asc,
    /// The newest.
    Desc,
}

/// Queries events across requests.
#[derive(Debug)]
pub struct Audit;

impl<S: QueryEvents + RecordEvent + LoadEvents> Endpoint<S> for Audit {
    const OPERATION: Operation = Operation::Audit;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let user = fields.optional("user", person);
        let event_types = fields.several("event_type", one_of::<EventType>);
        let instance_id = fields.optional("instance_id", fields::instance_id);
        let stream = stream(&mut fields);
        let from = fields.optional("from", first);
        let to = fields.optional("to", last);
        if let (Some(Some(from)), Some(Some(to))) = (from, to)
            && from > to
        {
            fields.refuse("from", "must not be after `to`");
        }
        let order = fields.optional("order", one_of::<Order>);
        let limit = fields.optional("limit", |value| limit(value, MAX_LIMIT));
        let cursor = fields.optional("cursor", string);
        let query = (|| {
            let query = EventQuery {
                stream: stream?,
                instance_id: instance_id?,
                users: addresses(dependencies, user?),
                event_types: event_types?.into_iter().collect(),
                from: from?,
                until: Timestamp::LATEST,
                is_ascending: order? != Some(Order::Desc),
                limit: limit?.unwrap_or(DEFAULT_LIMIT),
                after: None,
            };
            Some((query, to?, cursor?))
        })();
        let ((query, to, cursor), _) = fields.finish(query)?;
        let reading = Reading { operation: Operation::Audit.slug(), filters: filters(&query, to) };
        let cursor = cursor.as_deref();
        let page = countersign_app::audit::audit(dependencies, query, to, cursor, &reading, actor).await?;
        for damaged in &page.damaged {
            tracing::error!(damaged, "an audit event cannot be read and is left out");
        }
        Ok(Reply::json(200, &AuditBody::from(page)))
    }
}

/// The stream that is asked for, by its name or by the request that its events are about.
fn stream(fields: &mut Fields) -> Option<Option<Stream>> {
    let of_request = fields.optional("request_id", |value: &Value| {
        RequestId::parse(&string(value)?).map(Stream::request).map_err(|error| error.to_string())
    });
    let by_name = fields.optional("stream", |value: &Value| {
        Stream::parse(&string(value)?).map_err(|error| error.to_string())
    });
    let (of_request, by_name) = (of_request?, by_name?);
    if of_request.is_some() && by_name.is_some() {
        fields.refuse("stream", "cannot be given together with `request_id`, whose stream it would be");
        return None;
    }
    Some(of_request.or(by_name))
}

/// What is recorded of a query: its filters, but not the order and the pages that they are read in.
fn filters(query: &EventQuery, to: Option<Timestamp>) -> BTreeMap<&'static str, String> {
    let users: Vec<_> = query.users.iter().map(ToString::to_string).collect();
    let event_types: Vec<_> = query.event_types.iter().map(|event_type| event_type.as_str()).collect();
    let filters = [
        ("stream", query.stream.as_ref().map(ToString::to_string)),
        ("instance_id", query.instance_id.as_ref().map(ToString::to_string)),
        ("user", (!users.is_empty()).then(|| users.join(","))),
        ("event_type", (!event_types.is_empty()).then(|| event_types.join(","))),
        ("from", query.from.map(|from| from.to_string())),
        ("to", to.map(|to| to.to_string())),
    ];
    filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
