//! What of a request has to have been on the screen before it can be decided.

use super::*;
use crate::inbox::changes::changes;

fn mode(inbox: &Inbox) -> Mode {
    inbox.state.open.as_ref().unwrap().mode.clone()
}

/// Whether the screen shows a text, wherever it is broken.
fn shows(inbox: &mut Inbox, text: &str) -> bool {
    let squeezed = |text: &str| text.replace([' ', '\n'], "");
    squeezed(&inbox.draw().concat()).contains(&squeezed(text))
}

#[test]
fn threat_52_a_window_that_cuts_lines_off_decides_nothing() {
    for (key, value, words) in [("Ж", "Щ", "Ю"), ("日", "本", "語"), ("k", "v", "w")] {
        for width in 1..40 {
            let mut inbox = Inbox::new(Settings::default());
            inbox.size = (width, 60);
            inbox.listed(vec![summary(ID)]);
            inbox.press(&[Key::Enter]);
            let justification = words.to_owned();
            let request =
                RequestBody { justification: Some(justification), ..request(ID, json!({ key: value })) };
            inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(bound(request)))));
            let mut seen = String::new();
            for _ in 0..100 {
                seen.push_str(&inbox.draw().concat());
                inbox.press(&[Key::Down]);
            }
            inbox.press(&[A]);
            if mode(&inbox) == Mode::Reading {
                assert!(width < 15, "a window of {width} columns is large enough");
                assert!(
                    width < 12 || shows(&mut inbox, "too small to decide in"),
                    "{width}: {:#?}",
                    inbox.draw()
                );
                continue;
            }
            for word in [key, value, words, "Justification"] {
                assert!(seen.contains(word), "no {word} in {width} columns");
            }
        }
    }
}

#[test]
fn threat_52_lines_that_were_counted_before_a_change_count_for_nothing() {
    let mut inbox = Inbox::reading(json!({ "lines": (0..30).collect::<Vec<_>>() }));
    inbox.size = (80, 70);
    inbox.apply(Event::Disturbed);
    inbox.size = (80, 24);
    inbox.apply(Event::Disturbed);
    let long = json!({ "lines": (0..30).collect::<Vec<_>>() });
    let comment =
        json!({ "user": "ann@example.com", "timestamp": NOW, "action": "commented", "comment": "STOP" });
    let comments = vec![serde_json::from_value(comment).unwrap()];
    for mode_before in [Mode::Reading, Mode::Confirming, Mode::Writing(Verb::Reject)] {
        inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(request(ID, long.clone())))));
        while !inbox.state.open.as_ref().unwrap().is_read {
            inbox.press(&[Key::Down]);
        }
        inbox.state.open.as_mut().unwrap().mode = mode_before.clone();
        let changed = RequestBody { comments: comments.clone(), ..request(ID, long.clone()) };
        inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(changed))));
        assert!(inbox.shows("changed while you read: ann@example.com commented; look again"));
        assert!(inbox.shows("lines 1-"), "from the beginning");
        assert!(!inbox.shows("STOP"));
        let keys = if mode_before == Mode::Writing(Verb::Reject) {
            vec![Key::Char('n'), Key::Enter]
        } else {
            vec![A, Y]
        };
        assert_eq!(inbox.press(&keys), [], "{mode_before:?}");
        assert!(inbox.shows("the end has not been shown yet"));
        assert!(shows(&mut inbox, "changed while you read: ann@example.com commented"), "still");
        if mode(&inbox) != Mode::Reading {
            inbox.press(&[Key::Escape]);
        }
    }
}

#[test]
fn a_request_in_front_is_asked_for_whenever_the_list_is() {
    let mut inbox = Inbox::reading(json!({}));
    assert_eq!(inbox.listed(vec![summary(ID)]), [Effect::Load(ID.to_owned())]);
    assert_eq!(inbox.listed(vec![summary(ID)]), [], "one question at a time");
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(request(ID, json!({}))))));
    assert_eq!(inbox.listed(vec![summary(ID)]), [Effect::Load(ID.to_owned())]);
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(request(ID, json!({}))))));
    decision(&inbox.press(&[A, Y]));
    assert_eq!(inbox.listed(vec![summary(ID)]), [], "not while a decision is on its way");
}

