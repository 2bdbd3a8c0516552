//! Starting the function that answers all operations about webhooks, which calls addresses that people have given.

use super::{Boot, Error, not_started, run};
use countersign_api::operation::WEBHOOKS_FUNCTION;
use countersign_api::run::Store;
use countersign_egress::{Client, configured};
use countersign_notifications::configuration::Configuration;
use std::sync::Arc;

impl Boot {
    /// Serves the operations of the API about webhooks.
    ///
    /// # Errors
    /// As for [`Boot::serve`], or when `notifications.toml` cannot be used.
    pub async fn serve_webhooks<S: Store + 'static>(&self, store: S) -> Result<(), Error> {
        let mut function = self.function(store, true).await.inspect_err(not_started)?;
        function.dependencies.webhook_client =
            Arc::new(egress_client(self.notifications().inspect_err(not_started)?.as_ref())?);
        let function = &function;
        run(async move |event| function.handle_one_of(WEBHOOKS_FUNCTION, event.payload.get()).await).await
    }
}

/// What calls webhooks, by the file beside the policy.
pub(super) fn egress_client(notifications: Option<&Configuration>) -> Result<Client, Error> {
    Ok(configured::client(notifications).inspect_err(not_started)?)
}
