//! Starting the function that sends what waits: to webhooks, and to the destinations of `notifications.toml`.

use super::webhooks::egress_client;
use super::{Boot, Error, deployment_key, not_started, run};
use crate::deliver::Deliver;
use crate::secrets::FunctionSecrets;
use crate::time;
use countersign_app::courier::{LastAnswer, TIME_LIMIT};
use countersign_app::ports::{ChannelStore, Deliveries, DestinationSender, ReadWebhooks, WriteWebhooks};
use countersign_channels::cloud::Cloud;
use countersign_channels::sender::ConfiguredSender;
use countersign_egress::{Client, configured};
use countersign_notifications::configuration::Configuration;
use std::sync::Arc;

impl Boot {
    /// Serves the stream and the schedule of deliveries to webhooks and configured destinations. `cloud` sends what goes through AWS.
    ///
    /// # Errors
    /// As for [`Boot::serve`], or when `notifications.toml` cannot be used.
    pub async fn serve_deliver<D>(&self, deliveries: D, cloud: Arc<dyn Cloud>) -> Result<(), Error>
    where
        D: Deliveries + ReadWebhooks + WriteWebhooks + ChannelStore,
    {
        let notifications = self.notifications().inspect_err(not_started)?;
        let client = Arc::new(egress_client(notifications.as_ref())?);
        let channels = notifications
            .map(|configuration| self.channels(configuration, Arc::clone(&client), cloud))
            .transpose()
            .inspect_err(not_started)?;
        let deliver = &Deliver {
            deliveries,
            client,
            channels,
            deployment_key: deployment_key(&self.environment).await.inspect_err(not_started)?,
            dashboard_url: self.optional("DASHBOARD_URL"),
            host: self.sweeping_host().inspect_err(not_started)?,
            last_answer: LastAnswer::default(),
            metrics: self.metrics().inspect_err(not_started)?,
        };
        run(async move |event| {
            let budget = time::budget(deliver.host.now(), event.context.deadline);
            // An attempt that has begun is awaited.
            deliver.handle(event.payload.get(), budget.saturating_sub(TIME_LIMIT)).await
        })
        .await
    }

    /// What sends to the destinations of the file.
    fn channels(
        &self,
        configuration: Configuration,
        client: Arc<Client>,
        cloud: Arc<dyn Cloud>,
    ) -> Result<(Arc<Configuration>, Arc<dyn DestinationSender>), Error> {
        let configuration = Arc::new(configuration);
        let roots = configured::ca_bundle(&configuration)?;
        let secrets = Arc::new(FunctionSecrets::new(self.aws()?));
        let sender = ConfiguredSender::new(Arc::clone(&configuration), client, secrets, roots);
        Ok((configuration, Arc::new(sender.with_cloud(cloud))))
    }
}
