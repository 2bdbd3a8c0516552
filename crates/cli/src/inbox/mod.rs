//! `countersign inbox`: what waits for a decision, on a screen that keeps itself up to date.
//!
//! `state` and `open` hold what happens, `screen` draws it, `worker` makes the calls; this file
//! connects them to the keyboard, the clock and the terminal, and gives the terminal back.

pub mod changes;
pub mod event;
pub mod input;
pub mod key;
pub mod open;
pub mod overlay;
pub mod painter;
pub mod screen;
pub mod settings;
pub mod state;
#[cfg(test)]
mod tests;
pub mod worker;

use crate::error::CommandError;
use crate::session::Session;
use crate::view::terminal::{Terminal, drain};
use crate::view::text::{Line, Text};
use countersign_api::wire::ListBody;
use countersign_app::host::Clock as _;
use event::{Effect, Event, Given, Pending};
use key::Key;
use open::Page;
use ratatui::DefaultTerminal;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{
    DisableBracketedPaste, EnableBracketedPaste, Event as Input, KeyCode, KeyEvent, KeyEventKind,
    KeyModifiers, poll, read,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::layout::{Position, Rect};
use screen::Screen;
use settings::Settings;
use signal_hook::consts::SIGCONT;
use state::State;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use worker::{Known, Workers};

/// How long the keyboard is listened to before the answers are looked at.
const KEYBOARD: Duration = Duration::from_millis(50);
/// How often the screen is drawn when nothing happens: deadlines come nearer.
const REDRAW: Duration = Duration::from_secs(1);
/// How long the end may take once a signal has come.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows what waits: on a screen, or as `list` prints it where there is none.
///
/// # Errors
/// When there is no terminal and the service does not answer, or the terminal is lost. See [`CommandError`].
pub fn run(session: Session, settings: Settings) -> Result<(), CommandError> {
    if !session.output.is_for_people() || !session.terminal.has_screen() {
        return print(&session, &settings);
    }
    on_screen(session, settings)
}

/// What there is, as `list` prints it.
fn print(session: &Session, settings: &Settings) -> Result<(), CommandError> {
    let Pending { mut items, refused } = Known::default().pending(session, settings)?;
    items.retain(|item| settings.is_decidable(item) && settings.is_wanted(item));
    items.retain(|item| !refused.contains(&item.request_id));
    let list = ListBody { items, next_cursor: None, damaged: 0 };
    session.show(&list, |view| view.list(&list))
}

fn on_screen(session: Session, settings: Settings) -> Result<(), CommandError> {
    let (sender, events) = channel();
    let terminal = session.terminal;
    let screen = Screen { has_colour: terminal.has_colour(), times: session.times };
    let session = Arc::new(session);
    let workers = Workers::start(&session, &settings, &sender)?;
    listen_for_signals(sender)?;
    let mut state = State::new(settings, session.host.now());
    let end = {
        let mut window = Window::open()?;
        play(&mut window, &mut state, screen, &session, &workers, &events)
    };
    end.and(last_words(terminal, &state))
}

/// What has been decided and what has not, once the screen is gone.
fn last_words(terminal: Terminal, state: &State) -> Result<(), CommandError> {
    if state.failure.is_some() {
        return state.end();
    }
    let mut text = Text::default();
    for (tone, line) in &state.log {
        text.extend(line.lines().map(|line| Line::new(*tone, line)));
    }
    for (id, words) in state.unsent() {
        text.push(Line::plain(&format!("not sent, about {id}: {words}")));
    }
    if state.is_sending() {
        text.push(Line::plain("a decision was on its way: `countersign get` shows whether it has arrived"));
    }
    if state.log.is_empty() && state.items.as_ref().is_some_and(Vec::is_empty) {
        text.push(Line::plain(&state.nothing()));
    }
    terminal.print(&text)?;
    state.end()
}

/// Takes events and draws until the state says that it is over.
fn play(
    window: &mut Window,
    state: &mut State,
    screen: Screen,
    session: &Session,
    workers: &Workers,
    events: &Receiver<Event>,
) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("terminal: {error}"));
    let mut drawn_at = None;
    let mut must_drop_keys = false;
    loop {
        if workers.is_broken() || WAS_GIVEN_BACK.load(Ordering::SeqCst) {
            // It may still be writing what it has to say.
            std::thread::sleep(KEYBOARD);
            return Err(CommandError::Failed("a thread of the inbox has ended; this is a bug".to_owned()));
        }
        if drawn_at.is_none_or(|time| session.host.elapsed() >= time + REDRAW) {
            state.drawn(window.draw(screen, state).map_err(failed)?);
            drawn_at = Some(session.host.elapsed());
        }
        let was_resized = std::mem::take(&mut must_drop_keys) && drop_keys().map_err(failed)?;
        // One key, then a look at what it did: nothing is scrolled past without having been shown.
        let mut key = if !was_resized && poll(KEYBOARD).map_err(failed)? {
            pressed(read().map_err(failed)?)
        } else {
            None
        };
        // A key that was pressed in front of a screen that is no longer there means nothing.
        if window.was_disturbed().map_err(failed)? || was_resized {
            key = Some(Event::Disturbed);
        }
        for event in key.into_iter().chain(events.try_iter()).chain([Event::Tick]) {
            if !matches!(event, Event::Tick) {
                drawn_at = None;
            }
            let given = Given { now: session.host.now(), key: session.fresh_key() };
            for effect in state.apply(event, &given) {
                match effect {
                    Effect::List => workers.list(),
                    Effect::Load(id) => workers.load(id),
                    Effect::Explain(id) => workers.explain(id),
                    Effect::DropKeys => (must_drop_keys, drawn_at) = (true, None),
                    Effect::Decide(decision) => workers.decide(decision),
                    Effect::Quit => return Ok(()),
                }
            }
        }
    }
}

