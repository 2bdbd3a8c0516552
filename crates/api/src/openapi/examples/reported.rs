//! The report on the period of a story.

use super::Story;
use countersign_core::period::{Period, Span};
use countersign_figures::fold::FigureState;
use countersign_figures::period_report::{DeadLetters, OldestRequest, PeriodReport, Standing, Waiting};
use serde_json::Value;

/// The report on the month of the story, of which one request waits.
pub(super) fn report(story: &Story, waiting: &Story) -> Option<Value> {
    let mut state = FigureState::default();
    story.events.iter().for_each(|event| state.add(event));
    let oldest = OldestRequest {
        request_id: waiting.request.id(),
        requested_at: waiting.request.content.requested_at,
    };
    let standing = Standing {
        waiting: Waiting { count: 1, more: false, oldest: Some(oldest) },
        dead_letters: Some(DeadLetters::default()),
        uncounted: 0,
    };
    let span = Span::containing(Period::Monthly, story.at);
    let log_size = u64::try_from(story.events.len()).ok()?;
    serde_json::to_value(PeriodReport::of(&span, &state.days, log_size, standing, story.at)).ok()
}
