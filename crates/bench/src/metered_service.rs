//! The service itself, without a listener: calls of the API over the embedded engine, each with what it asked of the
//! store.

use crate::metered_store::{MeteredStore, StoreCall};
use crate::moved_host::MovedHost;
use countersign_api::call::{Call, Input};
use countersign_api::run::{Endpoint, run};
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::NoWebhookClient;
use countersign_app::seal::{SealError, SealReport, Sealer};
use countersign_app::waiting::NoWaiting;
use countersign_audit::key::PrivateKey as LogKey;
use countersign_core::caller::{Caller, Channel, PrincipalKind};
use countersign_core::digest::DeploymentKey;
use countersign_core::person::PersonId;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::{self, TableNames};
use countersign_embedded::Embedded;
use countersign_permit::PrivateKey;
use countersign_policy::load;
use countersign_server::log_directory::LogDirectory;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The bytes of every key.
const KEY: [u8; 32] = [7; 32];

/// What the tables are called.
pub(crate) fn tables() -> TableNames {
    TableNames::of_environment("local")
}

/// The use cases over an engine, under the bundled policy.
#[derive(Debug)]
pub(crate) struct MeteredService {
    pub(crate) store: MeteredStore,
    pub(crate) dependencies: Dependencies<DynamoStore>,
    pub(crate) outbox: DynamoOutbox,
    pub(crate) host: Arc<MovedHost>,
    runtime: Runtime,
}

/// What one call came to.
#[derive(Debug, Clone)]
pub(crate) struct Metered<T> {
    pub(crate) answer: T,
    pub(crate) calls: Vec<StoreCall>,
    pub(crate) took: Duration,
}

/// What is sent besides the caller.
#[derive(Debug, Default)]
pub(crate) struct Sent<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) query: &'a str,
    pub(crate) body: Option<Value>,
}

impl MeteredService {
    /// A service on an engine, whose tables are made if they are not there.
    pub(crate) fn on(engine: Embedded) -> Result<Self, String> {
        Self::over(MeteredStore::new(engine, Duration::ZERO), MovedHost::default())
    }

    /// The same over a store that may keep more of each call, and with a host that may stand.
    pub(crate) fn over(store: MeteredStore, host: MovedHost) -> Result<Self, String> {
        let client = countersign_embedded::client(store.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(table::create_missing(&client, &tables())).map_err(|error| error.to_string())?;
        store.take_calls();
        let host = Arc::new(host);
        let dependencies = Dependencies {
            store: DynamoStore::new(client.clone(), tables()),
            policy: load::bundled().map_err(|error| error.to_string())?,
            notifications: None,
            signing_keys: Arc::new(PrivateKey::from_bytes(&KEY).map_err(|error| error.to_string())?),
            audit_keys: Arc::new(LogKey::from_bytes(&KEY)),
            webhook_client: Arc::new(NoWebhookClient),
            deployment_key: DeploymentKey::new(KEY),
            host: host.clone(),
        };
        let outbox = DynamoOutbox::new(client, tables().outbox);
        Ok(Self { store, dependencies, outbox, host, runtime })
    }

    /// The same on an empty store in memory, with a clock that stands: every run asks the same of the store.
    pub(crate) fn in_memory() -> Result<Self, String> {
        let engine = Embedded::in_memory().map_err(|error| error.to_string())?;
        Self::over(MeteredStore::new(engine, Duration::ZERO), MovedHost::standing())
    }

    /// Runs anything on this store, and says what it asked of it.
    pub(crate) fn metered<F: Future>(&self, work: F) -> Metered<F::Output> {
        self.store.take_calls();
        let began = Instant::now();
        let answer = self.runtime.block_on(work);
        let took = began.elapsed();
        Metered { answer, calls: self.store.take_calls(), took }
    }

    /// A pass of sealing.
    pub(crate) fn seal(
        &self,
        log: &LogDirectory,
        budget: Duration,
    ) -> Metered<Result<SealReport, SealError>> {
        let dependencies = &self.dependencies;
        let sealer = Sealer {
            store: &dependencies.store,
            outbox: &self.outbox,
            storage: log,
            keys: dependencies.audit_keys.as_ref(),
            key: &dependencies.deployment_key,
            host: dependencies.host.as_ref(),
        };
        self.metered(sealer.seal(budget))
    }

    /// Makes a call of the API, which may be refused: the answer is then the code of the problem.
    pub(crate) fn attempt<E: Endpoint<DynamoStore>>(
        &self,
        caller: &Caller,
        sent: Sent<'_>,
    ) -> Metered<Result<Value, String>> {
        let input = Input::Http {
            path: sent.id.map(|id| ("id".to_owned(), id.to_owned())).into_iter().collect(),
            query: sent.query.to_owned(),
            body: sent.body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            content_type: None,
            idempotency_key: None,
            if_none_match: None,
        };
        let call = Call {
            correlation_id: String::new(),
            identity: Ok(caller.clone()),
            input,
            resumes: false,
            waiting: Arc::new(NoWaiting),
        };
        let metered = self.metered(run::<E, DynamoStore>(&self.dependencies, call));
        let answer = match metered.answer {
            Ok(reply) => serde_json::from_str(&reply.body).map_err(|error| error.to_string()),
            Err(problem) => Err(format!("{}: {}: {problem:?}", E::OPERATION.slug(), problem.code.as_str())),
        };
        Metered { answer, calls: metered.calls, took: metered.took }
    }

    /// Makes a call of the API.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) fn call<E: Endpoint<DynamoStore>>(
        &self,
        caller: &Caller,
        sent: Sent<'_>,
    ) -> Result<Metered<Value>, String> {
        let Metered { answer, calls, took } = self.attempt::<E>(caller, sent);
        Ok(Metered { answer: answer?, calls, took })
    }
}

