//! `countersign man`: manual pages, which follow from the command line itself.

use crate::error::CommandError;
use crate::view::terminal::write_bytes;
use clap::{Args, Command};
use clap_mangen::Man;
use countersign_core::text::escaped_line;
use countersign_system::text_file;
use std::path::{Path, PathBuf};

/// `countersign man`.
#[derive(Debug, Clone, Args)]
pub struct ManArguments {
    /// The command whose page is printed; the main page if none is named
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub command: Vec<String>,

    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Prints a manual page, or writes the pages of all commands into a directory.
///
/// # Errors
/// When they cannot be written, or there is no such command.
pub fn run(arguments: &ManArguments, command: Command) -> Result<(), CommandError> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(directory) = &arguments.out else {
        return write_bytes(&page(named(&command, &arguments.command)?)?);
    };
    std::fs::create_dir_all(directory).map_err(|error| at(directory, &error))?;
    write_all(&command, directory)
}

fn at(directory: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Failed(format!("--out {}: {error}", text_file::shown(directory)))
}

fn named<'a>(command: &'a Command, names: &[String]) -> Result<&'a Command, CommandError> {
    names.iter().try_fold(command, |command, name| {
        let unknown = || CommandError::Usage(format!("there is no command `{}`", escaped_line(name)));
        command.find_subcommand(name).ok_or_else(unknown)
    })
}

fn write_all(command: &Command, directory: &Path) -> Result<(), CommandError> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_all(below, directory)?;
    }
    let path = directory.join(Man::new(command.clone()).get_filename());
    std::fs::write(path, page(command)?).map_err(|error| at(directory, &error))
}

/// The page of a command. What stands after its help are examples, whose lines must stay as they are.
fn page(command: &Command) -> Result<Vec<u8>, CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("the page cannot be written: {error}"));
    let mut page = Vec::new();
    Man::new(command.clone().after_long_help(None::<&str>)).render(&mut page).map_err(failed)?;
    if let Some(examples) = command.get_after_long_help() {
        page.extend_from_slice(b".SH EXAMPLES\n.nf\n");
        for line in examples.to_string().lines().skip(1) {
            // groff_char(7) and roff(7): a backslash begins an escape, a dot or quote at the beginning of a
            // line a request, and a plain hyphen is no minus.
            let line = line.trim_start().replace('\\', "\\e").replace('-', "\\-");
            page.extend_from_slice(format!("\\&{line}\n").as_bytes());
        }
        page.extend_from_slice(b".fi\n");
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use crate::error::Kind;
    use clap::CommandFactory as _;

    #[test]
    fn every_command_has_its_page() {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("man");
        let all = ManArguments { command: Vec::new(), out: Some(out.clone()) };
        run(&all, Arguments::command()).unwrap();
        for page in ["countersign.1", "countersign-approve.1", "countersign-config-set-profile.1"] {
            assert!(out.join(page).exists(), "{page}");
        }
        let unknown = ManArguments { command: vec!["nonsense".to_owned()], out: None };
        assert_eq!(run(&unknown, Arguments::command()).unwrap_err().kind(), Kind::Usage);
    }

    /// An example that could not be typed would be worse than none.
    #[test]
    fn every_client_command_has_examples_that_can_be_parsed() {
        let mut command = Arguments::command();
        command.build();
        let mut count = 0;
        for below in command.get_subcommands() {
            let Some(examples) = below.get_after_long_help() else { continue };
            let text = examples.to_string().replace("\\\n", " ");
            for line in text.lines().map(str::trim).filter(|line| line.starts_with("countersign ")) {
                let line = line.split(['|', '<', '>', '#']).next().unwrap();
                let words = words(line);
                let parsed = Arguments::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
                assert_eq!(words.get(1).map(String::as_str), Some(below.get_name()), "{line}");
                count += 1;
            }
            let page = String::from_utf8(page(below).unwrap()).unwrap();
            assert!(page.contains(".SH EXAMPLES\n.nf\n\\&countersign "), "{page}");
        }
        let without: Vec<_> = command
            .get_subcommands()
            .filter(|below| below.get_after_long_help().is_none())
            .map(Command::get_name)
            .collect();
        assert_eq!(without, ["help"], "commands without examples");
        assert!(count > 25, "{count}");
    }

    /// The words of a line as a shell takes them apart, as far as the examples need it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for c in line.chars() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                (None, ' ') => words.push(String::new()),
                (_, c) => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }
}
