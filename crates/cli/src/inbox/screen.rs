//! The inbox on a screen: drawn from the state, at any size. Changes nothing.
//!
//! What others have written is escaped before it gets here or while it is drawn; what is too long for
//! a line goes on in the next.

use super::input::{Input, Rows};
use super::open::{GONE, Mode, Open, Page, Verb};
use super::overlay::{HELP, Overlay, Subject};
use super::state::State;
use crate::view::request::{View, environment_tone, question, risk_tone, short_length};
use crate::view::terminal::{Terminal, Tone};
use crate::view::times::{RelativeTime, Times};
use crate::view::width::{self, broken, columns, is_ambiguous, wrapped};
use countersign_api::wire::SummaryBody;
use countersign_core::text::{escaped_line, escaped_lines};
use countersign_core::timestamp::Timestamp;
use ratatui::Frame;
use ratatui::layout::Position;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
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
    /// Colours, or none.
    pub terminal: Terminal,
    /// Whether times are told as dates.
    pub times: Times,
}

/// What stands below the request or the list.
#[derive(Debug, Default)]
struct Bottom {
    lines: Vec<String>,
    /// Line and column.
    cursor: Option<(usize, usize)>,
}

impl Screen {
    /// Draws the state; says what of the request in front is on the screen.
    pub fn draw(self, frame: &mut Frame<'_>, state: &State) -> Page {
        let area = frame.area();
        let (width, height) = (usize::from(area.width), usize::from(area.height));
        let view = View {
            terminal: self.terminal,
            moment: RelativeTime { now: state.now, times: self.times },
            width: width.min(width::WIDTH),
        };
        let top = self.top(state, width);
        let bottom = self.bottom(state, width);
        let rows = height.saturating_sub(top.len() + bottom.lines.len() + 1);
        if rows == 0 {
            let lines = wrapped("Too small to show what is decided: make the window larger.", width);
            frame.render_widget(Paragraph::new(lines.join("\n")), area);
            return Page::default();
        }
        let (body, page) = match (&state.overlay, &state.open) {
            (Some(overlay), _) => overlaid(&view, overlay, rows),
            (None, Some(open)) => page_of(&view, open, rows),
            (None, None) => (self.list(&view, state, rows), Page::default()),
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
        let slot_assignment = rows.saturating_sub(body.len());
        let shown = || body.iter().chain(&bottom.lines).map(|line| plain(line));
        let page = Page {
            // What is wider than the window is cut off.
            is_whole: page.is_whole && shown().all(|line| columns(&line) <= width),
            is_ambiguous: shown().any(|line| is_ambiguous(&line)),
            ..page
        };
        let lines = top
            .into_iter()
            .chain(body)
            .chain(std::iter::repeat_n(String::new(), slot_assignment))
            .chain([self.terminal.paint(Tone::Quiet, &rule)])
            .chain(bottom.lines);
        let lines: Vec<_> = lines.map(|line| styled(&line)).collect();
        frame.render_widget(Paragraph::new(lines), area);
        page
    }

    fn paint(self, tone: Tone, text: &str) -> String {
        self.terminal.paint(tone, text)
    }

    fn top(self, state: &State, width: usize) -> Vec<String> {
        let name = "Countersign inbox";
        let person = escaped_line(&state.settings.person);
        let right = position(state);
        let filters = state.settings.filters.join(" ");
        let filters = if filters.is_empty() { filters } else { format!(", only {}", escaped_line(&filters)) };
        let (left, right) = (format!("{name}  {person}"), format!("{right}{filters}"));
        let gap = width.saturating_sub(columns(&left) + columns(&right));
        let mut lines = if gap > 1 {
            vec![format!(
                "{}  {}{}{}",
                self.paint(Tone::Strong, name),
                self.paint(Tone::Quiet, &person),
                " ".repeat(gap),
                self.paint(Tone::Strong, &right)
            )]
        } else {
            // A small window has better things to show.
            wrapped(&right, width).iter().map(|line| self.paint(Tone::Strong, line)).collect()
        };
        if let Some(trouble) = &state.trouble {
            let since = clock(trouble.since);
            let what = if trouble.is_refusal {
                format!("since {since}: {}", trouble.message)
            } else {
                format!("no connection since {since}, trying again\n{}", trouble.message)
            };
            let rows = if trouble.is_refusal { MESSAGE_ROWS } else { TROUBLE_ROWS };
            lines.extend(self.message_in(rows, Tone::Danger, &what, width));
        }
        lines.push(self.paint(Tone::Quiet, &"-".repeat(width)));
        lines
    }

    /// Something worth saying, in a few rows.
    fn message(self, tone: Tone, text: &str, width: usize) -> Vec<String> {
        self.message_in(MESSAGE_ROWS, tone, text, width)
    }

    /// The same in so many rows; that there is more is marked.
    fn message_in(self, rows: usize, tone: Tone, text: &str, width: usize) -> Vec<String> {
        let mut lines: Vec<_> = escaped_lines(text).flat_map(|line| wrapped(&line, width)).collect();
        if lines.len() > rows {
            lines.truncate(rows);
            if let Some(last) = lines.last_mut() {
                let mut kept = broken(last, width.saturating_sub(MORE.len()).max(1)).into_iter();
                *last = format!("{}{MORE}", kept.next().unwrap_or_default().trim_end_matches(' '));
            }
        }
        lines.iter().map(|line| self.paint(tone, line)).collect()
    }

    fn list(self, view: &View, state: &State, rows: usize) -> Vec<String> {
        let Some(items) = &state.items else { return vec!["Asking the service...".to_owned()] };
        if items.is_empty() {
            return wrapped(&state.nothing(), view.width);
        }
        let found = state.found();
        if found.is_empty() {
            return wrapped("Nothing has what you search for.", view.width);
        }
        let length = short_length(items.iter().map(|item| item.request_id.as_str()));
        let (mut lines, mut first, mut end) = (Vec::new(), 0, 0);
        for item in found {
            let is_selected = state.selected.as_ref() == Some(&item.request_id);
            if is_selected {
                first = lines.len();
            }
            let is_skipped = state.skipped.contains(&item.request_id);
            lines.extend(self.item(view, item, length, is_selected, is_skipped));
            if is_selected {
                end = lines.len();
            }
        }
        // As little is scrolled as shows all of what is selected.
        let skip = end.saturating_sub(rows).min(first);
        lines.into_iter().skip(skip).take(rows).collect()
    }

    fn item(
        self,
        view: &View,
        item: &SummaryBody,
        length: usize,
        is_selected: bool,
        is_skipped: bool,
    ) -> Vec<String> {
        let id: String = item.request_id.chars().take(length).collect();
        let risk = format!("{:<6}", escaped_line(&item.risk_level));
        let environment = format!("{:<14}", escaped_line(&item.environment));
        let when = if is_skipped { "skipped".to_owned() } else { view.moment.deadline(&item.expires_at) };
        let tone = |tone: Option<Tone>| if is_skipped { Tone::Quiet } else { tone.unwrap_or(Tone::Quiet) };
        let marker = if is_selected { ">" } else { " " };
        let first = format!(
            "{marker} {}  {} {}",
            self.paint(tone(Some(Tone::Strong)), &escaped_line(&id)),
            self.paint(tone(risk_tone(&item.risk_level)), &risk),
            self.paint(tone(environment_tone(&item.environment)), &environment),
        );
        let second = format!("{}/{}  {when}", item.approvals_received, item.approvals_required);
        let (first_width, second_width) = (columns(&plain(&first)), columns(&second));
        let head = match view.width {
            width if first_width + 2 + second_width <= width => vec![format!("{first}  {second}")],
            width if first_width <= width && second_width + 4 <= width => {
                vec![first, format!("{marker}   {second}")]
            }
            // A service that is not ours may say anything; a window may have any size.
            width => wrapped(&format!("{} {second}", plain(&first)), width),
        };
        let cost = item.estimated_cost.map(|cost| format!(", cost {cost}")).unwrap_or_default();
        let what = format!(
            "{} on {}, by {}{cost}",
            escaped_line(&item.operation_type),
            escaped_line(&item.instance_id),
            escaped_line(&item.requested_by)
        );
        let what = wrapped(&what, view.width.saturating_sub(4)).into_iter().map(|line| {
            let line = match (is_skipped, is_selected) {
                (true, _) => self.paint(Tone::Quiet, &line),
                (false, true) => self.paint(Tone::Strong, &line),
                (false, false) => line,
            };
            format!("{marker}   {line}")
        });
        head.into_iter().chain(what).collect()
    }

    fn bottom(self, state: &State, width: usize) -> Bottom {
        let mut bottom = Bottom::default();
        let standing = state.open.as_ref().and_then(|open| standing(open, state.now));
        bottom.lines.extend(standing.iter().flat_map(|line| self.message(Tone::Warning, line, width)));
        if let Some((tone, text)) = &state.notice {
            bottom.lines.extend(self.message(*tone, text, width));
        }
        let keys = match (&state.overlay, &state.open) {
            (Some(_), _) => "Space more  Esc back",
            (None, Some(open)) => self.prompt(&mut bottom, open, state.now, width),
            (None, None) if state.is_searching => {
                self.typing(&mut bottom, "Search:", &state.search, width);
                "Enter go on  Esc show all"
            }
            (None, None) if width < ALL_KEYS => "Enter open  s skip  / search  ? help",
            (None, None) => "up, down choose  Enter open  / search  s skip  ? help  q quit",
        };
        bottom.lines.extend(wrapped(keys, width).iter().map(|line| self.paint(Tone::Quiet, line)));
        bottom
    }

    /// A text that is being typed, under what it is for.
    fn typing(self, bottom: &mut Bottom, title: &str, input: &Input, width: usize) {
        bottom.lines.extend(title.lines().map(|line| self.paint(Tone::Strong, line)));
        let Rows { rows, row, column } = input.rows(width.saturating_sub(2).max(1));
        let skip = (row + 1).saturating_sub(INPUT_ROWS);
        bottom.cursor = Some((bottom.lines.len() + row - skip, column + 2));
        let rows = rows.into_iter().skip(skip).take(INPUT_ROWS);
        bottom.lines.extend(rows.map(|row| format!("> {row}")));
    }

    /// What is asked of a person, or waited for; gives the keys.
    fn prompt(self, bottom: &mut Bottom, open: &Open, now: Timestamp, width: usize) -> &'static str {
        let strong = |text: &str| self.paint(Tone::Strong, text);
        let asked = |verb: &str| {
            let question = open.request.as_ref().map(|request| question(verb, request));
            wrapped(&question.unwrap_or_default(), width)
        };
        match &open.mode {
            Mode::Reading if open.request.is_none() => "Esc back",
            Mode::Reading if open.is_gone => "c comment  e explain  Space more  Esc back  ? help",
            Mode::Reading if width < ALL_KEYS => "a approve  r reject  Space more  ? help",
            Mode::Reading => {
                "a approve  r reject  c comment  e explain  s skip  Space more  Esc back  ? help"
            }
            Mode::Confirming => {
                bottom.lines.extend(asked("Approve").iter().map(|line| strong(line)));
                bottom.lines.extend(quoted(&open.draft.comment.text(), width));
                "y yes  c comment  Esc no"
            }
            Mode::Writing(verb) => {
                let (title, input, keys) = match verb {
                    Verb::Approve => (
                        vec!["A comment, should you approve:".to_owned()],
                        &open.draft.comment,
                        "Enter go on  Esc back (the text stays)",
                    ),
                    Verb::Reject => (
                        asked("Reject"),
                        &open.draft.reason,
                        "Say why; Enter reject  Esc back (the text stays)",
                    ),
                    Verb::Comment => (
                        vec!["A comment to the requester; nothing is decided:".to_owned()],
                        &open.draft.message,
                        "Enter send  Esc back (the text stays)",
                    ),
                };
                let title = title.iter().flat_map(|line| wrapped(line, width)).collect::<Vec<_>>();
                self.typing(bottom, &title.join("\n"), input, width);
                keys
            }
            Mode::Sending { decision, retry_at } => {
                let verb = decision.verb.as_str();
                let line = match retry_at {
                    None => format!("Sending: {verb}..."),
                    Some(time) => {
                        let left = (time.as_millisecond() - now.as_millisecond()).max(0) / 1000;
                        format!("Not sent yet: {verb}; trying again in {} s", left + 1)
                    }
                };
                bottom.lines.extend(wrapped(&line, width).iter().map(|line| strong(line)));
                bottom.lines.extend(quoted(&decision.text, width));
                "Esc stop trying (the text stays)"
            }
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
        count => format!("{count} of {} to decide, with {}", items.len(), escaped_line(&search)),
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
        Some(status) if status != "pending" => Some(format!("{GONE}: it is {}", escaped_line(status))),
        _ if open.is_gone => Some(GONE.to_owned()),
        _ if open.is_expired(now) => Some("its deadline has passed: the service will refuse".to_owned()),
        _ => None,
    }
}

/// What somebody has typed, when it is not being edited.
fn quoted(text: &str, width: usize) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let lines = broken(&escaped_line(text), width.saturating_sub(4));
    lines.into_iter().take(INPUT_ROWS).map(|line| format!("  | {line}")).collect()
}

