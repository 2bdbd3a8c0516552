//! A line that is being typed. Knows no screen.

use super::key::Key;
use crate::view::width::columns;
use countersign_core::text::escaped_line;

/// What has been typed so far, and where the next character goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    before: Vec<char>,
    after: Vec<char>,
}

/// The input as rows of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The rows, escaped.
    pub rows: Vec<String>,
    /// The row of the cursor, from 0.
    pub row: usize,
    /// Its column, from 0.
    pub column: usize,
}

impl Input {
    /// What has been typed, without the white space around it.
    pub fn text(&self) -> String {
        let all: String = self.before.iter().chain(self.after.iter().rev()).collect();
        all.trim().to_owned()
    }

    /// Whether there is nothing to lose.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// Takes a key.
    pub fn edit(&mut self, key: Key) {
        match key {
            Key::Char(c) => self.insert(c),
            Key::Backspace => self.backspace(),
            Key::Delete => self.delete(),
            Key::Left => self.left(),
            Key::Right => self.right(),
            Key::Home | Key::Control('a') => self.home(),
            Key::End | Key::Control('e') => self.end(),
            Key::Control('w') => self.delete_word(),
            _ => {}
        }
    }

    /// A character at the cursor; a pasted line break becomes a space, other controls nothing.
    pub fn insert(&mut self, c: char) {
        if matches!(c, '\r' | '\n' | '\t') {
            // Terminals paste a line break as one or both of its characters.
            if self.before.last() != Some(&' ') {
                self.before.push(' ');
            }
        } else if !c.is_control() {
            self.before.push(c);
        }
    }

    /// Takes back the character before the cursor.
    pub fn backspace(&mut self) {
        self.before.pop();
    }

    /// Takes away the character after the cursor.
    pub fn delete(&mut self) {
        self.after.pop();
    }

    /// Takes back the word before the cursor.
    pub fn delete_word(&mut self) {
        while self.before.pop_if(|c| c.is_whitespace()).is_some() {}
        while self.before.pop_if(|c| !c.is_whitespace()).is_some() {}
    }

    /// Moves one character to the left.
    pub fn left(&mut self) {
        self.after.extend(self.before.pop());
    }

    /// Moves one character to the right.
    pub fn right(&mut self) {
        self.before.extend(self.after.pop());
    }

    /// Moves to the beginning.
    pub fn home(&mut self) {
        self.after.extend(self.before.drain(..).rev());
    }

    /// Moves to the end.
    pub fn end(&mut self) {
        self.before.extend(self.after.drain(..).rev());
    }

    /// The text in rows of a width, and where the cursor is in them.
    pub fn rows(&self, width: usize) -> Rows {
        let mut rows = vec![String::new()];
        let (mut column, mut cursor) = (0, (0, 0));
        let all = self.before.iter().chain(self.after.iter().rev()).copied().map(Some);
        // The end has no character, but the cursor may stand there.
        for (index, c) in all.chain([None]).enumerate() {
            let shown = c.map(|c| escaped_line(&c.to_string())).unwrap_or_default();
            let wide = columns(&shown);
            // The cursor at the end needs a place of its own.
            if column + wide.max(1) > width && column > 0 {
                rows.push(String::new());
                column = 0;
            }
            if index == self.before.len() {
                cursor = (rows.len() - 1, column);
            }
            if let Some(row) = rows.last_mut() {
                row.push_str(&shown);
            }
            column += wide;
        }
        Rows { rows, row: cursor.0, column: cursor.1 }
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        let mut input = Self::default();
        text.chars().for_each(|c| input.insert(c));
        input
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_where_the_cursor_is() {
        let mut input = Input::from("not on fridays");
        input.left();
        input.backspace();
        input.home();
        input.insert('N');
        input.delete();
        input.end();
        assert_eq!(input.text(), "Not on fridas");
        input.delete_word();
        assert_eq!(input.text(), "Not on");
        input.right();
        input.delete();
        assert_eq!(input.text(), "Not on");
    }

    #[test]
    fn pasted_text_brings_no_controls() {
        assert_eq!(Input::from("a\r\nb\tc\u{1b}[2J\0").text(), "a b c[2J");
    }

    #[test]
    fn rows_hold_everything_and_say_where_the_cursor_is() {
        let mut input = Input::from("abcdef");
        assert_eq!(input.rows(4), Rows { rows: vec!["abcd".to_owned(), "ef".to_owned()], row: 1, column: 2 });
        input.home();
        assert_eq!((input.rows(4).row, input.rows(4).column), (0, 0));
        let full = Input::from("abcd").rows(4);
        assert_eq!((full.rows.len(), full.row, full.column), (2, 1, 0));
        let disguised = Input::from("a\u{202e}日").rows(40);
        assert_eq!(disguised.rows, ["a\\u{202e}日"]);
        assert_eq!(disguised.column, 11);
    }
}