#[test]
fn each_change_has_words_of_its_own() {
    let before = request(ID, json!({}));
    let said = |change: Value| {
        let mut after = serde_json::to_value(&before).unwrap();
        after.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        changes(&before, &serde_json::from_value(after).unwrap()).join(", ")
    };
    let comment = json!({ "user": "ann\n", "timestamp": NOW, "action": "commented", "comment": "STOP" });
    for (change, words) in [
        (json!({}), ""),
        (json!({ "status": "cancelled" }), "it is cancelled"),
        (json!({ "comments": [comment, comment] }), "ann\\n commented"),
        (
            json!({ "approved_by": ["bob"], "approvals_received": 1 }),
            "bob approved, how many approvals count",
        ),
        (json!({ "approvals_required": 3 }), "what approvals it takes"),
        (json!({ "slots": [{ "groups": ["dba"], "approvals": 1 }] }), "what approvals it takes"),
        (json!({ "expires_at": NOW }), "its deadline"),
        (json!({ "blocked_by": ["disabled"] }), "what blocks it"),
        (json!({ "parameters": { "a": 1 } }), "what is asked for"),
        (json!({ "estimated_cost": 12.5 }), "what is asked for"),
        (json!({ "version": 2 }), "what is on record of it"),
    ] {
        assert_eq!(said(change.clone()), words, "{change}");
    }
}

#[test]
fn threat_52_a_window_that_changes_takes_both_questions_back_and_no_text() {
    for (key, mode_before) in [(A, Mode::Confirming), (R, Mode::Writing(Verb::Reject))] {
        let mut inbox = Inbox::reading(json!({}));
        inbox.press(&[key]);
        assert_eq!(mode(&inbox), mode_before);
        if key == R {
            inbox.write("no");
        }
        inbox.apply(Event::Disturbed);
        assert!(inbox.shows("the screen has changed: look again"));
        assert_eq!(inbox.press(&[Key::Enter, Y]), []);
        if key == R {
            inbox.press(&[R]);
            assert!(inbox.shows("> no"));
        }
    }
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[Key::Char('c')]);
    inbox.apply(Event::Disturbed);
    assert_eq!(mode(&inbox), Mode::Writing(Verb::Comment), "a comment decides nothing");
}

#[test]
fn a_hindrance_leaves_the_screen_when_it_is_none_any_more() {
    let mut inbox = Inbox::reading(json!({ "lines": (0..30).collect::<Vec<_>>() }));
    inbox.press(&[A]);
    assert!(inbox.shows("the end has not been shown yet"));
    while !inbox.state.open.as_ref().unwrap().is_read {
        inbox.press(&[Key::Char(' ')]);
    }
    assert!(!inbox.shows("the end has not been shown yet"));
}

#[test]
fn what_is_closed_is_not_asked_about() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[A]);
    let rejected = RequestBody { status: "rejected".to_owned(), ..request(ID, json!({})) };
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(rejected))));
    for key in [A, R] {
        assert_eq!(inbox.press(&[key]), []);
        assert_eq!(mode(&inbox), Mode::Reading);
        assert!(inbox.shows("it no longer waits for a decision: it is rejected"));
        assert!(!inbox.shows("a approve") && inbox.shows("e explain"));
    }
}

#[test]
fn a_message_that_is_cut_says_so() {
    let mut inbox = Inbox::new(Settings::default());
    inbox.size = (40, 24);
    inbox.listed(vec![summary(ID)]);
    inbox.apply(Event::Listed(Err(CommandError::Failed("why ".repeat(60)))));
    let screen = inbox.draw();
    assert!(screen.iter().any(|line| line.ends_with("why ...") && line.len() <= 40), "{screen:#?}");
}

#[test]
fn an_inbox_with_nothing_in_it_says_what_hides_the_rest() {
    let said = |filters: &[&str], refused: &[&str]| {
        let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
        let mut inbox = Inbox::new(Settings { filters, is_continuous: true, ..Settings::default() });
        let refused = refused.iter().map(|id| (*id).to_owned()).collect();
        inbox.apply(Event::Listed(Ok(Pending { items: vec![summary(ID), summary(OTHER)], refused })));
        inbox.draw().join(" ")
    };
    assert!(said(&["prod"], &[]).contains("nothing that waits for you is prod"));
    assert!(said(&[], &[ID, OTHER]).contains("nothing waits for you; 2 wait that you may not approve now"));
}

#[test]
fn a_claim_is_shown_and_takes_no_reading_back() {
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[A]);
    let claimed = RequestBody { hold: Some(held("carol@example.com")), ..request(ID, json!({})) };
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(claimed.clone()))));
    assert!(shows(&mut inbox, "carol@example.com, since"));
    assert_eq!(decision(&inbox.press(&[Y])).verb, Verb::Approve, "a claim stops no approver");
    // Together with a change that matters it is looked at again.
    let mut inbox = Inbox::reading(json!({}));
    inbox.press(&[A]);
    let changed = RequestBody { approvals_received: 1, ..claimed };
    inbox.apply(Event::Loaded(ID.to_owned(), Ok(Box::new(changed))));
    assert_eq!(inbox.press(&[Y]), []);
    let mut inbox = Inbox::new(Settings::default());
    inbox.listed(vec![SummaryBody { hold: Some(held("carol@example.com")), ..summary(ID) }]);
    assert!(inbox.draw().concat().contains("carol@example.com"));
}
