//! The text of a policy's file in TOML: read, and its mistakes reported with their line and place.

use crate::policy::finding::Name;
use crate::policy::mistake::Mistake;
use serde::de::DeserializeOwned;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The text of a file in TOML, for messages that name the line.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The name of the file.
    pub file: &'static str,
    /// Its text.
    pub text: &'a str,
}

impl Source<'_> {
    /// The text as a value.
    ///
    /// # Errors
    /// What the parser refuses, with its line and place.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Mistake> {
        toml::from_str(self.text).map_err(|error| self.unreadable::<T>(&error))
    }

    /// What the parser says, in our words and with the table or key that it is about. It knows no more
    /// than where that stands.
    fn unreadable<T: DeserializeOwned>(&self, error: &toml::de::Error) -> Mistake {
        let message = error.message().replace('\n', ", ");
        let span = error.span().unwrap_or_default();
        let document = DeTable::parse(self.text).ok();
        let entries = document.as_ref().and_then(|document| entries_to(document.get_ref(), &span));
        let mut entries = entries.unwrap_or_default();
        let is_misplaced = entries.len() > 1 && self.would_be_read_at_the_top::<T>(&entries);
        let key = if message.starts_with("unknown field") { entries.pop() } else { None };
        if entries.is_empty() {
            let name = self.text.get(span).filter(|_| message == "duplicate key");
            let name = name.map_or(String::new(), |name| format!(" `{name}`"));
            let line = error.span().map(|span| self.line(span.start));
            return Mistake::new(Name::UnreadableToml, self.file, line, message + &name);
        }
        let is_element = entries
            .last()
            .is_some_and(|(_, value)| matches!(value.get_ref(), DeValue::Array(_)) && value.span() != span);
        let rule = match (is_misplaced, key) {
            (false, None) if is_element => format!("has an element that {}", in_our_words(&message)),
            (false, _) => in_our_words(&message),
            (true, None) => "belongs to no table: put it before the first".to_owned(),
            (true, Some((key, _))) => {
                format!("has `{}`, which belongs to no table: put it before the first", key.get_ref())
            }
        };
        let place: Vec<_> = entries.iter().map(|(key, _)| key.get_ref().as_ref()).collect();
        Mistake::refused(self.file, Some(self.line(span.start)), place.join("."), rule)
    }

    /// Whether the last of these entries would do before the first table, and has become part of a
    /// table by standing behind its name.
    fn would_be_read_at_the_top<T: DeserializeOwned>(&self, entries: &[Entry<'_>]) -> bool {
        let Some((key, value)) = entries.last() else { return false };
        let (Some(key), Some(value)) = (self.text.get(key.span()), self.text.get(value.span())) else {
            return false;
        };
        match toml::from_str::<T>(&format!("{key} = {value}")) {
            Ok(_) => true,
            Err(error) => error.message().starts_with("missing field"),
        }
    }

    /// The error of a table or key that breaks a rule.
    pub fn refused(&self, path: &[&str], rule: impl fmt::Display) -> Mistake {
        Mistake::refused(self.file, self.line_of(path), path.join("."), rule.to_string())
    }

    /// [`refused`](Self::refused) as an error.
    ///
    /// # Errors
    /// Always.
    pub fn refuse<T>(&self, path: &[&str], rule: impl fmt::Display) -> Result<T, Mistake> {
        Err(self.refused(path, rule))
    }

    /// The line of a key, or of the innermost table around it that is there.
    pub fn line_of(&self, path: &[&str]) -> Option<usize> {
        let document = DeTable::parse(self.text).ok()?;
        let mut table = document.get_ref();
        let mut line = None;
        for name in path {
            let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
            line = Some(self.line(key.span().start));
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_) => break,
            }
        }
        line
    }

    /// The line, from 1, of an offset in bytes.
    pub fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// A text that stands somewhere in the file, as an element of a list or as a key.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    /// The file.
    pub source: Source<'a>,
    /// The table, and the key in it.
    pub path: &'a [&'a str],
    /// The text.
    pub text: &'a Spanned<String>,
}

impl Value<'_> {
    /// The error of a text that breaks a rule, with its line and column.
    pub fn refused(&self, rule: impl fmt::Display) -> Mistake {
        let Source { file, text } = self.source;
        let start = self.text.span().start;
        let before = text.get(..start).unwrap_or_default();
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let rule = format!("`{}` {rule}", self.text.get_ref().escape_debug());
        let mistake = Mistake::refused(file, Some(self.source.line(start)), self.path.join("."), rule);
        Mistake { column: Some(column), ..mistake }
    }
}

/// A key and its value.
type Entry<'a> = (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>);

/// The entries that lead to what stands there, a key or a value: the outermost first.
fn entries_to<'a>(table: &'a DeTable<'a>, span: &Range<usize>) -> Option<Vec<Entry<'a>>> {
    table.iter().find_map(|(key, value)| {
        let inner = if key.span() == *span { Vec::new() } else { entries_in(value, span)? };
        Some(std::iter::once((key, value)).chain(inner).collect())
    })
}

fn entries_in<'a>(value: &'a Spanned<DeValue<'a>>, span: &Range<usize>) -> Option<Vec<Entry<'a>>> {
    if value.span() == *span {
        return Some(Vec::new());
    }
    match value.get_ref() {
        DeValue::Table(table) => entries_to(table, span),
        DeValue::Array(elements) => elements.iter().find_map(|element| entries_in(element, span)),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    }
}

/// What the parser says of a table or key, as the rule that it breaks: without the types of Rust.
fn in_our_words(message: &str) -> String {
    let mismatch = ["invalid type: ", "invalid value: ", "unknown variant "];
    let mismatch = mismatch.iter().find_map(|kind| message.strip_prefix(kind));
    if let Some((found, expected)) = mismatch.and_then(|rest| rest.rsplit_once(", expected ")) {
        let scalar = ["string ", "integer ", "floating point ", "boolean "];
        let scalar = scalar.iter().find_map(|kind| found.strip_prefix(kind));
        let found = match found {
            "map" => "a table",
            "sequence" => "a list",
            _ => scalar.unwrap_or(found),
        };
        let whole_number = |most: u32| format!("a whole number from 0 to {most}");
        let expected = match expected {
            "u8" => whole_number(u8::MAX.into()),
            "u16" => whole_number(u16::MAX.into()),
            "u32" => whole_number(u32::MAX),
            "f64" => "a number".to_owned(),
            "a boolean" => "`true` or `false`".to_owned(),
            "a string" => "text".to_owned(),
            "a sequence" => "a list".to_owned(),
            "a map" => "a table".to_owned(),
            _ if expected.starts_with("struct ") => "a table".to_owned(),
            _ => expected.to_owned(),
        };
        return format!("must be {expected}, not {found}");
    }
    if message.starts_with("unknown field") {
        return format!("has an {message}");
    }
    match message.strip_prefix("missing field ") {
        Some(field) => format!("lacks {field}"),
        None if message == "wanted string or table" => "must be text".to_owned(),
        None => message.to_owned(),
    }
}
