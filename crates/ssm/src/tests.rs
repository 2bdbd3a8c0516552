//! The executor against a stub of Systems Manager that refuses what AWS refuses: a token that is no UUID, a token that comes
//! again with other parameters, a runbook or version that is not there.

use super::*;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_types::region::Region;
use countersign_core::runbook::Runbook;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const EXECUTION: &str = "0193aaaa-0000-4000-8000-000000000001";

#[derive(Debug, Default)]
struct State {
    /// By token: what each automation was begun with, and its status.
    automations: BTreeMap<String, (Value, &'static str)>,
    /// How many answers of starts are lost from now on.
    lost: u32,
    hash: &'static str,
}

/// Systems Manager in memory.
#[derive(Debug, Clone, Default)]
struct Stub(Arc<Mutex<State>>);

impl HttpClient for Stub {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Stub {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let mut state = self.0.lock().unwrap();
        let answer = match target.trim_start_matches("AmazonSSM.") {
            "DescribeDocument" => state.describe(&body),
            "StartAutomationExecution" => {
                let answer = state.start(&body);
                if state.lost > 0 {
                    state.lost -= 1;
                    return HttpConnectorFuture::ready(Err(ConnectorError::timeout("lost".into())));
                }
                answer
            }
            "GetAutomationExecution" => state.get(&body),
            other => panic!("{other} is not called"),
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(code) => (400, json!({ "__type": code, "message": "refused by the stub" })),
        };
        let body = SdkBody::from(body.to_string());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), body)))
    }
}

impl State {
    fn describe(&self, body: &Value) -> Result<Value, &'static str> {
        match (body["Name"].as_str(), body["DocumentVersion"].as_str()) {
            (Some("Resize"), Some("3")) => Ok(
                json!({ "Document": { "Name": "Resize", "Hash": self.hash, "Status": "Active", "Owner": "1" } }),
            ),
            (Some("Resize"), _) => Err("InvalidDocumentVersion"),
            _ => Err("InvalidDocument"),
        }
    }

    fn start(&mut self, body: &Value) -> Result<Value, &'static str> {
        self.describe(&json!({ "Name": body["DocumentName"], "DocumentVersion": body["DocumentVersion"] }))
            .map_err(|_| "AutomationDefinitionNotFoundException")?;
        let token = body["ClientToken"].as_str().unwrap_or_default();
        let is_uuid = token.len() == 36 && token.bytes().filter(|byte| *byte == b'-').count() == 4;
        if !is_uuid {
            return Err("ValidationException");
        }
        let begun = self.automations.entry(token.to_owned()).or_insert_with(|| (body.clone(), "InProgress"));
        if begun.0 != *body {
            return Err("IdempotentParameterMismatch");
        }
        Ok(json!({ "AutomationExecutionId": token.to_uppercase() }))
    }

    fn get(&self, body: &Value) -> Result<Value, &'static str> {
        let token = body["AutomationExecutionId"].as_str().unwrap().to_lowercase();
        let (_, status) = self.automations.get(&token).ok_or("AutomationExecutionNotFoundException")?;
        Ok(json!({ "AutomationExecution": { "AutomationExecutionStatus": status } }))
    }
}

fn executor(stub: &Stub, runbook: &str) -> SsmExecutor {
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "tests",
        )))
        .http_client(SharedHttpClient::new(stub.clone()))
        .build();
    let runbooks = [("resize".to_owned(), Runbook::parse(runbook).unwrap())].into();
    SsmExecutor::connect(&aws, SsmAutomation { runbooks })
}

fn execution(parameters: Value) -> Execution {
    let task = Task {
        request_id: "R".to_owned(),
        operation_type: "resize".to_owned(),
        instance_id: "i-1".to_owned(),
        parameters,
    };
    Execution {
        task,
        execution_id: EXECUTION.to_owned(),
        target: Target::new(json!({ "a": 1 })).unwrap(),
        claimed_at: Timestamp::from_millisecond(0),
        is_accepted: false,
    }
}

async fn apply(executor: &SsmExecutor, execution: &Execution) -> Applied {
    let task = &execution.task;
    let plan = executor.plan(&task.operation_type, &task.instance_id, &task.parameters, None).unwrap();
    executor.apply(execution, &plan).await
}

#[tokio::test]
async fn a_runbook_runs_once_whatever_answers_are_lost() {
    let stub = Stub::default();
    let executor = executor(&stub, "Resize:3:InstanceId");
    let execution = execution(json!({ "InstanceType": "m5.large" }));
    for lost in [0, 1, 9] {
        stub.0.lock().unwrap().lost = lost;
        let expected = if lost == 9 { Applied::Unknown } else { Applied::Accepted };
        assert_eq!(apply(&executor, &execution).await, expected, "{lost} answers lost");
    }
    stub.0.lock().unwrap().lost = 0;
    let now = Timestamp::from_millisecond(0);
    assert_eq!(executor.settle(&execution, now).await, Settled::Running);
    assert_eq!(stub.0.lock().unwrap().automations.len(), 1);
    for (status, is_success) in
        [("Success", true), ("Failed", false), ("TimedOut", false), ("Cancelled", false)]
    {
        stub.0.lock().unwrap().automations.get_mut(EXECUTION).unwrap().1 = status;
        match executor.settle(&execution, now).await {
            Settled::Succeeded(_) => assert!(is_success, "{status}"),
            Settled::Failed(failure) => {
                assert!(!is_success && failure.code == "automation_failed", "{status}")
            }
            settled => panic!("{status}: {settled:?}"),
        }
    }
    assert_eq!(stub.0.lock().unwrap().automations.len(), 1);
}

#[tokio::test]
async fn what_systems_manager_refuses_has_failed() {
    let stub = Stub::default();
    let refused = |applied| matches!(applied, Applied::Refused(Failure { code, .. }) if code == "refused");
    assert!(refused(apply(&executor(&stub, "Resize:4:InstanceId"), &execution(json!({}))).await));
    let own = executor(&stub, "Resize:3:InstanceId");
    let named = Execution { execution_id: "no-uuid".to_owned(), ..execution(json!({})) };
    assert!(refused(apply(&own, &named).await));
    assert_eq!(apply(&own, &execution(json!({ "A": "1" }))).await, Applied::Accepted);
    assert!(refused(apply(&own, &execution(json!({ "A": "2" }))).await));
    assert_eq!(stub.0.lock().unwrap().automations.len(), 1);
}

#[tokio::test]
async fn a_runbook_whose_text_has_changed_is_another_target() {
    let stub = Stub::default();
    let own = executor(&stub, "Resize:3:InstanceId");
    let task = execution(json!({})).task;
    stub.0.lock().unwrap().hash = "aa";
    let recorded = own.observe(&task).await.unwrap();
    assert_eq!(recorded.members()["hash"], "aa");
    stub.0.lock().unwrap().hash = "bb";
    assert_eq!(own.changes(&recorded, &own.observe(&task).await.unwrap()), ["hash"]);
    let missing = executor(&stub, "Resize:4:InstanceId").observe(&task).await;
    assert!(matches!(missing, Err(ObserveError::Missing(_))), "{missing:?}");
}
