//! GET /v1/approvals/{id}/explain: why a request stands where it stands, held against what then
//! really happens.

use crate::policy::{policy_with, refused, reject, start};
use countersign_core::policy::Policy;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const STATUSES: [&str; 9] =
    ["pending", "approved", "executing", "executed", "failed", "rejected", "cancelled", "late", "expired"];
const ACTIONS: [&str; 7] = ["approve", "reject", "withdraw", "cancel", "comment", "start", "finish"];
const NO_EXECUTION: &str = "0193aaaa-0000-7000-8000-00000000dead";

fn explain(client: &Client, path: &str) -> Value {
    client.get(&format!("{path}/explain")).expect(200)
}

/// A request of ann's in a status, with bob's approval on record wherever there is one.
fn in_status(service: &Service, requester: &Client, status: &str) -> String {
    let path = Service::create(requester, &Service::high());
    Service::approve(&service.approver("bob"), &path).expect(200);
    let approved = || Service::approve(&service.approver("carol"), &path).expect(200);
    let finished = |outcome: &str| {
        approved();
        let body = json!({ "execution_id": Service::started(requester, &path), "outcome": outcome });
        requester.put(&format!("{path}/execution"), &body).expect(200);
    };
    match status {
        "approved" => drop(approved()),
        "executing" => {
            approved();
            Service::started(requester, &path);
        }
        "executed" => finished("succeeded"),
        "failed" => finished("failed"),
        "rejected" => drop(reject(&service.approver("carol"), &path).expect(200)),
        "cancelled" => drop(requester.post(&format!("{path}/cancel"), &json!({})).expect(200)),
        "late" | "expired" => {
            service.host.advance_milliseconds(72 * 60 * 60 * 1000);
            if status == "expired" {
                service.expire();
            }
        }
        _ => {}
    }
    path
}

fn call(client: &Client, path: &str, shown: &Value, action: &str) -> Answer {
    let digest = &shown["content_digest"];
    let execution_id = shown["execution_id"].as_str().unwrap_or(NO_EXECUTION);
    match action {
        "approve" => client.post(&format!("{path}/approve"), &json!({ "content_digest": digest })),
        "reject" => reject(client, path),
        "withdraw" => client.post(&format!("{path}/withdraw"), &json!({})),
        "cancel" => client.post(&format!("{path}/cancel"), &json!({})),
        "comment" => client.post(&format!("{path}/comments"), &json!({ "text": "hm" })),
        "start" => client.post(&format!("{path}/execution"), &json!({ "content_digest": digest })),
        _ => client
            .put(&format!("{path}/execution"), &json!({ "execution_id": execution_id, "outcome": "failed" })),
    }
}

/// What an explanation says of each action is what the call then answers: for everybody, in every
/// status.
#[track_caller]
fn check_actions(policy: &Policy) {
    for status in STATUSES {
        let service = Service::under(policy.clone());
        let ann = service.requester("ann");
        let roles = [
            ("the requester", ann.clone()),
            ("the requester as admin", service.person("ann", &["admin", "approver"])),
            ("an approver who has decided", service.approver("bob")),
            ("another approver", service.person("dan", &["approver", "dba"])),
            ("an admin", service.person("root", &["admin"])),
            ("an auditor", service.person("otto", &["auditor"])),
            ("a guest", service.person("gil", &["guest"])),
            ("an agent that sees", service.person("robo", &["agent", "approver"])),
            ("an agent", service.person("robo", &["agent"])),
            ("another developer", service.requester("ben")),
            ("nobody", service.person("eve", &[])),
        ];
        for (role, client) in roles {
            let mut path = in_status(&service, &ann, status);
            for action in ACTIONS {
                let asked = || client.get(&format!("{path}/explain"));
                // To look at the whole store takes longer than all else here.
                let answer = if action == ACTIONS[0] { service.untouched(asked) } else { asked() };
                let shown = ann.get(&path).expect(200);
                if client.get(&path).status == 404 {
                    refused(answer, 404, "not_found");
                    refused(call(&client, &path, &shown, action), 404, "not_found");
                    continue;
                }
                let explained = answer.expect(200);
                assert_eq!(explained["status"], shown["status"], "{status} to {role}");
                let said = explained["actions"].as_array().unwrap();
                assert_eq!(said.len(), ACTIONS.len());
                let said = said.iter().find(|said| said["action"] == action).unwrap();
                let answer = call(&client, &path, &shown, action);
                let context = format!("{action} by {role} when {status}: {said}\n{}", answer.body);
                assert_eq!(said["permitted"], json!(answer.status == 200), "{context}");
                if answer.status == 200 {
                    assert!(said.get("code").is_none() && said.get("reasons").is_none(), "{context}");
                    // It has changed something.
                    path = in_status(&service, &ann, status);
                } else {
                    assert_eq!(said["code"], answer.body["code"], "{context}");
                    assert_eq!(said["reasons"], answer.body["reasons"], "{context}");
                    let code = answer.body["code"].as_str().unwrap().to_owned();
                    refused(answer.clone(), answer.status, &code);
                }
            }
        }
    }
}

