//! `countersign dashboard`, where browsers are not opened: there is no terminal.

use crate::{BINARY, Person};
use countersign_e2e::program::Program;
use countersign_e2e::stub::Stub;

#[test]
fn a_service_gives_a_code_and_one_without_pages_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let ann = Person::of(&program, "ann", "developer");
    let code = ann.json(&["dashboard"]);
    let url = code["url"].as_str().unwrap();
    assert!(url.contains(".localhost:") && url.contains("/sign-in/code?code="), "{url}");
    ann.run(&["dashboard"]).expect(0, "open it in a browser on this machine within a minute; it works once");
    drop(program);
    let program = Program::start_with(BINARY, directory.path(), &["--no-dashboard"]);
    Person::of(&program, "ann", "developer")
        .run(&["dashboard"])
        .expect(4, "has no dashboard; it may have been started with --no-dashboard");
}

#[test]
fn behind_api_gateway_people_sign_in_on_the_page() {
    let gateway = Stub::start(|| |_: &_| (404, r#"{"message":"Not Found"}"#.to_owned()));
    let ann = Person::at(&gateway.url, Some("a.b.c".to_owned()));
    let ended = ann.run(&["dashboard"]);
    ended.expect(0, &format!("{}/inbox", gateway.url));
    ended.expect(0, "open it in a browser, and sign in there");
}
