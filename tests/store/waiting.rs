//! A change that is committed after a call has begun to watch a request, and before the call has read it.

use countersign_app::command::command;
use countersign_app::create::create;
use countersign_app::dependencies::Dependencies;
use countersign_app::host::BoxFuture;
use countersign_app::ports::NoWebhookClient;
use countersign_app::wait::{Wait, wait};
use countersign_app::waiting::{Waiting, Watch, Woken};
use countersign_core::caller::{Caller, Channel, PrincipalKind};
use countersign_core::command::{Command, Draft};
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_e2e::inspection;
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::signing::{log_key, signing_key};
use countersign_embedded::Embedded;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Wakes a call with one change, and then ends it. Counts how often the call slept.
#[derive(Debug, Clone, Default)]
struct OneChange(Arc<AtomicUsize>);

impl Waiting for OneChange {
    fn watch(&self, _: RequestId, _: Duration) -> Option<Box<dyn Watch>> {
        Some(Box::new(self.clone()))
    }
}

impl Watch for OneChange {
    fn next(&mut self, _: Option<Duration>) -> BoxFuture<'_, Woken> {
        let woken = if self.0.fetch_add(1, Ordering::SeqCst) == 0 { Woken::Change } else { Woken::End };
        Box::pin(async { woken })
    }
}

#[test]
fn it_ends_the_waiting_unless_the_caller_knows_its_version() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = countersign_embedded::client(Embedded::in_memory().unwrap());
        create_missing(&client, &inspection::tables()).await.unwrap();
        let dependencies = Dependencies {
            store: DynamoStore::new(client, inspection::tables()),
            policy: countersign_policy::load::bundled().unwrap(),
            notifications: None,
            signing_keys: Arc::new(signing_key()),
            audit_keys: Arc::new(log_key()),
            webhook_client: Arc::new(NoWebhookClient),
            deployment_key: DeploymentKey::new([9; 32]),
            host: Arc::new(ManualHost::default()),
        };
        let ann = PersonId::from_email("ann@example.com").unwrap();
        let caller = Caller::new(ann, PrincipalKind::Human, Channel::Local, ["developer"]);
        let actor = dependencies.policy.people().resolve(caller.clone()).unwrap();
        let draft = Draft::new("reboot", "production-db-01", &json!({}), "production", "why").unwrap();
        let id = create(&dependencies, &draft, &actor, None).await.unwrap().request.id();
        // It stands for the one that the watch notices.
        command(&dependencies, id, &Command::Cancel { reason: None }, &actor, None).await.unwrap();
        for (since_version, sleeps) in [(None, 1), (Some(1), 0), (Some(2), 2)] {
            let waiting = OneChange::default();
            let at_most = Duration::from_secs(25);
            let call = Wait { request_id: id, since_version, at_most, caller: &caller, waiting: &waiting };
            let version =
                wait(&dependencies, call, &actor, |held, _, _, _| held.request.version, |_| false).await;
            assert_eq!(version.unwrap(), 2);
            assert_eq!(waiting.0.load(Ordering::SeqCst), sleeps, "since {since_version:?}");
        }
    });
}
