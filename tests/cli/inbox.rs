//! The inbox in terminals of many sizes, and what is in it for whom.

use crate::screens::{SIZES, TINY, WHAT, line};
use crate::strangers::Stranger;
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
    // What is pressed before the program waits again is thrown away.
    terminal.wait_until_still();
}

/// Says yes to the question, with which the inbox ends: one decision is then on record.
#[track_caller]
fn approved(terminal: PseudoTerminal, person: &Person, id: &str) {
    terminal.wait_until_still();
    terminal.press("y");
    let (code, written) = terminal.end();
    assert_eq!(code, 0, "{written}");
    person.decided(id, 1);
}

/// Goes to the end; gives all that was on the screen on the way.
#[track_caller]
fn read(terminal: &PseudoTerminal) -> Vec<String> {
    let rule = |terminal: &PseudoTerminal| {
        let rule = terminal.screen().into_iter().find(|row| row.starts_with("-- lines "));
        rule.unwrap_or_default()
    };
    let mut screens = Vec::new();
    loop {
        let before = rule(terminal);
        screens.push(terminal.screen().concat().replace(' ', ""));
        // `-- lines 39-57 of 57 --`
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
        approved(terminal, &bob, &id);
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
        terminal.wait_until_still();
        terminal.resize(size);
        terminal.wait_for("a approve");
        terminal.wait_until_still();
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
fn threat_51_keys_pressed_while_a_question_is_drawn_answer_nothing_in_the_inbox() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    let terminal = bob.at_terminal(&["inbox"], (80, 24));
    open(&terminal);
    read(&terminal);
    for (key, answer, question) in [("a", "y", "Approve"), ("r", "no\r", "Reject"), ("a", "y", "Approve")] {
        terminal.wait_until_still();
        terminal.press_while_output_is_held(&[key, answer]);
        terminal.wait_for(&format!("{question} {WHAT}"));
        terminal.wait_until_still();
        bob.decided(&id, 0);
        assert!(!terminal.shows("> no"), "{terminal:?}");
        terminal.press(ESCAPE);
        terminal.wait_for("a approve");
    }
    terminal.press(INTERRUPT);
    terminal.end();
    bob.decided(&id, 0);
}

#[test]
fn threat_52_what_changes_in_front_of_a_reader_has_to_be_read_from_the_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let carol = Person::of(&program, "carol", "approver");
    for (is_asked, has_comment) in [(false, true), (true, true), (false, false), (true, false)] {
        let id = ann.create_long();
        // A large window first: its lines are more than a smaller one has.
        let terminal = bob.at_terminal(&["inbox", "--refresh", "1", "--continuous"], (80, 70));
        open(&terminal);
        read(&terminal);
        terminal.resize((80, 24));
        terminal.wait_for("a approve");
        terminal.wait_until_still();
        read(&terminal);
        if is_asked {
            terminal.press("a");
            terminal.wait_for(&format!("Approve {WHAT}"));
        }
        if has_comment {
            ann.run(&["comment", &id, "STOP: the wrong database"]).expect(0, "STOP");
            terminal.wait_for("changed while you read: ann@example.com commented");
        } else {
            carol.run(&["approve", &id, "--yes"]).expect(0, "1 of 2");
            terminal.wait_for("changed while you read: carol@example.com approved");
        }
        terminal.wait_for("-- lines 1-");
        terminal.wait_until_still();
        terminal.press("y");
        terminal.press("a");
        terminal.wait_for("the end has not been shown yet");
        terminal.press("y");
        terminal.press("r");
        terminal.press("\r");
        terminal.wait_until_still();
        let decided = usize::from(!has_comment);
        bob.decided(&id, decided);
        let screens = read(&terminal).concat();
        let word = if has_comment { "STOP:thewrongdatabase" } else { "carol@example.com(approver)" };
        assert!(screens.contains(word), "{screens}");
        terminal.press("a");
        terminal.wait_for(&format!("Approve {WHAT}"));
        terminal.wait_until_still();
        terminal.press("y");
        terminal.wait_for("your approval is on record: modify_instance_class");
        bob.decided(&id, decided + 1);
        terminal.press(INTERRUPT);
        terminal.end();
        if has_comment {
            ann.run(&["cancel", &id]).expect(0, "cancelled");
        }
    }
}

