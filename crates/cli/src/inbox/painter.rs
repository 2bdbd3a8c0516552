//! Lines as the screen of the inbox draws them. One of two painters; the other is that of commands.

use crate::view::text::{Line, Tone};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{self, Span};

/// A line in the screen's own colours, or in none.
pub fn painted(line: &Line, has_colour: bool) -> text::Line<'static> {
    let spans = line.spans().iter().map(|span| {
        let style = span.tone().filter(|_| has_colour).map_or(Style::new(), style);
        Span::styled(span.text().to_owned(), style)
    });
    text::Line::from_iter(spans)
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
        Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Warning => Style::new().fg(Color::Yellow),
        Tone::Danger => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}
