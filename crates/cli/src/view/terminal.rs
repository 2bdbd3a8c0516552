//! The terminal: whether there is one, its size, colour, questions, and pages.
//!
//! INVARIANT: an answer was typed after all that it is about, and the question, had been on the screen
//! in the size that the window still has, and nothing else could have been drawn over it since. What was
//! typed before is thrown away.

use crate::error::CommandError;
use crate::view::ansi;
use crate::view::text::{Line, Text};
use crate::view::width::{WIDTH, rows};
use rustix::io::retry_on_intr;
use rustix::termios::{QueueSelector, tcdrain, tcflush, tcgetwinsize};
use signal_hook::consts::{SIGCONT, SIGWINCH};
use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is asked below a page that is not the last.
const MORE: &str = "-- Enter for more --";
/// How many columns an answer takes: `yes`, and the blank before it.
const ANSWER: usize = 4;

/// The size of a window, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub columns: usize,
    /// From top to bottom.
    pub rows: usize,
}

impl Size {
    /// What a terminal has that does not say.
    const UNKNOWN: Self = Self { columns: WIDTH, rows: 24 };

    /// How many rows lines take at most.
    fn rows_of(self, lines: &[Line]) -> usize {
        lines.iter().map(|line| line.rows(self.columns)).sum()
    }
}

/// What a person has been shown to decide about, and whether it can still be on the screen: not when the
/// window has got another size since, nor when the process was stopped and continued, as a shell and other
/// programs write to the terminal in between.
#[derive(Debug)]
pub struct Sight {
    was_disturbed: Arc<AtomicBool>,
    shown_in: Option<Size>,
}

impl Sight {
    /// Nothing has been shown yet.
    ///
    /// # Errors
    /// When the system does not tell of signals.
    pub fn new() -> Result<Self, CommandError> {
        let was_disturbed = Arc::new(AtomicBool::new(false));
        for signal in [SIGWINCH, SIGCONT] {
            signal_hook::flag::register(signal, Arc::clone(&was_disturbed))
                .map_err(|error| CommandError::Failed(format!("signals cannot be received: {error}")))?;
        }
        Ok(Self { was_disturbed, shown_in: None })
    }

    /// Whether what was shown is still there.
    fn is_there(&self) -> bool {
        !self.was_disturbed.load(Ordering::SeqCst) && self.shown_in == Some(Terminal::size())
    }

    /// Begins to show all of it, in the size that this gives.
    fn begin(&mut self) -> Size {
        // In this order: a change that comes after the size was read is noticed.
        self.was_disturbed.store(false, Ordering::SeqCst);
        let size = Terminal::size();
        self.shown_in = Some(size);
        size
    }
}

/// Where the answer goes, and who can be asked.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    has_colour: bool,
    is_interactive: bool,
    has_screen: bool,
    is_terminal: bool,
    is_live: bool,
}

