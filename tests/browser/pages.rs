//! Every page in every form: what axe says, whether it fits, and, if `COUNTERSIGN_PICTURES` names a directory, a picture of it
//! (`just pictures`).

use crate::axe::violations;
use crate::driver::{Browser, Look, USUAL};
use crate::sample::sample;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_e2e::service::Service;
use serde_json::json;
use std::path::PathBuf;

/// Looks at the page that is open.
fn look_at(browser: &Browser, name: &str, look: Look) {
    let form = match (look.width < 600, look.is_dark) {
        (false, false) => "wide-light",
        (false, true) => "wide-dark",
        (true, false) => "phone-light",
        (true, true) => "phone-dark",
    };
    let found = violations(browser);
    assert!(found.is_empty(), "{name}, {form}: {}", found.join("\n"));
    assert_eq!(browser.sideways(), 0, "{name}, {form}");
    if let Some(directory) = std::env::var_os("COUNTERSIGN_PICTURES") {
        let path = PathBuf::from(directory).join(format!("dashboard-{name}-{form}.png"));
        std::fs::write(path, STANDARD.decode(browser.picture(look.width > 600)).unwrap()).unwrap();
    }
}

/// All pages at one width, light and dark.
fn walk(width: u32) {
    let sample = sample();
    let light = Look { width, ..USUAL };
    let looks = [light, Look { is_dark: true, ..light }];
    let browser = Browser::start(sample.service.pages(), light);
    browser.show_scrollbars(false);
    let look_at_both = |name: &str| {
        for look in looks {
            browser.prefer("prefers-color-scheme", if look.is_dark { "dark" } else { "light" });
            look_at(&browser, name, look);
        }
    };
    browser.open("/sign-in");
    browser.await_heading("Sign in");
    look_at_both("sign-in");
    browser.fill("Token", &sample.token());
    browser.press("Sign in with a token");
    browser.await_heading("Inbox");
    for page in &sample.pages {
        browser.open(&page.path);
        browser.await_heading(page.heading);
        look_at_both(page.name);
    }
    browser.open("/requests/new?operation=reboot&instance=production-orders-db&justification=It+hangs");
    browser.press("Check");
    browser.await_text("What the policy says");
    look_at_both("check");
    browser.press("Sign out");
    browser.await_heading("Signed out");
    look_at_both("signed-out");
}

#[test]
fn every_page_is_accessible_on_a_wide_screen() {
    walk(1280);
}

#[test]
fn every_page_is_accessible_on_a_phone() {
    walk(360);
}

#[test]
fn nothing_is_wider_than_the_window_whatever_people_write() {
    let service = Service::for_browsers();
    let ann = service.person(&format!("{}.ann", "a".repeat(50)), &["developer"]);
    let long = "W".repeat(300);
    let mut high = Service::high();
    high["instance_id"] = json!(format!("production-{long}"));
    high["justification"] =
        json!(format!("{long}\n\u{202e}{long}\u{200b}<b>{long}</b> {}", "i ".repeat(300)));
    high["parameters"] = json!({ long.clone(): [[[[[[[[[[[[long]]]]]]]]]]]], "n": "\t".repeat(400) });
    high["estimated_duration"] = json!("m".repeat(200));
    high["ticket"] = json!("T".repeat(200));
    high["rollback_plan"] = json!(long);
    let mut medium = Service::medium();
    medium["instance_id"] = json!(format!("dev-{long}"));
    let [high, medium] = [&high, &medium].map(|body| Service::create(&ann, body));
    let comment = json!({ "text": format!("{long}\u{2067}") });
    ann.post(&format!("{high}/comments"), &comment).expect(200);
    let reject = json!({ "reason": long });
    service.approver(&"b".repeat(60)).post(&format!("{medium}/reject"), &reject).expect(200);
    service.seal().unwrap();
    service.fold().unwrap();
    let token = service.token("root@example.com", &["admin"]);
    let browser = Browser::signed_in(service.pages(), &token, USUAL);
    let id = Service::id(&high);
    let pages = [
        "/inbox".to_owned(),
        format!("/approvals/{id}"),
        format!("/approvals/{}", Service::id(&medium)),
        format!("/review?id={id}"),
        format!("/requests/new?operation={long}&instance={long}&justification={long}&parameters={long}"),
        "/instances".to_owned(),
        format!("/instances?id=production-{long}"),
        format!("/history?requester={long}"),
        "/history".to_owned(),
        "/insights".to_owned(),
        "/audit".to_owned(),
        format!("/audit?request={id}"),
        "/settings".to_owned(),
    ];
    for page in pages {
        browser.open(&page);
        // What is folded is measured too.
        browser.execute(
            "document.querySelectorAll('details').forEach((details) => (details.open = true))",
            Vec::new(),
        );
        // 320 is 1280 at a zoom of 400 %.
        for width in [320, 360, 1280] {
            browser.resize(width);
            assert_eq!(browser.sideways(), 0, "{page} at {width}");
        }
        for (feature, value) in [("forced-colors", "active"), ("prefers-reduced-motion", "reduce")] {
            browser.prefer(feature, value);
            assert_eq!(browser.sideways(), 0, "{page} with {feature}");
        }
    }
}

#[test]
fn a_print_is_whole_and_in_utc() {
    let service = Service::for_browsers();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let browser =
        Browser::signed_in(service.pages(), &service.token("bob@example.com", &["approver"]), USUAL);
    browser.open("/settings");
    browser.fill("Time zone", "Asia/Seoul");
    browser.press("Save settings");
    browser.await_text("The settings are saved in this browser.");
    browser.open(&format!("/approvals/{}", Service::id(&path)));
    browser.await_text("2026-01-01 09:00");
    browser.lay_out_for_print();
    let text = browser.text();
    assert!(text.contains("2026-01-01 00:00 UTC") && !text.contains("09:00"), "{text}");
    assert!(
        text.contains("\"target_instance_class\":\"db.r6g.xlarge\"") && text.contains("CPU has been at 95 %")
    );
    for control in ["Sign out", "Inbox", "Comment (optional)", "Refresh"] {
        assert!(!text.contains(control), "{control}: {text}");
    }
    browser.open("/inbox");
    browser.lay_out_for_print();
    assert!(browser.text().contains("modify_instance_class on production-db-01"), "{}", browser.text());
}
