//! The RDS executor on moto: nine operations, each when all is well, throttled, with its answer lost, on a target that
//! has changed and on none. Faults are made below the SDK, and moto's own recorder says how often an effect was asked for.
//!
//! moto changes states at once, has no pending changes and no event of a restart: how those are judged is tested in
//! `countersign-executor`.

use aws_sdk_rds::Client;
use aws_sdk_rds::config::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use countersign_aws::{Access, configuration, credentials, transport};
use countersign_core::timestamp::Timestamp;
use countersign_e2e::moto::{Moto, REGION};
use countersign_embedded::response;
use countersign_executor::port::Task;
use countersign_executor::rds::settle::GRACE_SECONDS;
use countersign_executor::rds::{Operation, TAG};
use countersign_executor::target::Target;
use countersign_executor::worker::{Approvals, Claim, Open, Report, Stage, Worker};
use countersign_rds::{RdsExecutor, Settings};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use strum::IntoEnumIterator as _;

const ROLE: &str = "arn:aws:iam::123456789012:role/monitoring";

/// What goes wrong with calls that change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fine,
    /// This many calls are not looked at.
    Throttled(u32),
    /// The call arrives; its answer does not.
    AnswerLost,
    /// The call does not arrive, and the caller does not know.
    CallLost,
    /// RDS has a fault of its own.
    Fault,
}

/// What is between the SDK and moto.
#[derive(Debug, Clone)]
struct Wire {
    inner: SharedHttpClient,
    weather: Arc<Mutex<Weather>>,
}

#[derive(Debug)]
struct Connection {
    inner: SharedHttpConnector,
    weather: Arc<Mutex<Weather>>,
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connection { inner, weather: self.weather.clone() })
    }
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        if body.starts_with("Action=Describe") {
            return self.inner.call(request);
        }
        let mut weather = self.weather.lock().unwrap();
        let error = |status, code: &str| {
            let body = format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>injected</Message></Error></ErrorResponse>"
            );
            HttpConnectorFuture::ready(response(status, body))
        };
        match *weather {
            Weather::Fine | Weather::Throttled(0) => self.inner.call(request),
            Weather::Throttled(times) => {
                *weather = Weather::Throttled(times - 1);
                error(400, "Throttling")
            }
            Weather::CallLost => HttpConnectorFuture::ready(Err(ConnectorError::timeout("injected".into()))),
            Weather::Fault => error(500, "InternalFailure"),
            Weather::AnswerLost => {
                let call = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    call.await?;
                    Err(ConnectorError::timeout("injected".into()))
                })
            }
        }
    }
}

/// A service with one request.
#[derive(Clone)]
struct Service {
    task: Task,
    state: Rc<RefCell<State>>,
}

struct State {
    stage: Stage,
    target: Option<Value>,
    is_claimed: bool,
    outcome: Option<Report>,
}

impl Service {
    fn execution_id(&self) -> String {
        format!("0193aaaa-0000-7000-8000-{:0>12}", self.task.request_id)
    }

    fn claimed(&self) -> Claim {
        Claim {
            execution_id: self.execution_id(),
            task: self.task.clone(),
            target: self.state.borrow().target.clone(),
            claimed_at: at(0),
            lease_until: at(3_600),
        }
    }

    fn outcome(&self) -> String {
        match &self.state.borrow().outcome {
            None => "open".to_owned(),
            Some(Report::Running) => "running".to_owned(),
            Some(Report::Succeeded(_)) => "succeeded".to_owned(),
            Some(Report::Failed(result)) => result["code"].as_str().unwrap().to_owned(),
        }
    }
}

impl Approvals for Service {
    type Error = Infallible;

    async fn open(&self) -> Result<Vec<String>, Infallible> {
        let is_over = matches!(self.state.borrow().outcome, Some(Report::Succeeded(_) | Report::Failed(_)));
        Ok(if is_over { Vec::new() } else { vec![self.task.request_id.clone()] })
    }

