//! Who is who over HTTP: several addresses of one human, agents and those who answer for them, and
//! people who may no longer act. THREATS cases are named where a test is one of them.

use crate::policy::{policy_with, reasons, refused, reject, start, status};
use countersign_app::ports::CommitError;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::digest::Digest;
use countersign_core::event::Change;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_core::request::Request;
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::forged_commit;
use countersign_e2e::inspection;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const BOB: &str = "[people.\"bob@example.com\"]\naddresses = [\"robert@example.com\", \"bob@example.org\"]";
const ANN: &str = "[people.\"ann@example.com\"]\naddresses = [\"annabel@example.com\"]";

fn policy(people: &str) -> Policy {
    policy_with("", people, "")
}

/// A person by any address.
fn by(service: &Service, email: &str, groups: &[&str]) -> Client {
    Client::new(service.base(), Some(service.token(email, groups)))
}

/// THREATS 5: one human, two identities.
#[test]
fn two_addresses_of_one_person_are_one_person() {
    let service = Service::under(policy(&format!("{BOB}\n{ANN}")));
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let approved = Service::approve(&by(&service, "robert@example.com", &["approver"]), &path).expect(200);
    // They go by one name, whichever they came with.
    assert_eq!(approved["approved_by"], json!(["bob@example.com"]));
    service.untouched(|| {
        for email in ["bob@example.com", "bob@example.org", "robert@example.com", "ROBERT@example.com"] {
            for groups in [&["approver"][..], &["admin", "security"]] {
                refused(Service::approve(&by(&service, email, groups), &path), 409, "already_decided");
                refused(reject(&by(&service, email, groups), &path), 409, "already_decided");
            }
        }
        for email in ["ann@example.com", "annabel@example.com", "Annabel@Example.com"] {
            let annabel = by(&service, email, &["approver", "admin"]);
            refused(Service::approve(&annabel, &path), 403, "self_approval");
            refused(reject(&annabel, &path), 403, "self_approval");
        }
    });
    // It is hers by each of them.
    let annabel = by(&service, "annabel@example.com", &["developer"]);
    assert_eq!(annabel.ids("/v1/approvals"), [Service::id(&path)]);
    Service::approve(&service.approver("carol"), &path).expect(200);
    assert_eq!(start(&annabel, &path).expect(200)["execution_started_by"], "ann@example.com");
}

#[test]
fn a_retry_by_another_address_is_the_same_request() {
    let service = Service::under(policy(ANN));
    let (ann, annabel) = (service.requester("ann"), by(&service, "annabel@example.com", &["developer"]));
    let first = ann.post_with_key("/v1/approvals", &Service::high(), "k").expect(201);
    assert_eq!(annabel.post_with_key("/v1/approvals", &Service::high(), "k").expect(200), first);
    refused(annabel.post_with_key("/v1/approvals", &Service::low(), "k"), 409, "idempotency_conflict");
    // And one person has one limit.
    for _ in 0..49 {
        Service::create(&ann, &Service::medium());
    }
    refused(annabel.post("/v1/approvals", &Service::medium()), 429, "too_many_pending");
}

/// What was made by an address before it was known to be theirs takes room as well.
#[test]
fn a_person_has_one_limit_whichever_address_their_requests_were_made_by() {
    let service = Service::under(policy(""));
    for (email, count) in [("ann@example.com", 20), ("annabel@example.com", 30)] {
        let client = by(&service, email, &["developer"]);
        (0..count).for_each(|_| drop(Service::create(&client, &Service::medium())));
    }
    let later = service.again_under(policy(ANN));
    later.untouched(|| {
        for email in ["ann@example.com", "annabel@example.com"] {
            let client = by(&later, email, &["developer"]);
            refused(client.post("/v1/approvals", &Service::medium()), 429, "too_many_pending");
            let simulation = client.post("/v1/approvals/simulate", &Service::medium()).expect(200);
            assert_eq!(simulation["refusals"][0]["code"], "too_many_pending", "{email}");
        }
    });
    Service::create(&later.requester("ben"), &Service::medium());
}

