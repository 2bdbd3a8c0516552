//! The functions in this process, on the embedded store, each behind its own grants.

use crate::endpoint::Endpoint as WebhookEndpoint;
use crate::gateway::{self, Request};
use crate::grants::{Granted, granted};
use crate::inspection::tables;
use crate::manual_host::ManualHost;
use crate::signing::{log_key, signing_key};
use countersign_api::files::{self, FileRoute};
use countersign_api::operation::{HOLD_FUNCTION, NOTIFICATIONS_FUNCTION, Operation, WEBHOOKS_FUNCTION};
use countersign_api::operations::{self, EndpointVisitor};
use countersign_api::run::{Endpoint, PublicEndpoint};
use countersign_app::dependencies::Dependencies;
use countersign_core::digest::DeploymentKey;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_embedded::Embedded;
use countersign_lambda::direct::DirectAccess;
use countersign_lambda::environment::Environment;
use countersign_lambda::function::{Answer, Function};
use countersign_lambda::gateway::Authentication;
use countersign_lambda::iam::IamAccess;
use countersign_lambda::invocation::HttpEvent;
use countersign_lambda::metrics::Metrics;
use countersign_lambda::polling::Polling;
use countersign_lambda::seal::Seal;
use countersign_notifications::configuration::Configuration;
use countersign_server::log_directory::LogDirectory;
use countersign_server::policy_directory::PolicyDirectory;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use strum::IntoEnumIterator;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A refusal of a direct invocation: its type and its message.
pub type Refusal = (String, String);

/// The functions of the API.
#[derive(Debug)]
pub struct Functions {
    /// The clock and the ids of all of them.
    pub host: ManualHost,
    /// The database, past all grants.
    pub database: aws_sdk_dynamodb::Client,
    /// What each function is granted, and has used of it.
    pub grants: BTreeMap<String, Granted<Embedded>>,
    functions: BTreeMap<String, Function<DynamoStore>>,
    runtime: Runtime,
    /// The files of the log, in place of a bucket.
    files: TempDir,
}

/// An invocation of a function.
struct Invocation<'a> {
    function: &'a Function<DynamoStore>,
    payload: &'a str,
    runtime: &'a Runtime,
}

impl EndpointVisitor<DynamoStore> for Invocation<'_> {
    type Output = Result<Answer, Refusal>;

    fn endpoint<E: Endpoint<DynamoStore> + 'static>(self) -> Self::Output {
        let answer = self.runtime.block_on(self.function.handle::<E>(self.payload));
        answer.map_err(|error| (error.error_type, error.error_message))
    }

    fn public<E: PublicEndpoint + 'static>(self) -> Self::Output {
        let answer = self.runtime.block_on(async {
            if E::OPERATION.function() == Operation::Health.slug() {
                self.function.handle_health(self.payload).await
            } else {
                self.function.handle_public::<E>(self.payload).await
            }
        });
        answer.map_err(|error| (error.error_type, error.error_message))
    }
}

