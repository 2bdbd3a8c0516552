//! The inbox in terminals of many sizes, and what is in it for whom.

use crate::screens::{SIZES, TINY, WHAT, line};
use crate::{BINARY, Person};
use countersign_e2e::program::Program;
use countersign_e2e::pseudo_terminal::PseudoTerminal;
use serde_json::json;

const ESCAPE: &str = "\u{1b}";
const INTERRUPT: &str = "\u{3}";
const TOO_SMALL: &str = "Too small to show what is decided";

/// Opens the only request.
#[track_caller]
fn open(terminal: &PseudoTerminal) {
    terminal.wait_for("1 of 1 to decide");
    terminal.press("\r");
    terminal.wait_for("a approve");
    terminal.wait_for("lines 1-");
}

/// Goes to the end; gives all that was on the screen on the way.
#[track_caller]
fn read(terminal: &PseudoTerminal) -> Vec<String> {
    let rule = |terminal: &PseudoTerminal| {
        let rule = terminal.screen().into_iter().find(|row| row.starts_with("── lines "));
        rule.unwrap_or_default()
    };
    let mut screens = Vec::new();
    loop {
        let before = rule(terminal);
        screens.push(terminal.screen().concat().replace(' ', ""));
        // `── lines 39-57 of 57 ──`
        let words: Vec<_> = before.split(' ').collect();
        if words[2].ends_with(&format!("-{}", words[4])) {
            return screens;
        }
        terminal.press(" ");
        terminal.wait_until("the next page", |terminal| !["", &before].contains(&rule(terminal).as_str()));
    }
}

#[test]
fn threat_51_keys_pressed_before_a_question_answer_nothing_in_the_inbox() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let ann = Person::of(&program, "ann", "developer");
    for (number, size) in SIZES.into_iter().enumerate() {
        let id = ann.create();
        // Each sees one request: the others have been decided.
        let bob = Person::of(&program, &format!("bob{number}"), "approver");
        for other in bob.json(&["list"])["items"].as_array().unwrap() {
            let other = other["request_id"].as_str().unwrap();
            if other != id {
                bob.run(&["reject", other, "-m", "done", "--yes"]).expect(0, "rejected");
            }
        }
        let terminal = bob.at_terminal(&["inbox"], size);
        terminal.press("\rayayay");
        terminal.wait_for("1 of 1 to decide");
        terminal.press("\r ay ay r no\r");
        terminal.wait_until_still();
        bob.decided(&id, 0);
        terminal.press(INTERRUPT);
        terminal.end();

        let terminal = bob.at_terminal(&["inbox"], size);
        open(&terminal);
        read(&terminal);
        terminal.press("ayyy");
        terminal.wait_for(&format!("Approve {WHAT}"));
        bob.decided(&id, 0);
        terminal.wait_until_still();
        terminal.press("y");
        let (code, written) = terminal.end();
        assert_eq!(code, 0, "{written}");
        bob.decided(&id, 1);
    }
}

#[test]
fn threat_52_the_inbox_approves_nothing_that_was_not_on_the_screen() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let ann = Person::of(&program, "ann", "developer");
    let id = ann.create_long();
    for (number, size) in SIZES.into_iter().enumerate() {
        let bob = Person::of(&program, &format!("bob{number}"), "approver");
        let terminal = bob.at_terminal(&["inbox", "--continuous"], size);
        open(&terminal);
        for key in ["a", "r"] {
            terminal.press(key);
            terminal.wait_for("the end has not been shown yet");
            terminal.press("y");
        }
        let screens = read(&terminal);
        for line in (0..40).map(|number| line(number).replace(' ', "")) {
            assert!(
                screens.iter().any(|screen| screen.contains(&line)),
                "no {line} at {size:?}: {screens:#?}"
            );
        }
        terminal.press("a");
        terminal.wait_for(&format!("Approve {WHAT}"));
        // No matter whether the key or the signal comes first.
        terminal.resize(TINY);
        terminal.press("y");
        terminal.wait_for(TOO_SMALL);
        terminal.press("ay");
        terminal.press("yr\r");
        terminal.resize(size);
        terminal.wait_for("a approve");
        terminal.press("y");
        terminal.wait_until_still();
        bob.decided(&id, 0);
        terminal.press(INTERRUPT);
        terminal.end();
    }
    let bob = Person::of(&program, "bob", "approver");
    let terminal = bob.at_terminal(&["inbox"], TINY);
    terminal.wait_for(TOO_SMALL);
    for key in ["\r", " ", " ", "a", "y", "r", "n", "\r"] {
        terminal.press(key);
        terminal.wait_until_still();
    }
    terminal.press(INTERRUPT);
    terminal.end();
    bob.decided(&id, 0);
}

#[test]
fn the_inbox_explains_searches_and_sends_comments_on_a_telephone() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    let terminal = bob.at_terminal(&["inbox"], (40, 24));
    terminal.wait_for("1 of 1 to decide");
    terminal.press("?");
    terminal.wait_for("In the list");
    terminal.press(ESCAPE);
    terminal.wait_for("Enter open  s skip");
    terminal.press("/");
    terminal.wait_for("Search:");
    terminal.press("dev-db");
    terminal.wait_for("Nothing has what you search for");
    terminal.press(ESCAPE);
    open(&terminal);
    terminal.press("e");
    terminal.wait_for("Because of");
    assert!(read(&terminal).concat().contains("Youmay"), "{terminal:?}");
    terminal.press(ESCAPE);
    terminal.wait_for("a approve");
    terminal.press("c");
    terminal.wait_for("nothing is decided");
    terminal.press("in which window?\r");
    terminal.wait_for("commented on");
    let request = bob.json(&["get", &id]);
    assert_eq!(request["comments"][0]["comment"], "in which window?", "{request}");
    assert_eq!(request["decisions"], json!([]));
    terminal.press(INTERRUPT);
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn the_inbox_holds_what_its_reader_can_decide_and_filters_match_whole_names() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let ann = Person::of(&program, "ann", "developer");
    let id = ann.create();
    let ids = |person: &Person, arguments: &[&str]| -> Vec<String> {
        let list = person.json(&[&["inbox"], arguments].concat());
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["request_id"].as_str().unwrap().to_owned()).collect()
    };
    for groups in ["guest", "auditor", "developer"] {
        assert_eq!(ids(&Person::of(&program, "eve", groups), &[]), [""; 0], "{groups}");
    }
    assert_eq!(ids(&Person::of(&program, "ann", "developer,approver"), &[]), [""; 0], "her own");
    let bob = Person::of(&program, "bob", "approver");
    let other = ann.json(&[
        "create",
        "modify_storage",
        "dev-db-01",
        "--environment",
        "non-production",
        "-m",
        "full",
        "-p",
        r#"{"allocated_storage":200}"#,
    ]);
    let other = other["request_id"].as_str().unwrap().to_owned();
    assert_eq!(ids(&bob, &[]).len(), 2);
    assert_eq!(ids(&bob, &["--filter", "production"]), std::slice::from_ref(&id));
    assert_eq!(ids(&bob, &["--filter", "non-production"]), std::slice::from_ref(&other));
    assert_eq!(ids(&bob, &["--filter", "production-db"]), [""; 0]);
    assert_eq!(ids(&bob, &["--filter", "Production-DB-01", "--filter", "high"]), std::slice::from_ref(&id));
    bob.run(&["approve", &id, "--yes"]).expect(0, "1 of 2");
    assert_eq!(ids(&bob, &[]), [other], "decided already");
}
