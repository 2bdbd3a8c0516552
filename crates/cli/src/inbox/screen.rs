//! The inbox on a screen: laid out from the state, at any size. Changes nothing.
//!
//! What is too long for a line goes on in the next.

use super::input::{Input, Rows};
use super::open::{GONE, Mode, Open, Page, Verb};
use super::overlay::{HELP, Overlay, Subject};
use super::painter::painted;
use super::state::State;
use crate::view::list::short_length;
use crate::view::page::View;
use crate::view::text::{Line, Text, Tone};
use crate::view::times::{RelativeTime, Times};
use crate::view::tones::{environment_tone, risk_tone};
use crate::view::width::{self, columns, wrapped};
use crate::view::words::question;
use countersign_api::wire::SummaryBody;
use countersign_core::timestamp::Timestamp;
use ratatui::Frame;
use ratatui::layout::Position;
use ratatui::widgets::Paragraph;

/// How many rows a message may take: the request matters more.
const MESSAGE_ROWS: usize = 4;
/// What marks that a message is longer than its rows.
const MORE: &str = " ...";
/// How many rows a lost connection may take: when, and the beginning of why.
const TROUBLE_ROWS: usize = 3;
/// Below this width, the keys are those that most people need; help names all.
const ALL_KEYS: usize = 80;
/// How many rows of a text that is being typed are on the screen.
const INPUT_ROWS: usize = 4;

/// How the screen is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Whether there are colours.
    pub has_colour: bool,
    /// Whether times are shown as dates.
    pub times: Times,
}

/// What stands below the request or the list.
#[derive(Debug, Default)]
struct Bottom {
    lines: Vec<Line>,
    /// Line and column.
    cursor: Option<(usize, usize)>,
}

impl Screen {
    /// Draws the state; says what of the request in front is on the screen.
    pub fn draw(self, frame: &mut Frame<'_>, state: &State) -> Page {
        let area = frame.area();
        let (width, height) = (usize::from(area.width), usize::from(area.height));
        let view = View {
            moment: RelativeTime { now: state.now, times: self.times },
            width: width.min(width::WIDTH),
        };
        let top = top(state, width);
        let bottom = bottom(state, width);
        let rows = height.saturating_sub(top.len() + bottom.lines.len() + 1);
        if rows == 0 {
            let lines = wrapped("Too small to show what is decided: make the window larger.", width);
            frame.render_widget(Paragraph::new(lines.join("\n")), area);
            return Page::default();
        }
        let (body, page) = match (&state.overlay, &state.open) {
            (Some(overlay), _) => overlaid(&view, overlay, rows),
            (None, Some(open)) => page_of(&view, open, rows),
            (None, None) => (list(&view, state, rows), Page::default()),
        };
        let rule = match page.lines {
            0 => String::new(),
            lines => format!("-- lines {}-{} of {lines} ", page.top + 1, page.top + body.len()),
        };
        let rule = format!("{rule}{}", "-".repeat(width.saturating_sub(rule.len())));
        let below = height.saturating_sub(bottom.lines.len());
        if let Some((line, column)) = bottom.cursor {
            let (x, y) = (column.min(width.saturating_sub(1)), below + line);
            frame.set_cursor_position(Position::new(small(x), small(y)));
        }
        let empty = rows.saturating_sub(body.len());
        let shown = || body.iter().chain(&bottom.lines);
        let page = Page {
            // What is wider than the window is cut off.
            is_whole: page.is_whole && shown().all(|line| line.columns() <= width),
            is_ambiguous: shown().any(Line::is_ambiguous),
            ..page
        };
        let lines = top
            .into_iter()
            .chain(body)
            .chain(std::iter::repeat_n(Line::default(), empty))
            .chain([Line::new(Tone::Quiet, &rule)])
            .chain(bottom.lines);
        let lines: Vec<_> = lines.map(|line| painted(&line, self.has_colour)).collect();
        frame.render_widget(Paragraph::new(lines), area);
        page
    }
}

