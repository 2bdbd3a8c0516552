//! Policies of one's own over HTTP: rules, slots, conditions of access, and a policy that changes
//! while a request waits. FIELD and THREATS are named where a test is one of their cases.

use countersign_core::policy::{BUNDLED_OPERATIONS, Policy, PolicyText};
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use countersign_policy::load;
use serde_json::{Value, json};

/// What comes with Countersign, with more groups, and with these rules, people and access policies
/// besides.
pub(crate) fn policy_with(rules: &str, people: &str, access: &str) -> Policy {
    policy_of(&format!("{BUNDLED_OPERATIONS}\n{rules}\n"), people, access)
}

/// The same over a catalogue of the test's own.
pub(crate) fn policy_of(operations: &str, people: &str, access: &str) -> Policy {
    let people = format!(
        "groups = [\"developer\", \"approver\", \"auditor\", \"admin\", \"guest\", \"agent\", \
         \"executor\", \"dba\", \"security\", \"finance\"]\n{people}\n"
    );
    let access = format!("{}\n{access}\n", load::BUNDLED.access);
    let text = PolicyText { operations, people: &people, access: &access };
    let (policy, warnings) = load::check(&text).unwrap_or_else(|error| panic!("{error}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    policy
}

/// A problem that says why.
#[track_caller]
pub(crate) fn refused(answer: Answer, status: u16, code: &str) -> Value {
    let problem = answer.expect_problem(status, code);
    if [403, 409, 422].contains(&status) {
        let reasons = problem["reasons"].as_array().unwrap_or_else(|| panic!("no reasons: {problem}"));
        let is_sentence = |reason: &Value| reason.as_str().is_some_and(|reason| reason.len() > 5);
        assert!(!reasons.is_empty() && reasons.iter().all(is_sentence), "{problem}");
    }
    problem
}

/// The reasons of a problem, in one text.
pub(crate) fn reasons(problem: &Value) -> String {
    let reasons = problem["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

pub(crate) fn start(requester: &Client, path: &str) -> Answer {
    requester.post(&format!("{path}/execution"), &json!({}))
}

pub(crate) fn reject(approver: &Client, path: &str) -> Answer {
    approver.post(&format!("{path}/reject"), &json!({ "reason": "not now" }))
}

pub(crate) fn status(client: &Client, path: &str) -> String {
    client.get(path).expect(200)["status"].as_str().unwrap().to_owned()
}

/// [`Service::medium`] with other members.
pub(crate) fn medium_with(members: &Value) -> Value {
    let mut body = Service::medium();
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[track_caller]
fn check_demanded(service: &Service, body: &Value, risk: &str, approvals: u8) -> Value {
    let created = service.requester("ann").post("/v1/approvals", body).expect(201);
    assert_eq!((&created["risk_level"], &created["approvals_required"]), (&json!(risk), &json!(approvals)));
    created
}

/// FIELD, integrity failure 9; THREATS 16: what nothing matches is not approved, but needs the most.
#[test]
fn what_no_rule_matches_is_high_and_takes_two_people() {
    let service = Service::under(policy_with(
        "[rules.reads]\noperations = [\"read_*\"]\napprovals = 1\n\
         [rules.dev]\ninstances = [\"dev-*\"]\nrequester_groups = [\"finance\"]\nrisk = \"medium\"",
        "",
        "",
    ));
    for operation in ["drop_database", "Modify_Storage", "modify_storage.", "modify-storage", "reads_file"] {
        let body = medium_with(&json!({ "operation_type": operation, "risk_level": "low" }));
        let created = check_demanded(&service, &body, "high", 2);
        assert_eq!((&created["status"], &created["approved_by"]), (&json!("pending"), &json!([])));
    }
}

/// FIELD, integrity failure 10: whichever rule comes first in the file or in the alphabet.
#[test]
fn of_several_rules_the_strictest_of_each_demand_holds() {
    let lax = "operations = [\"*\"]\nrisk = \"low\"\napprovals = 0\npending_seconds = 900\n";
    let strict = "environment = \"non-production\"\nrisk = \"high\"\napprovals = 3\npending_seconds = 600\n";
    for rules in [
        format!("[rules.a]\n{lax}[rules.b]\n{strict}"),
        format!("[rules.a]\n{strict}[rules.b]\n{lax}"),
        format!("[rules.b]\n{lax}[rules.a]\n{strict}"),
    ] {
        let service = Service::under(policy_with(&rules, "", ""));
        let created = check_demanded(&service, &Service::medium(), "high", 3);
        assert_eq!(created["expires_at"], "2026-01-01T00:10:00.000Z");
        let names: Vec<_> = created["rules"].as_array().unwrap().iter().map(|rule| &rule["name"]).collect();
        assert_eq!(names, ["operations.modify_storage", "rules.a", "rules.b", "approvals.high"]);
    }
}

/// THREATS 15 and 16: what a requester says of their request raises what is demanded, or nothing.
#[test]
fn what_a_requester_declares_never_lowers_a_demand() {
    let rules = "[rules.prod]\nenvironment = \"production\"\nslots = { dba = 1 }\n\
                 [rules.dear]\ncost_above = 1000\napprovals = 3";
    let service = Service::under(policy_with(rules, "", ""));
    let high = |members: &Value| {
        let mut body = Service::high();
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for declared in [json!({}), json!({ "environment": "non-production" }), json!({ "risk_level": "low" })] {
        let created = check_demanded(&service, &high(&declared), "high", 2);
        assert_eq!(created["environment"], "production");
        assert_eq!(created["slots"], json!([{ "groups": ["dba"], "approvals": 1 }]));
    }
    check_demanded(&service, &high(&json!({ "estimated_cost": 1000 })), "high", 2);
    check_demanded(&service, &high(&json!({ "estimated_cost": 1000.01 })), "high", 3);
    // Saying nothing of the cost is no way around the rule.
    let mut silent = Service::high();
    silent.as_object_mut().unwrap().remove("estimated_cost");
    check_demanded(&service, &silent, "high", 3);
}

/// FIELD, integrity failure 8; THREATS 8.
#[test]
fn an_admin_in_every_group_does_not_approve_their_own() {
    let service = Service::under(policy_with("", "", ""));
    let everything = ["developer", "approver", "auditor", "admin", "dba", "security", "finance"];
    let root = service.person("root", &everything);
    let path = Service::create(&root, &Service::medium());
    service.untouched(|| {
        refused(Service::approve(&root, &path), 403, "self_approval");
        refused(reject(&root, &path), 403, "self_approval");
    });
    assert_eq!(status(&root, &path), "pending");
}

/// FIELD, integrity failure 6; THREATS 7: two hats are one head.
#[test]
fn one_person_in_two_groups_fills_one_slot() {
    let rules = "[rules.both]\noperations = [\"modify_storage\"]\nslots = { dba = 1, security = 1 }";
    let service = Service::under(policy_with(rules, "", ""));
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let both = service.person("bob", &["approver", "dba", "security"]);
    let approved = Service::approve(&both, &path).expect(200);
    assert_eq!((&approved["status"], &approved["approvals_received"]), (&json!("pending"), &json!(1)));
    service.untouched(|| {
        for groups in [&["approver", "security"][..], &["approver", "dba"], &["admin", "security", "dba"]] {
            refused(Service::approve(&service.person("bob", groups), &path), 409, "already_decided");
        }
        // No approval is spent where it fills nothing.
        let problem = refused(Service::approve(&service.approver("dan"), &path), 403, "not_permitted");
        assert!(reasons(&problem).contains("would fill no open slot"), "{problem}");
    });
    // The approver in both makes room for the one who is in one, whichever that is.
    for group in ["dba", "security"] {
        let path = Service::create(&ann, &Service::medium());
        Service::approve(&both, &path).expect(200);
        let other = service.person("carol", &["approver", group]);
        assert_eq!(Service::approve(&other, &path).expect(200)["status"], "approved", "{group}");
    }
    ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
}

/// THREATS 9: a group that may approve some things may approve those.
#[test]
fn an_approver_of_another_scope_is_refused() {
    let access = "@id(\"dba-storage\") permit (\
                    principal in Group::\"dba\", \
                    action in [Action::\"view\", Action::\"view_parameters\", Action::\"approve\"], \
                    resource == Operation::\"modify_storage\"\
                  ) when { context.environment == Environment::\"non-production\" };\n\
                  @id(\"security-sees\") permit (\
                    principal in Group::\"security\", action == Action::\"view\", resource);";
    let service = Service::under(policy_with("", "", access));
    let ann = service.requester("ann");
    let dba = service.person("dora", &["dba"]);
    let security = service.person("sean", &["security"]);
    let own = Service::create(&ann, &Service::medium());
    let other = Service::create(
        &ann,
        &medium_with(&json!({ "operation_type": "create_snapshot", "risk_level": "medium" })),
    );
    let production = Service::create(&ann, &Service::high());
    service.untouched(|| {
        // What is not visible is not there.
        for path in [&other, &production] {
            refused(Service::approve(&dba, path), 404, "not_found");
            refused(dba.get(path), 404, "not_found");
        }
        let problem = refused(Service::approve(&security, &own), 403, "not_permitted");
        assert_eq!(reasons(&problem), "no policy permits `approve` to group security");
        let problem = refused(reject(&dba, &own), 403, "not_permitted");
        assert_eq!(reasons(&problem), "no policy permits `reject` to group dba");
        let problem = refused(dba.get("/v1/approvals"), 403, "not_permitted");
        assert_eq!(reasons(&problem), "no policy permits `list` to group dba");
    });
    assert_eq!(Service::approve(&dba, &own).expect(200)["status"], "approved");
}

/// THREATS 13: where policy asks for it, approvers approve only what they have looked at.
#[test]
fn approvers_name_the_digest_where_it_is_required() {
    let rules = "[rules.shown]\nenvironment = \"non-production\"\ndigest_required = true";
    let service = Service::under(policy_with(rules, "", ""));
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let created = ann.post("/v1/approvals", &Service::medium()).expect(201);
    assert_eq!(created["digest_required"], true);
    let digest = created["content_digest"].as_str().unwrap();
    // What is to be run says nothing of what it is run on: it is not what policy asks for.
    let parameters = created["parameters_digest"].as_str().unwrap();
    let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
    let approve = |body: &Value| bob.post(&format!("{path}/approve"), body);
    service.untouched(|| {
        for body in [json!({}), json!({ "comments": "fine" }), json!({ "parameters_digest": parameters })] {
            let problem = refused(approve(&body), 422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/content_digest");
            assert_eq!(problem["errors"].as_array().unwrap().len(), 1);
        }
        for wrong in [
            "0".repeat(64),
            digest.to_uppercase(),
            digest[..63].to_owned(),
            format!(" {digest}"),
            String::new(),
        ] {
            refused(approve(&json!({ "content_digest": wrong })), 409, "digest_mismatch");
        }
        refused(approve(&json!({ "content_digest": parameters })), 409, "digest_mismatch");
        refused(approve(&json!({ "content_digest": null })), 422, "validation_failed");
        let dispatched = json!({ "operation": "approve_request", "request_id": Service::id(&path) });
        refused(bob.post("/approvals", &dispatched), 422, "validation_failed");
    });
    // A rejection needs none.
    let other = Service::create(&ann, &Service::medium());
    reject(&bob, &other).expect(200);
    assert_eq!(approve(&json!({ "content_digest": digest })).expect(200)["status"], "approved");
    start(&ann, &path).expect(200);
}

#[test]
fn everything_that_policy_demands_of_the_fields_is_reported_at_once() {
    let rules = "[rules.change]\noperations = [\"modify_storage\"]\ncost_limit = 100\n\
                 required_fields = [\"ticket\", \"rollback_plan\", \"estimated_duration\"]";
    let service = Service::under(policy_with(rules, "", ""));
    let ann = service.requester("ann");
    let pointers = |problem: &Value| -> Vec<String> {
        let errors = problem["errors"].as_array().unwrap();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    };
    service.untouched(|| {
        for (members, expected) in [
            (json!({}), vec!["/ticket", "/rollback_plan", "/estimated_duration", "/estimated_cost"]),
            (
                json!({ "estimated_cost": 100.01, "ticket": "OPS-1" }),
                vec!["/rollback_plan", "/estimated_duration", "/estimated_cost"],
            ),
            (
                json!({ "estimated_cost": 100, "ticket": "OPS-1", "rollback_plan": "shrink it" }),
                vec!["/estimated_duration"],
            ),
        ] {
            let problem =
                refused(ann.post("/v1/approvals", &medium_with(&members)), 422, "validation_failed");
            assert_eq!(pointers(&problem), expected, "{members}");
            assert_eq!(problem["reasons"].as_array().unwrap().len(), expected.len());
        }
    });
    let all = json!({ "estimated_cost": 100, "ticket": "OPS-1", "rollback_plan": "shrink it", "estimated_duration": "1 h" });
    let created = ann.post("/v1/approvals", &medium_with(&all)).expect(201);
    assert_eq!((&created["ticket"], &created["rollback_plan"]), (&json!("OPS-1"), &json!("shrink it")));
    // Of other operations nothing is demanded.
    Service::create(&ann, &Service::high());
}

/// THREATS 44.
#[test]
fn a_rule_limits_how_many_requests_one_requester_has_pending() {
    let rules = "[rules.few]\noperations = [\"modify_storage\"]\npending_limit = 2";
    let service = Service::under(policy_with(rules, "", ""));
    let ann = service.requester("ann");
    let first = Service::create(&ann, &Service::medium());
    Service::create(&ann, &Service::medium());
    service.untouched(|| {
        let answer = ann.post("/v1/approvals", &Service::medium());
        assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("60"));
        refused(answer, 429, "too_many_pending");
    });
    // Others, and other operations, have their own limits.
    Service::create(&service.requester("ben"), &Service::medium());
    Service::create(&ann, &Service::high());
    ann.post(&format!("{first}/cancel"), &json!({})).expect(200);
    // The limit is of all that the requester has pending.
    refused(ann.post("/v1/approvals", &Service::medium()), 429, "too_many_pending");
}

/// THREATS 32: tightened between the approval and the start.
#[test]
fn a_policy_that_asks_for_more_asks_it_of_what_is_approved_already() {
    let service = Service::under(policy_with("", "", ""));
    let ann = service.requester("ann");
    let two = |body: &Value| {
        let path = Service::create(&ann, body);
        for name in ["bob", "carol"] {
            Service::approve(&service.person(name, &["approver", "security"]), &path);
        }
        assert_eq!(status(&ann, &path), "approved");
        path
    };
    for (rules, access, missing) in [
        ("[rules.x]\napprovals = 3", "", "missing: 1 of anybody who may approve"),
        ("[rules.x]\nslots = { dba = 1 }", "", "missing: 1 of dba"),
        ("[rules.x]\nslots = { \"dba|finance\" = 2 }", "", "missing: 2 of dba or finance"),
        (
            "",
            "@id(\"no-more\") forbid (principal, action == Action::\"approve\", resource) \
             when { context.groups.contains(\"security\") };",
            "forbidden by policy `no-more`",
        ),
    ] {
        let path = two(&Service::high());
        let tightened = service.again_under(policy_with(rules, "", access));
        let (events, request) = (ann.get(&format!("{path}/events")).text, ann.get(&path).text);
        let ann = tightened.requester("ann");
        tightened.untouched(|| {
            let problem = refused(start(&ann, &path), 409, "approvals_insufficient");
            assert!(reasons(&problem).contains(missing), "{missing}: {problem}");
            assert_eq!(problem["current_status"], "approved");
        });
        assert_eq!(ann.get(&format!("{path}/events")).text, events);
        assert_eq!(service.requester("ann").get(&path).text, request);
        // Under the policy that it was approved under it is still good, and waits for no approval.
        refused(Service::approve(&service.approver("dan"), &path), 409, "not_pending");
        assert_eq!(start(&service.requester("ann"), &path).expect(200)["status"], "executing");
        // Under the new one it waits for people again, as far as some are missing.
        let path = two(&Service::high());
        let dba = tightened.person("dan", &["approver", "dba"]);
        let (status, execute_by) = match missing {
            "missing: 2 of dba or finance" | "forbidden by policy `no-more`" => ("pending", false),
            _ => ("approved", true),
        };
        let before = ann.get(&path).expect(200);
        let again = Service::approve(&dba, &path).expect(200);
        assert_eq!(again["status"], status, "{missing}");
        assert_eq!(again["execute_by"] == before["execute_by"], execute_by, "it lasts no longer than it did");
        Service::approve(&tightened.person("dora", &["approver", "dba"]), &path);
        assert_eq!(start(&ann, &path).expect(200)["status"], "executing", "{missing}");
    }
    // What needed no approval may come to need one.
    let low = Service::create(&ann, &Service::low());
    assert_eq!(status(&ann, &low), "approved");
    let tightened = service.again_under(policy_with("[rules.x]\nrisk = \"medium\"", "", ""));
    refused(start(&tightened.requester("ann"), &low), 409, "approvals_insufficient");
}

/// THREATS 32: loosened while it waits, and tightened.
#[test]
fn what_holds_is_the_stricter_of_then_and_now() {
    let strict = || policy_with("[rules.x]\napprovals = 3\nslots = { dba = 1 }", "", "");
    let lax = || policy_with("", "", "");
    for (made, now) in [(strict(), lax()), (lax(), strict())] {
        let service = Service::under(made);
        let ann = service.requester("ann");
        let path = Service::create(&ann, &Service::high());
        let now = service.again_under(now);
        let shown = now.requester("ann").get(&path).expect(200);
        assert_eq!(shown["approvals_required"], 3);
        assert_eq!(shown["slots"], json!([{ "groups": ["dba"], "approvals": 1 }]));
        for (name, groups, expected) in [
            ("bob", &["approver"][..], "pending"),
            ("carol", &["approver"], "pending"),
            ("dan", &["approver"], "not_permitted"),
            ("dan", &["approver", "dba"], "approved"),
        ] {
            let answer = Service::approve(&now.person(name, groups), &path);
            let found = answer.body["code"].as_str().or(answer.body["status"].as_str());
            assert_eq!(found, Some(expected), "{}", answer.body);
        }
        start(&now.requester("ann"), &path).expect(200);
    }
}

/// A demand that an old request does not meet cannot be met any more.
#[test]
fn a_demand_of_a_field_that_comes_later_ends_a_request() {
    let service = Service::under(policy_with("", "", ""));
    let ann = service.requester("ann");
    let pending = Service::create(&ann, &Service::medium());
    let approved = service.approved(&ann);
    let later =
        service.again_under(policy_with("[rules.x]\nrequired_fields = [\"ticket\"]\ncost_limit = 5", "", ""));
    later.untouched(|| {
        for answer in
            [Service::approve(&later.approver("bob"), &pending), start(&later.requester("ann"), &approved)]
        {
            let problem = refused(answer, 403, "not_permitted");
            assert!(reasons(&problem).contains("ticket is required by policy"), "{problem}");
            assert!(reasons(&problem).contains("estimated_cost is required"), "{problem}");
        }
    });
    reject(&later.approver("bob"), &pending).expect(200);
}

/// A lifetime that policy shortens holds for what waits already, and one that it prolongs does not.
#[test]
fn a_deadline_moves_closer_with_the_policy_and_never_away() {
    let service = Service::under(policy_with(
        "[rules.x]\npending_seconds = 3600\nexecute_within_seconds = 3600",
        "",
        "",
    ));
    let ann = service.requester("ann");
    let pending = Service::create(&ann, &Service::medium());
    let approved = service.approved(&ann);
    let longer = service.again_under(policy_with("", "", ""));
    let shorter = service.again_under(policy_with(
        "[rules.x]\npending_seconds = 60\nexecute_within_seconds = 60",
        "",
        "",
    ));
    service.host.advance_milliseconds(59_999);
    let late = |service: &Service, is_late: bool| {
        for path in [&pending, &approved] {
            let found = status(&service.requester("ann"), path);
            assert_eq!(found == "expired", is_late, "{found}");
        }
    };
    late(&shorter, false);
    service.host.advance_milliseconds(1);
    // What is shown is what is on record, until a call meets the sooner deadline: that is then on record.
    late(&shorter, false);
    late(&longer, false);
    for (refused_call, path) in [
        (Service::approve(&shorter.approver("carol"), &pending), &pending),
        (start(&shorter.requester("ann"), &approved), &approved),
    ] {
        assert_eq!(refused(refused_call, 409, "expired")["current_status"], "expired");
        let shown = longer.requester("ann").get(path).expect(200);
        assert_eq!(
            (&shown["status"], &shown["closed_at"]),
            (&json!("expired"), &json!("2026-01-01T00:01:00.000Z"))
        );
        let events = ann.get(&format!("{path}/events")).expect(200);
        let last = events["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["event_type"], "APPROVAL_EXPIRED");
        assert_eq!(last["details"]["deadline"], "2026-01-01T00:01:00.000Z");
    }
    // THREATS 58: it has expired, whatever policy comes to say.
    longer.untouched(|| {
        refused(Service::approve(&longer.approver("carol"), &pending), 409, "expired");
        refused(start(&longer.requester("ann"), &approved), 409, "expired");
        late(&longer, true);
    });
}

/// The deadlines of the creation hold under a policy that sets later ones.
#[test]
fn a_longer_lifetime_comes_too_late_for_what_waits() {
    let service = Service::under(policy_with(
        "[rules.x]\npending_seconds = 3600\nexecute_within_seconds = 3600",
        "",
        "",
    ));
    let ann = service.requester("ann");
    let pending = Service::create(&ann, &Service::medium());
    let approved = service.approved(&ann);
    let longer = service.again_under(policy_with("", "", ""));
    service.host.advance_milliseconds(3_599_999);
    for path in [&pending, &approved] {
        assert_ne!(status(&longer.requester("ann"), path), "expired");
    }
    service.host.advance_milliseconds(1);
    for path in [&pending, &approved] {
        assert_eq!(status(&longer.requester("ann"), path), "expired");
    }
    longer.untouched(|| {
        refused(Service::approve(&longer.approver("carol"), &pending), 409, "expired");
        refused(start(&longer.requester("ann"), &approved), 409, "expired");
    });
}

/// THREATS 42: a list holds what its reader may see, and all of it.
#[test]
fn a_list_leaves_out_what_policy_hides_and_is_complete() {
    let access = "@id(\"dba-storage\") permit (principal in Group::\"dba\", action == Action::\"view\", \
                    resource == Operation::\"modify_storage\");\n\
                  @id(\"dba-lists\") permit (principal in Group::\"dba\", action == Action::\"list\", resource);";
    let service = Service::under(policy_with("", "", access));
    let mut visible = std::collections::BTreeSet::new();
    for number in 0..40 {
        let ann = service.requester(&format!("ann{number}"));
        let body = if number % 3 == 0 { Service::medium() } else { Service::high() };
        let path = Service::create(&ann, &body);
        if number % 3 == 0 {
            visible.insert(Service::id(&path).to_owned());
        }
    }
    let dba = service.person("dora", &["dba"]);
    for limit in [1, 3, 7, 50] {
        let pages = dba.pages("/v1/approvals", limit);
        let seen: std::collections::BTreeSet<_> =
            pages.iter().flatten().map(|item| item["request_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(seen, visible, "pages of {limit}");
    }
    assert_eq!(dba.ids("/v1/approvals?requested_by=ann1@example.com"), Vec::<String>::new());
    assert_eq!(dba.ids("/v1/approvals?requested_by=ann3@example.com").len(), 1);
}

/// What has become production since is hidden from a caller who sees what is outside of it, in lists as
/// everywhere.
#[test]
fn who_sees_a_request_follows_the_environment_of_now() {
    let access = "@id(\"dba-outside\") permit (principal in Group::\"dba\", action == Action::\"view\", resource) \
                    when { context.environment == Environment::\"non-production\" };\n\
                  @id(\"dba-lists\") permit (principal in Group::\"dba\", action == Action::\"list\", resource);";
    let outside = Service::under(policy_with("", "", access));
    let path = Service::create(&outside.requester("ann"), &Service::medium());
    let dba = outside.person("dora", &["dba"]);
    assert_eq!(dba.get(&path).expect(200)["environment"], "non-production");
    assert_eq!(dba.ids("/v1/approvals"), [Service::id(&path)]);
    let operations = BUNDLED_OPERATIONS.replace("\"dev-*\"", "\"devoted-*\"");
    assert_ne!(operations, BUNDLED_OPERATIONS);
    let inside = outside.again_under(policy_of(&operations, "", access));
    let dba = inside.person("dora", &["dba"]);
    refused(dba.get(&path), 404, "not_found");
    assert_eq!(dba.ids("/v1/approvals"), Vec::<String>::new());
    assert_eq!(inside.approver("bob").get(&path).expect(200)["environment"], "production");
}

/// What has become high since is approved by those who may approve what is high.
#[test]
fn who_may_approve_follows_the_risk_of_now() {
    let access = "@id(\"high-needs-security\") forbid (principal, action == Action::\"approve\", resource) \
                    when { context.risk == Risk::\"high\" } unless { principal in Group::\"security\" };";
    let before = Service::under(policy_with("", "", access));
    let path = Service::create(&before.requester("ann"), &Service::medium());
    let now = before.again_under(policy_with("[rules.x]\nrisk = \"high\"", "", access));
    let problem = refused(Service::approve(&now.approver("bob"), &path), 403, "not_permitted");
    assert_eq!(reasons(&problem), "forbidden by policy `high-needs-security`");
    let security = |name| now.person(name, &["approver", "security"]);
    assert_eq!(Service::approve(&security("carol"), &path).expect(200)["status"], "pending");
    assert_eq!(Service::approve(&security("dan"), &path).expect(200)["status"], "approved");
}

/// The words of the author of the policy reach the caller who is refused, and are bounded by it.
#[test]
fn refusals_say_what_the_author_of_the_policy_wrote() {
    let rules = "[rules.change]\noperations = [\"modify_storage\"]\njustification_min = 30";
    let freeze = "@id(\"freeze\") @reason(\"Frozen: ask in #releases\") \
                  forbid (principal, action == Action::\"create\", resource == Operation::\"reboot\");";
    let service = Service::under(policy_with(rules, "", freeze));
    let ann = service.requester("ann");
    service.untouched(|| {
        let problem = refused(ann.post("/v1/approvals", &Service::medium()), 422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/justification");
        assert_eq!(
            reasons(&problem),
            "justification must be at least 30 characters by policy, not 23 (rules.change)"
        );
        for operation in ["reboot", "Reboot"] {
            let body = medium_with(&json!({ "operation_type": operation }));
            let problem = refused(ann.post("/v1/approvals", &body), 403, "not_permitted");
            assert!(
                reasons(&problem).starts_with("forbidden by policy `freeze`: Frozen: ask in #releases"),
                "{problem}"
            );
        }
    });
    let simulated = ann.post("/v1/approvals/simulate", &Service::medium()).expect(200);
    assert_eq!(simulated["justification_min"], 30);
    let long = json!({ "justification": "The disk is nearly full, and orders stop" });
    let created = ann.post("/v1/approvals", &medium_with(&long)).expect(201);
    let demands =
        created["rules"].as_array().unwrap().iter().find(|rule| rule["name"] == "rules.change").unwrap();
    assert_eq!(demands["demands"], json!(["a justification of at least 30 characters"]));
}