fn page_of(view: &View, open: &Open, rows: usize) -> (Vec<String>, Page) {
    let Some(request) = &open.request else {
        return (wrapped("Asking the service...", view.width), Page::default());
    };
    scrolled(&view.request(request), open.page.top, rows, view.width)
}

/// What is looked at in front of everything else.
fn overlaid(view: &View, overlay: &Overlay, rows: usize) -> (Vec<String>, Page) {
    let text = match &overlay.subject {
        Subject::Help => {
            HELP.lines().flat_map(|line| broken(line, view.width)).collect::<Vec<_>>().join("\n")
        }
        Subject::Explanation(_, None) => "Asking the service...".to_owned(),
        Subject::Explanation(_, Some(explained)) => view.explanation(&explained.0, &explained.1),
    };
    scrolled(&text, overlay.page.top, rows, view.width)
}

fn scrolled(text: &str, top: usize, rows: usize, width: usize) -> (Vec<String>, Page) {
    let lines = text.lines().count();
    let top = top.min(lines.saturating_sub(rows));
    let shown = text.lines().skip(top).take(rows).map(str::to_owned).collect();
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

/// A painted line without its colours.
fn plain(line: &str) -> String {
    Terminal::unpainted(line).into_iter().map(|(_, text)| text).collect()
}

/// A painted line in the screen's own colours.
fn styled(line: &str) -> Line<'static> {
    let spans = Terminal::unpainted(line).into_iter().map(|(tone, text)| {
        let style = match tone {
            None => Style::new(),
            Some(Tone::Quiet) => Style::new().add_modifier(Modifier::DIM),
            Some(Tone::Strong) => Style::new().add_modifier(Modifier::BOLD),
            Some(Tone::Good) => Style::new().fg(Color::Green),
            Some(Tone::Warning) => Style::new().fg(Color::Yellow),
            Some(Tone::Danger) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        };
        Span::styled(text, style)
    });
    Line::from_iter(spans)
}
