//! Starting a function: logging, environment and AWS once, then the runtime's loop.

use crate::dashboard::{self, Pages};
use crate::direct::DirectAccess;
use crate::environment::{Environment, InvalidVariable};
use crate::executor;
use crate::expire;
use crate::function::Function;
use crate::gateway::Authentication;
use crate::iam::IamAccess;
use crate::invocation::HttpEvent;
use crate::metrics::{self, MeteredHost, Metrics};
use crate::notify::{Notify, OUTBOX_MIN_AGE_SECONDS, Routes};
use crate::polling::Polling;
use crate::seal::Seal;
use crate::time;
use crate::visitor::Visitors;
use aws_types::SdkConfig;
use countersign_api::files::{self, FileRoute};
use countersign_api::run::{Endpoint, PublicEndpoint};
use countersign_app::anomalies::AnomalyStore;
use countersign_app::audit_keys::{AuditKeys, NoAuditKeys};
use countersign_app::command::CommandStore;
use countersign_app::continuations::{Continuations, Releasing, Resume};
use countersign_app::dependencies::Dependencies;
use countersign_app::figure_store::FigureStore;
use countersign_app::figures::KnownOperations;
use countersign_app::host::{Clock, Host};
use countersign_app::known_preferences::KnownPreferences;
use countersign_app::log::{LogIndex, LogStorage};
use countersign_app::policy_texts::{KeepPolicyTexts, PolicyTexts};
use countersign_app::ports::{
    ChannelStore, CountAttempts, CountedAttemptsStore, FindDue, ListHolds, LoadEvents, LoadHold, LoadRequest,
    NoWebhookClient, Outbox, Publish, PutDelivery, PutHold, ReadPreferences, ReadWebhooks, RecordEvent,
    Replicas, Timers,
};
use countersign_app::preferences::PreferencesStore;
use countersign_app::report::ReportStore;
use countersign_app::retention::{ErasureMark, FindClosed, InvalidRetention, Retention};
use countersign_app::signing::{NoSigningKeys, SigningKeys};
use countersign_app::urge::NextLooks;
use countersign_audit::evidence::document::PolicyFiles;
use countersign_aws::Access;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::policy::restrictions::{self, Restrictions};
use countersign_core::policy::{Policy, PolicyText};
use countersign_core::principal::Principal;
use countersign_executor::port::Executor;
use countersign_executor::worker::{Approvals, Worker};
use countersign_notifications::configuration::Configuration;
use countersign_policy::load;
use countersign_system::logging;
use countersign_system::system::SystemHost;
pub use lambda_runtime::Error;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex;

#[cfg(feature = "deliveries")]
mod deliveries;
#[cfg(feature = "webhooks")]
mod webhooks;

/// The shortest text of a deployment's key, in characters.
const MIN_DEPLOYMENT_KEY: usize = 32;

/// What a function has before it knows what it is for.
#[derive(Debug)]
pub struct Boot {
    environment: Environment,
    signing_keys: Arc<dyn SigningKeys>,
    audit_keys: Arc<dyn AuditKeys>,
}

impl Boot {
    /// Reads the environment and starts logging.
    ///
    /// # Errors
    /// When `RUST_LOG` cannot be read. The function does not start then.
    pub fn begin() -> Result<Self, Error> {
        let environment = Environment::of_process();
        logging::start(environment.optional("RUST_LOG").unwrap_or("info"), std::io::stdout)?;
        Ok(Self { environment, signing_keys: Arc::new(NoSigningKeys), audit_keys: Arc::new(NoAuditKeys) })
    }

    /// The same, with keys that sign permits, or that they are verified by. Without any, no permits are given out.
    #[must_use]
    pub fn with_signing_keys(self, signing_keys: Option<impl SigningKeys + 'static>) -> Self {
        match signing_keys {
            Some(signing_keys) => Self { signing_keys: Arc::new(signing_keys), ..self },
            None => self,
        }
    }

    /// The same, with keys that sign checkpoints of the audit log, or evidence, or that they are verified by.
    #[must_use]
    pub fn with_audit_keys(self, audit_keys: impl AuditKeys + 'static) -> Self {
        Self { audit_keys: Arc::new(audit_keys), ..self }
    }

