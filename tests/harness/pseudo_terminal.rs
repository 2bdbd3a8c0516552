//! The real program in a terminal of a size of the test's own, with a keyboard, and what a person in
//! front of it sees.

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::termios::{Action, tcflow};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the program may take for one step.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the screen is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long nothing must be written or typed until the screen counts as drawn.
const STILL: Duration = Duration::from_millis(200);

/// A program that runs in a pseudo-terminal.
pub struct PseudoTerminal {
    pty: Arc<Pty>,
    child: Child,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
}

/// What the program has written.
struct Seen {
    emulator: vt100::Parser,
    written: Vec<u8>,
    /// How much had been written when a key was last pressed, or the window changed.
    answered: usize,
    changed_at: Instant,
}

impl std::fmt::Debug for PseudoTerminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PseudoTerminal").field(&self.screen()).finish()
    }
}

impl PseudoTerminal {
    /// Starts a program with these variables and no others, in a terminal of so many columns and rows.
    pub fn start(
        binary: &str,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
        size: (u16, u16),
    ) -> Self {
        let (pty, terminal) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(size.1, size.0)).expect("a size");
        let command = Command::new(binary).args(arguments).env_clear().envs(variables);
        let child = command.env("TERM", "xterm-256color").spawn(terminal).expect("the program runs");
        let pty = Arc::new(pty);
        let (columns, rows) = not_zero(size);
        let seen = Arc::new(Mutex::new(Seen {
            emulator: vt100::Parser::new(rows, columns, 0),
            written: Vec::new(),
            answered: 0,
            changed_at: Instant::now(),
        }));
        let (from, to) = (Arc::clone(&pty), Arc::clone(&seen));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Linux ends the reading with EIO once the last process has closed the terminal.
            while let Ok(length @ 1..) = (&*from).read(&mut bytes) {
                let mut seen = to.lock().unwrap();
                seen.emulator.process(&bytes[..length]);
                seen.written.extend_from_slice(&bytes[..length]);
                seen.changed_at = Instant::now();
            }
        });
        Self { pty, child, seen, reader: Some(reader) }
    }

    /// Presses keys; Enter is `\r`, Escape `\x1b`.
    pub fn press(&self, keys: &str) {
        let mut seen = self.seen.lock().unwrap();
        seen.answered = seen.written.len();
        seen.changed_at = Instant::now();
        drop(seen);
        (&*self.pty).write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Changes the size of the window, as its user would: the program gets SIGWINCH. What was on the
    /// screen is gone, as no two terminals keep the same of it.
    pub fn resize(&self, size: (u16, u16)) {
        let (columns, rows) = not_zero(size);
        let mut seen = self.seen.lock().unwrap();
        seen.emulator.screen_mut().set_size(rows, columns);
        seen.emulator.process(b"\x1b[2J\x1b[H");
        seen.answered = seen.written.len();
        seen.changed_at = Instant::now();
        drop(seen);
        self.pty.resize(Size::new(size.1, size.0)).expect("a size");
    }

    /// Stops the program and continues it, as Ctrl-Z and `fg` do. In between, the shell takes the terminal
    /// with its own settings, and what was on the screen is gone.
    pub fn stop_and_continue(&self) {
        self.signal("STOP");
        let stat = format!("/proc/{}/stat", self.child.id());
        let is_stopped = || std::fs::read_to_string(&stat).expect("a process").contains(") T ");
        self.wait_until("a stopped program", |_| is_stopped());
        let device = self.device();
        let sane =
            std::process::Command::new("stty").args(["-F", &device, "sane"]).status().expect("stty runs");
        assert!(sane.success(), "{device}");
        let mut seen = self.seen.lock().unwrap();
        seen.emulator.process(b"\x1b[2J\x1b[H");
        seen.answered = seen.written.len();
        seen.changed_at = Instant::now();
        drop(seen);
        self.signal("CONT");
    }

    /// Presses keys, one after the other, while the terminal takes nothing from the program, as behind a
    /// slow line.
    pub fn press_while_output_is_held(&self, keys: &[&str]) {
        let device = File::open(self.device()).expect("a terminal");
        tcflow(&device, Action::OOff).expect("the output is held");
        for keys in keys {
            self.press(keys);
            std::thread::sleep(STILL);
        }
        tcflow(&device, Action::OOn).expect("the output goes on");
        // What is written from now on is the answer.
        self.seen.lock().unwrap().changed_at = Instant::now();
    }

    /// The terminal, as the program has it open.
    fn device(&self) -> String {
        let link = format!("/proc/{}/fd/0", self.child.id());
        std::fs::read_link(link).expect("a terminal").to_string_lossy().into_owned()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = std::process::Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(status.success(), "{name}");
    }

    /// What is on the screen now, row by row.
    pub fn screen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let screen = seen.emulator.screen();
        screen.rows(0, screen.size().1.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    /// Everything that the program has written so far.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().written).into_owned()
    }

    /// Whether the screen shows a text, however it is broken into rows.
    pub fn shows(&self, text: &str) -> bool {
        squeezed(&self.screen().concat()).contains(&squeezed(text))
    }

    /// Waits until the screen shows a text.
    ///
    /// # Panics
    /// With the screen, when it does not.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, |terminal| terminal.shows(text));
    }

    /// Waits until the program has written one of these since the last key, and no more; gives which.
    ///
    /// # Panics
    /// With the screen, when it does not.
    #[track_caller]
    pub fn wait_for_answer(&self, texts: &[&str]) -> usize {
        let found = |terminal: &Self| {
            let seen = terminal.seen.lock().unwrap();
            let new = squeezed(&String::from_utf8_lossy(&seen.written[seen.answered..]));
            let found = texts.iter().position(|text| new.contains(&squeezed(text)));
            found.filter(|_| seen.changed_at.elapsed() >= STILL)
        };
        self.wait_until(&texts.join("` or `"), |terminal| found(terminal).is_some());
        found(self).expect("what was just there")
    }

    /// Waits until nothing has been written or typed for a while.
    #[track_caller]
    pub fn wait_until_still(&self) {
        self.wait_until("a still screen", |terminal| {
            terminal.seen.lock().unwrap().changed_at.elapsed() >= STILL
        });
    }

    /// Waits until something is there.
    ///
    /// # Panics
    /// With the screen, when it is not.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_there(self) {
            assert!(Instant::now() < end, "no `{what}` in\n{}", self.screen().join("\n"));
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until the program has ended; gives its exit code and everything that it has written.
    ///
    /// # Panics
    /// With the screen, when it does not end.
    #[track_caller]
    pub fn end(mut self) -> (i32, String) {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < end, "it goes on:\n{}", self.screen().join("\n"));
            std::thread::sleep(LOOK);
        };
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader");
        }
        let written = String::from_utf8_lossy(&self.seen.lock().unwrap().written).into_owned();
        (status.code().expect("an exit code"), written)
    }
}

impl Drop for PseudoTerminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn not_zero((columns, rows): (u16, u16)) -> (NonZeroU16, NonZeroU16) {
    (columns.try_into().expect("columns"), rows.try_into().expect("rows"))
}

/// A text without white space: rows end where the window does.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
