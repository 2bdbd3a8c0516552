//! Texts that people wrote to deceive: none becomes an element, acts on others or hides, and what is shown of what will run
//! is what its digest is over.

use super::browser::{Browser, Page, read_back};
use super::examples::{ID, example, problem, request, sealed};
use super::request::{lay_down, shown_document};
use countersign_core::canonical::CanonicalJson;
use countersign_core::text::must_be_escaped;
use proptest::prelude::*;
use serde_json::{Value, json};

const NASTY: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</textarea><form action=//evil>",
    "' autofocus onfocus=alert(1) '",
    "&lt;b&gt;&#x202e;",
    "\u{202e}gnp.exe\u{202c}",
    "a\u{200b}\u{200d}\u{feff}b\u{ad}",
    "\u{1b}[2J\0\u{7f}\u{85}\u{2028}\u{2029}",
    "\u{2066}x\u{2069} \u{e0041}",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "⟨U+202E⟩",
    "{{ words }} {% raw %}",
    "javascript:alert(1)",
    "line\nbreak\r\n\ttab",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(NASTY).prop_map(str::to_owned),
        any::<String>(),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

/// The elements of a page: their names and attributes, without the values that content may be in.
fn elements(page: &Page) -> Vec<String> {
    let tags = page.html.split('<').skip(1).map(|part| part.split('>').next().unwrap());
    tags.map(|tag| tag.split('"').step_by(2).collect::<String>()).collect()
}

/// A request in which people wrote these texts wherever people write.
fn hostile(texts: &[String]) -> Value {
    let members = texts.iter().enumerate().map(|(place, text)| (format!("{place} {text}"), json!([text])));
    let mut request = request(&Value::Object(members.collect()));
    let mut texts = texts.iter().cycle();
    let mut next = || json!(texts.next().unwrap());
    for name in [
        "operation_type",
        "instance_id",
        "justification",
        "rollback_plan",
        "ticket",
        "requested_by",
        "estimated_duration",
        "owner",
        "filed_by",
        "environment",
        "status",
        "risk_level",
        "executor",
    ] {
        request[name] = next();
    }
    request["comments"][0]["comment"] = next();
    request["comments"][0]["user"] = next();
    request["hold"] = json!({"by": next(), "since": next(), "until": next()});
    request["decisions"][0]["person"] = next();
    request["decisions"][0]["groups"] = json!([next()]);
    request["slots"] = json!([{"groups": [next()], "approvals": 1}]);
    request["rules"] = json!([{"name": next(), "demands": [next()]}]);
    sealed(request)
}

fn assert_harmless(page: &Page, model: &[String]) {
    assert_eq!(elements(page), model);
    let acting = page.html.chars().find(|c| must_be_escaped(*c) && *c != '\n');
    assert_eq!(acting, None);
}

proptest! {
    // 20 texts in each: 10,000 in all.
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn hostile_texts_are_only_shown(texts in prop::collection::vec(text(), 20)) {
        let mut browser = Browser::signed_in();
        let target = format!("/approvals/{ID}");
        lay_down(&browser, hostile(&vec!["text".to_owned(); 20]), &["approve", "reject", "comment"]);
        let model = elements(&browser.get(&target));
        let hostile = hostile(&texts);
        let parameters = CanonicalJson::of(&hostile["parameters"]);
        lay_down(&browser, hostile, &["approve", "reject", "comment"]);
        let page = browser.get(&target);
        assert_harmless(&page, &model);
        let shown = shown_document(&page);
        prop_assert_eq!(shown.as_str(), parameters.as_str());
    }

    #[test]
    fn hostile_fields_and_problems_are_only_shown(text in text()) {
        let mut browser = Browser::signed_in();
        let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let query = |value: &str| format!("/requests/new?operation={value}&justification={value}&parameters={value}&ticket_name={value}");
        let model = elements(&browser.get(&query("text")));
        let page = browser.get(&query(&encoded));
        prop_assert_eq!(elements(&page), model);
        let acts = |c: char| must_be_escaped(c) && c != '\n' && c != '\t';
        prop_assert!(!page.html.contains(acts));
        let mut problem = problem(409, &text);
        for name in ["title", "detail", "instance", "code"] {
            problem[name] = json!(text);
        }
        problem["reasons"] = json!([text]);
        browser.api.answers("GET /v1/approvals?", 409, problem);
        let page = browser.get("/inbox");
        prop_assert!(!page.html.contains(must_be_escaped_besides_lines));
        prop_assert_eq!(page.html.matches("<script").count(), 1);
    }
}

/// Members without which a page would show something else: ids that links are made of, and what says that a request waits.
const KEPT: [&str; 3] = ["request_id", "status", "expires_at"];

/// An answer of the API in which every text is another.
fn written_over(answer: &Value, next: &mut impl FnMut() -> String) -> Value {
    match answer {
        Value::String(_) => json!(next()),
        Value::Array(items) => items.iter().map(|item| written_over(item, next)).collect(),
        Value::Object(members) => {
            let written = members.iter().map(|(name, value)| {
                let is_kept = KEPT.contains(&name.as_str());
                (name.clone(), if is_kept { value.clone() } else { written_over(value, next) })
            });
            Value::Object(written.collect())
        }
        other => other.clone(),
    }
}

