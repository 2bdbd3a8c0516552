//! The scheduled function that makes events entries of the audit log, counts its entries into figures, and looks for what is
//! unusual among them.

use crate::metrics::Metrics;
use countersign_api::problem::Code;
use countersign_app::anomalies::{AnomalyStore, DetectionReport, Detector};
use countersign_app::audit_keys::AuditKeys;
use countersign_app::figure_store::FigureStore;
use countersign_app::fold::{FoldReport, Folder};
use countersign_app::host::Host;
use countersign_app::log::{LogIndex, LogStorage};
use countersign_app::log_reader::LogReader;
use countersign_app::ports::{LoadEvents, Outbox, RecordEvent};
use countersign_app::seal::{SealReport, Sealer};
use countersign_core::caller::Channel;
use countersign_core::digest::DeploymentKey;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The function's parts.
#[derive(Debug)]
pub struct Seal<S, O, L> {
    /// The events, and their places in the log.
    pub store: S,
    /// Which events may be new.
    pub outbox: O,
    /// The files.
    pub storage: L,
    /// What signs checkpoints.
    pub keys: Arc<dyn AuditKeys>,
    /// Whose events they are.
    pub deployment_key: DeploymentKey,
    /// The clock.
    pub host: Box<dyn Host>,
    /// Where the age of what is not logged is measured.
    pub metrics: Metrics,
}

impl<S, O, L> Seal<S, O, L>
where
    S: AnomalyStore + FigureStore + LoadEvents + LogIndex + RecordEvent,
    O: Outbox,
    L: LogStorage,
{
    /// Adds to the log what is not in it, counts what it has come to hold, and measures what is left. What invoked it says
    /// nothing that would be needed.
    ///
    /// # Errors
    /// When nothing can be added, so that the run counts as failed; the next one does its work.
    pub async fn handle(&self, budget: Duration) -> Result<Value, Diagnostic> {
        let began = self.host.elapsed();
        let sealer = Sealer {
            store: &self.store,
            outbox: &self.outbox,
            storage: &self.storage,
            keys: self.keys.as_ref(),
            key: &self.deployment_key,
            host: self.host.as_ref(),
        };
        let sealed = sealer.seal(budget).await;
        // Whether or not there was a pass: a log that is late rings.
        match self.outbox.backlog().await {
            Ok(backlog) => self.metrics.unlogged(backlog.unlogged, self.host.now()),
            Err(error) => tracing::error!(%error, "what is not logged cannot be read"),
        }
        let SealReport { logged, refused, unplaced, cut_short } = sealed.map_err(|error| {
            tracing::error!(%error, "nothing is added to the audit log");
            Diagnostic {
                error_type: Code::StoreUnavailable.as_str().to_owned(),
                error_message: error.to_string(),
            }
        })?;
        for (stream, refused) in &refused {
            tracing::error!(stream, %refused, "an event is not logged");
        }
        if unplaced > 0 {
            tracing::error!(entries = unplaced, "entries of the outbox name no event for the log");
        }
        tracing::info!(logged, refused = refused.len(), unplaced, cut_short, "sealed");
        let left = budget.saturating_sub(self.host.elapsed().saturating_sub(began));
        // A log that is counted anew takes all there is: what is unusual is looked for all the same.
        let folded = self.fold(left / 2).await;
        let left = budget.saturating_sub(self.host.elapsed().saturating_sub(began));
        let anomalies = self.detect(left).await;
        Ok(json!({
            "logged": logged, "refused": refused.len(), "unplaced": unplaced, "cut_short": cut_short, "folded": folded,
            "anomalies": anomalies,
        }))
    }

    fn log(&self) -> LogReader<'_, L> {
        LogReader { storage: &self.storage, keys: self.keys.as_ref(), key: &self.deployment_key }
    }

    /// Looks for what is unusual in the log. That it cannot is no failure of the log: the next run looks.
    async fn detect(&self, budget: Duration) -> u64 {
        let (log, host) = (self.log(), self.host.as_ref());
        let detector = Detector { store: &self.store, log, host, channel: Channel::Direct };
        match detector.detect(budget).await {
            Ok(DetectionReport { entries, found, cut_short }) => {
                tracing::info!(entries, found = found.len(), cut_short, "looked for anomalies");
                for (rule, count) in &found {
                    tracing::warn!(rule = rule.as_str(), count, "something unusual is in the audit log");
                    self.metrics.anomalies(rule.as_str(), *count, self.host.now());
                }
                found.values().sum()
            }
            Err(error) => {
                tracing::error!(%error, "anomalies are not looked for");
                0
            }
        }
    }

    /// Counts entries of the log into figures. That it cannot is no failure of the log: the next run counts them.
    async fn fold(&self, budget: Duration) -> u64 {
        let folder = Folder { store: &self.store, log: self.log(), host: self.host.as_ref() };
        match folder.fold(budget).await {
            Ok(FoldReport { folded, size, cut_short }) => {
                tracing::info!(folded, size, cut_short, "folded");
                folded
            }
            Err(error) => {
                tracing::error!(%error, "figures lag behind the audit log");
                0
            }
        }
    }
}
