//! The terminal: whether there is one, colour, questions, and pages.

use crate::client::show::WIDTH;
use crate::exit::Exit;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Where the answer goes, and who can be asked.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    has_colour: bool,
    is_interactive: bool,
    has_screen: bool,
    is_terminal: bool,
    is_live: bool,
    rows: usize,
}

/// What a text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The name of something.
    Quiet,
    /// What the eye should find first.
    Strong,
    /// What went well.
    Good,
    /// What needs a decision, or has a limit.
    Warning,
    /// What is dangerous, or went wrong.
    Danger,
}

impl Tone {
    /// All of them.
    const ALL: [Self; 5] = [Self::Quiet, Self::Strong, Self::Good, Self::Warning, Self::Danger];

    /// The parameters of its escape sequence (ECMA-48, SGR).
    fn code(self) -> &'static str {
        match self {
            Self::Quiet => "2",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Danger => "1;31",
        }
    }
}

impl Terminal {
    /// The terminal of this process. `NO_COLOR` (<https://no-color.org>) is honoured.
    #[expect(clippy::disallowed_methods, reason = "what the terminal can do is in the environment")]
    pub fn of_process() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let is_terminal = std::io::stdout().is_terminal();
        let rows = terminal_size::terminal_size().map_or(usize::MAX, |(_, rows)| usize::from(rows.0));
        Self {
            has_colour: is_terminal && !is_set("NO_COLOR") && !is_dumb,
            is_interactive: is_terminal && std::io::stdin().is_terminal(),
            has_screen: is_terminal && std::io::stdin().is_terminal() && !is_dumb,
            is_terminal,
            is_live: std::io::stderr().is_terminal() && !is_dumb,
            rows: if is_terminal { rows } else { usize::MAX },
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
            rows: usize::MAX,
        }
    }

    /// One with colours and nobody: what a test of colours sees.
    #[cfg(test)]
    pub(crate) fn coloured() -> Self {
        Self { has_colour: true, ..Self::plain() }
    }

    /// Whether somebody can be asked.
    pub fn is_interactive(self) -> bool {
        self.is_interactive
    }

    /// Whether there is somebody, and a screen on which anything can be drawn anywhere.
    pub fn has_screen(self) -> bool {
        self.has_screen
    }

    /// Whether a line on stderr can be drawn again in its place.
    pub fn is_live(self) -> bool {
        self.is_live
    }

    /// How many columns a message may take: a program that reads it looks for whole lines.
    pub fn columns(self) -> usize {
        if self.is_terminal { WIDTH } else { usize::MAX }
    }

    /// A text in its colour. It must have been escaped before.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.has_colour {
            return text.to_owned();
        }
        format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
    }

    /// A painted text in pieces, each with its colour: for a screen that paints in its own way.
    pub fn unpainted(text: &str) -> Vec<(Option<Tone>, String)> {
        let mut pieces = Vec::new();
        let mut tone = None;
        for (index, piece) in text.split("\u{1b}[").enumerate() {
            let mut piece = piece;
            // INVARIANT: what others have written is escaped, so every sequence is one of `paint`.
            if let (1.., Some((code, rest))) = (index, piece.split_once('m')) {
                tone = Tone::ALL.into_iter().find(|tone| tone.code() == code);
                piece = rest;
            }
            if !piece.is_empty() {
                pieces.push((tone, piece.to_owned()));
            }
        }
        pieces
    }

    /// Prints a text, a screen at a time if somebody is there and it is longer than one.
    ///
    /// # Errors
    /// When stdout cannot be written, or whoever reads has had enough.
    pub fn print(self, text: &str) -> Result<(), Exit> {
        let failed = |error: std::io::Error| Exit::of_stdout(&error);
        let mut stdout = std::io::stdout().lock();
        let page = self.rows.saturating_sub(1).max(1);
        let lines: Vec<_> = text.lines().collect();
        let mut pages = lines.chunks(if self.is_interactive { page } else { usize::MAX }).peekable();
        while let Some(lines) = pages.next() {
            for line in lines {
                writeln!(stdout, "{line}").map_err(failed)?;
            }
            if pages.peek().is_some() {
                write!(stdout, "-- Enter for more --").and_then(|()| stdout.flush()).map_err(failed)?;
                answer()?;
            }
        }
        stdout.flush().map_err(failed)
    }

    /// Asks a question that is answered by `y` or not at all; `options` answer it beforehand.
    ///
    /// # Errors
    /// When there is nobody to ask.
    pub fn confirm(self, question: &str, options: &str) -> Result<bool, Exit> {
        let answer = self.ask(&format!("{question} [y/N] "), options)?;
        Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
    }

    /// Asks for a line; with `options` on the command line there is no question.
    ///
    /// # Errors
    /// When there is nobody to ask.
    pub fn ask(self, question: &str, options: &str) -> Result<String, Exit> {
        if !self.is_interactive {
            return Err(Exit::usage(format!("there is nobody to ask here: add {options}")));
        }
        let mut stdout = std::io::stdout().lock();
        write!(stdout, "{question}")
            .and_then(|()| stdout.flush())
            .map_err(|error| Exit::of_stdout(&error))?;
        answer()
    }
}

/// A line from the keyboard; its end is an answer too.
fn answer() -> Result<String, Exit> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| Exit::from(format!("stdin: {error}")))?;
    Ok(line)
}
