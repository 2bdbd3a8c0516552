//! Text that people write and identifiers they choose, each with its limit.

use std::fmt;
use unicode_width::UnicodeWidthChar as _;

/// How many marks may stand on one character: more than any script needs would paint over the lines above
/// and below.
const MAX_MARKS: usize = 3;

/// The text breaks a rule; the message says which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(String);

/// Free text of 1 to `MAX` characters, of which at least one can be seen.
///
/// Kept as sent, control and bidirectional characters included: escaping is the business of
/// the code that prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeText<const MAX: usize>(String);

/// Why an operation is asked for.
pub type Justification = FreeText<4000>;
/// How to go back, should the operation not do what it is meant to.
pub type RollbackPlan = FreeText<4000>;
/// A comment, or the reason of a rejection or cancellation.
pub type CommentText = FreeText<2000>;
/// How long the operation is expected to take, in the requester's words.
pub type DurationText = FreeText<200>;

impl<const MAX: usize> FreeText<MAX> {
    /// Checks the length and that there is something to read.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let length = text.chars().count();
        if length > MAX {
            return Err(InvalidText(format!("must be at most {MAX} characters, not {length}")));
        }
        if !text.chars().any(is_visible) {
            return Err(InvalidText("must not be empty".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many characters there are to read: without those that leave nothing on a screen, and of white
    /// space only what is between others, each stretch as one.
    pub fn length(&self) -> usize {
        let words = self.0.split_whitespace();
        let lengths = words.map(|word| word.chars().filter(|c| is_visible(*c)).count());
        let (words, characters) = lengths
            .filter(|length| *length > 0)
            .fold((0, 0), |(words, sum), length| (words + 1, sum + length));
        characters + usize::saturating_sub(words, 1)
    }
}

impl<const MAX: usize> AsRef<str> for FreeText<MAX> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Whether a character leaves anything on a screen: neither white space nor a control, nor one of
/// the format and filler characters of Unicode (default-ignorable code points, UAX #44), nor one
/// whose glyph is blank: they make an empty reason look written.
pub(crate) fn is_visible(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !is_ignorable(c)
}

fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        // Blank glyphs: braille pattern, Khitan filler, Egyptian joiners and blanks, musical null notehead.
        | '\u{2800}' | '\u{16fe4}' | '\u{13430}'..='\u{13442}' | '\u{1d159}')
}

/// Whether so many marks stand on what is before the end of this text that they would paint over the lines above
/// and below.
pub fn ends_in_stacked_marks(text: &str) -> bool {
    text.chars().rev().take_while(|c| c.width() == Some(0) && !c.is_control()).count() > MAX_MARKS
}

/// Whether a character must not be printed as it is: it moves the cursor, ends a line, takes no room, or
/// changes the order in which others are shown.
pub fn must_be_escaped(c: char) -> bool {
    // Line and paragraph separators are white space and no controls.
    c.is_control() || is_ignorable(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// What is wrong with the encoding of a file or body, if it begins with a byte order mark: as a sentence
/// about it.
pub fn wrong_encoding(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Some("begins with a byte order mark: write it as UTF-8 without one");
    }
    let is_utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    is_utf_16.then_some("begins with the byte order mark of UTF-16: write it as UTF-8 without one")
}

/// Text as it may be printed on one line: what would move the cursor, hide or reorder other text is
/// shown as its escape, line breaks included; so is a mark that stands on nothing or on too many others.
pub fn escaped_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut marks = MAX_MARKS;
    for c in text.chars() {
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        if must_be_escaped(c) || marks > MAX_MARKS {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Text as it may be printed, line by line; see [`escaped_line`].
pub fn escaped_lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(escaped_line)
}

/// An identifier of 1 to 128 letters, digits and `- _ . : / @`, starting with a letter or digit:
/// enough for types of operations, and nothing that can be mistaken on a screen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier(String);

impl Identifier {
    /// The longest identifier, in bytes.
    pub const MAX: usize = 128;

    /// Checks the character set and the length.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@".contains(&b);
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if text.len() > Self::MAX || !starts_well || !text.bytes().all(allowed) {
            return Err(InvalidText(
                "must be 1 to 128 of the letters, digits and - _ . : / @, starting with a letter or digit"
                    .to_owned(),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The identifier as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of an instance as its own system writes it, such as an ARN, a path or the address of a resource
/// in Terraform: 1 to 512 visible characters of ASCII without white space and `` * ? < > ` ``, not starting
/// with `- + = @`.
///
/// Without `*` and `?` no pattern of a policy has to say that it means one of them; the others no system
/// needs, and pages, shells, command lines and spreadsheets act upon them. The longest id is well within
/// the 2,048 bytes that DynamoDB allows the partition key of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstanceId(String);

impl InstanceId {
    /// The longest id, in bytes.
    pub const MAX: usize = 512;

    /// Checks the character set and the length.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let allowed = |b: u8| b.is_ascii_graphic() && !b"*?<>`".contains(&b);
        let starts_well = text.bytes().next().is_some_and(|b| !b"-+=@".contains(&b));
        if text.len() > Self::MAX || !starts_well || !text.bytes().all(allowed) {
            return Err(InvalidText(
                "must be 1 to 512 visible characters of ASCII without spaces and * ? < > `, not starting with - + = @"
                    .to_owned(),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A ticket as people name it, such as `OPS-123`, `#123`, `CHG 0012345` or a URL: 1 to 256 visible
/// characters of ASCII, with single spaces between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket(String);

impl Ticket {
    /// The longest ticket, in bytes.
    pub const MAX: usize = 256;

    /// Checks the character set and the length.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic());
        if text.len() > Self::MAX || !text.split(' ').all(is_word) {
            return Err(InvalidText(
                "must be 1 to 256 visible characters of ASCII, with single spaces between them".to_owned(),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The ticket as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_is_measured_in_characters() {
        assert!(CommentText::parse(&"é".repeat(2000)).is_ok());
        assert!(CommentText::parse(&"é".repeat(2001)).is_err());
        assert!(CommentText::parse("").is_err());
        assert!(CommentText::parse(" \n\t").is_err());
        for nothing_to_see in [
            "\u{200b}\u{2060}",
            "\u{202e} \u{feff}",
            "\u{ad}",
            "\u{3164}",
            "\u{1b}\u{0}",
            "\u{2800}\u{2800}",
            "\u{115f}\u{1160}\u{ffa0}",
            "\u{3000}\u{1d159}\u{16fe4}\u{13441}",
        ] {
            assert!(CommentText::parse(nothing_to_see).is_err(), "{nothing_to_see:?}");
        }
        assert!(CommentText::parse("\u{200b}a").is_ok());
        assert_eq!(CommentText::parse("a\u{202e}b").unwrap().as_str(), "a\u{202e}b");
        for (text, length) in
            [("a b", 3), ("  é \n\n b\t", 3), ("a\u{200b}\u{200b}b", 2), ("a \u{2060} b", 3)]
        {
            assert_eq!(CommentText::parse(text).unwrap().length(), length, "{text:?}");
        }
    }

    #[test]
    fn what_is_printed_moves_no_cursor_and_hides_nothing() {
        assert_eq!(
            escaped_line("a\u{1b}[2J\u{202e}b\nc\té\u{2028}"),
            "a\\u{1b}[2J\\u{202e}b\\nc\\té\\u{2028}"
        );
        let stacked = format!("\u{301}a{}b", "\u{301}".repeat(5));
        let expected = format!("\\u{{301}}a{}\\u{{301}}\\u{{301}}b", "\u{301}".repeat(3));
        assert_eq!(escaped_line(&stacked), expected);
        assert_eq!(escaped_lines("a\r\nb\rc\n\nd").collect::<Vec<_>>(), ["a", "b\\rc", "", "d"]);
    }

    #[test]
    fn instances_are_named_as_their_own_systems_name_them() {
        for text in [
            "dev-db-01",
            "arn:aws:rds:eu-west-1:123456789012:db:orders",
            "/subscriptions/1-2/resourceGroups/rg(1)/providers/Microsoft.Sql/servers/a~b",
            "//compute.googleapis.com/projects/p/zones/z/instances/i",
            "module.db[\"eu-west-1\"].aws_db_instance.main[0]",
            "postgres://db.example.com:5432/orders#main",
            "user+tag@example.com",
            "k8s:{ns=shop,app=cart};pod=a|b",
            "C:\\Data\\orders.mdb",
            "#1",
            &"a".repeat(512),
        ] {
            assert!(InstanceId::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            " ",
            "a b",
            " a",
            "a\n",
            "a\t",
            "-a",
            "--help",
            "=1+1",
            "+a",
            "@a",
            "<a>",
            "`a`",
            "a*",
            "a?",
            "dev\u{202e}",
            "d\u{200b}ev",
            "деv",
            "a\u{1b}[2J",
            "a\0",
            "a\u{7f}",
            &"a".repeat(513),
        ] {
            assert!(InstanceId::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn tickets_are_named_as_people_name_them() {
        for text in [
            "OPS-123",
            "#123",
            "acme/orders#123",
            "CHG 0012345",
            "https://tickets.example.com/browse/OPS-1?focus=2&page=1#comment-3",
            &"t".repeat(256),
        ] {
            assert!(Ticket::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            " ",
            " OPS-1",
            "OPS-1 ",
            "OPS  1",
            "OPS\t1",
            "OPS-1\n",
            "№1",
            "O\u{200b}",
            "a\0",
            &"t".repeat(257),
        ] {
            assert!(Ticket::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn identifiers_hold_nothing_that_can_be_mistaken() {
        for text in ["dev-db-01", "arn:aws:rds:eu-west-1:123456789012:db:orders", "a", &"a".repeat(128)] {
            assert!(Identifier::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            " ",
            "a b",
            "a\n",
            "-a",
            "dev\u{202e}",
            "d\u{200b}ev",
            "деv",
            "a\u{1b}[2J",
            "a\0",
            &"a".repeat(129),
        ] {
            assert!(Identifier::parse(text).is_err(), "{text:?}");
        }
    }
}
