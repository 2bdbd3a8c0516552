//! The two sweeps that run inside the server: delivery and expiry.

use crate::application::Application;
use countersign_app::ports::Publish;
use countersign_app::{deliver, expire};
use countersign_core::actor::Channel;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long after the last sweep the outbox is swept again, if nothing rings.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(1);
/// How often passed deadlines are written down.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);
/// How long one sweep may take before the next begins.
const BUDGET: Duration = Duration::from_secs(60);

/// The running sweeps.
#[derive(Debug)]
pub struct Sweeps {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sweeps {
    /// Starts both.
    pub fn start<P: Publish + 'static>(application: &Application, publisher: P) -> Self {
        let (stop, stopped) = watch::channel(false);
        let delivery = tokio::spawn(deliver_until(application.clone(), Arc::new(publisher), stopped.clone()));
        let expiry = tokio::spawn(expire_until(application.clone(), stopped));
        Self { stop, tasks: vec![delivery, expiry] }
    }

    /// Stops both. What is committed by then is delivered first.
    pub async fn stop(self) {
        // The tasks hold receivers, so this arrives unless they are gone already.
        let _ = self.stop.send(true);
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a sweep panicked");
            }
        }
    }
}

async fn deliver_until<P: Publish>(app: Application, publisher: Arc<P>, mut stopped: watch::Receiver<bool>) {
    loop {
        let is_last = *stopped.borrow();
        // There is no stream to be faster than, so nothing is too young.
        let before = app.dependencies.host.now().plus_seconds(1);
        if let Err(error) = deliver::deliver(&app.dependencies, publisher.as_ref(), before, BUDGET).await {
            tracing::error!(%error, "the outbox cannot be swept");
        }
        if is_last {
            return;
        }
        tokio::select! {
            () = app.outbox_bell.notified() => {}
            () = tokio::time::sleep(DELIVERY_INTERVAL) => {}
            _ = stopped.changed() => {}
        }
    }
}

async fn expire_until(app: Application, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        match expire::expire(&app.dependencies, Channel::Local, BUDGET).await {
            Ok(report) if report.expired > 0 => {
                tracing::info!(expired = report.expired, failed = report.failed, "expired");
                app.outbox_bell.notify_one();
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the expiry sweep failed"),
        }
        tokio::select! {
            () = tokio::time::sleep(EXPIRY_INTERVAL) => {}
            _ = stopped.changed() => {}
        }
    }
}
