//! The client as a library: one call for what may need approval.

use crate::{BINARY, Person};
use countersign_api::bodies::CreateBody;
use countersign_client::connection::Connection;
use countersign_client::credential::Credential;
use countersign_client::error::Error;
use countersign_client::execute_operation::Executed;
use countersign_client::limits::Limits;
use countersign_client::profile::{Settings, TokenSource};
use countersign_client::secret::Secret;
use countersign_e2e::program::Program;
use serde_json::json;
use std::cell::Cell;

fn connection(program: &Program, name: &str) -> Connection {
    let (url, token) = (program.base().to_owned(), TokenSource::Nowhere);
    let settings = Settings { url, ca_bundle: None, aws_ca_bundle: None, token, profile: None };
    let token = Secret::new(&program.token(name, "developer"));
    Connection::to(&settings).unwrap().with(Credential::Token(token))
}

fn request(operation_type: &str) -> CreateBody {
    CreateBody {
        operation_type: operation_type.to_owned(),
        instance_id: "orders-db".to_owned(),
        parameters: json!({ "snapshot_id": "before" }),
        environment: "production".to_owned(),
        justification: "before the migration".to_owned(),
        ..CreateBody::default()
    }
}

#[test]
fn an_operation_is_carried_out_once_it_is_approved_and_never_again() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let ann = connection(&program, "ann");
    let count = Cell::new(0);
    let execute = |limits: Limits, key: &str| {
        ann.execute_operation(&request("create_snapshot"), key, limits, |execution| {
            count.set(count.get() + 1);
            ann.renew(execution).unwrap();
            Ok::<_, String>(Some(json!({ "snapshot": "before" })))
        })
    };
    let disabled = Limits { is_workflow_enabled: false, max_pending: None };
    assert_eq!(execute(disabled, "k"), Err(Error::WorkflowDisabled));
    let Ok(Executed::ApprovalRequired(pending)) = execute(Limits::default(), "k") else { panic!() };
    assert_eq!((pending.status.as_str(), count.get()), ("pending", 0));
    let one = Limits { is_workflow_enabled: true, max_pending: Some(1) };
    assert_eq!(execute(one, "another"), Err(Error::TooManyPending { max: 1 }));
    let bob = Person::of(&program, "bob", "approver");
    bob.run(&["approve", &pending.request_id, "--yes"]).expect(0, "1 of 1");
    let Ok(Executed::Done { request, outcome }) = execute(Limits::default(), "k") else { panic!() };
    assert_eq!((request.request_id, request.status), (pending.request_id, "executed".to_owned()));
    assert_eq!((outcome, count.get()), (Ok(Some(json!({ "snapshot": "before" }))), 1));
    let Ok(Executed::Over(request)) = execute(Limits::default(), "k") else { panic!() };
    assert_eq!((request.status.as_str(), count.get()), ("executed", 1));
}

#[test]
fn what_fails_is_reported_as_failed() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let ann = connection(&program, "ann");
    let executed = ann.execute_operation(&request("read_file"), "k", Limits::default(), |_| {
        Err::<Option<serde_json::Value>, _>("no such file")
    });
    let Ok(Executed::Done { request, outcome }) = executed else { panic!("{executed:?}") };
    assert_eq!((request.status.as_str(), outcome), ("failed", Err("no such file")));
    assert_eq!(request.execution_result, Some(json!({ "error": "no such file" })));
}