/// THREATS 5: a retry is one, whichever address its sender is known by when it comes.
#[test]
fn a_retry_is_recognised_after_its_senders_address_was_joined_to_another() {
    let service = Service::under(policy(""));
    let create = |client: &Client, body: &Value| client.post_with_key("/v1/approvals", body, "k");
    let by_alias =
        create(&by(&service, "annabel@example.com", &["developer"]), &Service::medium()).expect(201);
    let later = service.again_under(policy(ANN));
    later.untouched(|| {
        for email in ["annabel@example.com", "ann@example.com"] {
            let client = by(&later, email, &["developer"]);
            assert_eq!(
                create(&client, &Service::medium()).body["request_id"],
                by_alias["request_id"],
                "{email}"
            );
            refused(create(&client, &Service::high()), 409, "idempotency_conflict");
        }
    });
    let other = create(&later.requester("ben"), &Service::medium()).expect(201);
    assert_ne!(other["request_id"], by_alias["request_id"]);
}

/// THREATS 1: a body may name the caller, by any of their addresses, and no other person.
#[test]
fn a_body_names_the_caller_by_their_own_addresses_only() {
    let service = Service::under(policy(&format!("{BOB}\n{ANN}")));
    let ann = service.requester("ann");
    for (name, status) in [
        ("ann@example.com", 201),
        ("annabel@example.com", 201),
        (" ANNABEL@example.com", 201),
        ("bob@example.com", 403),
        ("ann@example.org", 403),
        ("", 403),
    ] {
        let mut body = Service::medium();
        body["requested_by"] = json!(name);
        let answer = ann.post("/v1/approvals", &body);
        if status == 403 {
            refused(answer, 403, "identity_mismatch");
        } else {
            assert_eq!(answer.expect(status)["requested_by"], "ann@example.com", "{name}");
        }
    }
}

/// THREATS 5, linked mid-request: the file says it only after the request and the approval are there.
#[test]
fn an_address_that_is_listed_later_is_that_persons_from_then_on() {
    let service = Service::under(policy(""));
    let by_annabel = by(&service, "annabel@example.com", &["developer"]);
    let path = Service::create(&by_annabel, &Service::high());
    Service::approve(&by(&service, "robert@example.com", &["approver"]), &path).expect(200);
    let linked = policy(&format!("{BOB}\n{ANN}"));
    let later = service.again_under(linked.clone());
    later.untouched(|| {
        for email in ["bob@example.com", "bob@example.org", "robert@example.com"] {
            refused(Service::approve(&by(&later, email, &["approver"]), &path), 409, "already_decided");
        }
        for email in ["ann@example.com", "annabel@example.com"] {
            refused(Service::approve(&by(&later, email, &["approver"]), &path), 403, "self_approval");
        }
    });
    // The database itself has the same from the addresses of the approver.
    let store = DynamoStore::new(later.database.clone(), inspection::tables());
    let before = later.block_on(inspection::load(&later.database, Service::id(&path)));
    for email in ["bob@example.com", "ann@example.com"] {
        let person = PersonId::from_email(email).unwrap();
        let actor = linked.people().resolve(countersign_core::caller::Caller::new(
            person,
            PrincipalKind::Human,
            Channel::Local,
            ["approver"],
        ));
        let result = commit_grant(&later, &store, &before, &actor.unwrap());
        assert_eq!(result, Err(CommitError::Conflict), "{email}");
    }
    // By her main address it is hers, too.
    let ann = later.requester("ann");
    assert_eq!(status(&ann, &path), "pending");
    assert_eq!(Service::approve(&later.approver("carol"), &path).expect(200)["status"], "approved");
    start(&ann, &path).expect(200);
}

/// Writes an approval as if the core had decided it.
fn commit_grant(
    service: &Service,
    store: &DynamoStore,
    before: &Request,
    actor: &Principal,
) -> Result<(), CommitError> {
    let groups = actor.groups.clone();
    let change = Change::Granted {
        comment: None,
        execute_by: None,
        groups,
        digest_presented: false,
        policy_version: Digest::ZERO,
        replaces: Vec::new(),
    };
    forged_commit::commit(service, store, before, actor, before.version + 1, change)
}