    async fn read(&self, _: &str) -> Result<Option<Open>, Infallible> {
        let state = self.state.borrow();
        Ok(Some(Open { task: self.task.clone(), target: state.target.clone(), stage: state.stage }))
    }

    async fn record_target(&self, _: &str, target: &Target) -> Result<(), Infallible> {
        self.state.borrow_mut().target = Some(target.to_value());
        Ok(())
    }

    async fn start(&self, _: &str) -> Result<(), Infallible> {
        panic!("nothing here is automatic");
    }

    async fn claim(&self, _: &str) -> Result<Option<Claim>, Infallible> {
        let mut state = self.state.borrow_mut();
        if std::mem::replace(&mut state.is_claimed, true) {
            return Ok(None);
        }
        state.stage = Stage::Claimed;
        drop(state);
        Ok(Some(self.claimed()))
    }

    async fn claimed(&self, _: &str) -> Result<Option<Claim>, Infallible> {
        Ok(Some(self.claimed()))
    }

    async fn report(&self, _: &str, id: &str, report: &Report) -> Result<Option<Timestamp>, Infallible> {
        assert_eq!(id, self.execution_id());
        self.state.borrow_mut().outcome = Some(report.clone());
        Ok(Some(at(3_600)))
    }
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + i64::try_from(second).unwrap() * 1_000)
}

/// moto, and the executor on it.
struct World {
    moto: Moto,
    /// The hand of another person.
    client: Client,
    executor: RdsExecutor,
    weather: Arc<Mutex<Weather>>,
    made: u32,
}

impl World {
    fn new(settings: Settings) -> Self {
        let moto = Moto::start();
        let weather = Arc::new(Mutex::new(Weather::Fine));
        let aws = |client: SharedHttpClient| {
            let credentials = credentials("test".to_owned(), "test".to_owned(), None);
            let access = Access { region: REGION.to_owned(), credentials, endpoint_url: Some(moto.url()) };
            configuration(access, client)
        };
        let inner = transport(None).unwrap();
        let wire = SharedHttpClient::new(Wire { inner: inner.clone(), weather: weather.clone() });
        let patient = aws_sdk_rds::config::timeout::TimeoutConfig::disabled();
        let client = Client::from_conf(Builder::from(&aws(inner)).timeout_config(patient).build());
        let executor = RdsExecutor::connect(&aws(wire), settings);
        Self { moto, client, executor, weather, made: 0 }
    }

    /// A target of its own for an operation, and a request about it.
    async fn request(&mut self, operation: Operation) -> Service {
        self.made += 1;
        let id = format!("db-{}", self.made);
        let is_clustered = operation == Operation::Failover;
        if is_clustered {
            let cluster = self.client.create_db_cluster().db_cluster_identifier(format!("{id}-cluster"));
            let cluster =
                cluster.engine("aurora-postgresql").master_username("root").master_user_password("password1");
            cluster.send().await.unwrap();
            self.instance(&format!("{id}-other"), Some(&format!("{id}-cluster"))).await;
        } else {
            let group =
                self.client.create_db_parameter_group().db_parameter_group_name(format!("{id}-tuned"));
            group.db_parameter_group_family("postgres17").description("tuned").send().await.unwrap();
        }
        self.instance(&id, is_clustered.then(|| format!("{id}-cluster")).as_deref()).await;
        let parameters = match operation {
            Operation::ModifyInstanceClass => json!({ "target_instance_class": "db.r6g.xlarge" }),
            Operation::ModifyStorage => json!({ "new_size": 200 }),
            Operation::EnableEnhancedMonitoring => json!({ "granularity": 60 }),
            Operation::Reboot | Operation::CreateSnapshot | Operation::DeleteInstance => json!({}),
            Operation::Failover => json!({ "target_instance_id": self.reader(&id).await }),
            Operation::ModifyParameterGroup => {
                json!({ "parameter_group": format!("{id}-tuned"), "parameters": { "work_mem": "64" } })
            }
            Operation::RestoreFromSnapshot => {
                let name = format!("{id}-before");
                let snapshot = self.client.create_db_snapshot().db_instance_identifier(&id);
                snapshot.db_snapshot_identifier(&name).send().await.unwrap();
                json!({ "snapshot_id": name, "new_instance_id": format!("{id}-copy") })
            }
        };
        let task = Task {
            request_id: self.made.to_string(),
            operation_type: operation.to_string(),
            instance_id: id,
            parameters,
        };
        let state = State { stage: Stage::Waiting, target: None, is_claimed: false, outcome: None };
        Service { task, state: Rc::new(RefCell::new(state)) }
    }

