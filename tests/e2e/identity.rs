//! Who acts comes from a verified token and from nothing else.

use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use countersign_e2e::signature::{base64url, sign, unsigned};
use serde_json::{Value, json};

/// The spellings of THREATS case 4, for the person `dba@company.com`.
const SAME: [&str; 5] =
    ["DBA@Company.COM", " dba@company.com", "dba@company.com ", "\tdba@company.com\n", "dba@COMPANY.com"];
const DISGUISES: [&str; 14] = [
    "dba＠company.com",
    "ｄｂａ@company.com",
    "dbа@company.com",
    "dba\u{200b}@company.com",
    "d\u{ad}ba@company.com",
    "dba@company.com.",
    "dba(x)@company.com",
    "\"dba\"@company.com",
    "\u{a0}dba@company.com",
    "dba@company.com\0",
    "dba@company.com@company.com",
    "<dba@company.com>",
    "dba@\u{212a}ompany.com",
    "d\u{131}ba@company.com",
];
/// Other people, as far as anybody can tell from an address alone.
const OTHERS: [&str; 3] = ["dba+2@company.com", "d.ba@company.com", "dba@company.net"];

fn bearer(service: &Service, token: &str) -> Client {
    Client::new(service.base(), Some(token.to_owned()))
}

fn with_email(service: &Service, email: &str, groups: &[&str]) -> Client {
    let claims = json!({ "email": email, "email_verified": true, "groups": groups });
    bearer(service, &service.token_of(&claims))
}

/// The commands with the member of the original API that names who acts.
fn naming(path: &str) -> Vec<(&'static str, String, &'static str, Value)> {
    let id = "01930000-0000-7000-8000-000000000000";
    vec![
        ("POST", "/v1/approvals".to_owned(), "requested_by", Service::medium()),
        ("POST", format!("{path}/approve"), "approved_by", json!({})),
        ("POST", format!("{path}/reject"), "rejected_by", json!({ "reason": "no" })),
        ("POST", format!("{path}/cancel"), "cancelled_by", json!({})),
        ("POST", format!("{path}/comments"), "comment_by", json!({ "text": "hm" })),
        ("POST", format!("{path}/execution"), "executed_by", json!({})),
        (
            "PUT",
            format!("{path}/execution"),
            "executed_by",
            json!({ "execution_id": id, "outcome": "failed" }),
        ),
    ]
}

#[test]
fn a_body_that_names_another_person_is_refused_on_every_route() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let id = Service::id(&path);
    service.untouched(|| {
        for groups in [&["developer"][..], &["approver"], &["admin"], &["agent"]] {
            let eve = service.person("eve", groups);
            for (method, path, member, body) in naming(&path) {
                for name in ["ann@example.com", "bob@example.com", "service:x", "eve", "", "system:expiry"] {
                    let mut body = body.clone();
                    body[member] = json!(name);
                    let answer = eve.send(method, &path, &[], body.to_string().as_bytes()).unwrap();
                    answer.expect_problem(403, "identity_mismatch");
                }
            }
            for (operation, member) in [
                ("create_request", "requested_by"),
                ("approve_request", "approved_by"),
                ("reject_request", "rejected_by"),
                ("cancel_request", "cancelled_by"),
                ("add_comment", "comment_by"),
                ("start_execution", "executed_by"),
                ("mark_executed", "executed_by"),
            ] {
                let body = json!({ "operation": operation, "request_id": id, member: "ann@example.com" });
                eve.post("/approvals", &body).expect_problem(403, "identity_mismatch");
            }
        }
    });
}

