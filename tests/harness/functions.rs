//! The functions in this process, on the embedded store, each behind its own grants.

use crate::gateway::{self, Request};
use crate::grants::{Granted, granted};
use crate::inspection::tables;
use crate::manual_host::ManualHost;
use countersign_api::operations::approve::Approve;
use countersign_api::operations::cancel::Cancel;
use countersign_api::operations::comment::Comment;
use countersign_api::operations::create::Create;
use countersign_api::operations::dispatch::Dispatch;
use countersign_api::operations::events::Events;
use countersign_api::operations::explain::Explain;
use countersign_api::operations::finish::Finish;
use countersign_api::operations::get::Get;
use countersign_api::operations::list::List;
use countersign_api::operations::reject::Reject;
use countersign_api::operations::simulate::Simulate;
use countersign_api::operations::start::Start;
use countersign_api::operations::withdraw::Withdraw;
use countersign_app::dependencies::Dependencies;
use countersign_core::digest::DeploymentKey;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_embedded::Embedded;
use countersign_lambda::direct::DirectAccess;
use countersign_lambda::environment::Environment;
use countersign_lambda::function::{Answer, Function};
use countersign_lambda::gateway::Authentication;
use countersign_lambda::metrics::Metrics;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
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
}

/// The names of the functions behind the gateway.
const NAMES: [&str; 15] = [
    "approve", "cancel", "comment", "create", "dispatch", "events", "explain", "finish", "get", "health",
    "list", "reject", "simulate", "start", "withdraw",
];

impl Functions {
    /// Puts them together with these environment variables.
    pub fn start(variables: &[(&'static str, &'static str)]) -> Self {
        let host = ManualHost::default();
        let embedded = Embedded::in_memory().unwrap();
        let database = countersign_embedded::client(embedded.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(create_missing(&database, &tables())).unwrap();
        let environment = Environment::of(variables.iter().copied());
        let policy = countersign_policy::load::bundled().unwrap();
        let (mut functions, mut grants) = (BTreeMap::new(), BTreeMap::new());
        for name in NAMES {
            let transport = Granted::new(embedded.clone(), tables(), granted(name));
            let client = countersign_embedded::client(transport.clone());
            let function = Function {
                dependencies: Dependencies {
                    store: DynamoStore::new(client, tables()),
                    policy: policy.clone(),
                    deployment_key: DeploymentKey::new([9; 32]),
                    host: Arc::new(host.clone()),
                },
                authentication: Authentication::read(&environment).unwrap(),
                direct: DirectAccess::read(&environment, policy.people()).unwrap(),
                metrics: Metrics::new("test".to_owned(), |_| {}),
            };
            functions.insert(name.to_owned(), function);
            grants.insert(name.to_owned(), transport);
        }
        Self { host, database, grants, functions, runtime }
    }

    /// Invokes a function.
    ///
    /// # Errors
    /// What the function answers as a Lambda error.
    pub fn invoke(&self, name: &str, payload: &str) -> Result<Value, Refusal> {
        let function = &self.functions[name];
        let answer = self.runtime.block_on(async {
            match name {
                "approve" => function.handle::<Approve>(payload).await,
                "cancel" => function.handle::<Cancel>(payload).await,
                "comment" => function.handle::<Comment>(payload).await,
                "create" => function.handle::<Create>(payload).await,
                "dispatch" => function.handle::<Dispatch>(payload).await,
                "events" => function.handle::<Events>(payload).await,
                "explain" => function.handle::<Explain>(payload).await,
                "finish" => function.handle::<Finish>(payload).await,
                "get" => function.handle::<Get>(payload).await,
                "health" => function.handle_health(payload),
                "list" => function.handle::<List>(payload).await,
                "reject" => function.handle::<Reject>(payload).await,
                "simulate" => function.handle::<Simulate>(payload).await,
                "start" => function.handle::<Start>(payload).await,
                "withdraw" => function.handle::<Withdraw>(payload).await,
                other => panic!("no function {other}"),
            }
        });
        answer
            .map(|answer: Answer| serde_json::to_value(answer).unwrap())
            .map_err(|error| (error.error_type, error.error_message))
    }

    /// Sends a request through the gateway.
    pub fn send(&self, request: &Request, claims: Option<&Map<String, Value>>) -> Value {
        let (route, _) = gateway::matched(&request.method, &request.path);
        let event = gateway::event(request, claims).to_string();
        self.invoke(route.operation, &event).expect("the gateway is always answered")
    }

    /// Runs something on the functions' runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}
