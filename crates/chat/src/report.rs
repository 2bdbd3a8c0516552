//! What a report says, for all channels.

use crate::summary::{Fact, Row, Summary, Table, Tone};
use crate::wording::{duration, minute};
use countersign_core::ids::EventId;
use countersign_core::origin::Origin;
use countersign_core::period::Period;
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_figures::period_report::{Alert, DeadLetters, DecisionTimes, PeriodReport, PersonFigures};

/// What there is to say in a report.
pub fn summary(id: EventId, source: &Origin, report: &PeriodReport, link: Option<String>) -> Summary {
    let has_alerts = !report.alerts.is_empty();
    Summary {
        event_id: id,
        request_id: None,
        source: source.clone(),
        timestamp: report.made_at,
        risk_level: None,
        target: None,
        tone: if has_alerts { Tone::Bad } else { Tone::Neutral },
        label: has_alerts.then_some("alert"),
        headline: headline(report),
        notes: notes(report),
        ask: None,
        facts: facts(report),
        table: people(&report.people),
        quotes: Vec::new(),
        advice: None,
        link,
        link_title: "All figures:",
    }
}

/// All of it in one line, for a log.
pub fn line(summary: &Summary) -> String {
    let notes = summary.notes.iter().cloned();
    let facts = summary.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value));
    let rows = summary.table.iter().flat_map(|table| {
        table.rows.iter().map(|row| format!("{}: {}", escaped_line(&row.name), table.words(row)))
    });
    let all: Vec<_> = std::iter::once(summary.title()).chain(notes).chain(facts).chain(rows).collect();
    all.join("; ")
}

fn headline(report: &PeriodReport) -> String {
    let PeriodReport { name, from, to, .. } = report;
    match report.period {
        Period::Daily => format!("Daily report: {name}"),
        Period::Weekly => format!("Weekly report: {name}, {from} to {to}"),
        Period::Monthly => format!("Monthly report: {name}"),
    }
}

fn notes(report: &PeriodReport) -> Vec<String> {
    let mut notes: Vec<String> = report.alerts.iter().map(|alert| alert_line(*alert, report)).collect();
    if !report.over {
        notes.push("The period is not over: its figures will grow.".to_owned());
    }
    let PeriodReport { log_size, uncounted, .. } = report;
    notes.push(match uncounted {
        0 => format!("Figures of all {log_size} events of the audit log; days in UTC."),
        more => {
            format!("Figures of the first {log_size} events of the audit log, {more} are not counted yet; days in UTC.")
        }
    });
    notes
}

fn alert_line(alert: Alert, report: &PeriodReport) -> String {
    match alert {
        Alert::ManyRejections => {
            let decided = report.outcomes.rejected.saturating_add(report.outcomes.approved);
            let part = report.rejection_rate.map(percent).unwrap_or_default();
            let rejected = report.outcomes.rejected;
            format!("ALERT: {part} of decisions were rejections: {rejected} of {decided}.")
        }
        Alert::SlowDecisions => {
            let average = report.time_to_decision.map(|times| lasting(times.average_milliseconds));
            format!("ALERT: a decision took {} on average.", average.unwrap_or_default())
        }
    }
}

fn facts(report: &PeriodReport) -> Vec<Fact> {
    let outcomes = &report.outcomes;
    let counts = [
        ("Requested", outcomes.requested),
        ("Auto-approved", outcomes.auto_approved),
        ("Approved", outcomes.approved),
        ("Rejected", outcomes.rejected),
        ("Expired", outcomes.expired),
        ("Cancelled", outcomes.cancelled),
        ("Executed", outcomes.executed),
        ("Failed", outcomes.failed),
    ];
    let mut facts: Vec<Fact> =
        counts.into_iter().map(|(name, count)| Fact { name, value: count.to_string() }).collect();
    let mut fact = |name, value| facts.push(Fact { name, value });
    if let Some(rate) = report.rejection_rate {
        fact("Rejection rate", format!("{} of decisions", percent(rate)));
    }
    fact("Time to decide", report.time_to_decision.as_ref().map_or_else(no_decision, decision));
    fact("Waiting now", waiting(report));
    if let Some(stuck) = report.stuck_executions {
        fact("Stuck runs", format!("{stuck}: executions of which nothing was heard"));
    }
    if let Some(DeadLetters { events, deliveries }) = report.dead_letters {
        fact("Dead letters", format!("{events} events, {deliveries} deliveries, as of now"));
    }
    facts
}

fn no_decision() -> String {
    "no decision".to_owned()
}

fn decision(times: &DecisionTimes) -> String {
    let DecisionTimes { average_milliseconds, shortest_milliseconds, longest_milliseconds, .. } = *times;
    format!(
        "{} on average, {} at least, {} at most, 95 of 100 within {}",
        lasting(average_milliseconds),
        lasting(shortest_milliseconds),
        lasting(longest_milliseconds),
        lasting(times.p95_milliseconds)
    )
}

fn waiting(report: &PeriodReport) -> String {
    let waiting = &report.waiting;
    let more = if waiting.more { " or more" } else { "" };
    match &waiting.oldest {
        None => "none".to_owned(),
        Some(oldest) => format!(
            "{}{more}, the oldest for {}, since {}: {}",
            waiting.count,
            lasting(between(oldest.requested_at, report.made_at)),
            minute(oldest.requested_at),
            oldest.request_id
        ),
    }
}

fn people(people: &[PersonFigures]) -> Option<Table> {
    let row = |person: &PersonFigures| Row {
        name: person.person.clone(),
        figures: vec![person.requested, person.approved, person.rejected],
    };
    (!people.is_empty()).then(|| Table {
        title: "By person",
        columns: vec!["requested", "approved", "rejected"],
        rows: people.iter().map(row).collect(),
    })
}

fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond().saturating_sub(from.as_millisecond())).unwrap_or_default()
}

fn lasting(milliseconds: u64) -> String {
    duration(u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX))
}

fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}