#[test]
fn what_is_said_of_an_action_is_what_the_call_answers() {
    check_actions(&policy_with("", "", ""));
}

#[test]
fn what_is_said_of_an_action_under_rules_is_what_the_call_answers() {
    let access = "@id(\"no-guests\") forbid (principal in Group::\"guest\", action == Action::\"comment\", resource);\n\
                  @id(\"no-reject\") forbid (principal, action == Action::\"reject\", resource) \
                  when { context.hour < 23 };";
    let rules =
        "[rules.x]\ndigest_required = true\n[rules.y]\noperations = [\"reboot\"]\nslots = { dba = 1 }";
    // Without rejections in the way there.
    let policy = policy_with(rules, "", access);
    let service = Service::under(policy);
    let ann = service.requester("ann");
    let mut body = Service::high();
    body["operation_type"] = json!("reboot");
    let path = Service::create(&ann, &body);
    for (client, expected) in [
        (service.approver("bob"), "approve"),
        (service.person("dan", &["approver", "dba"]), "approve"),
        (service.person("gil", &["guest", "approver"]), "approve"),
        (service.person("gil", &["guest"]), ""),
        (service.person("root", &["admin"]), "approve cancel comment"),
    ] {
        let explained = explain(&client, &path);
        for said in explained["actions"].as_array().unwrap() {
            let action = said["action"].as_str().unwrap();
            if said["permitted"] == json!(true) {
                assert!(expected.contains(action) || action == "comment", "{said}");
                continue;
            }
            let answer = service.untouched(|| call(&client, &path, &ann.get(&path).expect(200), action));
            assert_eq!(said["code"], answer.body["code"], "{said}");
            assert_eq!(said["reasons"], answer.body["reasons"], "{said}");
        }
    }
    ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
}

#[test]
fn what_is_not_visible_is_not_explained() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    for client in [service.requester("ben"), service.person("robo", &["agent"]), service.person("eve", &[])] {
        let hidden = refused(client.get(&format!("{path}/explain")), 404, "not_found");
        let unknown = refused(
            client.get("/v1/approvals/01930000-0000-7000-8000-000000000000/explain"),
            404,
            "not_found",
        );
        assert_eq!(hidden["detail"], unknown["detail"]);
    }
    refused(service.anonymous().get(&format!("{path}/explain")), 401, "unauthenticated");
    refused(service.approver("bob").get("/v1/approvals/x/explain"), 400, "malformed_id");
    refused(service.approver("bob").get(&format!("{path}/explain?surprise=1")), 422, "validation_failed");
}

#[test]
fn explaining_reads_the_request_and_changes_nothing() {
    let service = Service::start();
    let path = in_status(&service, &service.requester("ann"), "pending");
    service.untouched(|| {
        service.transport.take_calls();
        explain(&service.approver("bob"), &path);
        assert_eq!(service.transport.take_calls(), ["GetItem"]);
    });
}

const GROUPS: [&str; 9] =
    ["developer", "approver", "auditor", "admin", "guest", "agent", "dba", "security", "finance"];

/// Services on one store, the last of which is under the policy of now, and the path of a request.
type Stage = (Vec<Service>, String);

