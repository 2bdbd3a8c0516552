//! Approving and rejecting in front of a terminal of many sizes: what was typed before it could be an
//! answer, and what never was on the screen, decides nothing.

use crate::{BINARY, Person};
use countersign_e2e::program::Program;
use countersign_e2e::pseudo_terminal::PseudoTerminal;
use serde_json::{Map, Value, json};

/// Columns and rows: a usual window, smaller ones, a telephone on its side and upright.
pub(crate) const SIZES: [(u16, u16); 4] = [(80, 24), (60, 20), (50, 16), (40, 24)];
/// No question fits into this one.
pub(crate) const TINY: (u16, u16) = (15, 4);
const MORE: &str = "-- Enter for more --";
pub(crate) const WHAT: &str = "modify_instance_class on production-db-01 (production, high risk)?";

/// A parameter of the request, as it is shown.
pub(crate) fn line(number: usize) -> String {
    format!("\"key_{number:02}\": \"value_{number:02}\"")
}

impl Person {
    /// A request that needs more than one screen of any size.
    pub(crate) fn create_long(&self) -> String {
        let parameters: Map<String, Value> =
            (0..40).map(|n| (format!("key_{n:02}"), json!(format!("value_{n:02}")))).collect();
        self.create_with(&Value::Object(parameters).to_string())
    }

    pub(crate) fn at_terminal(&self, arguments: &[&str], size: (u16, u16)) -> PseudoTerminal {
        let mut variables = self.variables.clone();
        variables.insert("NO_COLOR".to_owned(), "1".to_owned());
        PseudoTerminal::start(BINARY, arguments, &variables, size)
    }

    #[track_caller]
    pub(crate) fn decided(&self, id: &str, count: usize) {
        let request = self.json(&["get", id]);
        assert_eq!(request["decisions"].as_array().unwrap().len(), count, "{request}");
    }
}

/// Goes on until it is asked; gives all that was on the screen whenever the program waited.
#[track_caller]
fn asked(terminal: &PseudoTerminal, at_a_page: &str) -> Vec<String> {
    let mut screens = Vec::new();
    loop {
        let waits_for = terminal.wait_for_answer(&["[y/N]", MORE]);
        screens.push(terminal.screen().concat().replace(' ', ""));
        if waits_for == 0 {
            return screens;
        }
        terminal.press(at_a_page);
    }
}

#[test]
fn threat_51_what_is_typed_before_the_question_answers_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create_long();
    for size in SIZES {
        for arguments in [&["approve", &id][..], &["reject", &id, "-m", "no"]] {
            let terminal = bob.at_terminal(arguments, size);
            terminal.press("y\ry\ry\ry\ry\r");
            asked(&terminal, "y\ry\ry\r");
            bob.decided(&id, 0);
            terminal.press("\r");
            let (code, written) = terminal.end();
            assert_eq!(code, 1, "{written}");
            assert!(written.contains("is left undecided"), "{written}");
        }
        bob.decided(&id, 0);
    }
    let terminal = bob.at_terminal(&["reject", &id], SIZES[1]);
    terminal.press("because\ry\r");
    while terminal.wait_for_answer(&["Say why (nothing leaves it undecided):", MORE]) == 1 {
        terminal.press("because\ry\r");
    }
    terminal.press("not now\ry\r");
    terminal.wait_for_answer(&["[y/N]"]);
    bob.decided(&id, 0);
    terminal.press("y\r");
    assert_eq!(terminal.end().0, 0);
    assert_eq!(bob.json(&["get", &id])["status"], "rejected");
}

#[test]
fn threat_52_nothing_is_approved_that_was_not_on_the_screen() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    for size in SIZES {
        let id = ann.create_long();
        let terminal = bob.at_terminal(&["approve", &id], size);
        let screens = asked(&terminal, "\r");
        let lines = (0..40).map(line).chain(["Justification".to_owned(), "SHA-256".to_owned()]);
        for line in lines.map(|line| line.replace(' ', "")) {
            assert!(
                screens.iter().any(|screen| screen.contains(&line)),
                "no {line} at {size:?}: {screens:#?}"
            );
        }
        assert!(terminal.shows(&format!("Approve {WHAT} [y/N]")), "{size:?}: {terminal:?}");
        bob.decided(&id, 0);
        terminal.press("y\r");
        let (code, written) = terminal.end();
        assert_eq!(code, 0, "{written}");
        bob.decided(&id, 1);
    }
    let id = ann.create_long();
    for arguments in [&["approve", &id][..], &["reject", &id, "-m", "no"], &["reject", &id]] {
        let terminal = bob.at_terminal(arguments, TINY);
        terminal.press("y\ry\r");
        let (code, written) = terminal.end();
        assert_eq!(code, 1, "{written}");
        assert!(written.contains("the window is too small to decide in: it has 4 rows"), "{written}");
        assert!(written.contains("is left undecided"), "{written}");
    }
    bob.decided(&id, 0);
}

#[test]
fn threat_52_a_window_that_changes_under_the_question_is_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create_long();
    let terminal = bob.at_terminal(&["approve", &id], (80, 24));
    asked(&terminal, "\r");
    terminal.resize(TINY);
    terminal.press("y\r");
    let (code, written) = terminal.end();
    assert_eq!(code, 1, "{written}");
    bob.decided(&id, 0);

    let terminal = bob.at_terminal(&["approve", &id], (80, 24));
    asked(&terminal, "\r");
    terminal.resize((50, 16));
    terminal.press("y\r");
    let screens = asked(&terminal, "\r");
    assert!(screens.len() > 2, "all of it again: {screens:#?}");
    bob.decided(&id, 0);
    // One that is as large as before when the answer comes was small meanwhile.
    terminal.resize((50, 3));
    terminal.resize((50, 16));
    terminal.press("y\r");
    asked(&terminal, "\r");
    bob.decided(&id, 0);
    terminal.press("y\r");
    let (code, written) = terminal.end();
    assert_eq!(code, 0, "{written}");
    bob.decided(&id, 1);
}

