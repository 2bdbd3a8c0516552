//! The dashboard without a mouse.

use crate::driver::{Browser, Look, USUAL};
use countersign_e2e::service::Service;
use fantoccini::key::Key;
use serde_json::{Value, json};

fn key(key: Key) -> String {
    char::from(key).to_string()
}

fn press(browser: &Browser, pressed: Key) {
    browser.type_keys(&key(pressed));
}

fn bob(service: &Service, look: Look) -> Browser {
    Browser::signed_in(service.pages(), &service.token("bob@example.com", &["approver"]), look)
}

#[test]
fn a_request_is_found_read_and_approved_by_keys() {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let mut body = Service::medium();
    body["instance_id"] = json!("dev-db-02");
    service.host.advance_milliseconds(60_000);
    Service::create(&ann, &body);
    let bob = bob(&service, USUAL);
    press(&bob, Key::Tab);
    assert!(bob.is_focused(&bob.find("link", "Skip to content")));
    press(&bob, Key::Enter);
    bob.type_keys("jj");
    assert!(bob.is_focused(&bob.find("link", "modify_storage on dev-db-02")));
    bob.type_keys("x");
    assert_eq!(bob.execute("return document.querySelectorAll('input:checked').length", Vec::new()), 1);
    bob.type_keys("/");
    assert!(bob.is_focused(&bob.find("field", "Environment")));
    bob.open("/inbox");
    bob.type_keys("jjk");
    let first = bob.find("link", "modify_storage on dev-db-01");
    assert!(bob.is_focused(&first));
    press(&bob, Key::Enter);
    bob.await_heading("modify_storage on dev-db-01");
    bob.type_keys("r");
    assert!(bob.is_focused(&bob.find("field", "Reason")));
    // A key in a field is a letter.
    bob.type_keys("a");
    assert_eq!(bob.value("Reason"), "a");
    bob.open(&bob.path());
    bob.type_keys("a");
    assert!(bob.is_focused(&bob.find("button", "Approve")));
    assert_eq!(ann.get(&path).expect(200)["status"], "pending", "no key decides");
    press(&bob, Key::Enter);
    bob.await_text("approved, not started");
    bob.type_keys("?");
    bob.await_heading("Settings");
    bob.tick("Single-key shortcuts");
    bob.press("Save settings");
    bob.await_text("The settings are saved in this browser.");
    bob.open("/inbox");
    bob.type_keys("j?");
    assert!(bob.path().starts_with("/inbox"));
    assert!(!bob.is_focused(&bob.find("link", "modify_storage on dev-db-02")));
}

/// Where the focus is, of what, and whether all of it can be seen and nothing lies over it.
const FOCUS: &str = "
    const element = document.activeElement;
    const box = element.getBoundingClientRect();
    const points = [[box.left + 2, box.top + 2], [box.right - 2, box.bottom - 2], [box.left + box.width / 2, box.top + box.height / 2]];
    const isSeen = ([x, y]) => {
        const found = document.elementFromPoint(x, y);
        return found !== null && (element.contains(found) || found.contains(element) || found.closest('label')?.control === element);
    };
    const outline = getComputedStyle(element);
    return [
        element.tagName + ' ' + (element.innerText || element.name || element.id),
        points.filter(isSeen).length,
        outline.outlineStyle !== 'none' && parseFloat(outline.outlineWidth) >= 2,
    ];";

#[test]
fn what_has_the_focus_is_never_covered() {
    let service = Service::for_browsers();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let request = format!("/approvals/{}", Service::id(&path));
    for width in [360, 1280] {
        let bob = bob(&service, Look { width, ..USUAL });
        bob.prefer("prefers-reduced-motion", "reduce");
        for page in ["/inbox", &request, "/requests/new", "/settings"] {
            bob.open(page);
            let mut names = Vec::new();
            loop {
                press(&bob, Key::Tab);
                let focus = bob.execute(FOCUS, Vec::new());
                let [name, seen, outlined] = [&focus[0], &focus[1], &focus[2]];
                let name = name.as_str().unwrap().to_owned();
                if name.starts_with("BODY") || names.len() > 60 {
                    break;
                }
                assert!(seen.as_u64() >= Some(2), "{page} at {width}: {name} is covered");
                assert_eq!(outlined, &Value::Bool(true), "{page} at {width}: {name} has no outline");
                names.push(name);
            }
            assert!(names.len() > 10, "{page} at {width}: {names:?}");
        }
    }
}

#[test]
fn a_problem_has_the_focus() {
    let service = Service::for_browsers();
    let browser = Browser::start(service.pages(), USUAL);
    browser.open("/sign-in");
    browser.fill("Token", "nonsense");
    browser.press("Sign in with a token");
    let alert = browser.find("alert", "There is a problem");
    browser.wait("focus on the problem", || browser.is_focused(&alert).then_some(()));
}