    /// The clock of the machine.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemHost::default())
    }

    /// What clients are built from.
    ///
    /// # Errors
    /// When something is missing of region and credentials, or the bundle of roots is none. It has
    /// been logged.
    pub fn aws(&self) -> Result<SdkConfig, Error> {
        aws(&self.environment).inspect_err(not_started)
    }

    /// A variable that the function needs.
    ///
    /// # Errors
    /// When it is not set. It has been logged.
    pub fn required(&self, name: &str) -> Result<String, Error> {
        Ok(self.environment.required(name).inspect_err(not_started)?)
    }

    /// A variable that the function can do without.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.environment.optional(name).map(str::to_owned)
    }

    /// A variable with several values, separated by commas; none if it is not set.
    pub fn names(&self, name: &str) -> Vec<String> {
        self.environment.names(name, &[])
    }

    /// A part that the function cannot do without.
    ///
    /// # Errors
    /// When it could not be made. It has been logged.
    pub fn part<T, E: std::error::Error + Send + Sync + 'static>(
        &self,
        part: Result<T, E>,
    ) -> Result<T, Error> {
        Ok(part.inspect_err(not_started)?)
    }

    /// Serves one operation of the API.
    ///
    /// # Errors
    /// As for [`Boot::begin`], or when the runtime's interface fails.
    pub async fn serve<E, S>(&self, store: S) -> Result<(), Error>
    where
        E: Endpoint<S>,
        S: CountAttempts + RecordEvent,
    {
        let mut function =
            self.function(store, E::OPERATION.takes_deployment_key()).await.inspect_err(not_started)?;
        if E::OPERATION.takes_notifications() {
            function.dependencies.notifications =
                self.notifications().inspect_err(not_started)?.map(Arc::new);
        }
        let function = &function;
        run(async move |event| function.handle::<E>(event.payload.get()).await).await
    }

    /// Serves claims of requests by approvers.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_hold<S>(&self, store: S) -> Result<(), Error>
    where
        S: LoadRequest + PutHold + RecordEvent + CountAttempts,
    {
        let function = &self.function(store, true).await.inspect_err(not_started)?;
        run(async move |event| function.handle_hold(event.payload.get()).await).await
    }

    /// Serves the operations about messages to people.
    ///
    /// # Errors
    /// As for [`Boot::serve`], or when `notifications.toml` cannot be used.
    pub async fn serve_notifications<S>(&self, store: S) -> Result<(), Error>
    where
        S: LoadRequest + PreferencesStore + CountAttempts + RecordEvent,
    {
        let mut function = self.function(store, true).await.inspect_err(not_started)?;
        function.dependencies.notifications = self.notifications().inspect_err(not_started)?.map(Arc::new);
        let function = &function;
        run(async move |event| function.handle_notifications(event.payload.get()).await).await
    }

    /// Serves evidence of requests.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_evidence<S, L>(&self, store: S, log: L) -> Result<(), Error>
    where
        S: LoadRequest + LoadEvents + RecordEvent + CountAttempts + LogIndex,
        L: LogStorage + PolicyTexts,
    {
        let function = &self.function(store, true).await.inspect_err(not_started)?;
        let log = &log;
        run(async move |event| {
            let make = async |http: &HttpEvent, actor: &Principal| {
                let id = http.path_parameter("id").unwrap_or_default().to_owned();
                let query = http.query().to_owned();
                files::evidence(&function.dependencies, log, log, id, query, actor).await
            };
            function.handle_file(FileRoute::Evidence, event.payload.get(), make).await
        })
        .await
    }

    /// Serves the files of the audit log.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_log<S, L>(&self, store: S, log: L) -> Result<(), Error>
    where
        S: LoadEvents + RecordEvent + CountAttempts,
        L: LogStorage,
    {
        let function = &self.function(store, true).await.inspect_err(not_started)?;
        let log = &log;
        run(async move |event| {
            let make = async |http: &HttpEvent, actor: &Principal| {
                let path = http.path_parameter("path").unwrap_or_default();
                files::log_file(&function.dependencies, log, path, actor).await
            };
            function.handle_file(FileRoute::Log, event.payload.get(), make).await
        })
        .await
    }

    /// Serves `GET /health` and `GET /openapi.json`.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_health(&self) -> Result<(), Error> {
        let mut function = self.function((), false).await.inspect_err(not_started)?;
        function.dependencies.notifications = self.notifications().inspect_err(not_started)?.map(Arc::new);
        let function = &function;
        run(async move |event| function.handle_health(event.payload.get()).await).await
    }

    /// Serves one public operation.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_public<E: PublicEndpoint>(&self) -> Result<(), Error> {
        let function = self.function((), false).await.inspect_err(not_started)?;
        let function = &function;
        run(async move |event| function.handle_public::<E>(event.payload.get()).await).await
    }

    /// Serves the dashboard.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_dashboard(&self) -> Result<(), Error> {
        let settings = dashboard::Settings::read(&self.environment).inspect_err(not_started)?;
        let host = self.sweeping_host().inspect_err(not_started)?;
        let pages = &Pages::start(settings, self.aws()?, host).await.inspect_err(not_started)?;
        let clock = &self.clock();
        run(async move |event| {
            let time = time::budget(clock.now(), event.context.deadline);
            pages.handle(event.payload.get(), time).await
        })
        .await
    }

    /// Serves the tools for agents.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    #[cfg(feature = "mcp")]
    pub async fn serve_mcp(&self) -> Result<(), Error> {
        let settings = crate::mcp::Settings::read(&self.environment).inspect_err(not_started)?;
        let host = self.sweeping_host().inspect_err(not_started)?;
        let tools = &crate::mcp::Tools::new(settings, host);
        let clock = &self.clock();
        run(async move |event| {
            // All of it: the tools keep back what they need, and change nothing themselves that has to be ended.
            let time = time::left(clock.now(), event.context.deadline);
            tools.handle(event.payload.get(), time).await
        })
        .await
    }

    /// Serves the schedule of expiry.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_expire<S, D>(&self, store: S, deliveries: Option<D>) -> Result<(), Error>
    where
        D: PutDelivery + ChannelStore + ReadPreferences,
        S: ErasureMark
            + CommandStore
            + CountedAttemptsStore
            + FindClosed
            + FindDue
            + ListHolds
            + LoadHold
            + Replicas
            + ReportStore
            + Timers,
    {
        let metrics = &self.metrics().inspect_err(not_started)?;
        let retention = retention(&self.environment).inspect_err(not_started)?;
        let mut dependencies = self.dependencies(store, true).await.inspect_err(not_started)?;
        dependencies.notifications = self.notifications().inspect_err(not_started)?.map(Arc::new);
        let dependencies = &dependencies;
        let urging = deliveries.map(|deliveries| (deliveries, NextLooks::default()));
        let urging = urging.as_ref().map(|(deliveries, looks)| (deliveries, looks));
        run(async move |event| {
            let budget = time::budget(dependencies.host.now(), event.context.deadline);
            expire::handle(dependencies, urging, metrics, budget, retention).await
        })
        .await
    }

    /// Serves the outbox's stream and the schedule of its sweep.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_notify<S, W, P, R, Q>(
        &self,
        outbox: S,
        subscribers: W,
        requests: Q,
        publisher: P,
        resumer: R,
    ) -> Result<(), Error>
    where
        S: Outbox + Continuations + Clone,
        W: ReadWebhooks + PutDelivery + ReadPreferences,
        P: Publish,
        R: Resume,
        Q: LoadRequest + LoadHold,
    {
        let publisher = Releasing::new(outbox.clone(), publisher);
        let routes = self.routes(requests).inspect_err(not_started)?;
        let notify =
            &self.notify(outbox, subscribers, routes, publisher, resumer).inspect_err(not_started)?;
        run(async move |event| {
            let budget = time::budget(notify.host.now(), event.context.deadline);
            notify.handle(event.payload.get(), budget).await
        })
        .await
    }

    /// Serves the schedule of the audit log. The texts of the policy in force are kept beside it first.
    ///
    /// # Errors
    /// As for [`Boot::serve`].
    pub async fn serve_seal<S, O, L>(&self, store: S, outbox: O, storage: L) -> Result<(), Error>
    where
        S: AnomalyStore + FigureStore + LoadEvents + LogIndex + RecordEvent,
        O: Outbox,
        L: LogStorage + KeepPolicyTexts,
    {
        self.keep_policy(&storage).await.inspect_err(not_started)?;
        let seal = &Seal {
            store,
            outbox,
            storage,
            keys: Arc::clone(&self.audit_keys),
            deployment_key: deployment_key(&self.environment).await.inspect_err(not_started)?,
            host: self.sweeping_host().inspect_err(not_started)?,
            metrics: self.metrics().inspect_err(not_started)?,
        };
        run(async move |event| seal.handle(time::budget(seal.host.now(), event.context.deadline)).await).await
    }

    /// Serves the schedule of an executor.
    ///
    /// # Errors
    /// When the runtime's interface fails.
    pub async fn serve_executor<A: Approvals, E: Executor>(
        &self,
        approvals: A,
        carries_out: E,
    ) -> Result<(), Error> {
        // One run after another: what it remembers of executions spares it calls.
        let worker = &Mutex::new(Worker::new(approvals, carries_out));
        let clock = &self.clock();
        run(async move |event| {
            let budget = time::budget(clock.now(), event.context.deadline);
            executor::handle(&mut *worker.lock().await, || clock.now(), budget).await
        })
        .await
    }

    fn routes<Q>(&self, requests: Q) -> Result<Option<Routes<Q>>, Error> {
        let Some(configuration) = self.notifications()? else { return Ok(None) };
        let preferences = KnownPreferences::default();
        Ok(Some(Routes { configuration, policy: self.policy()?, requests, preferences }))
    }

    fn notify<S, W, P, R, Q>(
        &self,
        outbox: S,
        subscribers: W,
        routes: Option<Routes<Q>>,
        publisher: P,
        resumer: R,
    ) -> Result<Notify<S, W, P, R, Q>, Error> {
        Ok(Notify {
            outbox,
            subscribers,
            routes,
            publisher,
            resumer,
            host: self.sweeping_host()?,
            metrics: self.metrics()?,
            min_age_seconds: self.environment.number("OUTBOX_MIN_AGE_SECONDS", OUTBOX_MIN_AGE_SECONDS)?,
        })
    }

    /// Who hears of what, by the file beside the policy.
    fn notifications(&self) -> Result<Option<Configuration>, Error> {
        let directory = self.environment.optional("POLICY_DIR").map(Path::new);
        let text = directory.map(load::read_notifications).transpose()?.flatten();
        let groups = self.policy()?;
        Ok(text.map(|text| Configuration::parse(&text, groups.people().groups())).transpose()?)
    }

    fn policy(&self) -> Result<Policy, Error> {
        let directory = self.environment.optional("POLICY_DIR").map(Path::new);
        Ok(load::policy(directory, self.clock().now())?)
    }

    async fn keep_policy(&self, texts: &impl KeepPolicyTexts) -> Result<(), Error> {
        let policy = self.policy()?;
        let Some(PolicyText { access, operations, people }) = policy.text() else { return Ok(()) };
        let [access, operations, people] = [access, operations, people].map(|text| (*text).to_owned());
        let files = PolicyFiles { access, operations, people };
        Ok(texts.keep(policy.version(), &files).await?)
    }

    /// Of a function that makes no requests, and so knows no operations.
    fn sweeping_host(&self) -> Result<Box<dyn Host>, InvalidVariable> {
        Ok(Box::new(MeteredHost::new(self.metrics()?, KnownOperations::default())))
    }

    async fn function<S>(&self, store: S, takes_key: bool) -> Result<Function<S>, Error> {
        let dependencies = self.dependencies(store, takes_key).await?;
        let authentication = Authentication::read(&self.environment)?;
        let authentication = match self.optional("VISITOR_KEY_SECRET") {
            Some(arn) => authentication.with_visitors(Visitors::in_secret(aws(&self.environment)?, arn)),
            None => authentication,
        };
        Ok(Function {
            authentication,
            iam: IamAccess::read(&self.environment)?,
            direct: DirectAccess::read(&self.environment, dependencies.policy.people())?,
            resumes: self.environment.switch("CONTINUATIONS")?,
            waiting: Polling::read(&self.environment)?,
            metrics: self.metrics()?,
            dependencies,
        })
    }

    async fn dependencies<S>(&self, store: S, takes_key: bool) -> Result<Dependencies<S>, Error> {
        let environment = &self.environment;
        let policy = self.policy()?.restricted(restrictions(environment)?);
        let host = MeteredHost::new(self.metrics()?, KnownOperations::of(&policy));
        Ok(Dependencies {
            store,
            policy,
            notifications: None,
            signing_keys: Arc::clone(&self.signing_keys),
            audit_keys: Arc::clone(&self.audit_keys),
            webhook_client: Arc::new(NoWebhookClient),
            deployment_key: if takes_key { deployment_key(environment).await? } else { no_deployment_key()? },
            host: Arc::new(host),
        })
    }

    fn metrics(&self) -> Result<Metrics, InvalidVariable> {
        Ok(Metrics::new(self.environment.required("ENVIRONMENT")?, metrics::to_stdout))
    }
}