impl Functions {
    /// Puts them together with these environment variables.
    pub fn start(variables: &[(&'static str, &str)]) -> Self {
        Self::start_with(variables, &countersign_policy::load::bundled().unwrap())
    }

    /// The same under another policy.
    pub fn start_with(variables: &[(&'static str, &str)], policy: &Policy) -> Self {
        let host = ManualHost::default();
        let embedded = Embedded::in_memory().unwrap();
        let database = countersign_embedded::client(embedded.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(create_missing(&database, &tables())).unwrap();
        let environment = Environment::of(variables.iter().copied());
        let (mut functions, mut grants) = (BTreeMap::new(), BTreeMap::new());
        let of_files = FileRoute::iter().map(FileRoute::slug);
        for name in Operation::iter().map(Operation::function).chain(of_files) {
            let transport = Granted::new(embedded.clone(), tables(), granted(name));
            let client = countersign_embedded::client(transport.clone());
            let function = Function {
                dependencies: Dependencies {
                    store: DynamoStore::new(client, tables()),
                    policy: policy.clone(),
                    notifications: None,
                    signing_keys: Arc::new(signing_key()),
                    audit_keys: Arc::new(log_key()),
                    webhook_client: Arc::new(WebhookEndpoint::default()),
                    deployment_key: DeploymentKey::new([9; 32]),
                    host: Arc::new(host.clone()),
                },
                authentication: Authentication::read(&environment).unwrap(),
                iam: IamAccess::read(&environment).unwrap(),
                direct: DirectAccess::read(&environment, policy.people()).unwrap(),
                resumes: environment.switch("CONTINUATIONS").unwrap(),
                waiting: Polling::read(&environment).unwrap(),
                metrics: Metrics::new("test".to_owned(), |_| {}),
            };
            functions.insert(name.to_owned(), function);
            grants.insert(name.to_owned(), transport);
        }
        let seal = Granted::new(embedded, tables(), granted("seal"));
        grants.insert("seal".to_owned(), seal);
        let files = tempfile::tempdir().unwrap();
        Self { host, database, grants, functions, runtime, files }
    }

    /// Puts `notifications.toml` in force, for the functions that read it.
    pub fn notify_by(&mut self, notifications: &Arc<Configuration>) {
        let names: BTreeSet<_> = Operation::iter()
            .filter(|operation| operation.takes_notifications() || *operation == Operation::Health)
            .map(Operation::function)
            .collect();
        for (_, function) in self.functions.iter_mut().filter(|(name, _)| names.contains(name.as_str())) {
            function.dependencies.notifications = Some(Arc::clone(notifications));
        }
    }

    /// One run of the function that seals.
    ///
    /// # Panics
    /// When it fails.
    pub fn seal(&self) -> Value {
        let client = countersign_embedded::client(self.grants["seal"].clone());
        let seal = Seal {
            store: DynamoStore::new(client.clone(), tables()),
            outbox: DynamoOutbox::new(client, tables().outbox),
            storage: self.log(),
            keys: Arc::new(log_key()),
            deployment_key: DeploymentKey::new([9; 32]),
            host: Box::new(self.host.clone()),
            metrics: Metrics::new("test".to_owned(), |_| {}),
        };
        self.block_on(seal.handle(Duration::from_secs(60))).map_err(|error| error.error_message).unwrap()
    }

    fn log(&self) -> LogDirectory {
        LogDirectory::open(&self.files.path().join("log"), None).unwrap()
    }

    /// Invokes the function of a route that answers files.
    ///
    /// # Errors
    /// What the function answers as a Lambda error.
    pub fn invoke_file(&self, route: FileRoute, payload: &str) -> Result<Value, Refusal> {
        let function = &self.functions[route.slug()];
        let (log, policies) = (self.log(), PolicyDirectory::new(self.files.path().join("policies")));
        policies.keep(&function.dependencies.policy).unwrap();
        let make = async |http: &HttpEvent, actor: &Principal| {
            let part = |name| http.path_parameter(name).unwrap_or_default().to_owned();
            let dependencies = &function.dependencies;
            match route {
                FileRoute::Evidence => {
                    let query = http.query().to_owned();
                    files::evidence(dependencies, &log, &policies, part("id"), query, actor).await
                }
                FileRoute::Log => files::log_file(dependencies, &log, &part("path"), actor).await,
            }
        };
        let answer = self.block_on(function.handle_file(route, payload, make));
        let answer = answer.map_err(|error| (error.error_type, error.error_message))?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// Invokes a function.
    ///
    /// # Errors
    /// What the function answers as a Lambda error.
    pub fn invoke(&self, name: &str, payload: &str) -> Result<Value, Refusal> {
        if name == WEBHOOKS_FUNCTION {
            let answer = self.block_on(self.functions[name].handle_one_of(name, payload));
            let answer = answer.map_err(|error| (error.error_type, error.error_message))?;
            return Ok(serde_json::to_value(answer).unwrap());
        }
        if name == HOLD_FUNCTION {
            let answer = self.block_on(self.functions[name].handle_hold(payload));
            let answer = answer.map_err(|error| (error.error_type, error.error_message))?;
            return Ok(serde_json::to_value(answer).unwrap());
        }
        if name == NOTIFICATIONS_FUNCTION {
            let answer = self.block_on(self.functions[name].handle_notifications(payload));
            let answer = answer.map_err(|error| (error.error_type, error.error_message))?;
            return Ok(serde_json::to_value(answer).unwrap());
        }
        let operation = Operation::iter().find(|operation| operation.slug() == name);
        let operation = operation.unwrap_or_else(|| panic!("no function {name}"));
        let function = &self.functions[name];
        let answer = operations::visit(operation, Invocation { function, payload, runtime: &self.runtime })?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// Sends a request through the gateway.
    pub fn send(&self, request: &Request, claims: Option<&Map<String, Value>>) -> Value {
        let route = gateway::matched(&request.method, &request.path);
        let event = gateway::event(request, claims).to_string();
        if let Some(file) = FileRoute::iter().find(|file| file.slug() == route.slug) {
            return self.invoke_file(file, &event).expect("the gateway is always answered");
        }
        self.invoke(route.function, &event).expect("the gateway is always answered")
    }

    /// Runs something on the functions' runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}