/// `name@example.com` in a group.
pub(crate) fn person(name: &str, group: &str) -> Result<Caller, String> {
    let person = PersonId::from_email(&format!("{name}@example.com")).map_err(|error| error.to_string())?;
    Ok(Caller::new(person, PrincipalKind::Human, Channel::Api, [group]))
}

/// The body of a request that needs two approvals.
pub(crate) fn high(instance: &str) -> Value {
    json!({
        "operation_type": "modify_instance_class",
        "instance_id": instance,
        "parameters": { "target_instance_class": "db.r6g.xlarge", "apply_immediately": true },
        "environment": "production",
        "justification": "CPU has been at 95 % since Monday",
        "estimated_cost": 250.5,
        "estimated_duration": "15 minutes",
    })
}

/// The body of one that needs one approval.
pub(crate) fn medium(instance: &str) -> Value {
    json!({
        "operation_type": "create_snapshot",
        "instance_id": instance,
        "parameters": { "snapshot_name": "before-the-migration" },
        "environment": "production",
        "justification": "Before the migration of Tuesday",
    })
}

/// The body of one that policy approves at once.
pub(crate) fn low(instance: &str) -> Value {
    json!({
        "operation_type": "enable_enhanced_monitoring",
        "instance_id": instance,
        "parameters": { "interval": 60 },
        "environment": "production",
        "justification": "To see what happens at night",
    })
}

/// The body of one that nobody needs after five minutes: a tool of an agent.
pub(crate) fn short_lived(instance: &str) -> Value {
    json!({
        "operation_type": "execute_bash",
        "instance_id": instance,
        "parameters": { "command": "df -h" },
        "environment": "production",
        "justification": "To see how full the disk is",
    })
}

/// The id of a request that was just made.
///
/// # Errors
/// When the answer has none.
pub(crate) fn id_of(answer: &Value) -> Result<String, String> {
    let id = answer.get("request_id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| format!("an answer without an id: {answer}"))
}

/// How often each call was made, and the units.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Consumed {
    pub(crate) calls: BTreeMap<String, f64>,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
    pub(crate) bytes: f64,
}

impl Consumed {
    /// The mean over so many runs.
    pub(crate) fn mean<'a>(calls: impl IntoIterator<Item = &'a StoreCall>, runs: usize) -> Self {
        let share = 1.0 / count(runs);
        let mut mean = Self::default();
        for call in calls {
            *mean.calls.entry(call.operation.clone()).or_default() += share;
            mean.read_units += call.read_units * share;
            mean.write_units += call.write_units * share;
            mean.bytes += count(call.request_bytes + call.response_bytes) * share;
        }
        mean
    }

    /// Counts others besides.
    pub(crate) fn add(&mut self, other: &Self) {
        for (name, times) in &other.calls {
            *self.calls.entry(name.clone()).or_default() += times;
        }
        self.read_units += other.read_units;
        self.write_units += other.write_units;
        self.bytes += other.bytes;
    }

    /// The calls as a text such as `1 GetItem, 1 TransactWriteItems`.
    pub(crate) fn calls_text(&self) -> String {
        let calls = self.calls.iter().map(|(name, times)| format!("{} {name}", rounded(*times, 2)));
        calls.collect::<Vec<_>>().join(", ")
    }
}

/// A number of things, for arithmetic with parts of them.
pub(crate) fn count(number: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nothing here is counted to 2^53")]
    let number = number as f64;
    number
}

/// A figure with at most so many digits after the point, and without zeros at its end.
pub(crate) fn rounded(figure: f64, digits: usize) -> String {
    // A sum of nothing is minus zero.
    let text = format!("{:.digits$}", figure + 0.0);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
