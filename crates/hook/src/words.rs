//! The words of a command: of a line that was parsed by a shell, and of one that a settings file has.

/// The value of an option, as `--name value` or `--name=value`; of the first, if it is there twice.
pub fn value<'a>(words: &'a [impl AsRef<str>], name: &str) -> Option<&'a str> {
    let mut words = words.iter().map(AsRef::as_ref);
    while let Some(word) = words.next() {
        if word == name {
            return words.next();
        }
        if let Some(value) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
    }
    None
}

/// A command for a POSIX shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellCommand {
    /// Its words, without their quotes; those of several commands one after the other.
    pub words: Vec<String>,
    /// Whether the shell does nothing but start a program with these words.
    pub is_plain: bool,
}

impl ShellCommand {
    /// Reads it. What a shell replaces or takes for more than a word is kept as it is, and the command is not plain.
    pub fn read(text: &str) -> Self {
        let mut command = Self { words: Vec::new(), is_plain: true };
        let mut word: Option<String> = None;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                ' ' | '\t' => command.words.extend(word.take()),
                '\'' => {
                    let quoted = word.get_or_insert_default();
                    let mut is_closed = false;
                    for inner in characters.by_ref() {
                        is_closed = inner == '\'';
                        if is_closed {
                            break;
                        }
                        quoted.push(inner);
                    }
                    command.is_plain &= is_closed;
                }
                '"' => {
                    let quoted = word.get_or_insert_default();
                    let mut is_closed = false;
                    while let Some(inner) = characters.next() {
                        match inner {
                            '"' => {
                                is_closed = true;
                                break;
                            }
                            '\\' if characters.peek().is_some_and(|next| "\\\"$`".contains(*next)) => {
                                quoted.extend(characters.next());
                            }
                            inner => {
                                command.is_plain &= !matches!(inner, '$' | '`');
                                quoted.push(inner);
                            }
                        }
                    }
                    command.is_plain &= is_closed;
                }
                '\\' => match characters.next() {
                    Some('\n') | None => command.is_plain = false,
                    Some(escaped) => word.get_or_insert_default().push(escaped),
                },
                '|' | '&' | ';' | '<' | '>' | '(' | ')' | '\n' => {
                    command.words.extend(word.take());
                    command.is_plain = false;
                }
                other => {
                    let is_start = word.is_none();
                    let is_replaced = matches!(other, '$' | '`' | '*' | '?' | '[' | '{');
                    command.is_plain &= !(is_replaced || is_start && matches!(other, '~' | '#' | '!'));
                    word.get_or_insert_default().push(other);
                }
            }
        }
        command.words.extend(word);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_a_shell_reads_it() {
        for (text, words) in [
            ("a b  c", &["a", "b", "c"][..]),
            ("'a b' \"c d\"e \\f '' \"\\$x\"", &["a b", "c de", "f", "", "$x"]),
            ("'it'\\''s' --m='a b'", &["it's", "--m=a b"]),
            ("a#b a~ a!b", &["a#b", "a~", "a!b"]),
        ] {
            let read = ShellCommand::read(text);
            assert!(read.is_plain, "{text}");
            assert_eq!(read.words, words, "{text}");
        }
        for text in [
            "a||b", "a & b", "a; b", "a > b", "$a", "\"$a\"", "`a`", "~/a", "# a", "a *", "'a", "\"a", "! a",
            "a\nb", "a\\",
        ] {
            assert!(!ShellCommand::read(text).is_plain, "{text}");
        }
        assert_eq!(ShellCommand::read("a||b").words, ["a", "b"]);
    }

    #[test]
    fn an_option_is_found_in_both_forms() {
        let words = ["--a", "1", "--b=2", "--c"];
        assert_eq!(
            ["--a", "--b", "--c", "--d"].map(|name| value(&words, name)),
            [Some("1"), Some("2"), None, None]
        );
    }
}