/// THREATS 5: two approvals that turn out to be one person's are one.
#[test]
fn two_approvals_of_one_person_do_not_start_anything() {
    let service = Service::under(policy(""));
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    for email in ["bob@example.com", "robert@example.com"] {
        Service::approve(&by(&service, email, &["approver"]), &path).expect(200);
    }
    let later = service.again_under(policy(BOB));
    later.untouched(|| {
        let problem = refused(start(&later.requester("ann"), &path), 409, "approvals_insufficient");
        assert!(reasons(&problem).contains("by another address already"), "{problem}");
    });
    // Nor do one's own.
    let path = Service::create(&ann, &Service::high());
    for email in ["bob@example.com", "annabel@example.com"] {
        Service::approve(&by(&service, email, &["approver"]), &path).expect(200);
    }
    let later = service.again_under(policy(ANN));
    let problem = refused(start(&later.requester("ann"), &path), 409, "approvals_insufficient");
    assert!(reasons(&problem).contains("own"), "{problem}");
    assert_eq!(status(&ann, &path), "approved");
}

/// Every route that takes a token, with a body that is in order.
fn every_route(client: &Client, path: &str) -> Vec<(&'static str, Answer)> {
    let id = Service::id(path);
    let finish = json!({ "execution_id": id, "outcome": "failed" });
    let dispatched = |operation: &str| json!({ "operation": operation, "request_id": id });
    let mut answers = vec![
        ("create", client.post("/v1/approvals", &Service::medium())),
        ("simulate", client.post("/v1/approvals/simulate", &Service::medium())),
        ("list", client.get("/v1/approvals")),
        ("get", client.get(path)),
        ("approve", Service::approve(client, path)),
        ("reject", reject(client, path)),
        ("cancel", client.post(&format!("{path}/cancel"), &json!({}))),
        ("comment", client.post(&format!("{path}/comments"), &json!({ "text": "hm" }))),
        ("events", client.get(&format!("{path}/events"))),
        ("explain", client.get(&format!("{path}/explain"))),
        ("start", start(client, path)),
        ("finish", client.put(&format!("{path}/execution"), &finish)),
        ("dispatch create", client.post("/approvals", &Service::medium())),
    ];
    for operation in ["approve_request", "get_request", "get_request_events", "start_execution"] {
        answers.push(("dispatch", client.post("/approvals", &dispatched(operation))));
    }
    answers
        .push(("dispatch list", client.post("/approvals", &json!({ "operation": "get_pending_approvals" }))));
    answers
}

/// THREATS 31: the token is good, the person is not.
#[test]
fn a_disabled_person_is_refused_on_every_route_at_once() {
    let disabled = "[people.\"mallory@example.com\"]\naddresses = [\"mal@example.com\"]\ndisabled = true\n\
                    [agents.\"robo@example.com\"]\nowner = \"mallory@example.com\"\n\
                    [agents.\"bot@example.com\"]\nowner = \"ann@example.com\"\ndisabled = true\n\
                    [services.ci]\nowner = \"ann@example.com\"\ndisabled = true";
    let service = Service::under(policy(""));
    let mallory = by(&service, "mal@example.com", &["developer", "approver", "admin"]);
    let path = Service::create(&mallory, &Service::high());
    let later = service.again_under(policy(disabled));
    later.untouched(|| {
        for (client, why) in [
            (
                by(&later, "mal@example.com", &["developer", "approver", "admin"]),
                "is disabled in people.toml",
            ),
            (later.person("mallory", &["admin"]), "is disabled in people.toml"),
            (later.person("mallory", &[]), "is disabled in people.toml"),
            (later.person("bot", &["agent", "admin"]), "is disabled in people.toml"),
            (later.program("ci", &["admin"]), "is disabled in people.toml"),
            (later.person("robo", &["agent", "admin"]), "whoever answers for"),
        ] {
            for (route, answer) in every_route(&client, &path) {
                let problem = refused(answer, 403, "not_permitted");
                assert!(reasons(&problem).contains(why), "{route}: {problem}");
            }
        }
    });
    // What is wrong with a token or a body is answered before who the caller is, and health is public.
    let mallory = later.person("mallory", &["admin"]);
    mallory.get("/health").expect(200);
    refused(mallory.send("POST", "/v1/approvals", &[], b"{").unwrap(), 400, "malformed_json");
    refused(mallory.get("/v1/approvals/x"), 400, "malformed_id");
}