#[test]
fn every_spelling_in_a_body_is_the_same_person_or_a_mismatch() {
    let service = Service::start();
    let requester = with_email(&service, "dba@company.com", &["developer"]);
    let create = |spelling: &str| {
        let mut body = Service::medium();
        body["requested_by"] = json!(spelling);
        requester.post("/v1/approvals", &body)
    };
    let approver = with_email(&service, "dba@company.com", &["approver"]);
    for spelling in SAME {
        assert_eq!(create(spelling).expect(201)["requested_by"], "dba@company.com", "{spelling:?}");
        let path = Service::create(&service.requester("ann"), &Service::medium());
        let approved = approver.post(&format!("{path}/approve"), &json!({ "approved_by": spelling }));
        assert_eq!(approved.expect(200)["approved_by"], json!(["dba@company.com"]), "{spelling:?}");
    }
    let path = Service::create(&service.requester("ann"), &Service::medium());
    service.untouched(|| {
        for spelling in DISGUISES.iter().chain(&OTHERS) {
            create(spelling).expect_problem(403, "identity_mismatch");
            let body = json!({ "approved_by": spelling });
            approver.post(&format!("{path}/approve"), &body).expect_problem(403, "identity_mismatch");
        }
    });
}

#[test]
fn no_spelling_in_a_token_approves_its_own_request() {
    let service = Service::start();
    let path = Service::create(&with_email(&service, "dba@company.com", &["developer"]), &Service::medium());
    service.untouched(|| {
        for spelling in SAME {
            let problem = Service::approve(&with_email(&service, spelling, &["approver", "admin"]), &path);
            problem.expect_problem(403, "self_approval");
        }
        for spelling in DISGUISES {
            let problem = Service::approve(&with_email(&service, spelling, &["approver", "admin"]), &path);
            problem.expect_problem(401, "unauthenticated");
        }
    });
    // And a true approver is never refused for how their address is written.
    for spelling in OTHERS {
        let path =
            Service::create(&with_email(&service, "dba@company.com", &["developer"]), &Service::medium());
        Service::approve(&with_email(&service, spelling, &["approver"]), &path).expect(200);
    }
    for spelling in SAME {
        let path = Service::create(&service.requester("ann"), &Service::medium());
        let approved = Service::approve(&with_email(&service, spelling, &["approver"]), &path).expect(200);
        assert_eq!(approved["approved_by"], json!(["dba@company.com"]));
    }
}

#[test]
fn no_spelling_in_a_token_counts_twice() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    Service::approve(&with_email(&service, "dba@company.com", &["approver"]), &path).expect(200);
    service.untouched(|| {
        for spelling in SAME {
            let problem = Service::approve(&with_email(&service, spelling, &["approver"]), &path);
            problem.expect_problem(409, "already_decided");
        }
    });
    // Its requester sees it under every spelling.
    let path = Service::create(&with_email(&service, "DBA@company.com", &["developer"]), &Service::medium());
    for spelling in SAME {
        with_email(&service, spelling, &["developer"]).get(&path).expect(200);
    }
}

