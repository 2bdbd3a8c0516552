//! `countersign completions` and `countersign man`: both follow from the command line itself.

use crate::arguments::Arguments;
use crate::client::arguments::{CompletionsArguments, ManArguments};
use crate::exit::Exit;
use clap::CommandFactory as _;
use std::io::Write as _;

/// Prints a shell's completions.
///
/// # Errors
/// When stdout cannot be written.
pub fn completions(arguments: &CompletionsArguments) -> Result<(), Exit> {
    // Into memory first: the library takes a pipe that is closed for a bug.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "countersign", &mut script);
    print(&script)
}

/// Prints the manual page, or writes the pages of all commands into a directory.
///
/// # Errors
/// When they cannot be written.
pub fn pages(arguments: &ManArguments) -> Result<(), Exit> {
    let command = Arguments::command();
    match &arguments.out {
        Some(directory) => {
            let at = |error| Exit::from(format!("--out {}: {error}", directory.display()));
            std::fs::create_dir_all(directory).map_err(at)?;
            clap_mangen::generate_to(command, directory).map_err(at)
        }
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command).render(&mut page);
            rendered.map_err(|error| Exit::from(format!("the page cannot be written: {error}")))?;
            print(&page)
        }
    }
}

fn print(bytes: &[u8]) -> Result<(), Exit> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| Exit::of_stdout(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_shell_and_every_command_is_served() {
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "countersign", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("set-profile"), "{shell}");
        }
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("man");
        pages(&ManArguments { out: Some(out.clone()) }).unwrap();
        for page in ["countersign.1", "countersign-approve.1", "countersign-config-set-profile.1"] {
            assert!(out.join(page).exists(), "{page}");
        }
    }
}