/// THREATS 30 and 31: what a person approved before they were disabled is no approval any more.
#[test]
fn the_approval_of_a_disabled_person_does_not_count_at_the_start() {
    let service = Service::under(policy(""));
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    for name in ["bob", "mallory"] {
        Service::approve(&service.approver(name), &path).expect(200);
    }
    let later = service.again_under(policy("[people.\"mallory@example.com\"]\ndisabled = true"));
    let ann = later.requester("ann");
    let (request, events) = (ann.get(&path).text, ann.get(&format!("{path}/events")).text);
    later.untouched(|| {
        for _ in 0..2 {
            let problem = refused(start(&ann, &path), 409, "approvals_insufficient");
            assert!(reasons(&problem).contains("`mallory@example.com` has been disabled"), "{problem}");
            assert!(reasons(&problem).contains("missing: 1 of anybody who may approve"), "{problem}");
        }
        let body = json!({ "operation": "mark_executed", "request_id": Service::id(&path) });
        refused(ann.post("/approvals", &body), 409, "approvals_insufficient");
    });
    assert_eq!((ann.get(&path).text, ann.get(&format!("{path}/events")).text), (request, events));
    assert_eq!(status(&ann, &path), "approved");
    // Nothing was lost: when it was a mistake, it can be started.
    start(&service.requester("ann"), &path).expect(200);
}

/// Another approver takes the place of a person who was disabled while the request waits.
#[test]
fn another_approver_takes_the_place_of_one_who_was_disabled() {
    let service = Service::under(policy(""));
    let path = Service::create(&service.requester("ann"), &Service::high());
    Service::approve(&service.approver("mallory"), &path).expect(200);
    let later = service.again_under(policy("[people.\"mallory@example.com\"]\ndisabled = true"));
    assert_eq!(Service::approve(&later.approver("bob"), &path).expect(200)["status"], "pending");
    assert_eq!(Service::approve(&later.approver("carol"), &path).expect(200)["status"], "approved");
    start(&later.requester("ann"), &path).expect(200);
}

/// Leaving the list is leaving, where only those who are listed may act.
#[test]
fn a_person_who_is_not_listed_any_more_has_no_approval_to_give_or_to_count() {
    let listed = |names: &[&str]| {
        let people: Vec<_> = names.iter().map(|name| format!("[people.\"{name}@example.com\"]")).collect();
        policy(&format!("unlisted_refused = true\n{}", people.join("\n")))
    };
    let service = Service::under(listed(&["ann", "bob", "mallory"]));
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    for name in ["bob", "mallory"] {
        Service::approve(&service.approver(name), &path).expect(200);
    }
    refused(service.approver("eve").get(&path), 403, "not_permitted");
    let later = service.again_under(listed(&["ann", "bob"]));
    for (route, answer) in every_route(&later.person("mallory", &["approver"]), &path) {
        let problem = refused(answer, 403, "not_permitted");
        assert!(reasons(&problem).contains("is not listed"), "{route}: {problem}");
    }
    let problem = refused(start(&later.requester("ann"), &path), 409, "approvals_insufficient");
    assert!(reasons(&problem).contains("`mallory@example.com` is not listed"), "{problem}");
}

/// THREATS 6: a bot asks for a human, and the human approves.
#[test]
fn the_owner_of_an_agent_does_not_approve_what_it_asks_for() {
    let owned = "[people.\"henry@example.com\"]\naddresses = [\"h@example.com\"]\n\
                 [agents.\"robo@example.com\"]\nowner = \"h@example.com\"\n\
                 [services.ci]\nowner = \"henry@example.com\"";
    let service = Service::under(policy(owned));
    for machine in [service.person("robo", &["agent"]), service.program("ci", &["developer"])] {
        let created = machine.post("/v1/approvals", &Service::high()).expect(201);
        assert_eq!(created["owner"], "henry@example.com");
        let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
        // Under a policy that knows nothing of it any more, and one that names another.
        let later = service.again_under(policy(""));
        let other = service.again_under(policy(
            "[agents.\"robo@example.com\"]\nowner = \"ken@example.com\"\n\
             [services.ci]\nowner = \"ken@example.com\"",
        ));
        service.untouched(|| {
            for email in ["henry@example.com", "h@example.com"] {
                let henry = by(&service, email, &["approver", "admin"]);
                refused(Service::approve(&henry, &path), 403, "self_approval");
                refused(reject(&henry, &path), 403, "self_approval");
            }
            for service in [&later, &other] {
                refused(Service::approve(&service.approver("henry"), &path), 403, "self_approval");
            }
            refused(Service::approve(&other.approver("ken"), &path), 403, "self_approval");
        });
        // He may see it, as his own.
        assert_eq!(status(&service.requester("henry"), &path), "pending");
        assert_eq!(status(&by(&service, "h@example.com", &["developer"]), &path), "pending");
        Service::approve(&service.approver("bob"), &path).expect(200);
        assert_eq!(Service::approve(&service.approver("carol"), &path).expect(200)["status"], "approved");
    }
}