#[test]
fn a_bad_token_identifies_no_caller() {
    let service = Service::start();
    let now = countersign_core::timestamp::Timestamp::parse(countersign_e2e::manual_host::BEGINNING).unwrap();
    let now = now.as_millisecond() / 1000;
    let claims = json!({
        "iss": "countersign", "aud": "countersign", "exp": now + 3600, "email": "ann@example.com",
        "email_verified": true, "groups": ["approver"],
    });
    let header = json!({ "alg": "HS256", "typ": "countersign-token+jwt" });
    let key = [7; 32];
    let good = sign(&header, &claims, &key);
    bearer(&service, &good).get("/v1/approvals").expect(200);

    let claim = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        sign(&header, &claims, &key)
    };
    let without = |names: &[&str]| {
        let mut claims = claims.clone();
        for name in names {
            claims.as_object_mut().unwrap().remove(*name);
        }
        sign(&header, &claims, &key)
    };
    // What a client gets on behalf of a person, or for itself.
    let access = |members: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove("email");
        claims.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        sign(&header, &claims, &key)
    };
    let head = |header: Value| sign(&header, &claims, &key);
    let parts: Vec<_> = good.split('.').collect();
    let (first, second, third) = (parts[0], parts[1], parts[2]);
    let bad = [
        ("nothing", String::new()),
        ("a word", "token".to_owned()),
        ("two dots", "..".to_owned()),
        ("no signature", format!("{first}.{second}.")),
        ("two parts", format!("{first}.{second}")),
        ("four parts", format!("{good}.{third}")),
        ("its own signature cut", good[..good.len() - 1].to_owned()),
        ("padding", format!("{good}=")),
        ("parts swapped", format!("{second}.{first}.{third}")),
        ("another key", sign(&header, &claims, &[8; 32])),
        ("the digests' key", sign(&header, &claims, &[9; 32])),
        (
            "alg none",
            format!("{}.", unsigned(&json!({ "alg": "none", "typ": "countersign-token+jwt" }), &claims)),
        ),
        ("alg None", head(json!({ "alg": "None", "typ": "countersign-token+jwt" }))),
        ("alg HS512", head(json!({ "alg": "HS512", "typ": "countersign-token+jwt" }))),
        ("alg RS256", head(json!({ "alg": "RS256", "typ": "countersign-token+jwt" }))),
        ("no alg", head(json!({ "typ": "countersign-token+jwt" }))),
        ("typ JWT", head(json!({ "alg": "HS256", "typ": "JWT" }))),
        ("a permit", head(json!({ "alg": "HS256", "typ": "countersign-permit+jwt" }))),
        ("no typ", head(json!({ "alg": "HS256" }))),
        ("another issuer", claim("iss", json!("https://example.com"))),
        ("another audience", claim("aud", json!("other"))),
        ("many other audiences", claim("aud", json!(["other", "countersign2"]))),
        ("an audience of no kind", claim("aud", json!(true))),
        ("expired", claim("exp", json!(now))),
        ("expired long ago", claim("exp", json!(1))),
        ("ends in words", claim("exp", json!("never"))),
        ("not valid yet", claim("nbf", json!(now + 3600))),
        ("valid from some day", claim("nbf", json!("today"))),
        ("no end", without(&["exp"])),
        ("no issuer", without(&["iss"])),
        ("no audience", without(&["aud"])),
        ("nobody", without(&["email"])),
        (
            "a person without an e-mail",
            access(json!({ "sub": "7e1c", "client_id": "app", "username": "ann" })),
        ),
        ("a subject that is no client", access(json!({ "sub": "ann@example.com" }))),
        ("a client and a person at once", access(json!({ "sub": "x", "client_id": "x", "username": "x" }))),
        ("an e-mail that nobody verified", without(&["email_verified"])),
        ("an e-mail that is not verified", claim("email_verified", json!(false))),
        ("verified in other words", claim("email_verified", json!("yes"))),
        ("verified by a number", claim("email_verified", json!(1))),
        ("an e-mail of no kind", claim("email", json!(["ann@example.com"]))),
        ("a null e-mail", claim("email", Value::Null)),
        ("no address", claim("email", json!("ann"))),
        ("two addresses", claim("email", json!("ann@example.com,bob@example.com"))),
        ("groups of no kind", claim("groups", json!({ "admin": true }))),
        ("groups within groups", claim("groups", json!([["admin"]]))),
        ("claims that are no object", format!("{first}.{}.{third}", base64url(b"[]"))),
        ("17 KiB", claim("padding", json!("x".repeat(17 * 1024)))),
    ];
    let path = Service::create(&service.requester("ben"), &Service::medium());
    service.untouched(|| {
        for (what, token) in &bad {
            let client = bearer(&service, token);
            for answer in [
                client.get("/v1/approvals"),
                client.post("/v1/approvals", &Service::medium()),
                Service::approve(&client, &path),
                client.post("/approvals", &json!({ "operation": "get_pending_approvals" })),
            ] {
                assert_eq!(answer.status, 401, "{what}: {}", answer.body);
                assert_eq!(answer.headers["www-authenticate"], "Bearer", "{what}");
                answer.expect_problem(401, "unauthenticated");
            }
        }
    });
}

#[test]
fn a_token_ends_when_it_says() {
    let service = Service::start();
    let now = 1_767_225_600;
    let token = service.token_of(&json!({
        "email": "ann@example.com", "email_verified": true, "groups": ["developer"], "exp": now + 60,
    }));
    let ann = bearer(&service, &token);
    ann.get("/v1/approvals").expect(200);
    service.host.advance_milliseconds(59_999);
    ann.get("/v1/approvals").expect(200);
    service.host.advance_milliseconds(1);
    ann.get("/v1/approvals").expect_problem(401, "unauthenticated");
}

