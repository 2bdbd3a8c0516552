//! Everything the server works with, put together.

use crate::callers::Callers;
use crate::log_directory::LogDirectory;
use crate::metrics::Metrics;
use crate::observed_host::ObservedHost;
use crate::policy_directory::PolicyDirectory;
use crate::refusal_log::RefusalLog;
use crate::source_address::TrustedProxies;
use crate::waiters::Waiters;
use aws_sdk_dynamodb::Client;
use countersign_app::audit_keys::AuditKeys;
use countersign_app::dependencies::Dependencies;
use countersign_app::host::Host;
use countersign_app::known_preferences::KnownPreferences;
use countersign_app::ports::{DestinationSender, NoWebhookClient, ScanStore as _, StoreError, WebhookClient};
use countersign_app::signing::SigningKeys;
use countersign_app::urge::NextLooks;
use countersign_core::digest::DeploymentKey;
use countersign_core::policy::Policy;
use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_dynamodb::observed::observed;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::{self, TableNames};
use countersign_issuer::authenticator::Authenticator;
use countersign_notifications::configuration::Configuration;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Notify;

/// The environment in the names of embedded tables.
pub const TABLES_ENVIRONMENT: &str = "local";

/// The data directory does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There are tables that cannot be made.
    #[error("the tables cannot be created: {0}")]
    Tables(#[source] StoreError),
    /// What is in them cannot be read.
    #[error("the store cannot be read: {0}")]
    Unreadable(#[source] StoreError),
    /// What is decided under a policy must be shown with its texts.
    #[error("the texts of the policy cannot be kept: {0}")]
    PolicyNotKept(#[source] io::Error),
}

/// What follows from `notifications.toml`.
#[derive(Debug, Clone)]
pub struct Channels {
    /// Who hears of what.
    pub configuration: Arc<Configuration>,
    /// Sends to the destinations in it.
    pub sender: Arc<dyn DestinationSender>,
}

impl Channels {
    /// Both, as the courier takes them.
    pub fn parts(&self) -> (&Configuration, &dyn DestinationSender) {
        (self.configuration.as_ref(), self.sender.as_ref())
    }
}

/// The parts that handlers and sweeps share.
#[derive(Debug, Clone)]
pub struct Application {
    dependencies: Arc<RwLock<Arc<Dependencies<DynamoStore>>>>,
    /// What is to be delivered.
    pub outbox: DynamoOutbox,
    /// What webhooks wait for, and the webhooks.
    pub deliveries: DynamoDeliveries,
    channels: Arc<RwLock<Option<Channels>>>,
    /// When requests are looked at for reminders and escalations.
    pub next_looks: Arc<NextLooks>,
    /// What people have said of how they want to hear, as delivery knows it.
    pub known_preferences: Arc<KnownPreferences>,
    /// Where people look at requests, if that is known.
    pub dashboard_url: Option<Arc<str>>,
    /// Notified once deliveries have been put.
    pub courier_wakeup: Arc<Notify>,
    /// Who may call.
    pub authenticator: Arc<Authenticator>,
    /// The proxies whose word for where a call comes from is taken.
    pub trusted_proxies: TrustedProxies,
    /// Notified after a write: there are messages to deliver.
    pub delivery_wakeup: Arc<Notify>,
    /// The same for the log.
    pub seal_wakeup: Arc<Notify>,
    /// The files of the audit log.
    pub log: LogDirectory,
    /// The policies that have been in force.
    pub policies: PolicyDirectory,
    /// What the callers who are known take.
    pub callers: Arc<Callers>,
    /// The calls that wait for a request to change.
    pub waiters: Arc<Waiters>,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
    /// How many calls had no authentication since the last sweep.
    pub unauthenticated: Arc<AtomicU64>,
    /// How many refusals of strangers are logged.
    pub refusal_log: Arc<RefusalLog>,
}

impl Application {
    /// Puts the parts together and makes sure that the tables are there.
    ///
    /// # Errors
    /// When the database does not answer, or the policy cannot be kept.
    #[expect(clippy::too_many_arguments, reason = "each is a part that a shell has made")]
    pub async fn new(
        client: Client,
        policy: Policy,
        signing_keys: Arc<dyn SigningKeys>,
        audit_keys: Arc<dyn AuditKeys>,
        log: LogDirectory,
        policies: PolicyDirectory,
        deployment_key: DeploymentKey,
        authenticator: Authenticator,
        trusted_proxies: TrustedProxies,
        host: Arc<dyn Host>,
    ) -> Result<Self, DatabaseError> {
        policies.keep(&policy).map_err(DatabaseError::PolicyNotKept)?;
        let metrics = Arc::new(Metrics::new(&policy));
        let client = observed(&client, Arc::<dyn Host>::clone(&host), Arc::<Metrics>::clone(&metrics));
        let tables = TableNames::of_environment(TABLES_ENVIRONMENT);
        table::create_missing(&client, &tables).await.map_err(DatabaseError::Tables)?;
        let outbox = DynamoOutbox::new(client.clone(), tables.outbox.clone()).with_transactions();
        let deliveries = DynamoDeliveries::new(client.clone(), tables.deliveries.clone().unwrap_or_default())
            .with_transactions();
        let store = DynamoStore::new(client, tables);
        let waiters = Arc::<Waiters>::default();
        let unauthenticated = Arc::<AtomicU64>::default();
        let host = Arc::new(ObservedHost::new(
            host,
            Arc::clone(&waiters),
            Arc::clone(&metrics),
            Arc::clone(&unauthenticated),
        ));
        Ok(Self {
            outbox,
            deliveries,
            channels: Arc::default(),
            next_looks: Arc::default(),
            known_preferences: Arc::default(),
            dashboard_url: None,
            courier_wakeup: Arc::new(Notify::new()),
            dependencies: Arc::new(RwLock::new(Arc::new(Dependencies {
                store,
                policy,
                notifications: None,
                signing_keys,
                audit_keys,
                webhook_client: Arc::new(NoWebhookClient),
                deployment_key,
                host,
            }))),
            authenticator: Arc::new(authenticator),
            trusted_proxies,
            delivery_wakeup: Arc::new(Notify::new()),
            seal_wakeup: Arc::new(Notify::new()),
            log,
            policies,
            callers: Arc::default(),
            waiters,
            metrics,
            unauthenticated,
            refusal_log: Arc::default(),
        })
    }

    /// The same, with what calls webhooks, and where people look at requests.
    #[must_use]
    pub fn with_webhooks(
        self,
        webhook_client: Arc<dyn WebhookClient>,
        dashboard_url: Option<String>,
    ) -> Self {
        let current = self.dependencies();
        let dependencies = Dependencies { webhook_client, ..with_policy(&current, current.policy.clone()) };
        *self.dependencies.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(dependencies);
        Self { dashboard_url: dashboard_url.map(Arc::from), ..self }
    }

    /// The same, with who hears of what, and what sends it to them.
    #[must_use]
    pub fn with_channels(self, channels: Option<Channels>) -> Self {
        self.replace_channels(Arc::clone(&self.dependencies().webhook_client), channels);
        self
    }

    /// Puts another `notifications.toml` in force: what calls webhooks by it, who hears of what, and what sends it to them.
    pub fn replace_channels(&self, webhook_client: Arc<dyn WebhookClient>, channels: Option<Channels>) {
        let mut current = self.dependencies.write().unwrap_or_else(PoisonError::into_inner);
        let notifications = channels.as_ref().map(|channels| Arc::clone(&channels.configuration));
        let unchanged = with_policy(&current, current.policy.clone());
        *current = Arc::new(Dependencies { webhook_client, notifications, ..unchanged });
        *self.channels.write().unwrap_or_else(PoisonError::into_inner) = channels;
    }

    /// Who hears of what, and what sends it to them; nothing without the file.
    pub fn channels(&self) -> Option<Channels> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wakes delivery and the log: something was committed.
    pub fn wake_sweeps(&self) {
        self.delivery_wakeup.notify_one();
        self.seal_wakeup.notify_one();
    }

    /// Whether there is a request in the store.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_requests(&self) -> Result<bool, DatabaseError> {
        let page = self.dependencies().store.scan_ids(None).await;
        page.map(|(ids, _)| !ids.is_empty()).map_err(DatabaseError::Unreadable)
    }

    /// The store, the policy, the clock. A call takes them once: what comes later may be under another
    /// policy.
    pub fn dependencies(&self) -> Arc<Dependencies<DynamoStore>> {
        Arc::clone(&self.dependencies.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another policy in force, under the same restrictions: for calls that begin from now on, and for those that wait.
    ///
    /// # Errors
    /// When it cannot be kept: what was in force stays.
    pub fn replace_policy(&self, policy: Policy) -> io::Result<()> {
        self.policies.keep(&policy)?;
        let policy = policy.restricted(self.dependencies().policy.restrictions());
        self.metrics.policy_replaced(&policy);
        let for_waiters = Arc::new(policy.clone());
        let mut current = self.dependencies.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(with_policy(&current, policy));
        // While no call can begin under the policy before: each that has begun hears of this one.
        self.waiters.policy_replaced(for_waiters);
        Ok(())
    }
}

/// The same under another policy.
fn with_policy(current: &Dependencies<DynamoStore>, policy: Policy) -> Dependencies<DynamoStore> {
    Dependencies {
        store: current.store.clone(),
        policy,
        notifications: current.notifications.clone(),
        signing_keys: Arc::clone(&current.signing_keys),
        audit_keys: Arc::clone(&current.audit_keys),
        webhook_client: Arc::clone(&current.webhook_client),
        deployment_key: current.deployment_key.clone(),
        host: Arc::clone(&current.host),
    }
}