/// Throws away what was typed and not taken. Whether the window was resized meanwhile.
fn drop_keys() -> std::io::Result<bool> {
    drain()?;
    let mut was_resized = false;
    // Read and not flushed: half of what is being pasted would press keys.
    while poll(Duration::ZERO)? {
        was_resized |= matches!(read()?, Input::Resize(..));
    }
    Ok(was_resized)
}

/// What was done at the keyboard or to the window.
fn pressed(input: Input) -> Option<Event> {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => key_of(key).map(Event::Key),
        Input::Paste(text) => Some(Event::Pasted(text)),
        // Drawn again in another size.
        Input::Resize(..) => Some(Event::Disturbed),
        _ => None,
    }
}

fn key_of(key: KeyEvent) -> Option<Key> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    let is_plain = key.modifiers.difference(KeyModifiers::SHIFT).is_empty();
    match key.code {
        KeyCode::Char(c) if is_control => Some(Key::Control(c.to_ascii_lowercase())),
        KeyCode::Char(c) if is_plain => Some(Key::Char(c)),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Escape),
        KeyCode::Backspace => Some(Key::Backspace),
        KeyCode::Delete => Some(Key::Delete),
        KeyCode::Left => Some(Key::Left),
        KeyCode::Right => Some(Key::Right),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::Home),
        KeyCode::End => Some(Key::End),
        _ => None,
    }
}

/// Whether a panic has given the terminal back: a second time would hide what it wrote.
static WAS_GIVEN_BACK: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours. It is given back when this is dropped, and by the hook that
/// `try_init` sets when something panics.
#[derive(Debug)]
struct Window {
    terminal: DefaultTerminal,
    /// Whether the process was stopped and has been continued, and the terminal not been taken again.
    was_continued: Arc<AtomicBool>,
    /// What was drawn last.
    drawn: Buffer,
    /// Whether that was the first time in this size: what has been typed may be older.
    is_new_size: bool,
}

impl Window {
    fn open() -> Result<Self, CommandError> {
        let opened = ratatui::try_init().and_then(|terminal| {
            let window = Self {
                terminal,
                was_continued: Arc::default(),
                drawn: Buffer::default(),
                is_new_size: false,
            };
            signal_hook::flag::register(SIGCONT, Arc::clone(&window.was_continued))?;
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                WAS_GIVEN_BACK.store(true, Ordering::SeqCst);
                hook(panic);
            }));
            // What is pasted must not press keys.
            execute!(std::io::stdout(), EnableBracketedPaste)?;
            Ok(window)
        });
        opened.map_err(|error| {
            let _ = ratatui::try_restore();
            CommandError::Failed(format!("terminal: {error}"))
        })
    }

    /// Draws; gives what of the request in front is on the screen.
    fn draw(&mut self, screen: Screen, state: &State) -> std::io::Result<Page> {
        let before = std::mem::take(&mut self.drawn);
        let (mut drawn, page) = self.draw_changes(screen, state)?;
        // Where characters may be wider than they count, a part of a row cannot be drawn in its place.
        if page.is_ambiguous && drawn != before {
            self.terminal.resize(drawn.area)?;
            (drawn, _) = self.draw_changes(screen, state)?;
        }
        self.is_new_size |= drawn.area != before.area;
        self.drawn = drawn;
        Ok(page)
    }

    fn draw_changes(&mut self, screen: Screen, state: &State) -> std::io::Result<(Buffer, Page)> {
        let mut page = Page::default();
        let frame = self.terminal.draw(|frame| page = screen.draw(frame, state))?;
        Ok((frame.buffer.clone(), page))
    }

    /// Whether what was drawn may be gone. After the process was stopped, other programs have used the
    /// terminal, and in their own way: it is taken again, and drawn whole the next time.
    fn was_disturbed(&mut self) -> std::io::Result<bool> {
        let size = self.terminal.size()?;
        let is_new_size = std::mem::take(&mut self.is_new_size) || size != self.drawn.area.as_size();
        if !self.was_continued.swap(false, Ordering::SeqCst) {
            return Ok(is_new_size);
        }
        // What is on already is not put on again.
        disable_raw_mode()?;
        enable_raw_mode()?;
        execute!(std::io::stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))?;
        Ok(true)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Nothing is left to do if even this fails.
        let _ = execute!(std::io::stdout(), DisableBracketedPaste);
        let _ = self.terminal.show_cursor();
        if !WAS_GIVEN_BACK.load(Ordering::SeqCst) {
            let _ = ratatui::try_restore();
        }
    }
}

/// Turns signals that end the process into an event, so that the terminal is given back first.
fn listen_for_signals(events: Sender<Event>) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("signals cannot be received: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    drop(guard);
    let listen = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        // The receiver is gone once the inbox is over.
        let _ = events.send(Event::Interrupted);
        // A window that was closed keeps the keyboard's thread busy for ever.
        std::thread::sleep(PATIENCE);
        let _ = ratatui::try_restore();
        std::process::exit(1);
    };
    std::thread::Builder::new().name("inbox-signals".to_owned()).spawn(listen).map_err(failed)?;
    Ok(())
}