#[test]
fn a_token_is_taken_from_one_authorization_header_only() {
    let service = Service::start();
    let token = service.token("ann@example.com", &["developer"]);
    let bearer = format!("Bearer {token}");
    let anonymous = service.anonymous();
    let get = |headers: &[(&str, &str)], path: &str| anonymous.send("GET", path, headers, b"").unwrap();
    get(&[("authorization", &bearer)], "/v1/approvals").expect(200);
    get(&[("Authorization", &format!("bearer {token}"))], "/v1/approvals").expect(200);
    for headers in [
        &[("authorization", token.as_str())][..],
        &[("authorization", &format!("Basic {token}"))],
        &[("authorization", &format!("Bearer{token}"))],
        &[("authorization", &format!("Bearer {token} {token}"))],
        &[("authorization", &bearer), ("authorization", &bearer)],
        &[("authorization", &bearer), ("authorization", "Bearer x")],
        &[("x-authorization", &bearer)],
        &[("proxy-authorization", &bearer)],
        &[("cookie", &format!("token={token}"))],
        &[("x-amzn-oidc-data", &token)],
    ] {
        get(headers, "/v1/approvals").expect_problem(401, "unauthenticated");
    }
    get(&[], &format!("/v1/approvals?access_token={token}")).expect_problem(401, "unauthenticated");
}

#[test]
fn headers_of_proxies_identify_no_caller() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    for name in [
        "X-Forwarded-Email",
        "X_Forwarded_Email",
        "X-Forwarded-User",
        "X-Forwarded-Groups",
        "X-Auth-Request-Email",
        "X-Remote-User",
        "Remote-User",
        "From",
    ] {
        for value in ["bob@example.com", "admin"] {
            let headers = [(name, value), (name, value)];
            let anonymous = service.anonymous().send("GET", &path, &headers, b"").unwrap();
            anonymous.expect_problem(401, "unauthenticated");
            // They do not add to a token either.
            let approve = ann.send("POST", &format!("{path}/approve"), &headers, b"{}").unwrap();
            approve.expect_problem(403, "self_approval");
        }
    }
}

#[test]
fn groups_are_exact_names_in_either_claim() {
    let service = Service::start();
    let check = |groups: Value, sees: bool| {
        let mut claims = json!({ "email": "bob@example.com", "email_verified": true });
        for (name, value) in groups.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let answer = bearer(&service, &service.token_of(&claims)).get("/v1/approvals");
        if sees {
            answer.expect(200);
        } else {
            answer.expect_problem(403, "not_permitted");
        }
    };
    check(json!({ "groups": ["auditor"] }), true);
    check(json!({ "groups": "auditor" }), true);
    check(json!({ "cognito:groups": ["auditor"] }), true);
    check(json!({ "cognito:groups": [], "groups": ["x", "auditor"] }), true);
    check(json!({}), false);
    for name in ["Auditor", "auditor ", "auditors", "[auditor]", "[auditor admin]", "auditor,admin", "*", ""]
    {
        check(json!({ "groups": [name] }), false);
        check(json!({ "groups": name }), false);
    }
    check(json!({ "roles": ["admin"], "scope": "admin", "custom:groups": "admin" }), false);
}

#[test]
fn a_program_is_not_the_person_whose_address_it_bears() {
    let service = Service::start();
    let program = service.program("ann@example.com", &["developer", "approver"]);
    let path = Service::create(&program, &Service::medium());
    assert_eq!(program.get(&path).expect(200)["requested_by"], "service:ann@example.com");
    service.requester("ann").get(&path).expect_problem(404, "not_found");
    Service::approve(&service.approver("ann"), &path).expect(200);
    for subject in ["", "a b", "a\nb", "аnn"] {
        let client = service.program(subject, &["developer"]);
        client.get("/v1/approvals").expect_problem(401, "unauthenticated");
    }
}