/// A member of all groups of one of the sets really can approve, and a member of a single other
/// group cannot. `stage` makes a request in the same state each time.
fn check_approvers(stage: impl Fn() -> Stage) -> Vec<Vec<String>> {
    let (services, path) = stage();
    let service = services.last().unwrap();
    let explained = explain(&service.person("root", &["admin"]), &path);
    let sets: Vec<Vec<String>> = serde_json::from_value(explained["approvers"].clone()).unwrap();
    service.requester("ann").post(&format!("{path}/cancel"), &json!({})).expect(200);
    let can = |groups: &[&str]| {
        let (services, path) = stage();
        let service = services.last().unwrap();
        let digest = service.person("root", &["admin"]).get(&path).expect(200)["parameters_digest"].clone();
        let body = json!({ "parameters_digest": digest });
        let answer = service.person("nina", groups).post(&format!("{path}/approve"), &body);
        service.requester("ann").post(&format!("{path}/cancel"), &json!({})).expect(200);
        (answer.status == 200, answer.body)
    };
    for set in &sets {
        let groups: Vec<&str> = set.iter().map(String::as_str).collect();
        let (can, body) = can(&groups);
        assert!(can, "{groups:?} of {sets:?} cannot: {body}");
    }
    for group in GROUPS.into_iter().filter(|group| !sets.contains(&vec![(*group).to_owned()])) {
        let (can, body) = can(&[group]);
        assert!(!can, "{group} can, and is not in {sets:?}: {body}");
    }
    sets
}