/// Lays down for every page what texts make of the answers. No two of them are equal, so that names are counted alike.
fn lay_down_everywhere(browser: &Browser, texts: &[String]) -> Value {
    let mut place = 0;
    let mut next = || {
        place += 1;
        format!("{}{place}", texts[place % texts.len()])
    };
    let mut written = |name: &str| written_over(&example(name), &mut next);
    let trail = format!("GET /v1/approvals/{ID}/events");
    let explain = format!("GET /v1/approvals/{ID}/explain");
    let mut explanation = written("explained");
    for (place, action) in ["approve", "reject", "withdraw", "comment"].into_iter().enumerate() {
        explanation["actions"][place]["action"] = json!(action);
        explanation["actions"][place]["permitted"] = json!(place % 2 == 0);
    }
    let audit = written("audit");
    for (call, answer) in [
        ("GET /v1/approvals?", written("list")),
        ("GET /v1/audit-logs?", audit.clone()),
        ("GET /v1/audit-logs/stats", written("stats")),
        (trail.as_str(), written("events")),
        (explain.as_str(), explanation),
        (&format!("GET /v1/approvals/{ID}"), sealed(written("half_approved"))),
        ("POST /v1/approvals/simulate", written("simulated_refusal")),
    ] {
        browser.api.answers(call, 200, answer);
    }
    audit
}

/// Every kind of page, with this text wherever a link or a form brings one.
fn pages(browser: &mut Browser, text: &str) -> Vec<(String, Page)> {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let targets = [
        format!("/inbox?operation={encoded}&environment={encoded}&risk={encoded}&cursor={encoded}"),
        "/inbox?view=all".to_owned(),
        format!("/approvals/{ID}"),
        format!("/review?id={ID}&id={encoded}"),
        format!("/requests?cursor={encoded}"),
        format!(
            "/requests/new?operation={encoded}&instance={encoded}&cost={encoded}&rollback_plan={encoded}"
        ),
        "/instances".to_owned(),
        format!("/instances?id={encoded}&open={ID}"),
        format!(
            "/history?status={encoded}&requester={encoded}&instance={encoded}&from={encoded}&to={encoded}"
        ),
        format!("/insights?from={encoded}&to={encoded}"),
        format!("/audit?user={encoded}&event={encoded}&instance={encoded}&from={encoded}"),
        format!("/audit?request={ID}"),
        format!("/settings?saved={encoded}"),
        format!("/sign-in?return={encoded}"),
        format!("/nothing?{encoded}"),
    ];
    let csrf = browser.csrf();
    let mut pages: Vec<_> = targets.into_iter().map(|target| (browser.get(&target), target)).collect();
    let fields = ["comment", "reason", "text", "withdraw_reason", "cancel_reason", "result", "actual_cost"];
    let written = fields.map(|name| (name, text));
    let ticket = [("csrf", csrf.as_str()), ("ticket", text)];
    let form = [&ticket[..], &written].concat();
    let draft = ["operation", "instance", "environment", "justification", "duration", "ticket_name"];
    let draft = [&ticket[..], &draft.map(|name| (name, text)), &[("do", "check")]].concat();
    let zone = [ticket[0], ("zone", text), ("language", text)];
    for (target, form) in [
        (format!("/approvals/{ID}/approve"), form),
        ("/requests/new".to_owned(), draft),
        ("/settings".to_owned(), zone.to_vec()),
        ("/review".to_owned(), vec![ticket[0], ("id", ID), ("selected", ID), ("reason", text)]),
        ("/sign-in/token".to_owned(), vec![("token", text), ("return", text)]),
    ] {
        let form: Vec<(&str, &str)> = form;
        pages.push((browser.post(&target, &form), target));
    }
    pages.into_iter().map(|(page, target)| (target, page)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn no_page_of_any_kind_takes_a_text_for_something_else(texts in prop::collection::vec(text(), 20)) {
        let mut browser = Browser::signed_in();
        // Not empty, where a page may have no element for what is, and no token.
        let text = format!("x {} y", texts[0]);
        lay_down_everywhere(&browser, &vec!["text".to_owned(); 20]);
        let models: Vec<_> = pages(&mut browser, "x text y").iter().map(|(_, page)| elements(page)).collect();
        let mut browser = Browser::signed_in();
        let audit = lay_down_everywhere(&browser, &texts);
        let pages = pages(&mut browser, &text);
        for ((target, page), model) in pages.iter().zip(&models) {
            prop_assert_eq!(&elements(page), model, "{}", target);
            // White space that was typed into a field comes back in it.
            let acting = page.html.chars().find(|c| must_be_escaped(*c) && *c != '\n' && *c != '\t');
            prop_assert_eq!(acting, None, "{}", target);
        }
        let (_, page) = pages.iter().find(|(target, _)| target.starts_with("/audit?user")).unwrap();
        let event = CanonicalJson::of(&audit["items"][0]);
        let shown = shown_document(page);
        prop_assert_eq!(shown.as_str(), event.as_str());
    }
}

fn must_be_escaped_besides_lines(c: char) -> bool {
    must_be_escaped(c) && c != '\n'
}

#[test]
fn sixty_four_kibibytes_are_shown_to_the_last_byte() {
    let mut browser = Browser::signed_in();
    let member = "<b>\u{202e}⟨한국어\"\\\u{1}".repeat(20);
    let names = (0_u32..).map(|place| (format!("{place:04}"), json!(member)));
    let mut size = 0;
    let members = names.take_while(|(name, value)| {
        size += name.len() + value.to_string().len() + 10;
        size < 64 * 1024
    });
    let parameters = Value::Object(members.collect());
    let canonical = CanonicalJson::of(&parameters);
    assert!(canonical.as_str().len() > 60 * 1024);
    lay_down(&browser, request(&parameters), &["approve"]);
    let page = browser.get(&format!("/approvals/{ID}"));
    assert_eq!(shown_document(&page), canonical.as_str());
    assert!(page.has_button("Approve"));
    let begin = page.html.find("class=\"document\"").unwrap();
    let cut = page.html.get(..begin + 1_000).unwrap();
    assert!(!cut.contains("/approve"), "a cut page has no form to decide");
    assert_eq!(read_back("a⟨U+202E⟩b").as_deref(), Some("a\u{202e}b"));
}
