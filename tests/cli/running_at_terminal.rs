//! Commands that run once they are approved, in front of a person: one terminal for both, and the keys of job control.

use crate::running::Place;
use crate::{BINARY, Person};
use countersign_e2e::pseudo_terminal::PseudoTerminal;

/// A shell of a person, with job control. What it is given has no name of a file in it that differs from run to run.
fn shell(place: &Place, person: &Person) -> PseudoTerminal {
    let mut variables = person.variables.clone();
    variables.insert("PS1".to_owned(), "prompt> ".to_owned());
    variables.insert("COUNTERSIGN".to_owned(), BINARY.to_owned());
    variables.insert("NO_COLOR".to_owned(), "1".to_owned());
    let terminal = PseudoTerminal::start("bash", &["--norc", "--noprofile", "-i"], &variables, (100, 30));
    terminal.wait_for("prompt> ");
    terminal.press(&format!("cd {}\r", place.here().display()));
    terminal
}

const RUN: &str = "$COUNTERSIGN run --operation read_file --stdin inherit -- ./tool; echo \"code $?\"\r";

#[test]
fn a_command_can_be_stopped_and_goes_on_in_front() {
    let place = Place::new();
    place.write("tool", "#!/bin/sh\necho begun\nread line\necho \"read <$line>\"\nexit 6\n");
    let terminal = shell(&place, &place.ann);
    terminal.press("$COUNTERSIGN run --operation read_file --stdin inherit -- ./tool\r");
    terminal.wait_for("begun");
    terminal.press("\u{1a}");
    terminal.wait_for("Stopped");
    terminal.press("echo shell-$((1+1))\r");
    terminal.wait_for("shell-2");
    terminal.press("fg\r");
    terminal.wait_until_still();
    terminal.press("some words\r");
    terminal.wait_for("read <some words>");
    terminal.press("echo code-$?\r");
    terminal.wait_for("code-6");
}

#[test]
fn a_command_that_stops_itself_gives_the_shell_its_terminal() {
    let place = Place::new();
    place.write("tool", "#!/bin/sh\necho begun\nkill -s STOP $$\necho 'goes on'\nexit 6\n");
    let terminal = shell(&place, &place.ann);
    terminal.press("$COUNTERSIGN run --operation read_file -- ./tool\r");
    terminal.wait_for("Stopped");
    terminal.press("fg\r");
    terminal.wait_for("goes on");
    terminal.press("echo code-$?\r");
    terminal.wait_for("code-6");
}

#[test]
fn ctrl_c_is_for_the_command_while_it_runs_and_cancels_before() {
    let place = Place::new();
    place.write(
        "tool",
        "#!/bin/bash\ntrap 'echo heard; exit 8' INT\necho begun\nwhile :; do sleep 0.05; done\n",
    );
    let terminal = shell(&place, &place.ann);
    terminal.press(RUN);
    terminal.wait_for("begun");
    terminal.press("\u{3}");
    terminal.wait_for("code 8");
    assert_eq!(terminal.written().matches("heard\r\n").count(), 1, "{}", terminal.written());
    terminal.press("clear; $COUNTERSIGN run --operation create_snapshot -- ./tool; echo \"code $?\"\r");
    terminal.wait_for("pending, 0 of 1 approvals");
    terminal.press("\u{3}");
    terminal.wait_for("is cancelled");
    terminal.wait_for("code 130");
}

#[test]
fn a_command_has_the_terminal_and_learns_of_its_size() {
    let place = Place::new();
    let script = "#!/bin/bash\ntrap 'echo size $(stty size < /dev/tty)' WINCH\ntest -t 1 && test -t 2 && echo begun\n\
                  while :; do sleep 0.05; done\n";
    place.write("tool", script);
    let terminal = shell(&place, &place.ann);
    terminal.press(RUN);
    terminal.wait_for("begun");
    terminal.resize((77, 33));
    terminal.wait_for("size 33 77");
    terminal.press("\u{3}");
    terminal.wait_for("code 130");
    let all = place.ann.json(&["list", "--status", "failed"]);
    let request = place.ann.json(&["get", all["items"][0]["request_id"].as_str().unwrap()]);
    let result = &request["execution_result"];
    assert_eq!(result["stdout"]["to"], "terminal", "{result}");
    assert_eq!(result["signal"], "SIGINT", "{result}");
}