/// What the operator takes away from the policy.
fn restrictions(environment: &Environment) -> Result<Restrictions, InvalidVariable> {
    let workflow_enabled = environment.optional("APPROVAL_WORKFLOW_ENABLED");
    let max_pending = environment.optional("APPROVAL_MAX_PENDING");
    Ok(Restrictions {
        workflow_enabled: workflow_enabled
            .map_or(Ok(true), restrictions::workflow_enabled)
            .map_err(|rule| Environment::invalid("APPROVAL_WORKFLOW_ENABLED", rule))?,
        max_pending: max_pending
            .map(restrictions::max_pending)
            .transpose()
            .map_err(|rule| Environment::invalid("APPROVAL_MAX_PENDING", rule))?,
    })
}

/// How long parameters and texts are kept; for as long as the tables, if that is not said.
fn retention(environment: &Environment) -> Result<Option<Retention>, InvalidVariable> {
    let days = environment.optional("PARAMETERS_RETENTION_DAYS").map(str::parse).transpose();
    days.map_err(|rule: InvalidRetention| Environment::invalid("PARAMETERS_RETENTION_DAYS", rule.to_string()))
}

/// The one line that tells why: what `main` prints of an error is not for people.
fn not_started(error: &impl std::fmt::Display) {
    tracing::error!(%error, "does not start");
}

