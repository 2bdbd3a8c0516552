//! `/insights`: how many requests, how they ended, how long decisions took and where they take longest, what requests cost, and
//! what of it is not known.

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
use countersign_api::wire::{AmountsBody, DurationsBody, FiguresBody, GroupBody, SlowestBody, StatsBody};
use futures_util::future::join3;
use std::collections::BTreeMap;

const HOUR_MILLISECONDS: f64 = 60.0 * 60.0 * 1000.0;
/// How many operations, groups and approvers are compared.
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
    /// What the figures do not say.
    gaps: Vec<String>,
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
    let waiting = waiting.ok().map(|waiting| waiting.value);
    if let Some(waiting) = &waiting {
        let count = waiting.items.len();
        let is_more = waiting.next_cursor.is_some();
        let count = if is_more { filled(words.or_more, &[&count]) } else { count.to_string() };
        totals.push((words.waiting_now, count));
    }
    let charts = charts(&days, &operations, waiting.as_ref(), words);
    let gaps = gaps(&days.totals, waiting.as_ref(), visitor.site.ticket_hours, words);
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
        gaps,
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
        (words.cost, sum(figures.estimated_cost.as_ref())),
        (words.actual_cost, sum(figures.actual_cost.as_ref())),
    ]
}

fn sum(amounts: Option<&AmountsBody>) -> String {
    crate::chart::value(&amounts.map(|amounts| amounts.sum))
}

/// What the figures do not say, and why.
fn gaps(
    figures: &FiguresBody,
    waiting: Option<&WaitingList>,
    ticket_hours: Option<f64>,
    words: &Words,
) -> Vec<String> {
    let count = |amounts: Option<&AmountsBody>| amounts.map_or(0, |amounts| amounts.count);
    let ended = figures.executed + figures.failed;
    let named: [&dyn std::fmt::Display; 4] = [
        &count(figures.estimated_cost.as_ref()),
        &figures.total,
        &count(figures.actual_cost.as_ref()),
        &ended,
    ];
    let is_more = waiting.is_some_and(|waiting| waiting.next_cursor.is_some());
    [
        Some(words.gap_time.to_owned()),
        Some(words.gap_groups.to_owned()),
        Some(filled(words.gap_costs, &named)),
        is_more.then(|| words.gap_waiting.to_owned()),
        waiting.is_none().then(|| words.gap_waiting_hidden.to_owned()),
        Some(if ticket_hours.is_some() { words.gap_hours } else { words.gap_no_hours }.to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How many requests wait, by their operation.
fn waiting_by_operation(waiting: Option<&WaitingList>) -> Vec<(Shown, Vec<Option<f64>>)> {
    let mut counts = BTreeMap::<&str, u64>::new();
    for waiting in waiting.into_iter().flat_map(|waiting| &waiting.items) {
        *counts.entry(&waiting.summary.operation_type).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().map(|(name, count)| (Shown::line(name), vec![Some(exact(count))])).collect()
}

/// Who took longest: the mean in hours, of how many.
fn slowest(slowest: &[SlowestBody]) -> Vec<(Shown, Vec<Option<f64>>)> {
    let row = |one: &SlowestBody| {
        let hours = exact(one.time_to_answer.average_milliseconds) / HOUR_MILLISECONDS;
        (Shown::from(&one.name), vec![Some(hours), Some(exact(one.time_to_answer.count))])
    };
    slowest.iter().take(MOST).map(row).collect()
}

/// The charts that have something to show.
fn charts(
    days: &StatsBody,
    operations: &StatsBody,
    waiting: Option<&WaitingList>,
    words: &Words,
) -> Vec<Chart> {
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
    let ranking =
        |id, title, unit, names, rows| Chart { unit, kind: Kind::Ranking, ..bars(id, title, names, rows) };
    let mut slow_operations: Vec<&GroupBody> = operations.groups.iter().collect();
    let p95 = |group: &GroupBody| group.figures.time_to_decision.map(|durations| durations.p95_milliseconds);
    slow_operations.retain(|group| p95(group).is_some());
    slow_operations.sort_by_key(|group| std::cmp::Reverse(p95(group)));
    let slow_operations = slow_operations.into_iter().take(MOST).map(|group| {
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
            kind: Kind::Lines,
            ..bars(
                "costs",
                words.chart_costs,
                vec![words.cost, words.actual_cost],
                by_day(|day| {
                    let costs = [day.estimated_cost, day.actual_cost];
                    costs.map(|amounts| amounts.map(|amounts| amounts.sum)).into()
                }),
            )
        },
        ranking(
            "waiting",
            words.chart_waiting,
            words.operation,
            vec![words.total],
            waiting_by_operation(waiting),
        ),
        ranking(
            "operations",
            words.chart_operations,
            words.operation,
            vec![words.p95],
            slow_operations.collect(),
        ),
        ranking(
            "slow-groups",
            words.chart_slow_groups,
            words.group,
            vec![words.mean_hours, words.approvals],
            slowest(&days.slowest_groups),
        ),
        ranking(
            "slow-approvers",
            words.chart_slow_approvers,
            words.person,
            vec![words.mean_hours, words.decisions],
            slowest(&days.slowest_approvers),
        ),
        ranking("approvers", words.chart_approvers, words.person, vec![words.decisions], approvers.collect()),
    ];
    charts.into_iter().filter(|chart| !chart.is_empty()).collect()
}
