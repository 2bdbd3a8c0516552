//! A report as people read it: what deserves attention first, then figures, then persons.

use crate::view::page::View;
use crate::view::text::{Line, Text, Tone};
use crate::view::times::RelativeTime;
use crate::view::width::columns;
use countersign_api::wire::ReportBody;
use countersign_figures::period_report::{Alert, DeadLetters, DecisionTimes, PersonFigures};

/// The names of the columns of persons.
const COLUMNS: [&str; 3] = ["requested", "approved", "rejected"];

impl View {
    /// The report on a period.
    pub fn period_report(&self, report: &ReportBody) -> Text {
        let mut text = Text::default();
        let ReportBody { period, name, from, to, outcomes, .. } = report;
        text.wrapped(Tone::Strong, &format!("{period} report: {name}, {from} to {to} in UTC"), self.width);
        if !report.over {
            text.wrapped(Tone::Warning, "the period is not over: its figures will grow", self.width);
        }
        for alert in &report.alerts {
            text.wrapped(Tone::Danger, alert_words(*alert), self.width);
        }
        let counts = [
            ("requested", outcomes.requested),
            ("auto-approved", outcomes.auto_approved),
            ("approved", outcomes.approved),
            ("rejected", outcomes.rejected),
            ("expired", outcomes.expired),
            ("cancelled", outcomes.cancelled),
            ("executed", outcomes.executed),
            ("failed", outcomes.failed),
        ];
        for (name, count) in counts {
            self.line(&mut text, name, &count.to_string(), None);
        }
        if let Some(rate) = report.rejection_rate {
            self.line(&mut text, "rejection", &format!("{:.1} % of decisions", rate * 100.0), None);
        }
        if let Some(times) = &report.time_to_decision {
            self.line(&mut text, "decided in", &lasting(times), None);
        }
        self.line(&mut text, "waiting now", &self.waiting(report), None);
        if let Some(stuck) = report.stuck_executions {
            self.line(&mut text, "stuck", &format!("{stuck} executions of which nothing was heard"), None);
        }
        if let Some(DeadLetters { events, deliveries }) = report.dead_letters {
            let value = format!("{events} events, {deliveries} deliveries, as of now");
            self.line(&mut text, "dead letters", &value, None);
        }
        if !report.people.is_empty() {
            text.blank();
            people(&mut text, &report.people);
        }
        let ReportBody { log_size, uncounted, .. } = report;
        let counted = match uncounted {
            0 => format!("of all {log_size} events in the audit log"),
            more => format!("of the first {log_size} events in the audit log; {more} are not counted yet"),
        };
        text.wrapped(Tone::Quiet, &counted, self.width);
        text
    }

    fn waiting(&self, report: &ReportBody) -> String {
        let waiting = &report.waiting;
        let more = if waiting.more { " or more" } else { "" };
        match &waiting.oldest {
            None => "none".to_owned(),
            Some(oldest) => {
                let since = self.moment.ago(&oldest.requested_at.to_string());
                format!("{}{more}; the oldest is {}, made {since}", waiting.count, oldest.request_id)
            }
        }
    }
}

fn alert_words(alert: Alert) -> &'static str {
    match alert {
        Alert::ManyRejections => "30 % or more of decisions were rejections",
        Alert::SlowDecisions => "a decision took 24 hours or more on average",
    }
}

/// A line for each person, with figures in columns.
fn people(text: &mut Text, people: &[PersonFigures]) {
    let width = people.iter().map(|person| columns(&person.person)).max().unwrap_or_default();
    let heading: String = COLUMNS.iter().map(|name| format!("  {name}")).collect();
    text.push(Line::new(Tone::Quiet, &format!("{:width$}{heading}", "")));
    for person in people {
        let padding = " ".repeat(width.saturating_sub(columns(&person.person)));
        let figures = [person.requested, person.approved, person.rejected].into_iter().zip(COLUMNS);
        let figures: String =
            figures.map(|(figure, name)| format!("  {figure:>width$}", width = name.len())).collect();
        text.push(Line::new(None, &person.person).with(None, &format!("{padding}{figures}")));
    }
}

fn lasting(times: &DecisionTimes) -> String {
    format!(
        "{} on average, {} at least, {} at most, {} for 95 of 100; {} decided",
        of(times.average_milliseconds),
        of(times.shortest_milliseconds),
        of(times.longest_milliseconds),
        of(times.p95_milliseconds),
        times.count
    )
}

fn of(milliseconds: u64) -> String {
    RelativeTime::lasting(u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX))
}