/// The deployment's key, which seals requests and cursors: SHA-256 of a text of at least 32 characters. The text is
/// in the secret that `DEPLOYMENT_KEY_SECRET` names. `DEPLOYMENT_KEY` is the text itself, for local runs: the
/// variables of a deployed function are shown to every principal who may read its configuration.
async fn deployment_key(environment: &Environment) -> Result<DeploymentKey, Error> {
    let (name, text) = match environment.optional("DEPLOYMENT_KEY") {
        Some(text) => ("DEPLOYMENT_KEY", text.to_owned()),
        None => {
            let arn = environment.required("DEPLOYMENT_KEY_SECRET")?;
            let text = countersign_aws::secret::read(&aws(environment)?, &arn).await.map_err(|error| {
                Environment::invalid(
                    "DEPLOYMENT_KEY_SECRET",
                    format!("names a secret that cannot be read: {error}"),
                )
            })?;
            ("DEPLOYMENT_KEY_SECRET", text)
        }
    };
    if text.len() < MIN_DEPLOYMENT_KEY {
        let rule = format!("must give a text of at least {MIN_DEPLOYMENT_KEY} characters");
        return Err(Environment::invalid(name, rule).into());
    }
    Ok(DeploymentKey::new(*Digest::of(text).as_bytes()))
}

