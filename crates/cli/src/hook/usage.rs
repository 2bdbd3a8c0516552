//! A line that makes no sense: an agent that runs a hook is refused in its own form all the same.

use crate::hook::run::write;
use countersign_core::text::escaped_lines;
use countersign_hook::agent::Agent;
use countersign_hook::answer::{self, Answer, Decision};
use countersign_hook::refusal::Refusal;
use countersign_hook::words::value;
use std::ffi::OsString;
use std::io::{IsTerminal as _, stdin};
use std::process::ExitCode;

/// Whether these words run a hook, and are no question of a person: `install`, `check`, help.
pub fn is_hook(words: &[OsString]) -> bool {
    let mut words = words.iter().skip(1);
    let is_command = |word: &OsString| word == "install" || word == "check" || word == "help";
    words.next().is_some_and(|word| word == "hook") && !words.next().is_some_and(is_command)
}

/// The refusal of a hook whose words are not understood. None if they are no hook's, or a person asks for help or the version:
/// to an agent a text and exit 0 may be go.
pub fn refused(error: &clap::Error, words: &[OsString]) -> Option<ExitCode> {
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let is_question = !error.use_stderr() && (value(&texts, "--agent").is_none() || stdin().is_terminal());
    if !is_hook(words) || is_question {
        return None;
    }
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let notice = Refusal::unusable(format!("the hook is not set up: {first}")).notice();
    let lines: Vec<_> = escaped_lines(text.trim_end()).collect();
    let answer = match agent(&texts) {
        // What has happened cannot be refused.
        Some(agent) if is_after(&texts) => {
            Answer { stderr: format!("{}\n", lines.join("\n")), ..answer::after(agent) }
        }
        Some(agent) => answer::before(agent, &Decision::Refuse(notice.clone())),
        None => Answer { stderr: format!("{}\n", lines.join("\n")), ..Answer::last_resort(&notice) },
    };
    let (is_written, code) = write(&answer);
    let code = if is_written { code } else { write(&Answer::last_resort(&notice)).1 };
    Some(ExitCode::from(code))
}

/// The agent that the words name, however odd the others are.
fn agent(words: &[impl AsRef<str>]) -> Option<Agent> {
    value(words, "--agent").and_then(|name| name.parse().ok())
}

fn is_after(words: &[impl AsRef<str>]) -> bool {
    value(words, "--event").is_some_and(|event| event == "post")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_is_found_in_a_line_that_makes_no_sense() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(agent(&words("c hook --limt 3 --agent claude x")), Some(Agent::Claude));
        assert_eq!(agent(&words("c hook --agent=copilot --event post")), Some(Agent::Copilot));
        assert!(is_after(&words("c hook --agent=copilot --event post")));
        assert!(!is_after(&words("c hook --event pre")));
        assert_eq!(agent(&words("c hook --agent")), None);
        let is_hook = |line: &str| is_hook(&words(line).into_iter().map(OsString::from).collect::<Vec<_>>());
        assert!(is_hook("c hook --agent claude") && is_hook("c hook"));
        assert!(
            !is_hook("c hook install")
                && !is_hook("c hook check --agent x")
                && !is_hook("c hooks")
                && !is_hook("c")
        );
    }
}
