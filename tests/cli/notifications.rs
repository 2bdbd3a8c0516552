//! `countersign notifications` and `countersign notify`, of a running service.

use crate::Person;
use countersign_e2e::service::Service;
use serde_json::Value;

const FILE: &str = r#"
[destinations.dm]
kind = "slack_bot"
token = "env:BOT"
[destinations.other]
kind = "slack_bot"
token = "env:BOT"
[groups.approver]
members = ["bob@example.com", "carol@example.com"]
[routes.approvals]
to = ["approvers"]
via = ["dm"]
[reminders.soon]
before_expiry_seconds = [3600]
[defaults]
channels = ["dm"]
"#;

fn service() -> Service {
    let mut service = Service::start();
    service.notify_by_text(FILE);
    service
}

fn bob(service: &Service) -> Person {
    Person::at(service.base(), Some(service.token("bob@example.com", &["approver"])))
}

#[test]
fn settings_change_one_by_one_and_go_back_to_the_defaults() {
    let service = service();
    let bob = bob(&service);
    bob.run(&["notifications"]).expect(0, "channels      dm (by default)");
    let quiet = "mon-fri 18:00-08:00 Europe/Vienna";
    let set = bob.run(&["notifications", "set", "--channels", "other", "--quiet-hours", quiet]);
    set.expect(0, "channels      other\n");
    set.expect(0, "thursday, friday 18:00 to 08:00,");
    let set = bob.run(&["notifications", "set", "--mute", "COMMENT_ADDED", "--digest", "daily@08:00"]);
    set.expect(0, "channels      other\n");
    set.expect(0, "muted events  COMMENT_ADDED\n");
    set.expect(0, "digest        daily at 08:00, UTC\n");
    set.expect(0, "version       2");
    bob.run(&["notifications", "set", "--clear", "channels,quiet_hours"]).expect(0, "dm (by default)");
    bob.run(&["notifications", "set", "--quiet-hours", "none", "--channels", "none"])
        .expect(0, "channels      none\nquiet hours   none\n");
    bob.run(&["notifications", "set", "--digest", "off", "--version", "1"]).expect(5, "at version 4");
    bob.run(&["notifications", "set", "--channels", "fax"]).expect(3, "dm, other");
    bob.run(&["notifications", "set", "--channels", "dm,none"]).expect(2, "`none` stands alone");
    bob.run(&["notifications", "set", "--quiet-hours", "late"])
        .expect(2, "must be days, times and a time zone");
    bob.run(&["notifications", "set"]).expect(2, "--channels");
    bob.run(&["notifications", "set", "--reset"]).expect(0, "digest        off: at once (by default)");
}

#[test]
fn settings_can_be_kept_in_a_file() {
    let service = service();
    let bob = bob(&service);
    bob.run(&["notifications", "set", "--channels", "other", "--digest", "daily@08:00"]).expect(0, "");
    let shown = bob.run(&["notifications", "--json"]);
    let said: Value = serde_json::from_str(&shown.stdout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.json");
    std::fs::write(&file, said["said"].to_string()).unwrap();
    let file = file.to_str().unwrap();
    bob.run(&["notifications", "set", "--reset"]).expect(0, "dm (by default)");
    bob.run(&["notifications", "set", file]).expect(0, "channels      other\n");
    bob.run(&["notifications", "set", file, "--reset"]).expect(2, "cannot be used with");
    std::fs::write(file, r#"{"chanels": []}"#).unwrap();
    bob.run(&["notifications", "set", file]).expect(2, "has `chanels`");
}

#[test]
fn a_preview_says_who_would_hear_and_a_creation_how_many() {
    let service = service();
    let ann = Person::at(service.base(), Some(service.token("ann@example.com", &["developer"])));
    let words =
        ["reboot", "production-db-01", "-e", "production", "-m", "it hangs, and restarts do not help"];
    ann.run(&[&["simulate"], words.as_slice()].concat())
        .expect(0, "Notifies      2 people by 1 destination\n");
    let created = ann.run(&[&["create"], words.as_slice(), &["-o", "id"]].concat());
    created.expect(0, "");
    assert!(created.stderr.contains("2 people by 1 destination hear of it"), "{created:?}");
    let id = created.stdout.trim().to_owned();
    let bob = bob(&service);
    bob.run(&["notifications", "set", "--channels", "other"]).expect(0, "");
    let preview = bob.run(&["notify", "preview", &id]);
    preview.expect(0, "to            other (slack_bot): bob@example.com\n");
    preview.expect(0, "to            dm (slack_bot): carol@example.com\n");
    preview.expect(0, "asks for an approval, at once\n");
    preview.expect(0, "reminder soon, ");
}

#[test]
fn a_service_that_sends_no_messages_says_so() {
    let service = Service::start();
    bob(&service).run(&["notifications"]).expect(5, "no notifications.toml");
}
