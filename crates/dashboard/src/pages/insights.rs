//! `/insights`: how many requests, how they ended, how long decisions took and where they take longest.

use crate::answer::Answer;
use crate::calls::{Failure, with_query};
use crate::chart::{Chart, Kind};
use crate::frame::Frame;
use crate::pages::rows::WaitingList;
use crate::ports::Api;
use crate::shown::Shown;
use crate::visitor::Visitor;
use crate::words::{Words, filled};
use askama::Template;
use countersign_api::wire::{DurationsBody, FiguresBody, GroupBody, StatsBody};
use futures_util::future::join3;

const HOUR_MILLISECONDS: f64 = 60.0 * 60.0 * 1000.0;
/// How many operations and approvers are compared.
const MOST: usize = 10;
/// Slower than a day is slow, and more than three of ten rejected is many.
const SLOW_HOURS: f64 = 24.0;
const MANY_REJECTED: f64 = 30.0;

#[derive(Template)]
#[template(path = "insights.html")]
struct InsightsPage {
    words: &'static Words,
    frame: Frame,
    from: Shown,
    to: Shown,
    totals: Vec<(&'static str, String)>,
    hours_saved: Option<(String, String)>,
    charts: Vec<Chart>,
    log_size: String,
}

/// The page.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let words = visitor.words();
    let fields = &visitor.fields;
    let calls = visitor.calls()?;
    let path = |group: &str| {
        let members = [("from", fields.trimmed("from")), ("to", fields.trimmed("to")), ("group_by", group)];
        with_query("/v1/audit-logs/stats", &members)
    };
    let [days, operations] = ["day", "operation"].map(path);
    let (days, operations, waiting) = join3(
        calls.get::<StatsBody>(&days),
        calls.get::<StatsBody>(&operations),
        calls.get::<WaitingList>("/v1/approvals?status=pending&limit=100"),
    )
    .await;
    let (days, operations) = (days?.value, operations?.value);
    let mut totals = totals(&days.totals, words);
    // Who may read figures may see no requests.
    if let Ok(waiting) = waiting {
        let count = waiting.value.items.len();
        let is_more = waiting.value.next_cursor.is_some();
        let count = if is_more { filled(words.or_more, &[&count]) } else { count.to_string() };
        totals.push((words.waiting_now, count));
    }
    let charts = charts(&days, &operations, words);
    let update = if charts.is_empty() { words.insights_empty } else { "" };
    let page = InsightsPage {
        words,
        frame: visitor.frame(words.insights.to_owned()).with_update(update.to_owned()),
        from: Shown::from(&days.from),
        to: Shown::from(&days.to),
        totals,
        hours_saved: visitor.site.ticket_hours.map(|hours| {
            let decided = days.totals.approved + days.totals.auto_approved;
            (filled(words.hours_saved, &[&hours]), crate::chart::number(exact(decided) * hours))
        }),
        charts,
        log_size: filled(words.log_size, &[&days.log_size]),
    };
    Ok(visitor.page(&page))
}

/// Counts are far below what a double holds exactly.
fn exact(count: u64) -> f64 {
    count as f64
}

fn hours(durations: Option<&DurationsBody>, get: impl Fn(&DurationsBody) -> u64) -> Option<f64> {
    durations.map(|durations| exact(get(durations)) / HOUR_MILLISECONDS)
}

fn totals(figures: &FiguresBody, words: &Words) -> Vec<(&'static str, String)> {
    vec![
        (words.total, figures.total.to_string()),
        (words.approved, figures.approved.to_string()),
        (words.by_policy, figures.auto_approved.to_string()),
        (words.rejected, figures.rejected.to_string()),
        (words.expired, figures.expired.to_string()),
        (words.cancelled, figures.cancelled.to_string()),
        (words.executed, figures.executed.to_string()),
        (words.failed, figures.failed.to_string()),
    ]
}

/// The charts that have something to show.
fn charts(days: &StatsBody, operations: &StatsBody, words: &Words) -> Vec<Chart> {
    let by_day = |value: fn(&FiguresBody) -> Vec<Option<f64>>| -> Vec<_> {
        days.groups.iter().map(|day| (Shown::from(&day.name), value(&day.figures))).collect()
    };
    let bars = |id, title, names, rows| Chart {
        id,
        title,
        unit: words.day,
        names,
        rows,
        kind: Kind::Bars,
        mark: None,
    };
    let mut slowest: Vec<&GroupBody> = operations.groups.iter().collect();
    let p95 = |group: &GroupBody| group.figures.time_to_decision.map(|durations| durations.p95_milliseconds);
    slowest.retain(|group| p95(group).is_some());
    slowest.sort_by_key(|group| std::cmp::Reverse(p95(group)));
    let slowest = slowest.into_iter().take(MOST).map(|group| {
        let durations = group.figures.time_to_decision.as_ref();
        (Shown::from(&group.name), vec![hours(durations, |durations| durations.p95_milliseconds)])
    });
    let approvers = days.busiest_approvers.iter().take(MOST);
    let approvers = approvers.map(|one| (Shown::from(&one.person), vec![Some(exact(one.decisions))]));
    let charts = [
        bars("requests", words.chart_requests, vec![words.total], by_day(|day| vec![Some(exact(day.total))])),
        Chart {
            kind: Kind::Lines,
            mark: Some((SLOW_HOURS, words.chart_time_mark)),
            ..bars(
                "time",
                words.chart_time,
                vec![words.mean, words.median, words.p95],
                by_day(|day| {
                    let durations = day.time_to_decision.as_ref();
                    vec![
                        hours(durations, |durations| durations.average_milliseconds),
                        hours(durations, |durations| durations.median_milliseconds),
                        hours(durations, |durations| durations.p95_milliseconds),
                    ]
                }),
            )
        },
        bars(
            "outcomes",
            words.chart_outcomes,
            vec![words.approved, words.rejected, words.expired],
            by_day(|day| [day.approved, day.rejected, day.expired].map(|count| Some(exact(count))).into()),
        ),
        Chart {
            kind: Kind::Lines,
            mark: Some((MANY_REJECTED, words.chart_rejections_mark)),
            ..bars(
                "rejections",
                words.chart_rejections,
                vec![words.rejected],
                by_day(|day| vec![day.rejection_rate.map(|rate| rate * 100.0)]),
            )
        },
        bars(
            "by",
            words.chart_by,
            vec![words.by_policy, words.by_people],
            by_day(|day| vec![Some(exact(day.auto_approved)), Some(exact(day.approved + day.rejected))]),
        ),
        Chart {
            unit: words.operation,
            kind: Kind::Ranking,
            ..bars("operations", words.chart_operations, vec![words.p95], slowest.collect())
        },
        Chart {
            unit: words.person,
            kind: Kind::Ranking,
            ..bars("approvers", words.chart_approvers, vec![words.decisions], approvers.collect())
        },
    ];
    charts.into_iter().filter(|chart| !chart.is_empty()).collect()
}
