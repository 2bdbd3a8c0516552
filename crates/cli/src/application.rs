//! Everything the server works with, put together.

use crate::authentication::Authenticator;
use crate::source_address::TrustedProxies;
use aws_sdk_dynamodb::Client;
use countersign_app::dependencies::Dependencies;
use countersign_app::host::Host;
use countersign_core::digest::DeploymentKey;
use countersign_core::policy::Policy;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::{self, TableNames};
use std::sync::Arc;
use tokio::sync::Notify;

/// The environment in the names of embedded tables.
pub(crate) const TABLES_ENVIRONMENT: &str = "local";

/// The parts that handlers and sweeps share.
#[derive(Debug, Clone)]
pub struct Application {
    /// The store, the policy, the clock.
    pub dependencies: Arc<Dependencies<DynamoStore>>,
    /// What is to be delivered.
    pub outbox: DynamoOutbox,
    /// Who may call.
    pub authenticator: Arc<Authenticator>,
    /// The proxies whose word for where a call comes from is taken.
    pub trusted_proxies: TrustedProxies,
    /// Rung after a write: there is something to deliver.
    pub outbox_bell: Arc<Notify>,
}

impl Application {
    /// Puts the parts together and makes sure that the tables are there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn new(
        client: Client,
        policy: Policy,
        deployment_key: DeploymentKey,
        authenticator: Authenticator,
        trusted_proxies: TrustedProxies,
        host: Box<dyn Host>,
    ) -> Result<Self, String> {
        let tables = TableNames::of_environment(TABLES_ENVIRONMENT);
        table::create_missing(&client, &tables)
            .await
            .map_err(|error| format!("the tables cannot be created: {error}"))?;
        let outbox = DynamoOutbox::new(client.clone(), tables.outbox.clone());
        let store = DynamoStore::new(client, tables);
        Ok(Self {
            outbox,
            dependencies: Arc::new(Dependencies { store, policy, deployment_key, host }),
            authenticator: Arc::new(authenticator),
            trusted_proxies,
            outbox_bell: Arc::new(Notify::new()),
        })
    }
}
