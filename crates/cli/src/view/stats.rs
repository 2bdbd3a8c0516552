//! Figures as people read them: what there was, how long decisions took, and a bar for each group.

use crate::view::page::View;
use crate::view::text::{Line, Text, Tone};
use crate::view::times::RelativeTime;
use crate::view::width::columns;
use countersign_api::wire::{
    AmountsBody, AnswersBody, DurationsBody, FiguresBody, GroupBody, SlowestBody, StatsBody,
};

/// The parts of a block, from an eighth to a whole.
const BLOCKS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// The columns of the longest bar, and what a bar has at least where names are long.
const MAX_BAR: usize = 40;
const MIN_BAR: usize = 8;

impl View {
    /// Figures of a range of days.
    pub fn stats(&self, stats: &StatsBody) -> Text {
        let mut text = Text::default();
        let title = format!("{} to {}, by {}", stats.from, stats.to, stats.group_by.replace('_', " "));
        text.wrapped(Tone::Strong, &title, self.width);
        let totals = &stats.totals;
        let counts = [
            ("requests", totals.total),
            ("approved", totals.approved),
            ("auto-approved", totals.auto_approved),
            ("rejected", totals.rejected),
            ("expired", totals.expired),
            ("cancelled", totals.cancelled),
            ("executed", totals.executed),
            ("failed", totals.failed),
            ("unknown", totals.unknown),
            ("refused calls", totals.refused),
        ];
        for (name, count) in counts {
            self.line(&mut text, name, &count.to_string(), None);
        }
        if let Some(rate) = totals.rejection_rate {
            self.line(&mut text, "rejection", &format!("{:.1} % of decisions", rate * 100.0), None);
        }
        if let Some(durations) = &totals.time_to_decision {
            self.line(&mut text, "decided in", &lasting(durations), None);
        }
        if let Some(answers) = &totals.time_to_answer {
            self.line(&mut text, "answered in", &answered(answers), None);
        }
        let ended = totals.executed + totals.failed;
        let costs = [
            ("estimated", totals.estimated_cost, totals.total, "requests"),
            ("reported", totals.actual_cost, ended, "executions that ended"),
        ];
        let costs = costs.into_iter().filter_map(|(how, amounts, all, of)| {
            let AmountsBody { count, sum } = amounts?;
            Some(format!("{sum} {how}, named by {count} of {all} {of}"))
        });
        self.lines(&mut text, "cost", costs);
        let approvers = stats.busiest_approvers.iter();
        self.lines(
            &mut text,
            "busiest",
            approvers.map(|approver| format!("{}  {}", approver.person, approver.decisions)),
        );
        for (name, slowest) in [("slowest", &stats.slowest_approvers), ("slow groups", &stats.slowest_groups)]
        {
            self.lines(&mut text, name, slowest.iter().map(slow));
        }
        if !stats.groups.is_empty() {
            text.blank();
        }
        self.bars(&mut text, stats);
        text.wrapped(
            Tone::Quiet,
            &format!("of the first {} events in the audit log", stats.log_size),
            self.width,
        );
        text
    }

    /// A line for each group, with a bar as long as its count.
    fn bars(&self, text: &mut Text, stats: &StatsBody) {
        let counted = |group: &GroupBody| weight(&group.figures, &stats.group_by);
        let longest = stats.groups.iter().map(counted).max().unwrap_or_default();
        let name_width = stats.groups.iter().map(|group| columns(&group.name)).max().unwrap_or_default();
        let number_width = longest.to_string().len();
        let room = self.width.saturating_sub(name_width + number_width + 4);
        let bar_width = room.clamp(MIN_BAR, MAX_BAR);
        for group in &stats.groups {
            let count = counted(group);
            let padding = " ".repeat(name_width.saturating_sub(columns(&group.name)) + 2);
            let line = Line::new(None, &group.name)
                .with(None, &format!("{padding}{count:>number_width$}  "))
                .with(Tone::Good, &bar(count, longest, bar_width));
            text.push(line.trimmed());
        }
    }
}

/// What the bar of a group shows: requests; of a type, events; of a person, what the person asked for and decided; of a group of
/// approvers, approvals.
fn weight(figures: &FiguresBody, group_by: &str) -> u64 {
    match (group_by, figures.events) {
        ("event_type", Some(events)) => events,
        ("user", _) => figures.total + figures.approvals_given + figures.rejections_given,
        ("group", _) => figures.approvals_given,
        _ => figures.total,
    }
}

/// A bar of blocks, to an eighth of a column. What is not zero is seen.
fn bar(count: u64, longest: u64, width: usize) -> String {
    let eighths = u64::try_from(width).unwrap_or_default() * 8;
    let length = count.saturating_mul(eighths).checked_div(longest).unwrap_or_default();
    let length = usize::try_from(length.max(u64::from(count > 0))).unwrap_or_default();
    let whole = BLOCKS.last().into_iter().cycle().take(length / 8);
    let part = (length % 8).checked_sub(1).and_then(|eighth| BLOCKS.get(eighth));
    whole.chain(part).collect()
}

fn of(milliseconds: u64) -> String {
    let seconds = u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX);
    RelativeTime::lasting(seconds)
}

fn answered(answers: &AnswersBody) -> String {
    format!("{} on average; {} approvals and rejections", of(answers.average_milliseconds), answers.count)
}

fn slow(slowest: &SlowestBody) -> String {
    let AnswersBody { count, average_milliseconds } = slowest.time_to_answer;
    format!("{}  {} on average, {count} in all", slowest.name, of(average_milliseconds))
}

fn lasting(durations: &DurationsBody) -> String {
    let DurationsBody { count, average_milliseconds, median_milliseconds, p95_milliseconds } = *durations;
    format!(
        "{} on average, {} in the middle, {} for 95 of 100; {count} decided",
        of(average_milliseconds),
        of(median_milliseconds),
        of(p95_milliseconds)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part_and_never_gone() {
        assert_eq!(bar(0, 10, 4), "");
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(5, 10, 4), "██");
        assert_eq!(bar(1, 1_000_000, 4), "▏");
        assert_eq!(bar(3, 32, 4), "▍");
        assert_eq!(bar(0, 0, 4), "");
    }
}
