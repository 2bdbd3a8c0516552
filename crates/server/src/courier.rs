//! The courier that runs inside the server: one task for each destination that has something due, so that an endpoint that
//! hangs holds up no other.

use crate::application::{Application, Channels};
use crate::metrics::SweepName;
use countersign_app::courier::{self, Courier, CourierReport, LastAnswer};
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::DeliveryKey;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::schedule::Schedule;
use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_dynamodb::store::DynamoStore;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long after the last look what is due is looked for again, if nothing wakes the courier.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long one task goes on before what is due is looked for anew.
const BUDGET: Duration = Duration::from_secs(5);
/// How often old deliveries are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How many destinations are served at once.
const MAX_DESTINATIONS: usize = 128;
/// How many recipients of one configured destination are served at once: one that hangs holds up no other destination.
const MAX_RECIPIENTS: usize = 8;
/// How long attempts that are under way may take when the service stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);

/// What the courier knows while it runs.
#[derive(Debug, Default)]
struct Memory {
    last_answer: LastAnswer,
    /// Destinations of which something may have been sent and could not be marked. They get nothing before a claim is written:
    /// where nothing can be written, the same would be sent again and again.
    unmarked: Mutex<BTreeSet<DestinationId>>,
}

impl Memory {
    fn is_unmarked(&self, destination: &DestinationId) -> bool {
        self.unmarked.lock().unwrap_or_else(PoisonError::into_inner).contains(destination)
    }

    fn marked(&self, destination: &DestinationId) {
        self.unmarked.lock().unwrap_or_else(PoisonError::into_inner).remove(destination);
    }

    fn not_marked(&self, destination: &DestinationId) {
        self.unmarked.lock().unwrap_or_else(PoisonError::into_inner).insert(destination.clone());
    }
}

/// Sends what waits for webhooks and configured destinations, until it is stopped.
pub(crate) async fn send_until(app: Application, mut stopped: watch::Receiver<bool>) {
    let memory = Arc::<Memory>::default();
    let mut busy = JoinSet::new();
    let mut destinations: BTreeMap<tokio::task::Id, DestinationId> = BTreeMap::new();
    let mut forgotten_at = None;
    while !*stopped.borrow() {
        let dependencies = app.dependencies();
        let host = dependencies.host.as_ref();
        if forgotten_at.is_none_or(|at| host.elapsed().saturating_sub(at) >= FORGET_INTERVAL) {
            forgotten_at = Some(host.elapsed());
            let app = app.clone();
            tokio::spawn(async move {
                let dependencies = app.dependencies();
                if let Err(error) = courier::forget(&app.deliveries, dependencies.host.as_ref(), BUDGET).await
                {
                    tracing::error!(%error, "old deliveries cannot be forgotten");
                }
            });
        }
        match due(&app, &memory).await {
            Ok(due) => {
                app.metrics.swept(SweepName::Courier, app.dependencies().host.now());
                for (destination, keys) in due {
                    let is_busy = destinations.values().any(|busy| *busy == destination);
                    let of_its_name = destinations
                        .values()
                        .filter(|busy| busy.without_recipient() == destination.without_recipient());
                    let is_full =
                        destinations.len() >= MAX_DESTINATIONS || of_its_name.count() >= MAX_RECIPIENTS;
                    if is_busy || is_full {
                        continue;
                    }
                    let task = serve(app.clone(), Arc::clone(&memory), destination.clone(), keys);
                    destinations.insert(busy.spawn(task).id(), destination);
                }
            }
            Err(error) => tracing::error!(%error, "what is due cannot be read"),
        }
        tokio::select! {
            () = app.courier_wakeup.notified() => {}
            () = sleep(INTERVAL) => {}
            _ = stopped.changed() => {}
            Some(ended) = busy.join_next_with_id() => ended_task(&mut destinations, ended),
        }
    }
    let rest = async {
        while let Some(ended) = busy.join_next_with_id().await {
            ended_task(&mut destinations, ended);
        }
    };
    // What is cut off here is due again after the next start.
    if tokio::time::timeout(STOP_TIMEOUT, rest).await.is_err() {
        tracing::warn!(destinations = destinations.len(), "deliveries are left to the next start");
    }
}

fn ended_task(
    destinations: &mut BTreeMap<tokio::task::Id, DestinationId>,
    ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>,
) {
    let id = match &ended {
        Ok((id, ())) => *id,
        Err(error) => error.id(),
    };
    let destination = destinations.remove(&id);
    if let Err(error) = ended {
        let destination = destination.map(|destination| destination.to_string());
        tracing::error!(destination, %error, "sending failed");
    }
}

async fn due(
    app: &Application,
    memory: &Memory,
) -> Result<BTreeMap<DestinationId, Vec<DeliveryKey>>, countersign_app::error::AppError> {
    let dependencies = app.dependencies();
    courier_of(app, &dependencies, None, memory).due().await
}

async fn serve(app: Application, memory: Arc<Memory>, destination: DestinationId, keys: Vec<DeliveryKey>) {
    let (dependencies, channels) = (app.dependencies(), app.channels());
    let courier = courier_of(&app, &dependencies, channels.as_ref(), &memory);
    let courier = if memory.is_unmarked(&destination) { courier } else { courier.alone() };
    match courier.deliver(&destination, keys, BUDGET).await {
        Ok(report) => {
            memory.marked(&destination);
            app.metrics.delivered(report.delivered, report.failed + report.dead);
            // What cannot be read stays due.
            if report == CourierReport::default() {
                sleep(INTERVAL).await;
            }
        }
        Err(error) => {
            memory.not_marked(&destination);
            tracing::error!(%destination, %error, "deliveries are left to the next pass");
            sleep(INTERVAL).await;
        }
    }
}

fn courier_of<'a>(
    app: &'a Application,
    dependencies: &'a Dependencies<DynamoStore>,
    channels: Option<&'a Channels>,
    memory: &'a Memory,
) -> Courier<'a, DynamoDeliveries> {
    Courier::new(
        &app.deliveries,
        dependencies.webhook_client.as_ref(),
        &dependencies.deployment_key,
        app.dashboard_url.as_deref(),
        dependencies.host.as_ref(),
        Schedule::CONTINUOUS,
        &memory.last_answer,
    )
    .with_channels(channels.map(Channels::parts))
}