#[test]
fn threat_52_the_inbox_takes_the_terminal_again_after_it_was_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    let terminal = bob.at_terminal(&["inbox", "--refresh", "3600"], (80, 24));
    open(&terminal);
    read(&terminal);
    terminal.press("a");
    terminal.wait_for(&format!("Approve {WHAT}"));
    terminal.stop_and_continue();
    terminal.press("y\r");
    terminal.wait_for("the screen has changed: look again");
    terminal.wait_for("modify_instance_class on production-db-01");
    terminal.wait_until_still();
    assert!(!terminal.shows(&format!("Approve {WHAT}")), "{terminal:?}");
    bob.decided(&id, 0);
    // One key at a time again, without Enter.
    terminal.press("a");
    terminal.wait_for(&format!("Approve {WHAT}"));
    approved(terminal, &bob, &id);
}

#[test]
fn threat_52_the_inbox_draws_rows_whole_where_letters_may_be_wider() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    ann.create_with(&json!({ "note": "эюя ".repeat(400) }).to_string());
    let terminal = bob.at_terminal(&["inbox"], (80, 24));
    open(&terminal);
    for row in terminal.screen() {
        let columns: usize = row.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
        assert!(columns <= 80, "{row}");
    }
    let clears = |written: &str| written.matches("\u{1b}[2J").count();
    let before = clears(&terminal.written());
    terminal.press(" ");
    terminal.wait_for("эюя");
    terminal.wait_until_still();
    assert!(clears(&terminal.written()) > before, "{terminal:?}");
    terminal.press(INTERRUPT);
    terminal.end();
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

#[test]
fn the_inbox_ends_as_its_last_decision_did() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    let request = bob.json(&["get", &id]);
    let list = bob.json(&["list"]);
    let explained = bob.json(&["explain", &id]);
    let refused = r#"{"type":"urn:countersign:problem:not_permitted","title":"no","status":403,"detail":"no",
        "instance":"urn:uuid:0","code":"not_permitted"}"#;
    let unchanged = request.to_string();
    for (status, answer, keys, code) in
        [(403, refused, "", 3), (0, "", "", 130), (0, "", ESCAPE, 1), (200, unchanged.as_str(), ESCAPE, 1)]
    {
        let (request, list, explained) = (request.to_string(), list.to_string(), explained.to_string());
        let answer = answer.to_owned();
        let stranger = Stranger::serving(move |line| match line {
            line if line.starts_with("POST") => (status, answer.clone()),
            line if line.contains("/explain") => (200, explained.clone()),
            line if line.contains("/v1/approvals?") => (200, list.clone()),
            _ => (200, request.clone()),
        });
        let variables = [("COUNTERSIGN_URL".to_owned(), stranger.base())];
        let mut person = Person::of(&program, "bob", "approver");
        person.variables.extend(variables);
        let terminal = person.at_terminal(&["inbox"], (80, 40));
        open(&terminal);
        terminal.press("a");
        terminal.wait_for(&format!("Approve {WHAT}"));
        terminal.wait_until_still();
        terminal.press("y");
        terminal.wait_until("an answer", |terminal| {
            !terminal.shows("Approve modify") && !terminal.shows("Sending")
        });
        terminal.press(keys);
        terminal.wait_until_still();
        terminal.press(INTERRUPT);
        let (ended, written) = terminal.end();
        assert_eq!(ended, code, "{status}: {written}");
    }
    let terminal = bob.at_terminal(&["inbox", "--once"], (80, 24));
    terminal.wait_for("1 of 1 to decide");
    terminal.press("q");
    let (code, written) = terminal.end();
    assert_eq!(code, 1, "{written}");
    assert!(written.contains("nothing was decided"), "{written}");
    bob.decided(&id, 0);
}
