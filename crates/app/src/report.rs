//! The report on a day, a week or a month: of the figures of its days, and of what stands open now. The log is not read.

use crate::attempts;
use crate::audit::permit_all;
use crate::damage;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::figure_store::{ReadFigures, StoredFigures};
use crate::list::MAX_QUERIES;
use crate::log::LogIndex;
use crate::ports::{ListQuery, ListRequests, LoadEvents, RecordEvent, StoreError};
use countersign_core::audit::call_record::Reading;
use countersign_core::period::{Period, Span};
use countersign_core::principal::Principal;
use countersign_core::request::Status;
use countersign_figures::period_report::{DeadLetters, OldestRequest, PeriodReport, Standing, Waiting};

/// How many of the requests that wait are counted. The index has them by deadline: the oldest is among them, but for such as
/// policy gives more time than so many others.
const COUNTED: usize = 1000;

/// Counts what was given up.
pub trait CountDeadLetters: Send + Sync {
    /// How much that is now. May lag behind.
    fn dead_letters(&self) -> impl Future<Output = Result<DeadLetters, StoreError>> + Send;
}

/// All that a report is made of.
pub trait ReportStore: ReadFigures + ListRequests + CountDeadLetters + LogIndex {}

impl<S: ReadFigures + ListRequests + CountDeadLetters + LogIndex> ReportStore for S {}

/// The report on a period.
///
/// That the caller has read it is recorded first, once an hour for the same period.
///
/// # Errors
/// [`Refusal::NotPermitted`](countersign_core::refusal::Refusal::NotPermitted) for an actor who may not query what all callers did.
pub async fn report<S: ReportStore + RecordEvent + LoadEvents>(
    dependencies: &Dependencies<S>,
    span: &Span,
    reading: &Reading,
    actor: &Principal,
) -> Result<PeriodReport, AppError> {
    permit_all(dependencies, actor)?;
    attempts::reading(dependencies, actor, reading).await?;
    let counted = counted(dependencies, &span.first_day(), &span.last_day()).await?;
    made(dependencies, span, &counted).await
}

/// Figures, and how many events are not in them.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) figures: StoredFigures,
    pub(crate) missing: u64,
}

/// The figures of the days from `from` to `to`.
pub(crate) async fn counted<S: ReadFigures + LogIndex>(
    dependencies: &Dependencies<S>,
    from: &str,
    to: &str,
) -> Result<Counted, StoreError> {
    // The log first: what is counted meanwhile is not missing.
    let log_size = dependencies.store.log_head().await?.map_or(0, |head| head.size);
    let figures = dependencies.store.read_figures(from, to).await?;
    Ok(Counted { missing: log_size.saturating_sub(figures.size), figures })
}

/// The report on a period of which the figures have been read.
pub(crate) async fn made<S: ListRequests + CountDeadLetters>(
    dependencies: &Dependencies<S>,
    span: &Span,
    counted: &Counted,
) -> Result<PeriodReport, AppError> {
    let Counted { figures, missing } = counted;
    let standing = Standing { uncounted: *missing, ..standing(dependencies, span).await? };
    Ok(PeriodReport::of(span, &figures.days, figures.size, standing, dependencies.host.now()))
}

/// What stands open now, as far as the report on a period says it.
async fn standing<S: ListRequests + CountDeadLetters>(
    dependencies: &Dependencies<S>,
    span: &Span,
) -> Result<Standing, AppError> {
    let host = dependencies.host.as_ref();
    let query = ListQuery {
        statuses: vec![Status::Pending],
        ..ListQuery::unfiltered(COUNTED, MAX_QUERIES, host.now())
    };
    let page = dependencies.store.list(&query, |_| true).await?;
    damage::report(host, &page.damaged);
    let oldest = page.items.iter().min_by_key(|request| (request.requested_at, request.id));
    let waiting = Waiting {
        count: u64::try_from(page.items.len()).unwrap_or(u64::MAX),
        more: page.next.is_some(),
        oldest: oldest
            .map(|oldest| OldestRequest { request_id: oldest.id, requested_at: oldest.requested_at }),
    };
    let dead_letters = match span.period {
        Period::Monthly => Some(dependencies.store.dead_letters().await?),
        Period::Daily | Period::Weekly => None,
    };
    Ok(Standing { waiting, dead_letters, ..Standing::default() })
}