#[test]
fn threat_52_what_others_wrote_moves_nothing_on_any_screen() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let evil = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}日本語\u{2800}\u{3164}e\u{301}\u{301}\u{301}\u{301}\u{301}\r\ny ".repeat(8);
    let parameters = json!({ "size": evil, "s\u{456}ze": "日".repeat(100), &evil: 1 }).to_string();
    let id = ann.create_with(&parameters);
    for size in SIZES {
        let terminal = bob.at_terminal(&["approve", &id], size);
        let screens = asked(&terminal, "\r").concat();
        for words in [r#"\u{202e}"#, r#"\u{9b}31m"#, r#"\u{2800}"#, r#""s\u{456}ze"isnotASCII"#] {
            assert!(screens.contains(words), "no {words} at {size:?}: {screens}");
        }
        terminal.press("n\r");
        let (_, written) = terminal.end();
        let is_harmful = |c: char| {
            (c.is_control() && c != '\r' && c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2800}' | '\u{3164}')
        };
        assert!(!written.contains(is_harmful), "{written:?}");
        assert!(!written.contains(&"\u{301}".repeat(4)), "marks do not pile up");
    }
    bob.decided(&id, 0);
}

/// A line is on one of the screens, wherever it is broken.
#[track_caller]
fn check_all_shown(screens: &[String], words: &[&str]) {
    let lines = (0..40).map(line).chain(words.iter().map(|word| (*word).to_owned()));
    for line in lines.map(|line| line.replace(' ', "")) {
        assert!(screens.iter().any(|screen| screen.contains(&line)), "no {line}: {screens:#?}");
    }
}

#[test]
fn threat_51_what_is_typed_while_the_question_is_drawn_answers_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create_long();
    for arguments in [&["approve", &id][..], &["reject", &id, "-m", "no"]] {
        let terminal = bob.at_terminal(arguments, (80, 24));
        while terminal.wait_for_answer(&["[y/N]", MORE]) == 1 {
            terminal.press_while_output_is_held(&["\r", "y\ry\r"]);
        }
        bob.decided(&id, 0);
        terminal.press("\r");
        let (code, written) = terminal.end();
        assert_eq!(code, 1, "{written}");
    }
    bob.decided(&id, 0);
}

#[test]
fn threat_52_a_window_that_changes_at_the_last_of_two_questions_gets_the_request_again() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create_long();
    let changes: [fn(&PseudoTerminal); 2] =
        [|terminal| terminal.resize((50, 16)), PseudoTerminal::stop_and_continue];
    for change in changes {
        let terminal = bob.at_terminal(&["reject", &id], (80, 24));
        while terminal.wait_for_answer(&["Say why (nothing leaves it undecided):", MORE]) == 1 {
            terminal.press("\r");
        }
        terminal.press("not now\r");
        terminal.wait_for_answer(&["[y/N]"]);
        change(&terminal);
        terminal.press("y\r");
        let screens = asked(&terminal, "\r");
        check_all_shown(&screens, &["Justification", "SHA-256", "| not now"]);
        bob.decided(&id, 0);
        terminal.press("n\r");
        assert_eq!(terminal.end().0, 1);
    }
    bob.decided(&id, 0);
}

#[test]
fn threat_52_a_question_that_was_left_for_the_shell_is_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create_long();
    for arguments in [&["reject", &id, "-m", "no"][..], &["approve", &id]] {
        let terminal = bob.at_terminal(arguments, (80, 24));
        asked(&terminal, "\r");
        terminal.stop_and_continue();
        terminal.press("y\r");
        let screens = asked(&terminal, "\r");
        check_all_shown(&screens, &["Justification", "SHA-256"]);
        bob.decided(&id, 0);
        let is_approval = arguments[0] == "approve";
        terminal.press(if is_approval { "y\r" } else { "n\r" });
        let (code, written) = terminal.end();
        assert_eq!(code, i32::from(!is_approval), "{written}");
    }
    bob.decided(&id, 1);
}

#[test]
fn threat_52_rows_are_counted_for_terminals_that_draw_letters_of_others_twice_as_wide() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create_with(&json!({ "command": "drop", "note": "я".repeat(1200) }).to_string());
    for (width, height) in SIZES {
        let terminal = bob.at_terminal(&["approve", &id], (width, height));
        asked(&terminal, "\r");
        terminal.press("n\r");
        let (_, written) = terminal.end();
        assert!(written.contains(&"я".repeat(8)), "{written}");
        let rows = |line: &str| {
            let columns: usize = line.chars().map(|c| if c == 'я' { 2 } else { 1 }).sum();
            columns.div_ceil(usize::from(width)).max(1)
        };
        let (asked, _) = written.split_once("[y/N]").unwrap();
        for page in asked.split_inclusive(MORE) {
            // What follows a page's question is the row of its answer.
            let page = page.trim_start_matches([' ', '\r', '\n']);
            let rows: usize = page.lines().map(rows).sum();
            assert!(rows <= usize::from(height), "{rows} rows of {height}: {page}");
        }
    }
    bob.decided(&id, 0);
}