/// Nor is it among what the list says that they can decide, under a policy that knows nothing of it
/// any more either.
#[test]
fn what_an_agent_asks_for_is_not_offered_to_its_owner() {
    let owned = "[people.\"henry@example.com\"]\naddresses = [\"h@example.com\"]\n\
                 [people.\"ann@example.com\"]\naddresses = [\"annabel@example.com\"]\n\
                 [agents.\"robo@example.com\"]\nowner = \"henry@example.com\"";
    let service = Service::under(policy(owned));
    Service::create(&service.person("robo", &["agent"]), &Service::high());
    let of_ann = Service::create(&service.requester("ann"), &Service::high());
    let later = service.again_under(policy(""));
    let offered = |service: &Service, email: &str| -> Vec<String> {
        let body = json!({ "operation": "get_pending_approvals", "user_email": email });
        let list = service.approver("cleo").post("/approvals", &body).expect(200);
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["request_id"].as_str().unwrap().to_owned()).collect()
    };
    for service in [&service, &later] {
        for email in ["henry@example.com", "h@example.com"] {
            assert_eq!(offered(service, email), [Service::id(&of_ann)], "{email}");
        }
        assert_eq!(offered(service, "annabel@example.com").len(), 1);
        assert_eq!(offered(service, "bob@example.com").len(), 2);
    }
}

/// THREATS 6: an entry that is listed as an agent is one, whatever their token says.
#[test]
fn an_agent_without_its_group_does_not_decide_either() {
    let service = Service::under(policy("[agents.\"robo@example.com\"]\nowner = \"henry@example.com\""));
    let path = Service::create(&service.requester("ann"), &Service::high());
    service.untouched(|| {
        for groups in [&["approver"][..], &["admin"], &["agent", "approver"]] {
            let robo = service.person("robo", groups);
            refused(Service::approve(&robo, &path), 403, "agent_cannot_approve");
            refused(reject(&robo, &path), 403, "agent_cannot_approve");
        }
    });
    // Nor does an approval count of a person who has been listed as one since.
    for name in ["bob", "tool"] {
        Service::approve(&service.approver(name), &path).expect(200);
    }
    let later = service.again_under(policy("[agents.\"tool@example.com\"]\nowner = \"henry@example.com\""));
    let problem = refused(start(&later.requester("ann"), &path), 409, "approvals_insufficient");
    assert!(reasons(&problem).contains("`tool@example.com` is no human"), "{problem}");
}

#[test]
fn a_machine_without_an_owner_is_refused_where_one_is_required() {
    let service = Service::under(policy(
        "owner_required = true\n[agents.\"robo@example.com\"]\nowner = \"henry@example.com\"",
    ));
    let path = Service::create(&service.requester("ann"), &Service::high());
    service.untouched(|| {
        for machine in [service.person("bot", &["agent", "admin"]), service.program("ci", &["admin"])] {
            for (route, answer) in every_route(&machine, &path) {
                let problem = refused(answer, 403, "not_permitted");
                assert!(reasons(&problem).contains("who answers for it"), "{route}: {problem}");
            }
        }
    });
    service.person("robo", &["agent"]).post("/v1/approvals", &Service::high()).expect(201);
}

/// What is answered for one of a person's addresses is answered for each of them.
#[test]
fn a_person_finds_their_requests_by_every_address() {
    let service = Service::under(policy(ANN));
    let path = Service::create(&service.requester("ann"), &Service::high());
    let annabel = by(&service, "annabel@example.com", &["developer"]);
    let auditor = service.person("otto", &["auditor"]);
    for client in [&annabel, &auditor] {
        for address in ["ann@example.com", "annabel@example.com"] {
            let found = client.ids(&format!("/v1/approvals?requested_by={address}"));
            assert_eq!(found, [Service::id(&path)], "{address}");
            let body = json!({ "operation": "get_user_requests", "user_email": address });
            let found: Value = client.post("/approvals", &body).expect(200);
            assert_eq!(found["items"].as_array().unwrap().len(), 1, "{address}");
        }
    }
}

