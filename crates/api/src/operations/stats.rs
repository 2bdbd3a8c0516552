//! GET /v1/audit-logs/stats

use crate::fields::{Fields, day, one_of};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::StatsBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::figure_store::ReadFigures;
use countersign_app::ports::{LoadEvents, RecordEvent};
use countersign_core::audit::call_record::Reading;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use countersign_figures::report::GroupBy;
use std::collections::BTreeMap;

/// How many days figures are of unless the query says.
pub(crate) const DEFAULT_DAYS: u32 = 30;
/// How many days figures are of at most.
pub(crate) const MAX_DAYS: u32 = 366;

const DAY_SECONDS: u32 = 24 * 60 * 60;

/// Answers with the figures of a range of days.
#[derive(Debug)]
pub struct Stats;

impl<S: ReadFigures + RecordEvent + LoadEvents> Endpoint<S> for Stats {
    const OPERATION: Operation = Operation::Stats;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let from = fields.optional("from", day);
        let to = fields.optional("to", day);
        let group_by = fields.optional("group_by", one_of::<GroupBy>);
        let query = (|| {
            let to = to?.unwrap_or_else(|| dependencies.host.now());
            let from = from?.unwrap_or_else(|| days_before(to, DEFAULT_DAYS - 1));
            let (from_day, to_day) = (from.day(), to.day());
            if from_day > to_day {
                fields.refuse("from", "must not be after `to`, or in the future");
                return None;
            }
            if from_day < days_before(to, MAX_DAYS - 1).day() {
                fields.refuse("from", "must be less than 366 days before `to`, or before now");
                return None;
            }
            Some((from_day, to_day, group_by?.unwrap_or(GroupBy::Day)))
        })();
        let ((from, to, group_by), _) = fields.finish(query)?;
        let filters = BTreeMap::from([("from", from.clone()), ("to", to.clone())]);
        let reading = Reading { operation: Operation::Stats.slug(), filters };
        let figures = countersign_app::stats::stats(dependencies, (&from, &to), &reading, actor).await?;
        Ok(Reply::json(200, &StatsBody::of(&figures, &from, &to, group_by)))
    }
}

fn days_before(time: Timestamp, days: u32) -> Timestamp {
    time.minus_seconds(days * DAY_SECONDS)
}