/// A function that writes no events and gives out no cursors is not given the deployment's key. It gets
/// one that exists nowhere else.
fn no_deployment_key() -> Result<DeploymentKey, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(DeploymentKey::new(bytes))
}

/// AWS as the Lambda service describes it to a function.
fn aws(environment: &Environment) -> Result<SdkConfig, Error> {
    let bundle = environment.file("AWS_CA_BUNDLE")?;
    let access = Access {
        region: environment.required("AWS_REGION")?,
        credentials: countersign_aws::credentials(
            environment.required("AWS_ACCESS_KEY_ID")?,
            environment.required("AWS_SECRET_ACCESS_KEY")?,
            environment.optional("AWS_SESSION_TOKEN").map(str::to_owned),
        ),
        endpoint_url: environment.optional("AWS_ENDPOINT_URL").map(str::to_owned),
    };
    let transport = countersign_aws::transport(bundle.as_deref())?;
    Ok(countersign_aws::configuration(access, transport))
}

/// The runtime's loop: one invocation after another, for as long as the sandbox lives.
async fn run<A: Serialize>(
    handle: impl AsyncFn(LambdaEvent<Box<RawValue>>) -> Result<A, Diagnostic>,
) -> Result<(), Error> {
    let handle = &handle;
    // A future behind a pointer: its own type is nested so deeply that the compiler gives up.
    let boxed = move |event| -> Pin<Box<dyn Future<Output = _>>> { Box::pin(handle(event)) };
    // Its span names the invocation and its trace in every line.
    Runtime::new(service_fn(boxed)).layer(TracingLayer::new()).run().await
}