fn top(state: &State, width: usize) -> Vec<Line> {
    let filters = state.settings.filters.join(" ");
    let filters = if filters.is_empty() { filters } else { format!(", only {filters}") };
    let left = Line::new(Tone::Strong, "Countersign inbox")
        .with(None, "  ")
        .with(Tone::Quiet, &state.settings.person);
    let right = format!("{}{filters}", position(state));
    let gap = width.saturating_sub(left.columns() + Line::plain(&right).columns());
    let mut lines = if gap > 1 {
        vec![left.with(None, &" ".repeat(gap)).with(Tone::Strong, &right)]
    } else {
        // A small window has better things to show.
        Line::wrapped(Tone::Strong, &right, width)
    };
    if let Some(trouble) = &state.trouble {
        let since = clock(trouble.since);
        let what = if trouble.is_refusal {
            format!("since {since}: {}", trouble.message)
        } else {
            format!("no connection since {since}, trying again\n{}", trouble.message)
        };
        let rows = if trouble.is_refusal { MESSAGE_ROWS } else { TROUBLE_ROWS };
        lines.extend(message(rows, Tone::Danger, &what, width));
    }
    lines.push(Line::new(Tone::Quiet, &"-".repeat(width)));
    lines
}

/// Something worth saying, in so many rows; that there is more is marked.
fn message(rows: usize, tone: Tone, text: &str, width: usize) -> Vec<Line> {
    let mut lines: Vec<_> = text.lines().flat_map(|line| Line::wrapped(tone, line, width)).collect();
    if lines.len() > rows {
        lines.truncate(rows);
        if let Some(last) = lines.last_mut() {
            let mut kept =
                Line::broken(&last.to_string(), width.saturating_sub(MORE.len()).max(1)).into_iter();
            *last = kept.next().unwrap_or_default().trimmed().with(None, MORE).toned(tone);
        }
    }
    lines
}

fn list(view: &View, state: &State, rows: usize) -> Vec<Line> {
    let Some(items) = &state.items else { return vec![Line::plain("Asking the service...")] };
    if items.is_empty() {
        return Line::wrapped(None, &state.nothing(), view.width);
    }
    let found = state.found();
    if found.is_empty() {
        return Line::wrapped(None, "Nothing has what you search for.", view.width);
    }
    let length = short_length(items.iter().map(|item| item.request_id.as_str()));
    let (mut lines, mut first, mut end) = (Vec::new(), 0, 0);
    for found in found {
        let is_selected = state.selected.as_ref() == Some(&found.request_id);
        if is_selected {
            first = lines.len();
        }
        let is_skipped = state.skipped.contains(&found.request_id);
        lines.extend(item(view, found, length, is_selected, is_skipped));
        if is_selected {
            end = lines.len();
        }
    }
    // As little is scrolled as shows all of what is selected.
    let skip = end.saturating_sub(rows).min(first);
    lines.into_iter().skip(skip).take(rows).collect()
}

