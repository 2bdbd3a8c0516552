//! An audit trail as people read it, oldest event first.

use crate::view::page::View;
use crate::view::text::{Line, Text, Tone};
use crate::view::tones::status_tone;
use countersign_api::wire::EventBody;

impl View {
    /// An audit trail.
    pub fn events(&self, events: &[EventBody]) -> Text {
        let mut text = Text::default();
        for event in events {
            text.push(
                Line::plain(&format!("{:>3}  ", event.sequence))
                    .with(Tone::Strong, &event.event_type)
                    .with(None, "  ")
                    .with(status_tone(&event.status), &event.status),
            );
            let who = format!(
                "by {} ({}, {}), {}",
                event.user,
                event.kind,
                event.channel,
                self.moment.ago(&event.timestamp)
            );
            let indented = |line: Line| line.behind(None, "     ");
            text.extend(Line::wrapped(None, &who, self.width.saturating_sub(5)).into_iter().map(indented));
            text.push(indented(Line::new(Tone::Quiet, &event.hash)));
        }
        text
    }
}