    async fn instance(&self, id: &str, cluster: Option<&str>) {
        let instance =
            self.client.create_db_instance().db_instance_identifier(id).db_instance_class("db.r6g.large");
        let instance = match cluster {
            Some(cluster) => instance.engine("aurora-postgresql").db_cluster_identifier(cluster),
            None => instance
                .engine("postgres")
                .allocated_storage(100)
                .master_username("root")
                .master_user_password("password1")
                .db_parameter_group_name(format!("{id}-tuned")),
        };
        instance.send().await.unwrap();
    }

    async fn reader(&self, id: &str) -> String {
        let clusters = self.client.describe_db_clusters().db_cluster_identifier(format!("{id}-cluster"));
        let clusters = clusters.send().await.unwrap();
        let mut members = clusters.db_clusters()[0].db_cluster_members().iter();
        let reader = members.find(|member| member.is_cluster_writer() != Some(true)).unwrap();
        reader.db_instance_identifier().unwrap().to_owned()
    }

    /// What the target is before it is claimed: observed, and started.
    async fn start(&self, service: &Service) {
        self.pass(service, 0).await;
        assert!(service.state.borrow().target.is_some(), "{:?} is observed", service.task);
        service.state.borrow_mut().stage = Stage::Started;
    }

    /// One pass of an executor that remembers nothing.
    async fn pass(&self, service: &Service, second: u64) -> Vec<String> {
        let mut worker = Worker::new(service.clone(), self.executor.clone());
        let notes = worker.pass(|| at(second), None).await.unwrap().notes;
        notes.into_iter().map(|note| note.message).collect()
    }

    fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
        self.moto.record();
    }

    /// Every call that would change something, in moto's own recording.
    fn effects(&self) -> Vec<String> {
        let calls = self.moto.recorded();
        let actions = calls.into_iter().filter_map(|mut call| call.remove("Action"));
        actions.filter(|action| !action.starts_with("Describe")).collect()
    }
}

fn world() -> World {
    let allowed_arns = vec!["arn:aws:rds:*".to_owned()];
    World::new(Settings { allowed_arns, monitoring_role_arn: Some(ROLE.to_owned()) })
}

fn action(operation: Operation) -> &'static str {
    match operation {
        Operation::ModifyInstanceClass | Operation::ModifyStorage | Operation::EnableEnhancedMonitoring => {
            "ModifyDBInstance"
        }
        Operation::Reboot => "RebootDBInstance",
        Operation::CreateSnapshot => "CreateDBSnapshot",
        Operation::Failover => "FailoverDBCluster",
        Operation::ModifyParameterGroup => "ModifyDBParameterGroup",
        Operation::RestoreFromSnapshot => "RestoreDBInstanceFromDBSnapshot",
        Operation::DeleteInstance => "DeleteDBInstance",
    }
}

/// Nothing but an event, which moto does not have, would say whether it happened.
fn is_imperative(operation: Operation) -> bool {
    matches!(operation, Operation::Reboot | Operation::Failover)
}

#[tokio::test]
async fn each_operation_has_its_effect_once() {
    let mut world = world();
    for operation in Operation::iter() {
        let service = world.request(operation).await;
        world.start(&service).await;
        world.set(Weather::Fine);
        let mut worker = Worker::new(service.clone(), world.executor.clone());
        for second in [0, 1, 2] {
            worker.pass(|| at(second), None).await.unwrap();
        }
        assert_eq!(service.outcome(), "succeeded", "{operation}");
        assert_eq!(world.effects(), [action(operation)], "{operation}");
    }
}

