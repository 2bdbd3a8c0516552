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
use countersign_core::timestamp::Timestamp;
use futures_util::future::join3;
use std::collections::BTreeMap;

const HOUR_MILLISECONDS: f64 = 60.0 * 60.0 * 1000.0;
/// How many operations, groups and approvers are compared.
const MOST: usize = 10;
const DAY_SECONDS: u32 = 24 * 60 * 60;
/// The API has figures of a year at most.
const MOST_DAYS: usize = 366;
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
        let count = words.counted(waiting.items.len(), waiting.next_cursor.is_some());
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

/// Every day of the range, with its figures if there are any: on a day without, nothing happened.
fn all_days(days: &StatsBody) -> Vec<(String, Option<&FiguresBody>)> {
    let figures: BTreeMap<_, _> = days.groups.iter().map(|day| (day.name.as_str(), &day.figures)).collect();
    let range = [&days.from, &days.to].map(|day| Timestamp::parse_first(day));
    let [Ok(first), Ok(last)] = range else {
        return figures.into_iter().map(|(name, figures)| (name.to_owned(), Some(figures))).collect();
    };
    let days = std::iter::successors(Some(first), |day| Some(day.plus_seconds(DAY_SECONDS)));
    let days = days.take_while(|day| *day <= last).take(MOST_DAYS).map(Timestamp::day);
    days.map(|day| (day.clone(), figures.get(day.as_str()).copied())).collect()
}

/// The charts that have something to show.
fn charts(
    days: &StatsBody,
    operations: &StatsBody,
    waiting: Option<&WaitingList>,
    words: &Words,
) -> Vec<Chart> {
    let all_days = all_days(days);
    let by_day = |value: fn(&FiguresBody) -> Vec<Option<f64>>, without: &[Option<f64>]| -> Vec<_> {
        let of_day = |figures: Option<&FiguresBody>| figures.map_or_else(|| without.to_vec(), value);
        all_days.iter().map(|(name, figures)| (Shown::from(name), of_day(*figures))).collect()
    };
    let (nothing, unknown) = ([Some(0.0); 3], [None; 3]);
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
        bars(
            "requests",
            words.chart_requests,
            vec![words.total],
            by_day(|day| vec![Some(exact(day.total))], &nothing[..1]),
        ),
        Chart {
            kind: Kind::Lines,
            mark: Some((SLOW_HOURS, words.chart_time_mark)),
            ..bars(
                "time",
                words.chart_time,
                vec![words.mean, words.median, words.p95],
                by_day(
                    |day| {
                        let durations = day.time_to_decision.as_ref();
                        vec![
                            hours(durations, |durations| durations.average_milliseconds),
                            hours(durations, |durations| durations.median_milliseconds),
                            hours(durations, |durations| durations.p95_milliseconds),
                        ]
                    },
                    &unknown,
                ),
            )
        },
        bars(
            "outcomes",
            words.chart_outcomes,
            vec![words.approved, words.rejected, words.expired],
            by_day(
                |day| [day.approved, day.rejected, day.expired].map(|count| Some(exact(count))).into(),
                &nothing,
            ),
        ),
        Chart {
            kind: Kind::Lines,
            mark: Some((MANY_REJECTED, words.chart_rejections_mark)),
            ..bars(
                "rejections",
                words.chart_rejections,
                vec![words.rejected],
                by_day(|day| vec![day.rejection_rate.map(|rate| rate * 100.0)], &unknown[..1]),
            )
        },
        bars(
            "by",
            words.chart_by,
            vec![words.by_policy, words.by_people],
            by_day(
                |day| vec![Some(exact(day.auto_approved)), Some(exact(day.approved + day.rejected))],
                &nothing[..2],
            ),
        ),
        Chart {
            kind: Kind::Lines,
            ..bars(
                "costs",
                words.chart_costs,
                vec![words.cost, words.actual_cost],
                by_day(
                    |day| {
                        let costs = [day.estimated_cost, day.actual_cost];
                        costs.map(|amounts| amounts.map(|amounts| amounts.sum)).into()
                    },
                    &unknown[..2],
                ),
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
