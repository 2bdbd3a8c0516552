//! GET /v1/reports/{period}

use crate::fields::{Fields, day, one_of};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{LoadEvents, RecordEvent};
use countersign_app::report::ReportStore;
use countersign_core::audit::call_record::Reading;
use countersign_core::period::{Period, Span};
use countersign_core::principal::Principal;
use std::collections::BTreeMap;

/// Answers with the report on a day, week or month.
#[derive(Debug)]
pub struct Report;

impl<S: ReportStore + RecordEvent + LoadEvents> Endpoint<S> for Report {
    const OPERATION: Operation = Operation::Report;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let period = fields.of_path("period", one_of::<Period>);
        let date = fields.optional("date", day);
        let now = dependencies.host.now();
        let span = (|| {
            let (period, date) = (period?, date?);
            let span =
                date.map_or_else(|| Span::last_whole(period, now), |date| Span::containing(period, date));
            if span.from > now {
                fields.refuse("date", "must not be in a period that has not begun");
                return None;
            }
            Some(span)
        })();
        let (span, _) = fields.finish(span)?;
        let filters =
            BTreeMap::from([("period", span.period.as_str().to_owned()), ("from", span.first_day())]);
        let reading = Reading { operation: Operation::Report.slug(), filters };
        let report = countersign_app::report::report(dependencies, &span, &reading, actor).await?;
        Ok(Reply::json(200, &report))
    }
}