fn set(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn groups_that_are_said_to_be_able_to_approve_are() {
    let made = |rules: &'static str, access: &'static str, approvers: &'static [&'static [&'static str]]| {
        move || {
            let service = Service::under(policy_with(rules, "", access));
            let path = Service::create(&service.requester("ann"), &Service::high());
            for (number, groups) in approvers.iter().enumerate() {
                Service::approve(&service.person(&format!("a{number}"), groups), &path).expect(200);
            }
            (vec![service], path)
        }
    };
    // Those who see as well: an approval of what one does not see is a 404.
    let dba = "@id(\"dba\") permit (principal in Group::\"dba\", \
               action in [Action::\"view\", Action::\"view_parameters\", Action::\"approve\"], resource);";
    assert_eq!(check_approvers(made("", "", &[])), [set(&["admin"]), set(&["approver"])]);
    assert_eq!(check_approvers(made("", dba, &[])), [set(&["admin"]), set(&["approver"]), set(&["dba"])]);
    let slots = "[rules.x]\nslots = { dba = 1, security = 1 }";
    let found = check_approvers(made(slots, dba, &[]));
    assert_eq!(found, [set(&["dba"]), set(&["admin", "security"]), set(&["approver", "security"])]);
    let found = check_approvers(made(slots, dba, &[&["dba"]]));
    let security = |other| set(&[other, "security"]);
    assert_eq!(found, [security("dba"), security("admin"), security("approver")]);
    let found = check_approvers(made(slots, "", &[&["approver", "dba", "security"]]));
    // The first approver is in both, and takes the slot that the next one leaves.
    let expected = [["admin", "dba"], ["approver", "dba"], ["admin", "security"], ["approver", "security"]];
    assert_eq!(found, expected.map(|groups| set(&groups)));
    let forbidden = "@id(\"no\") forbid (principal, action == Action::\"approve\", resource);";
    assert!(check_approvers(made("", forbidden, &[])).is_empty());
}

/// An approver must see what they approve.
#[test]
fn groups_that_cannot_see_a_request_are_not_said_to_be_able_to_approve_it() {
    for seen in ["", "Action::\"view\",", "Action::\"view_parameters\","] {
        let access = format!(
            "@id(\"blind\") permit (principal in Group::\"dba\", action in [{seen} Action::\"approve\"], resource);"
        );
        let found = check_approvers(|| {
            let service = Service::under(policy_with("", "", &access));
            let path = Service::create(&service.requester("ann"), &Service::high());
            (vec![service], path)
        });
        assert_eq!(found, [set(&["admin"]), set(&["approver"])], "{seen}");
    }
}

/// No person can approve what does not meet a demand that came later.
#[test]
fn no_group_is_said_to_be_able_to_approve_what_cannot_be_approved_any_more() {
    let found = check_approvers(|| {
        let service = Service::start();
        let path = Service::create(&service.requester("ann"), &Service::high());
        let policy = policy_with("[rules.x]\nrequired_fields = [\"ticket\"]", "", "");
        let later = service.again_under(policy);
        (vec![service, later], path)
    });
    assert!(found.is_empty(), "{found:?}");
}

/// A request that has more approvals than it needs, since policy asks for less again, waits for one
/// more, of anybody.
#[test]
fn any_approver_is_said_to_be_able_to_approve_what_has_enough() {
    let found = check_approvers(|| {
        let service = Service::start();
        let path = Service::create(&service.requester("ann"), &Service::high());
        let strict = service.again_under(policy_with("[rules.x]\napprovals = 4", "", ""));
        for name in ["bob", "carol"] {
            assert_eq!(Service::approve(&strict.approver(name), &path).expect(200)["status"], "pending");
        }
        let later = service.again_under(policy_with("", "", ""));
        (vec![service, strict, later], path)
    });
    assert_eq!(found, [set(&["admin"]), set(&["approver"])]);
}

fn missing(explained: &Value) -> (Vec<String>, u64) {
    let slots = explained["missing"]["slots"].as_array().unwrap();
    let slots = slots.iter().map(|slot| format!("{} of {}", slot["approvals"], slot["groups"])).collect();
    (slots, explained["missing"]["from_anybody"].as_u64().unwrap())
}

/// Slots from end to end, and what is missing before and after each step.
#[test]
fn slots_are_filled_step_by_step() {
    let rules = "[rules.x]\napprovals = 4\nslots = { dba = 1, \"finance|security\" = 2 }";
    let service = Service::under(policy_with(rules, "", ""));
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let (dba, either) = ("1 of [\"dba\"]".to_owned(), |n: u8| format!("{n} of [\"finance\",\"security\"]"));
    let check = |slots: &[String], from_anybody: u64| {
        for client in [&ann, &service.approver("zoe")] {
            let explained = explain(client, &path);
            assert_eq!(missing(&explained), (slots.to_vec(), from_anybody));
            assert_eq!(explained["approvals_required"], 4);
        }
    };
    check(&[dba.clone(), either(2)], 1);
    // In both: takes either.
    Service::approve(&service.person("bob", &["approver", "dba", "finance"]), &path).expect(200);
    let after_first = missing(&explain(&ann, &path));
    assert!(after_first == (vec![dba, either(1)], 1) || after_first == (vec![either(2)], 1));
    // Takes the one that the first has left, or makes the first move.
    Service::approve(&service.person("carol", &["approver", "dba"]), &path).expect(200);
    check(&[either(1)], 1);
    Service::approve(&service.person("dan", &["approver"]), &path).expect(200);
    check(&[either(1)], 0);
    service.untouched(|| {
        for groups in [&["approver"][..], &["approver", "dba"], &["admin"]] {
            refused(Service::approve(&service.person("eve", groups), &path), 403, "not_permitted");
        }
    });
    let explained = explain(&ann, &path);
    assert_eq!(explained["otherwise"], "it expires, and nothing is run");
    assert_eq!(explained["deadline"], ann.get(&path).expect(200)["expires_at"]);
    assert!(explained["approvals"].as_array().unwrap().iter().all(|approval| approval["counts"] == true));
    Service::approve(&service.person("fay", &["admin", "security"]), &path).expect(200);
    check(&[], 0);
    let explained = explain(&ann, &path);
    assert_eq!((&explained["status"], &explained["approvers"]), (&json!("approved"), &json!([])));
    start(&ann, &path).expect(200);
    assert!(explain(&ann, &path).get("deadline").is_none());
}

/// What does not count says why, and what then holds is there beside what held then.
#[test]
fn a_changed_policy_is_explained() {
    let service = Service::under(policy_with("", "", ""));
    let ann = service.requester("ann");
    let path = in_status(&service, &ann, "approved");
    let later = service.again_under(policy_with(
        "[rules.more]\nslots = { dba = 1 }\nexecute_within_seconds = 60",
        "[people.\"bob@example.com\"]\ndisabled = true",
        "",
    ));
    let explained = explain(&later.requester("ann"), &path);
    assert_ne!(explained["policy_version"], explained["current_policy_version"]);
    let names = |rules: &Value| -> Vec<String> {
        rules.as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(!names(&explained["rules"]).contains(&"rules.more".to_owned()));
    assert!(names(&explained["current_rules"]).contains(&"rules.more".to_owned()));
    let bob =
        explained["approvals"].as_array().unwrap().iter().find(|one| one["person"] == "bob@example.com");
    assert_eq!(bob.unwrap()["counts"], false);
    assert_eq!(bob.unwrap()["reason"], "`bob@example.com` has been disabled");
    assert_eq!(missing(&explained), (vec!["1 of [\"dba\"]".to_owned()], 0));
    assert_eq!(explained["deadline"], "2026-01-01T00:01:00.000Z");
    let started =
        explained["actions"].as_array().unwrap().iter().find(|one| one["action"] == "start").unwrap();
    let problem = refused(start(&later.requester("ann"), &path), 409, "approvals_insufficient");
    assert_eq!((&started["code"], &started["reasons"]), (&problem["code"], &problem["reasons"]));
}
