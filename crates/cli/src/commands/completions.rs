//! `countersign completions`: what makes a shell complete these commands.

use crate::error::CommandError;
use crate::view::terminal::write_bytes;
use clap::Args;
use clap_complete::env::Shells;

/// `countersign completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Prints what makes a shell ask this program how a line could go on.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(arguments: &CompletionsArguments) -> Result<(), CommandError> {
    // Into memory first: a pipe may be closed.
    write_bytes(&script(&arguments.shell.to_string())?)
}

/// Registers itself in front of the library's script, with words that Bash has not broken.
const WORDS_OF_BASH: &[u8] = include_bytes!("completions.bash");

fn script(shell: &str) -> Result<Vec<u8>, CommandError> {
    let shells = Shells::builtins();
    let is_bash = shell == "bash";
    let shell =
        shells.completer(shell).ok_or_else(|| CommandError::Usage(format!("no completions for {shell}")))?;
    let mut script = Vec::new();
    let written =
        shell.write_registration("COMPLETE", "countersign", "countersign", "countersign", &mut script);
    written.map_err(|error| CommandError::Failed(format!("the script cannot be written: {error}")))?;
    if is_bash {
        script.extend(WORDS_OF_BASH);
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_shell_is_served() {
        for shell in clap_complete::Shell::value_variants() {
            let script = String::from_utf8(script(&shell.to_string()).unwrap()).unwrap();
            assert!(script.contains("COMPLETE") && script.contains("countersign"), "{shell}: {script}");
        }
    }
}
