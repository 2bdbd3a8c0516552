//! What is looked at in front of everything else, until Escape: the keys, or why a request stands where it
//! stands. Decides nothing.

use super::key::Key;
use super::open::Page;
use countersign_api::wire::{ExplainBody, RequestBody};

/// The keys, as they are explained.
pub const HELP: &str = "\
In the list
  up, down  choose; also j and k
  Enter     open the request
  /         search for a part of a name,
            or an id; Escape shows all
  s         leave it for later
  q         quit

In a request
  Space     the next page
  up, down  a line
  a         approve; y confirms
  r         reject; asks for a reason
  c         comment, and decide nothing
  e         explain what is missing, who
            can give it, what you may
  s         leave it for later
  Escape    back to the list

While an approval is asked for
  y         yes
  c         say something with it
  Escape    no

Nothing is decided before all of the
request has been on the screen.
";

/// What is looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// The keys.
    Help,
    /// Why a request stands where it stands; unset until the service has answered.
    Explanation(String, Option<Box<(RequestBody, ExplainBody)>>),
}

/// What is in front of everything else.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    /// What is looked at.
    pub subject: Subject,
    /// What of it is on the screen.
    pub page: Page,
}

impl Overlay {
    /// Something new to look at.
    pub fn new(subject: Subject) -> Self {
        Self { subject, page: Page::default() }
    }

    /// Takes a key; whether it goes away.
    pub fn key(&mut self, key: Key) -> bool {
        let page = self.page.rows.saturating_sub(1).max(1);
        match key {
            Key::Up | Key::Char('k') => self.page.up(1),
            Key::Down | Key::Char('j') => self.page.down(1),
            Key::PageUp | Key::Char('b') => self.page.up(page),
            Key::PageDown | Key::Char(' ') => self.page.down(page),
            Key::Home => self.page.top = 0,
            Key::Escape | Key::Enter | Key::Char('q' | '?' | 'e') => return true,
            _ => {}
        }
        false
    }
}