#[tokio::test]
async fn a_throttled_call_is_sent_again_and_given_up() {
    let mut world = world();
    for operation in Operation::iter() {
        for (times, effects, outcome) in [(1, 1, None), (4, 0, Some("throttled"))] {
            let service = world.request(operation).await;
            world.start(&service).await;
            world.set(Weather::Throttled(times));
            world.pass(&service, 0).await;
            assert_eq!(world.effects().len(), effects, "{operation}");
            assert_eq!(service.outcome(), outcome.unwrap_or("open"), "{operation}");
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_out_and_no_call_made_again() {
    let mut world = world();
    for operation in Operation::iter() {
        for (weather, effects) in [(Weather::AnswerLost, 1), (Weather::CallLost, 0), (Weather::Fault, 0)] {
            let service = world.request(operation).await;
            world.start(&service).await;
            world.set(weather);
            assert_eq!(world.pass(&service, 0).await, ["its call has no answer"], "{operation}");
            let has_shown = effects == 1 && !is_imperative(operation);
            world.pass(&service, 1).await;
            let early = if has_shown { "succeeded" } else { "running" };
            assert_eq!(service.outcome(), early, "{operation} {weather:?}");
            let notes = world.pass(&service, GRACE_SECONDS).await;
            if is_imperative(operation) {
                assert_eq!(notes, ["it cannot be found out what came of it"], "{operation} {weather:?}");
                assert_eq!(service.outcome(), "running");
            } else {
                let late = if has_shown { "succeeded" } else { "not_applied" };
                assert_eq!(service.outcome(), late, "{operation} {weather:?}");
            }
            assert_eq!(world.effects().len(), effects, "{operation} {weather:?}");
        }
    }
}

#[tokio::test]
async fn nothing_is_done_to_a_target_that_has_changed_is_gone_or_was_never_seen() {
    let mut world = world();
    for operation in Operation::iter() {
        let changed = world.request(operation).await;
        world.start(&changed).await;
        let other = world.client.modify_db_instance().db_instance_identifier(&changed.task.instance_id);
        other.db_instance_class("db.r6g.8xlarge").apply_immediately(true).send().await.unwrap();
        let gone = world.request(operation).await;
        world.start(&gone).await;
        let deletion = world.client.delete_db_instance().db_instance_identifier(&gone.task.instance_id);
        deletion.skip_final_snapshot(true).send().await.unwrap();
        let unseen = world.request(operation).await;
        unseen.state.borrow_mut().stage = Stage::Started;
        world.set(Weather::Fine);
        for service in [changed, gone, unseen] {
            world.pass(&service, 0).await;
            assert_eq!(service.outcome(), "state_changed", "{:?}", service.task);
            assert_eq!(world.pass(&service, 1).await, [""; 0]);
        }
        assert_eq!(world.effects(), [""; 0], "{operation}");
    }
}

#[tokio::test]
async fn an_executor_that_is_killed_after_the_claim_has_no_effect_when_it_is_back() {
    let mut world = world();
    for operation in Operation::iter() {
        let service = world.request(operation).await;
        world.start(&service).await;
        service.claim("").await.unwrap();
        world.set(Weather::Fine);
        world.pass(&service, 1).await;
        world.pass(&service, GRACE_SECONDS).await;
        let outcome = if is_imperative(operation) { "running" } else { "not_applied" };
        assert_eq!(service.outcome(), outcome, "{operation}");
        assert_eq!(world.effects(), [""; 0], "{operation}");
    }
}

#[tokio::test]
async fn without_a_list_of_arns_nothing_is_observed_or_touched() {
    let mut world = World::new(Settings::default());
    let service = world.request(Operation::Reboot).await;
    let notes = world.pass(&service, 0).await;
    assert!(notes[0].contains("may not touch `arn:aws:rds:eu-central-1:123456789012:db:db-1`"), "{notes:?}");
    assert_eq!(service.state.borrow().target, None);
    service.state.borrow_mut().stage = Stage::Started;
    world.set(Weather::Fine);
    world.pass(&service, 0).await;
    assert_eq!((service.outcome().as_str(), world.effects().len()), ("state_changed", 0));
}

#[tokio::test]
async fn a_list_of_arns_is_of_all_that_a_call_touches() {
    let allowed_arns = vec!["arn:aws:rds:*:db:db-?".to_owned()];
    let mut world = World::new(Settings { allowed_arns, monitoring_role_arn: None });
    for (operation, kind) in [
        (Operation::Failover, ":cluster:"),
        (Operation::ModifyParameterGroup, ":pg:"),
        (Operation::RestoreFromSnapshot, ":db:"),
    ] {
        let service = world.request(operation).await;
        let notes = world.pass(&service, 0).await;
        assert!(notes[0].contains("may not touch") && notes[0].contains(kind), "{operation}: {notes:?}");
    }
    let service = world.request(Operation::EnableEnhancedMonitoring).await;
    world.start(&service).await;
    world.set(Weather::Fine);
    world.pass(&service, 0).await;
    assert_eq!((service.outcome().as_str(), world.effects().len()), ("not_configured", 0));
}

#[tokio::test]
async fn what_is_made_holds_the_execution_in_its_name_or_tag() {
    let mut world = world();
    let taken = world.request(Operation::RestoreFromSnapshot).await;
    world.start(&taken).await;
    let copy = taken.task.parameters["new_instance_id"].as_str().unwrap().to_owned();
    let group = world.client.create_db_parameter_group().db_parameter_group_name(format!("{copy}-tuned"));
    group.db_parameter_group_family("postgres17").description("tuned").send().await.unwrap();
    world.instance(&copy, None).await;
    world.set(Weather::Fine);
    world.pass(&taken, 0).await;
    world.pass(&taken, 1).await;
    assert_eq!(taken.outcome(), "name_taken");

    let service = world.request(Operation::DeleteInstance).await;
    world.start(&service).await;
    world.set(Weather::Fine);
    world.pass(&service, 0).await;
    let snapshot = world
        .client
        .describe_db_snapshots()
        .db_snapshot_identifier(format!("countersign-{}", service.execution_id()));
    assert_eq!(
        snapshot.send().await.unwrap().db_snapshots()[0].db_instance_identifier(),
        Some(service.task.instance_id.as_str())
    );

    let service = world.request(Operation::RestoreFromSnapshot).await;
    world.start(&service).await;
    world.pass(&service, 0).await;
    let id = service.task.parameters["new_instance_id"].as_str().unwrap();
    let made = world.client.describe_db_instances().db_instance_identifier(id).send().await.unwrap();
    let tags = made.db_instances()[0].tag_list();
    assert!(
        tags.iter().any(|tag| tag.key() == Some(TAG) && tag.value() == Some(&service.execution_id())),
        "{tags:?}"
    );
}

#[tokio::test]
async fn approvers_see_who_else_has_the_parameter_group_and_what_is_in_it() {
    let mut world = world();
    let service = world.request(Operation::ModifyParameterGroup).await;
    let group = service.task.parameters["parameter_group"].as_str().unwrap();
    let other =
        world.client.create_db_instance().db_instance_identifier("other").db_parameter_group_name(group);
    let other = other.db_instance_class("db.r6g.large").engine("postgres").allocated_storage(100);
    other.master_username("root").master_user_password("password1").send().await.unwrap();
    world.start(&service).await;
    let target = service.state.borrow().target.clone().unwrap();
    assert_eq!(target["parameter_groups"][0]["other_users"], json!(["other"]));
    assert_eq!(target["parameter_groups"][0]["other_user_count"], 1);
    assert_eq!(target["instance_class"], "db.r6g.large");
    assert_eq!(target["storage"]["size_gib"], 100);
    assert_eq!(target["status"], "available");
    assert_eq!(target["pending_changes"], json!({}));
}