/// Those that were made before the addresses were known to be one person's as well: in every list, on
/// pages of any size, once.
#[test]
fn a_list_of_a_person_holds_what_was_made_by_any_of_their_addresses() {
    let service = Service::under(policy(""));
    let mut made = std::collections::BTreeSet::new();
    for number in 0..6 {
        for email in ["ann@example.com", "annabel@example.com"] {
            let client = by(&service, email, &["developer"]);
            let path = Service::create(&client, &Service::medium());
            match number {
                0 => drop(client.post(&format!("{path}/cancel"), &json!({})).expect(200)),
                1 => drop(Service::approve(&service.approver("bob"), &path).expect(200)),
                _ => {}
            }
            service.host.advance_milliseconds(1000);
            made.insert(Service::id(&path).to_owned());
        }
    }
    let later = service.again_under(policy(ANN));
    let (ann, otto) = (later.requester("ann"), later.person("otto", &["auditor"]));
    let annabel = by(&later, "annabel@example.com", &["developer"]);
    let ids = |client: &Client, list: &str, limit: usize| -> std::collections::BTreeSet<String> {
        let items = client.pages(list, limit).into_iter().flatten();
        items.map(|item| item["request_id"].as_str().unwrap().to_owned()).collect()
    };
    for client in [&ann, &annabel, &otto] {
        for address in ["ann@example.com", "annabel@example.com"] {
            for limit in [1, 5, 100] {
                let list = format!("/v1/approvals?requested_by={address}");
                assert_eq!(ids(client, &list, limit), made, "{address}, pages of {limit}");
                let instance = format!("{list}&instance_id=dev-db-01");
                assert_eq!(ids(client, &instance, limit), made);
                for (status, count) in [("pending", 8), ("cancelled", 2), ("approved", 2), ("rejected", 0)] {
                    assert_eq!(
                        ids(client, &format!("{list}&status={status}"), limit).len(),
                        count,
                        "{status}"
                    );
                }
            }
        }
    }
    assert_eq!(ids(&ann, "/v1/approvals", 3).len(), 8);
    assert_eq!(ids(&later.requester("ben"), "/v1/approvals?requested_by=ann@example.com", 3).len(), 0);
}

/// Groups as a directory names them: what has an alias counts as the alias, and nothing else does.
#[test]
fn a_group_of_a_directory_counts_as_the_group_it_is_an_alias_of() {
    let aliases = r#"
        [group_aliases]
        "CN=DBA,OU=Groups,DC=corp" = "dba"
        "CORP\\Approvers (all) @ example.com" = "approver"
        "4f9d8a50-0000-4000-8000-000000000001" = "developer"
        "CN=Bots" = "agent"
    "#;
    let access = r#"@id("dba") permit (principal in Group::"dba", action, resource);"#;
    let service = Service::under(policy_with(
        "[rules.dba]\noperations = [\"*\"]\nslots = { dba = 1 }",
        aliases,
        access,
    ));
    let ann =
        by(&service, "ann@example.com", &["4f9d8a50-0000-4000-8000-000000000001", "CN=Unknown,DC=corp"]);
    let path = Service::create(&ann, &Service::medium());
    service.untouched(|| {
        for groups in [
            &["CN=DBA,OU=Groups"][..],
            &["cn=dba,ou=groups,dc=corp"],
            &["CN=DBA,OU=Groups,DC=corp "],
            &["CN=Unknown,DC=corp"],
        ] {
            refused(Service::approve(&by(&service, "bob@example.com", groups), &path), 404, "not_found");
        }
        // An approver, and none of the group that it takes.
        let approver = by(&service, "bob@example.com", &["CORP\\Approvers (all) @ example.com"]);
        refused(Service::approve(&approver, &path), 403, "not_permitted");
        // An agent by an alias does not decide.
        let agent = by(&service, "bob@example.com", &["CN=Bots", "CN=DBA,OU=Groups,DC=corp"]);
        refused(Service::approve(&agent, &path), 403, "agent_cannot_approve");
    });
    let dba = by(&service, "bob@example.com", &["CN=DBA,OU=Groups,DC=corp"]);
    let approved = Service::approve(&dba, &path).expect(200);
    assert_eq!(approved["decisions"][0]["groups"], json!(["dba"]));
}
