//! Operations carried out on AWS: by the function of the stack, which signs its calls of the API, and by `countersign
//! executor` beside `countersign serve`. RDS is moto's; Systems Manager, whose automations moto does not have, is a stub.

use crate::binary;
use crate::iam::{ON, signed_event};
use crate::signatures::by_botocore;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::Builder;
use aws_sdk_rds::config::timeout::TimeoutConfig;
use countersign_core::policy::{BUNDLED_OPERATIONS, BUNDLED_PEOPLE, Policy, PolicyText};
use countersign_e2e::deployment::aws;
use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::{Request, matched};
use countersign_e2e::grants::{granted, root};
use countersign_e2e::moto::{Moto, REGION};
use countersign_e2e::program::{Program, run, run_with};
use countersign_e2e::runtime_api::Sandbox;
use countersign_e2e::stub::{Call, Stub};
use countersign_policy::load;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// Access keys, and who signs with them.
const EXECUTOR: &str = "AKIDEXECUTOR";
const PIPELINE: &str = "AKIDPIPELINE";
const APPROVER: &str = "AKIDAPPROVER";
const SCHEDULE: &str = include_str!("../../events/rds-executor/schedule.json");

const LISTED: &str = "
[services.rds-executor]
owner = \"erin@example.com\"
arns = [\"arn:aws:iam::123456789012:role/countersign/test/RdsExecutorRole\"]
groups = [\"executor\"]

[services.pipeline]
owner = \"erin@example.com\"
arns = [\"arn:aws:iam::123456789012:role/ci/pipeline\"]
groups = [\"developer\"]

[identity_center.\"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/\
AWSReservedSSO_Approver_0123456789abcdef\"]
role_id = \"AROAEXAMPLE\"
groups = [\"approver\"]
";

fn signer(access_key: &str) -> String {
    let session = match access_key {
        EXECUTOR => "RdsExecutorRole/countersign-test-rds-executor",
        PIPELINE => "pipeline/deploy-4711",
        APPROVER => "AWSReservedSSO_Approver_0123456789abcdef/bob@example.com",
        other => &format!("{other}/session"),
    };
    format!("arn:aws:sts::123456789012:assumed-role/{session}")
}

/// The operations of the policy, each with this in its table.
fn operations(of: &[(&str, &str)]) -> String {
    of.iter().fold(BUNDLED_OPERATIONS.to_owned(), |text, (operation, members)| {
        let table = format!("[operations.{operation}]\n");
        assert!(text.contains(&table), "{operation}");
        text.replace(&table, &format!("{table}{members}\n"))
    })
}

fn policy() -> Policy {
    let people = format!("{BUNDLED_PEOPLE}{LISTED}");
    let operations = operations(&[("modify_instance_class", "executor = \"rds\"")]);
    load::parse(&PolicyText { people: &people, operations: &operations, ..load::BUNDLED }).unwrap()
}

fn access_key(call: &Call) -> String {
    let authorization = call["headers"]["authorization"].as_str().unwrap();
    let credential = authorization.split("Credential=").nth(1).unwrap();
    credential.split('/').next().unwrap().to_owned()
}

/// A call as the gateway hands it to a function.
fn of_gateway(call: &Call) -> Request {
    let base = format!("http://{}", call["headers"]["host"].as_str().unwrap());
    let target = call["url"].as_str().unwrap().strip_prefix(&base).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: call["method"].as_str().unwrap().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: serde_json::from_value(call["headers"].clone()).unwrap(),
        body: call["body"].as_str().unwrap().as_bytes().to_vec(),
    }
}

/// The API for callers who sign: who has signed, its access key says.
fn api() -> Stub {
    Stub::start(|| {
        let functions = Functions::start_with(&ON, &policy());
        move |call: &Call| {
            let request = of_gateway(call);
            let route = matched(&request.method, &request.path);
            let event = signed_event(&request, &signer(&access_key(call)));
            let answer = functions.invoke(route.function, &event.to_string()).unwrap();
            let status = answer["statusCode"].as_u64().unwrap().try_into().unwrap();
            (status, answer["body"].as_str().unwrap().to_owned())
        }
    })
}

/// RDS, with an instance.
fn rds() -> Moto {
    let moto = Moto::start();
    let patient = TimeoutConfig::disabled();
    let client = Client::from_conf(Builder::from(&aws(&moto.url())).timeout_config(patient).build());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let instance = client.create_db_instance().db_instance_identifier("test-db").engine("postgres");
    let instance = instance.db_instance_class("db.r6g.large").allocated_storage(100);
    let instance = instance.master_username("root").master_user_password("password1");
    runtime.block_on(instance.send()).unwrap();
    moto.record();
    moto
}

/// The calls of RDS that arrived: all, and those that change something.
fn recorded(moto: &Moto) -> (BTreeSet<String>, Vec<String>) {
    let actions: Vec<_> = moto.recorded().into_iter().filter_map(|mut call| call.remove("Action")).collect();
    let changes = actions.iter().filter(|action| !action.starts_with("Describe")).cloned().collect();
    (actions.into_iter().collect(), changes)
}

fn credentials(access_key: &str) -> [(String, String); 3] {
    [("AWS_ACCESS_KEY_ID", access_key), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_REGION", REGION)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// A caller at a terminal.
struct Caller(BTreeMap<String, String>);

impl Caller {
    fn at(url: &str, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let own = [("COUNTERSIGN_URL", url), ("HOME", "/nonexistent")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(own.into_iter().chain(variables).collect())
    }

    /// Signs with credentials of AWS.
    fn signing(url: &str, access_key: &str) -> Self {
        let auth = ("COUNTERSIGN_AUTH".to_owned(), "aws".to_owned());
        Self::at(url, credentials(access_key).into_iter().chain([auth]))
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = run_with(binary("countersign").to_str().unwrap(), arguments, &self.0);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let (code, stdout, stderr) = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }

    fn create(&self, operation: &str, instance: &str, parameters: &Value, further: &[&str]) -> String {
        let parameters = parameters.to_string();
        let create =
            ["create", operation, instance, "-e", "non-production", "-m", "it is slow", "-p", &parameters];
        let created = self.json(&[&create, further].concat());
        created["request_id"].as_str().unwrap().to_owned()
    }

    fn get(&self, id: &str) -> Value {
        self.json(&["get", id])
    }
}

/// The function of the stack.
fn function(api: &Stub, moto: &Moto, access_key: &str, arns: &str) -> Sandbox {
    let moto_url = moto.url();
    let own =
        [("IAM_API_URL", api.url.as_str()), ("AWS_ENDPOINT_URL", &moto_url), ("RDS_EXECUTOR_ARNS", arns)];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Sandbox::start(&binary("rds-executor"), &[&own[..], &credentials(access_key)].concat())
}

fn class(name: &str) -> Value {
    json!({ "target_instance_class": name })
}

#[test]
fn the_function_carries_out_what_was_approved_and_decides_nothing() {
    let (api, moto) = (api(), rds());
    let [pipeline, bob, executor] = [PIPELINE, APPROVER, EXECUTOR].map(|key| Caller::signing(&api.url, key));
    let function = function(&api, &moto, EXECUTOR, "arn:aws:rds:*:*:db:test-*");
    let run = || function.invoke(SCHEDULE).unwrap();

    let id = pipeline.create("modify_instance_class", "test-db", &class("db.r6g.xlarge"), &[]);
    assert_eq!(run(), json!({ "notes": 1, "left": 0 }));
    let request = pipeline.get(&id);
    assert_eq!(request["target"]["instance_class"], "db.r6g.large");
    assert_eq!(request["target_observed_by"], "service:rds-executor");
    let before = api.calls().len();
    let (code, _, stderr) = executor.run(&["approve", &id, "--yes"]);
    assert_eq!(code, 3, "{stderr}");
    let at_terminal = before..api.calls().len();
    bob.json(&["approve", &id, "--yes"]);
    // Nothing is carried out that its requester has not started.
    assert_eq!(run(), json!({ "notes": 0, "left": 0 }));
    assert_eq!(pipeline.get(&id)["status"], "approved");
    pipeline.json(&["start", &id]);
    assert_eq!(run()["notes"], 1);
    assert_eq!(pipeline.get(&id)["claimed_by"], "service:rds-executor");
    assert_eq!(run()["notes"], 1);
    let request = pipeline.get(&id);
    assert_eq!(
        (&request["status"], &request["execution_started_by"]),
        (&json!("executed"), &json!("service:pipeline"))
    );
    assert_eq!(run(), json!({ "notes": 0, "left": 0 }));
    let (actions, changes) = recorded(&moto);
    assert_eq!(changes, ["ModifyDBInstance"]);

    // It is granted all that it has called, and of the API nothing that it has not.
    let grants = granted("rds-executor");
    let granted_of_rds: BTreeSet<_> = grants["rds"].union(&grants["rds-targets"]).cloned().collect();
    assert!(actions.is_subset(&granted_of_rds), "{actions:?}");
    let automatic = ["--execution", "automatic"];
    let id = pipeline.create("modify_instance_class", "test-db", &class("db.r6g.2xlarge"), &automatic);
    run();
    bob.json(&["approve", &id, "--yes"]);
    run();
    run();
    let request = pipeline.get(&id);
    assert_eq!(
        (&request["status"], &request["execution_started_by"]),
        (&json!("executed"), &json!("service:rds-executor"))
    );
    let calls: Vec<_> = api.calls().into_iter().enumerate().collect();
    let calls =
        calls.into_iter().filter(|(at, call)| !at_terminal.contains(at) && access_key(call) == EXECUTOR);
    let calls: Vec<_> = calls.map(|(_, call)| call).collect();
    let called: BTreeSet<_> = calls
        .iter()
        .map(|call| {
            let request = of_gateway(call);
            matched(&request.method, &request.path).slug.to_owned()
        })
        .collect();
    assert_eq!(called, grants["api"]);
    let log = function.log();
    assert!(log.contains("its call is taken") && !log.contains("2xlarge"), "{log}");

    let variables = [("AWS_ACCESS_KEY_ID", EXECUTOR), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    for (call, signature) in calls.iter().zip(by_botocore(&calls, REGION, &variables)) {
        assert_eq!(call["headers"]["authorization"], json!(signature), "{call}");
    }
}

#[test]
fn the_function_touches_nothing_that_is_not_named() {
    for arns in ["", "arn:aws:rds:eu-central-1:123456789012:db:test-other"] {
        let (api, moto) = (api(), rds());
        let [pipeline, bob] = [PIPELINE, APPROVER].map(|key| Caller::signing(&api.url, key));
        let function = function(&api, &moto, EXECUTOR, arns);
        let id = pipeline.create("modify_instance_class", "test-db", &class("db.r6g.xlarge"), &[]);
        bob.json(&["approve", &id, "--yes"]);
        pipeline.json(&["start", &id]);
        for _ in 0..2 {
            function.invoke(SCHEDULE).unwrap();
        }
        let request = pipeline.get(&id);
        assert_eq!((&request["status"], &request["target"]), (&json!("failed"), &Value::Null));
        assert_eq!(recorded(&moto).1, [""; 0], "{arns}");
    }
}

#[test]
fn a_run_fails_when_the_api_does_not_take_the_role() {
    let (api, moto) = (api(), rds());
    let function = function(&api, &moto, "AKIDSTRANGER", "arn:aws:rds:*:*:db:*");
    let (error_type, message) = function.invoke(SCHEDULE).unwrap_err();
    assert_eq!(error_type, "service_unavailable");
    assert!(message.contains("arn:aws:iam::123456789012:role/AKIDSTRANGER"), "{message}");
    function.log_with("what is open is not known");

    let variables: Vec<_> = credentials(EXECUTOR).into();
    let log = Sandbox::start(&binary("rds-executor"), &variables).ended();
    assert!(log.contains("does not start") && log.contains("IAM_API_URL"), "{log}");
}

/// `countersign serve` with executors, on a directory of its own.
struct Local {
    directory: TempDir,
    program: Program,
    ann: Caller,
    bob: Caller,
}

impl Local {
    fn start(of: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy");
        fs::create_dir(&policy).unwrap();
        for file in ["access.cedar", "people.toml"] {
            fs::copy(root().join("policy").join(file), policy.join(file)).unwrap();
        }
        fs::write(policy.join("operations.toml"), operations(of)).unwrap();
        let data = directory.path().join("data");
        let options = ["--policy-dir", policy.to_str().unwrap()];
        let program = Program::start_with(binary("countersign").to_str().unwrap(), &data, &options);
        let person = |name: &str, groups: &str| {
            let token = program.token(name, groups);
            Caller::at(program.base(), [("COUNTERSIGN_TOKEN".to_owned(), token)])
        };
        let (ann, bob) = (person("ann", "developer"), person("bob", "approver"));
        Self { directory, program, ann, bob }
    }

    /// An executor with credentials for AWS, which is at this URL.
    fn executor(&self, name: &str, aws_url: &str) -> Caller {
        let data = self.directory.path().join("data");
        let token = ["token", "--service", name, "--groups", "executor", "--data-dir"];
        let issued = run(binary("countersign").to_str().unwrap(), &[&token[..], &[path(&data)]].concat());
        let token = String::from_utf8(issued.stdout).unwrap().trim().to_owned();
        let own = [("COUNTERSIGN_TOKEN", token.as_str()), ("AWS_ENDPOINT_URL", aws_url)];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Caller::at(self.program.base(), own.into_iter().chain(credentials("test")))
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_command_carries_out_an_operation_on_rds() {
    let moto = rds();
    let local = Local::start(&[("modify_instance_class", "executor = \"rds\"")]);
    let executor = local.executor("databases", &moto.url());
    let look = |said: &str| {
        let arn = "arn:aws:rds:eu-central-1:123456789012:db:test-*";
        let (code, _, stderr) = executor.run(&["executor", "--rds", "--once", "--allow-arn", arn]);
        assert!(code == 0 && stderr.contains(said), "no `{said}` in {stderr}");
    };
    let id = local.ann.create("modify_instance_class", "test-db", &class("db.r6g.xlarge"), &[]);
    look("its target is recorded");
    let request = local.ann.get(&id);
    assert_eq!(request["target"]["instance_class"], "db.r6g.large");
    local.bob.json(&["approve", &id, "--yes"]);
    local.ann.json(&["start", &id]);
    look("its call is taken");
    look("it is done");
    let request = local.ann.get(&id);
    assert_eq!(
        (&request["status"], &request["claimed_by"]),
        (&json!("executed"), &json!("service:databases"))
    );
    look("");
    assert_eq!(recorded(&moto).1, ["ModifyDBInstance"]);
    local.program.signal("TERM");
}

/// Systems Manager, as far as an executor calls it.
fn systems_manager() -> Stub {
    Stub::start(|| {
        let mut automations = BTreeMap::new();
        move |call: &Call| {
            let body: Value = serde_json::from_str(call["body"].as_str().unwrap()).unwrap();
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let answer = match call["headers"]["x-amz-target"].as_str().unwrap() {
                "AmazonSSM.DescribeDocument" => {
                    let (name, version) = (text("Name"), text("DocumentVersion"));
                    assert_eq!((name.as_str(), version.as_str()), ("Restart", "7"));
                    json!({ "Document": { "Name": name, "Hash": "ab", "Status": "Active", "Owner": "1" } })
                }
                "AmazonSSM.StartAutomationExecution" => {
                    let token = text("ClientToken");
                    automations.entry(token.clone()).or_insert(body);
                    assert_eq!(automations.len(), 1, "one automation, however often it is asked for");
                    json!({ "AutomationExecutionId": token })
                }
                "AmazonSSM.GetAutomationExecution" => {
                    assert!(automations.contains_key(&text("AutomationExecutionId")));
                    json!({ "AutomationExecution": { "AutomationExecutionStatus": "Success" } })
                }
                other => panic!("{other} is not called"),
            };
            (200, answer.to_string())
        }
    })
}

#[test]
fn the_command_carries_out_an_operation_by_a_runbook() {
    let ssm = systems_manager();
    let runbook = "executor = \"ssm_automation\"\nrunbook = \"Restart:7:InstanceId\"";
    let local = Local::start(&[("reboot", runbook)]);
    let executor = local.executor("runbooks", &ssm.url);
    let look = |said: &str| {
        let (code, _, stderr) =
            executor.run(&["executor", "--ssm-automation", "reboot=Restart:7:InstanceId", "--once"]);
        assert!(code == 0 && stderr.contains(said), "no `{said}` in {stderr}");
    };
    let id = local.ann.create("reboot", "test-db", &json!({ "Mode": "hard" }), &[]);
    look("its target is recorded");
    assert_eq!(local.ann.get(&id)["target"]["version"], "7");
    local.bob.json(&["approve", &id, "--yes"]);
    local.ann.json(&["start", &id]);
    look("its call is taken");
    look("it is done");
    let request = local.ann.get(&id);
    assert_eq!(
        (&request["status"], &request["claimed_by"]),
        (&json!("executed"), &json!("service:runbooks"))
    );
    let started: Vec<Value> = ssm
        .calls()
        .iter()
        .filter(|call| call["headers"]["x-amz-target"] == "AmazonSSM.StartAutomationExecution")
        .map(|call| serde_json::from_str(call["body"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(started[0]["Parameters"], json!({ "InstanceId": ["test-db"], "Mode": ["hard"] }));
    assert_eq!(started[0]["DocumentVersion"], "7");
    assert_eq!(started[0]["ClientToken"], request["execution_id"]);
    local.program.signal("TERM");
}