impl Terminal {
    /// The terminal of this process. `NO_COLOR` (<https://no-color.org>) is honoured.
    #[expect(clippy::disallowed_methods, reason = "what the terminal can do is in the environment")]
    pub fn of_process() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let is_terminal = std::io::stdout().is_terminal();
        Self {
            has_colour: is_terminal && !is_set("NO_COLOR") && !is_dumb,
            is_interactive: is_terminal && std::io::stdin().is_terminal(),
            has_screen: is_terminal && std::io::stdin().is_terminal() && !is_dumb,
            is_terminal,
            is_live: std::io::stderr().is_terminal() && !is_dumb,
        }
    }

    /// One without colours and without anybody: what tests and files see.
    pub fn plain() -> Self {
        Self {
            has_colour: false,
            is_interactive: false,
            has_screen: false,
            is_terminal: false,
            is_live: false,
        }
    }

    /// Whether a person can be asked.
    pub fn is_interactive(self) -> bool {
        self.is_interactive
    }

    /// Whether there is a person, and a screen on which anything can be drawn anywhere.
    pub fn has_screen(self) -> bool {
        self.has_screen
    }

    /// Whether a line on stderr can be drawn again in its place.
    pub fn is_live(self) -> bool {
        self.is_live
    }

    /// How many columns a message may take: a program that reads it looks for whole lines.
    pub fn columns(self) -> usize {
        if self.is_terminal { self.width() } else { usize::MAX }
    }

    /// The width that everything fits into.
    pub fn width(self) -> usize {
        if self.is_terminal { Self::size().columns.min(WIDTH) } else { WIDTH }
    }

    /// The size of the window now.
    fn size() -> Size {
        match tcgetwinsize(std::io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { columns: usize::from(size.ws_col), rows: usize::from(size.ws_row) }
            }
            _ => Size::UNKNOWN,
        }
    }

    /// Whether texts are painted.
    pub fn has_colour(self) -> bool {
        self.has_colour
    }

    /// A line as it is written.
    fn painted(self, line: &Line) -> String {
        if self.has_colour { ansi::painted(line) } else { line.to_string() }
    }

    /// Prints a text, a screen at a time if there is a person and it is longer than one.
    ///
    /// # Errors
    /// When stdout cannot be written, or its reader has had enough.
    pub fn print(self, text: &Text) -> Result<(), CommandError> {
        if self.is_interactive { self.pages(text.lines(), 1, Self::size) } else { self.write(text.lines()) }
    }

    /// Shows a text and asks a question below it that is answered by `y` or not at all; `options` answer
    /// it beforehand.
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub fn confirm(
        self,
        sight: &mut Sight,
        text: impl Fn(bool) -> Text,
        question: &str,
        options: &str,
    ) -> Result<bool, CommandError> {
        let answer = self.ask(sight, text, &format!("{question} [y/N]"), options)?;
        Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
    }

    /// Shows a text to its end and asks for a line right below. `text` gives all that is decided about, or,
    /// when what an earlier question has shown is still there, only what is new. Whenever that is no longer
    /// sure, all of it is shown and asked again.
    ///
    /// # Errors
    /// When there is no person to ask, or the window is too small for what is asked.
    pub fn ask(
        self,
        sight: &mut Sight,
        text: impl Fn(bool) -> Text,
        question: &str,
        options: &str,
    ) -> Result<String, CommandError> {
        if !self.is_interactive {
            self.print(&text(false))?;
            return Err(CommandError::Usage(format!("there is no person to ask here: add {options}")));
        }
        let mut is_there = sight.is_there();
        loop {
            if !is_there && sight.shown_in.is_some() {
                self.write(&[Line::plain("the screen has changed: here is all of it again")])?;
            }
            let size = match sight.shown_in {
                Some(size) if is_there => size,
                _ => sight.begin(),
            };
            let text = text(is_there);
            let question = Line::wrapped(None, question, size.columns.saturating_sub(ANSWER));
            let rows_of_question = size.rows_of(&question);
            let tallest = text.lines().iter().map(|line| line.rows(size.columns)).max().unwrap_or_default();
            let needed = rows_of_question.max(tallest + rows(MORE, size.columns));
            if needed > size.rows {
                return Err(CommandError::Failed(format!(
                    "the window is too small to decide in: it has {} rows of {} columns, and the question needs \
                     {needed}; nothing is decided, make the window larger and ask again",
                    size.rows, size.columns
                )));
            }
            self.pages(text.lines(), rows_of_question, || size)?;
            let question: Vec<_> = question.iter().map(ToString::to_string).collect();
            let answer = answer(&question.join("\n"))?;
            is_there = sight.is_there();
            if is_there {
                return Ok(answer);
            }
        }
    }

    /// Writes lines.
    fn write(self, lines: &[Line]) -> Result<(), CommandError> {
        let mut stdout = std::io::stdout().lock();
        let written = lines.iter().try_for_each(|line| writeln!(stdout, "{}", self.painted(line)));
        written.and_then(|()| stdout.flush()).map_err(CommandError::stdout)
    }

    /// Writes lines page by page, so that `rows_below` rows are left under the last.
    fn pages(
        self,
        mut lines: &[Line],
        rows_below: usize,
        size: impl Fn() -> Size,
    ) -> Result<(), CommandError> {
        loop {
            let size = size();
            if size.rows_of(lines) + rows_below <= size.rows {
                return self.write(lines);
            }
            let page = size.rows.saturating_sub(rows(MORE, size.columns));
            let fits = |count: &usize| size.rows_of(lines.get(..*count).unwrap_or_default()) <= page;
            let count = (1..=lines.len()).take_while(fits).last();
            let (shown, rest) = lines.split_at(count.unwrap_or(1).min(lines.len()));
            self.write(shown)?;
            if rest.is_empty() && rows_below <= 1 {
                return Ok(());
            }
            answer(MORE)?;
            lines = rest;
        }
    }
}

/// Writes a document as it is: what a terminal would act on has an escape of its own language in it.
///
/// # Errors
/// When stdout cannot be written.
pub fn write_document(document: &str) -> Result<(), CommandError> {
    let mut stdout = std::io::stdout().lock();
    let written = document.lines().try_for_each(|line| writeln!(stdout, "{line}"));
    written.and_then(|()| stdout.flush()).map_err(CommandError::stdout)
}

/// Writes bytes as they are: what another program reads, and no text of a service.
///
/// # Errors
/// When stdout cannot be written.
pub fn write_bytes(bytes: &[u8]) -> Result<(), CommandError> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(CommandError::stdout)
}

/// Waits until all that was written has left for the screen.
///
/// # Errors
/// When the terminal is lost.
pub fn drain() -> std::io::Result<()> {
    Ok(retry_on_intr(|| tcdrain(std::io::stdout()))?)
}

/// Asks, and reads a line from the keyboard; its end is an answer too. What was typed before the question
/// was there is no answer to it.
fn answer(question: &str) -> Result<String, CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("stdin: {error}"));
    let stdin = std::io::stdin();
    let mut stdout = std::io::stdout();
    write!(stdout, "{question} ").and_then(|()| stdout.flush()).map_err(CommandError::stdout)?;
    drain().map_err(failed)?;
    tcflush(&stdin, QueueSelector::IFlush).map_err(|error| failed(error.into()))?;
    // A buffer of its own: what comes after the line in the same reading is no answer to anything.
    let mut keyboard = BufReader::new(File::from(stdin.as_fd().try_clone_to_owned().map_err(failed)?));
    let mut line = String::new();
    keyboard.read_line(&mut line).map_err(failed)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::text::Tone;

    #[test]
    fn rows_are_counted_as_the_window_breaks_them() {
        let size = Size { columns: 10, rows: 4 };
        for (line, rows) in [
            ("", 1),
            ("1234567890", 1),
            ("12345678901", 2),
            ("日本語日本語", 2),
            // Not every terminal puts them on top of each other.
            ("e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}", 2),
            // What does not fit into the last column begins a row.
            ("a日本語日本a語日本語", 3),
            // Some terminals give them two columns.
            ("яяяяяя", 2),
            ("─…±§·─", 2),
        ] {
            assert_eq!(size.rows_of(&[Line::new(Tone::Danger, line)]), rows, "{line:?}");
        }
    }
}