fn item(view: &View, item: &SummaryBody, length: usize, is_selected: bool, is_skipped: bool) -> Vec<Line> {
    let id: String = item.request_id.chars().take(length).collect();
    let when = if is_skipped { "skipped".to_owned() } else { view.moment.deadline(&item.expires_at) };
    let tone = |tone: Option<Tone>| if is_skipped { Tone::Quiet } else { tone.unwrap_or(Tone::Quiet) };
    let marker = if is_selected { ">" } else { " " };
    let first = Line::plain(&format!("{marker} "))
        .with(tone(Some(Tone::Strong)), &id)
        .with(None, "  ")
        .with(tone(risk_tone(&item.risk_level)), &format!("{:<6}", item.risk_level))
        .with(None, " ")
        .with(tone(environment_tone(&item.environment)), &format!("{:<14}", item.environment));
    let second = format!("{}/{}  {when}", item.approvals_received, item.approvals_required);
    let (first_width, second_width) = (first.columns(), columns(&second));
    let head = match view.width {
        width if first_width + 2 + second_width <= width => vec![first.with(None, &format!("  {second}"))],
        width if first_width <= width && second_width + 4 <= width => {
            vec![first, Line::plain(&format!("{marker}   {second}"))]
        }
        // A service that is not ours may say anything; a window may have any size.
        width => Line::wrapped(None, &format!("{first} {second}"), width),
    };
    let cost = item.estimated_cost.map(|cost| format!(", cost {cost}")).unwrap_or_default();
    let held = item.hold.as_ref().map(|hold| format!(", held by {}", hold.by)).unwrap_or_default();
    let what =
        format!("{} on {}, by {}{cost}{held}", item.operation_type, item.instance_id, item.requested_by);
    let tone = match (is_skipped, is_selected) {
        (true, _) => Some(Tone::Quiet),
        (false, true) => Some(Tone::Strong),
        (false, false) => None,
    };
    let what = Line::wrapped(tone, &what, view.width.saturating_sub(4)).into_iter();
    head.into_iter().chain(what.map(|line| line.behind(None, &format!("{marker}   ")))).collect()
}

fn bottom(state: &State, width: usize) -> Bottom {
    let mut bottom = Bottom::default();
    let standing = state.open.as_ref().and_then(|open| standing(open, state.now));
    let standing = standing.iter().flat_map(|line| message(MESSAGE_ROWS, Tone::Warning, line, width));
    bottom.lines.extend(standing);
    if let Some((tone, text)) = &state.notice {
        bottom.lines.extend(message(MESSAGE_ROWS, *tone, text, width));
    }
    let keys = match (&state.overlay, &state.open) {
        (Some(_), _) => "Space more  Esc back",
        (None, Some(open)) => prompt(&mut bottom, open, state.now, width),
        (None, None) if state.is_searching => {
            typing(&mut bottom, vec![Line::new(Tone::Strong, "Search:")], &state.search, width);
            "Enter go on  Esc show all"
        }
        (None, None) if width < ALL_KEYS => "Enter open  s skip  / search  ? help",
        (None, None) => "up, down choose  Enter open  / search  s skip  ? help  q quit",
    };
    bottom.lines.extend(Line::wrapped(Tone::Quiet, keys, width));
    bottom
}

/// A text that is being typed, under what it is for.
fn typing(bottom: &mut Bottom, title: Vec<Line>, input: &Input, width: usize) {
    bottom.lines.extend(title);
    let Rows { rows, row, column } = input.rows(width.saturating_sub(2).max(1));
    let skip = (row + 1).saturating_sub(INPUT_ROWS);
    bottom.cursor = Some((bottom.lines.len() + row - skip, column + 2));
    let rows = rows.into_iter().skip(skip).take(INPUT_ROWS);
    bottom.lines.extend(rows.map(|row| Line::plain(&format!("> {row}"))));
}

/// What is asked of a person, or waited for; gives the keys.
fn prompt(bottom: &mut Bottom, open: &Open, now: Timestamp, width: usize) -> &'static str {
    let asked = |verb: &str| {
        let question = open.request.as_ref().map(|request| question(verb, request));
        Line::wrapped(Tone::Strong, &question.unwrap_or_default(), width)
    };
    let titled = |title: &str| Line::wrapped(Tone::Strong, title, width);
    match &open.mode {
        Mode::Reading if open.request.is_none() => "Esc back",
        Mode::Reading if open.is_gone => "c comment  e explain  Space more  Esc back  ? help",
        Mode::Reading if width < ALL_KEYS => "a approve  r reject  Space more  ? help",
        Mode::Reading => "a approve  r reject  c comment  e explain  s skip  Space more  Esc back  ? help",
        Mode::Confirming => {
            bottom.lines.extend(asked("Approve"));
            bottom.lines.extend(quoted(&open.draft.comment.text(), width));
            "y yes  c comment  Esc no"
        }
        Mode::Writing(verb) => {
            let (title, input, keys) = match verb {
                Verb::Approve => (
                    titled("A comment, should you approve:"),
                    &open.draft.comment,
                    "Enter go on  Esc back (the text stays)",
                ),
                Verb::Reject => {
                    (asked("Reject"), &open.draft.reason, "Say why; Enter reject  Esc back (the text stays)")
                }
                Verb::Comment => (
                    titled("A comment to the requester; nothing is decided:"),
                    &open.draft.message,
                    "Enter send  Esc back (the text stays)",
                ),
            };
            typing(bottom, title, input, width);
            keys
        }
        Mode::Sending { decision, retry_at } => {
            let verb = decision.verb;
            let line = match retry_at {
                None => format!("Sending: {verb}..."),
                Some(time) => {
                    let left = (time.as_millisecond() - now.as_millisecond()).max(0) / 1000;
                    format!("Not sent yet: {verb}; trying again in {} s", left + 1)
                }
            };
            bottom.lines.extend(titled(&line));
            bottom.lines.extend(quoted(&decision.text, width));
            "Esc stop trying (the text stays)"
        }
    }
}

/// Where the selected request is among all: `3 of 12 to decide`.
fn position(state: &State) -> String {
    let Some(items) = &state.items else { return "...".to_owned() };
    let found = state.found();
    let front = state.open.as_ref().map(|open| &open.id).or(state.selected.as_ref());
    let place = found.iter().position(|item| Some(&item.request_id) == front);
    let search = state.search.text();
    let all = match found.len() {
        count if search.is_empty() => format!("{count} to decide"),
        count => format!("{count} of {} to decide, with {}", items.len(), search),
    };
    match place {
        Some(place) if search.is_empty() => format!("{} of {all}", place + 1),
        _ => all,
    }
}

/// Why the request in front can hardly be decided any more.
fn standing(open: &Open, now: Timestamp) -> Option<String> {
    let status = open.request.as_ref().map(|request| request.status.as_str());
    match status {
        Some(status) if status != "pending" => Some(format!("{GONE}: it is {}", status)),
        _ if open.is_gone => Some(GONE.to_owned()),
        _ if open.is_expired(now) => Some("its deadline has passed: the service will refuse".to_owned()),
        _ => None,
    }
}

/// What the approver has typed, when it is not being edited.
fn quoted(text: &str, width: usize) -> Vec<Line> {
    if text.is_empty() {
        return Vec::new();
    }
    let lines = Line::broken(text, width.saturating_sub(4)).into_iter();
    lines.take(INPUT_ROWS).map(|line| line.behind(None, "  | ")).collect()
}

fn page_of(view: &View, open: &Open, rows: usize) -> (Vec<Line>, Page) {
    let Some(request) = &open.request else {
        return (Line::wrapped(None, "Asking the service...", view.width), Page::default());
    };
    scrolled(view.request(request), open.page.top, rows, view.width)
}

/// What is looked at in front of everything else.
fn overlaid(view: &View, overlay: &Overlay, rows: usize) -> (Vec<Line>, Page) {
    let text = match &overlay.subject {
        Subject::Help => {
            HELP.lines().flat_map(|line| Line::broken(line, view.width)).collect::<Vec<_>>().into()
        }
        Subject::Explanation(_, None) => Text::of_line("Asking the service..."),
        Subject::Explanation(_, Some(explained)) => view.explanation(&explained.0, &explained.1),
    };
    scrolled(text, overlay.page.top, rows, view.width)
}

fn scrolled(text: Text, top: usize, rows: usize, width: usize) -> (Vec<Line>, Page) {
    let all: Vec<Line> = text.into();
    let lines = all.len();
    let top = top.min(lines.saturating_sub(rows));
    let shown = all.into_iter().skip(top).take(rows).collect();
    (shown, Page { top, rows, lines, width, is_whole: true, is_ambiguous: false })
}

/// `09:30:00 UTC`.
fn clock(time: Timestamp) -> String {
    let time: String = time.to_string().chars().skip(11).take(8).collect();
    format!("{time} UTC")
}

fn small(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
