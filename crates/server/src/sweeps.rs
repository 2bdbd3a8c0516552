//! The sweeps that run inside the server: delivery, sealing, expiry, erasure, and the measurement of what is open.

use crate::application::Application;
use crate::courier;
use crate::log_directory::LogDirectory;
use crate::metrics::SweepName;
use countersign_api::problem::Code;
use countersign_app::anomalies::{DetectionError, DetectionReport, Detector};
use countersign_app::courier::DeliveryFigures;
use countersign_app::deliver::Subscribers;
use countersign_app::dependencies::Dependencies;
use countersign_app::digests::DigestsReport;
use countersign_app::error::AppError;
use countersign_app::fold::{FoldError, FoldReport, Folder};
use countersign_app::host::Clock;
use countersign_app::log_reader::LogReader;
use countersign_app::ports::{Outbox as _, Publish};
use countersign_app::retention::{self, ErasureReport, Retention};
use countersign_app::route::Routing;
use countersign_app::seal::{SealError, SealReport, Sealer};
use countersign_app::urge::{UrgeReport, urge};
use countersign_app::{attempts, deliver, digests, expire, figures, timers};
use countersign_core::caller::Channel;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long after the last pass the outbox is swept again, if no change wakes the sweep.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(1);
/// How long deliveries rest at most while they fail. Ten failures, after which an entry becomes a
/// dead letter, then take some minutes.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How often timers are looked at.
const TIMER_INTERVAL: Duration = Duration::from_secs(1);
/// How often passed deadlines are written down.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);
/// How often what is kept no longer is erased.
const ERASURE_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How often what is open, and what waits for delivery, is measured: four times as often as Prometheus reads metrics
/// unless it is set otherwise.
const MEASUREMENT_INTERVAL: Duration = Duration::from_secs(15);
/// How many requests of each open status are counted.
const COUNTED: usize = 1000;
/// How long one pass may take. The next one carries on.
const BUDGET: Duration = Duration::from_secs(2);
/// How many times as long as a pass of delivery or sealing took it rests before the next one: at the engine and the disk,
/// calls come first. What is committed meanwhile is delivered and sealed together, which takes hardly longer than one event.
const PAUSES: u32 = 4;
/// How long it rests at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// How long one pass of counting the log into the figures may take: sealing waits for it.
const FOLD_BUDGET: Duration = Duration::from_millis(500);
/// How long a sweep may take to stop: a pass, and one more for what it left.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running sweep.
#[derive(Debug)]
pub struct Sweep {
    name: &'static str,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sweep {
    /// Starts to deliver what is in the outbox.
    pub fn deliver<P: Publish + 'static>(application: Application, publisher: P) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(deliver_until(application, publisher, stopped));
        Self { name: "delivery", stop, task }
    }

    /// Starts to send what waits for webhooks.
    pub fn send(application: Application) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(courier::send_until(application, stopped));
        Self { name: "sending", stop, task }
    }

    /// Starts to put what is committed into the audit log.
    pub fn seal(application: Application) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(seal_until(application, stopped));
        Self { name: "sealing", stop, task }
    }

    /// Starts to write down what has expired, and to erase what is kept for longer than `retention`.
    pub fn expire(application: Application, retention: Option<Retention>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(expire_until(application, retention, stopped));
        Self { name: "expiry", stop, task }
    }

    /// Starts to measure what is open, and what waits for delivery.
    pub fn measure(application: Application) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(measure_until(application, stopped));
        Self { name: "measurement", stop, task }
    }

    /// Waits until the sweep ends by itself, which it never should.
    pub async fn ended(&mut self) -> String {
        match (&mut self.task).await {
            Ok(()) => format!("the {} sweep ended", self.name),
            Err(error) => format!("the {} sweep failed: {error}", self.name),
        }
    }

    /// Stops after the pass under way; delivery and sealing make one more, for what is committed by now.
    pub async fn stop(self) {
        // The task holds a receiver, so this arrives unless it is gone already.
        let _ = self.stop.send(true);
        match timeout(STOP_TIMEOUT, self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(sweep = self.name, %error, "failed"),
            Err(_) => tracing::warn!(sweep = self.name, "stopped before its end"),
        }
    }
}

async fn deliver_until<P: Publish>(app: Application, publisher: P, mut stopped: watch::Receiver<bool>) {
    let mut rest = DELIVERY_INTERVAL;
    loop {
        let is_last = *stopped.borrow();
        // There is no stream to be faster than, so nothing is too young.
        let dependencies = app.dependencies();
        let host = dependencies.host.as_ref();
        let key = &dependencies.deployment_key;
        let began = host.elapsed();
        let routing = dependencies.notifications.as_deref().map(|configuration| Routing {
            configuration,
            policy: &dependencies.policy,
            requests: &dependencies.store,
            preferences: &app.known_preferences,
        });
        let swept = deliver::deliver(
            &app.outbox,
            &publisher,
            Subscribers { deliveries: &app.deliveries, routing },
            Some(key),
            host,
            Timestamp::LATEST,
            BUDGET,
        )
        .await;
        match &swept {
            Ok(report) => {
                app.metrics.swept(SweepName::Delivery, host.now());
                if report.routed > 0 {
                    app.courier_wakeup.notify_one();
                }
            }
            Err(error) => tracing::error!(%error, "the outbox cannot be swept"),
        }
        if is_last {
            return;
        }
        let has_failed = swept.as_ref().map_or(true, |report| report.failed > 0);
        if has_failed {
            // A publisher that has failed is not called sooner because there are new events.
            rest = rest.saturating_mul(2).min(LONGEST_REST);
            tokio::select! {
                () = sleep(rest) => {}
                _ = stopped.changed() => {}
            }
            continue;
        }
        rest = DELIVERY_INTERVAL;
        if swept.is_ok_and(|report| report.cut_short) {
            continue;
        }
        let pause = pause_after(host.elapsed().saturating_sub(began));
        tokio::select! {
            () = woken(&app.delivery_wakeup, pause, rest) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// How long a sweep rests whose pass took so long.
fn pause_after(took: Duration) -> Duration {
    took.saturating_mul(PAUSES).min(LONGEST_PAUSE)
}

/// Until there was a change, or for `rest`; for `pause` in any case.
async fn woken(wakeup: &Notify, pause: Duration, rest: Duration) {
    sleep(pause).await;
    tokio::select! {
        () = wakeup.notified() => {}
        () = sleep(rest) => {}
    }
}

/// Seals the store into the log, once.
///
/// # Errors
/// As for [`Sealer::seal`].
pub async fn seal(app: &Application, budget: Duration) -> Result<SealReport, SealError> {
    let dependencies = app.dependencies();
    let sealer = Sealer {
        store: &dependencies.store,
        outbox: &app.outbox,
        storage: &app.log,
        keys: dependencies.audit_keys.as_ref(),
        key: &dependencies.deployment_key,
        host: dependencies.host.as_ref(),
    };
    sealer.seal(budget).await
}

/// Counts what the log has come to hold into the figures.
///
/// # Errors
/// As for [`Folder::fold`].
pub async fn fold(app: &Application, budget: Duration) -> Result<FoldReport, FoldError> {
    let dependencies = app.dependencies();
    let host = dependencies.host.as_ref();
    Folder { store: &dependencies.store, log: log(app, &dependencies), host }.fold(budget).await
}

/// Looks for what is unusual in what the log has come to hold.
///
/// # Errors
/// As for [`Detector::detect`].
pub async fn detect(app: &Application, budget: Duration) -> Result<DetectionReport, DetectionError> {
    let dependencies = app.dependencies();
    let host = dependencies.host.as_ref();
    let log = log(app, &dependencies);
    Detector { store: &dependencies.store, log, host, channel: Channel::Local }.detect(budget).await
}

fn log<'a, S>(app: &'a Application, dependencies: &'a Dependencies<S>) -> LogReader<'a, LogDirectory> {
    let (keys, key) = (dependencies.audit_keys.as_ref(), &dependencies.deployment_key);
    LogReader { storage: &app.log, keys, key }
}

async fn seal_until(app: Application, mut stopped: watch::Receiver<bool>) {
    let mut rest = DELIVERY_INTERVAL;
    // Each is said once, until something else is wrong.
    let mut said = (BTreeMap::new(), 0);
    let mut is_folding = true;
    let mut said_of_anomalies = None;
    loop {
        let is_last = *stopped.borrow();
        let began = app.dependencies().host.elapsed();
        let sealed = seal(&app, BUDGET).await;
        let folded = fold(&app, FOLD_BUDGET).await;
        let detected = detect(&app, FOLD_BUDGET).await;
        let is_detection_cut_short = detected.as_ref().is_ok_and(|report| report.cut_short);
        let has_found = report_anomalies(&app, detected, &mut said_of_anomalies);
        if let Err(error) = &folded
            && is_folding
        {
            tracing::error!(%error, "figures lag behind the audit log");
        }
        is_folding = folded.is_ok();
        let has_more = folded.is_ok_and(|report| report.cut_short) || is_detection_cut_short || has_found;
        match &sealed {
            Ok(report) => {
                app.metrics.swept(SweepName::Sealing, app.dependencies().host.now());
                let found = (report.refused.clone(), report.unplaced);
                if found != said {
                    for (stream, refused) in &found.0 {
                        tracing::error!(stream, %refused, "an event is not logged");
                    }
                    if found.1 > 0 {
                        tracing::error!(entries = found.1, "entries of the outbox name no event for the log");
                    }
                    said = found;
                }
            }
            Err(error) => tracing::error!(%error, "nothing is added to the audit log"),
        }
        // What was found is an event, which is to be in the log as well.
        if is_last && !has_found {
            return;
        }
        rest = match &sealed {
            Ok(_) => DELIVERY_INTERVAL,
            Err(_) => rest.saturating_mul(2).min(LONGEST_REST),
        };
        let is_awake = sealed.is_ok();
        if sealed.is_ok_and(|report| report.cut_short || has_more) {
            continue;
        }
        let pause = pause_after(app.dependencies().host.elapsed().saturating_sub(began));
        tokio::select! {
            () = woken(&app.seal_wakeup, pause, rest), if is_awake => {}
            () = sleep(rest), if !is_awake => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Says what was found, and once why nothing can be. Whether anything was.
fn report_anomalies(
    app: &Application,
    detected: Result<DetectionReport, DetectionError>,
    said: &mut Option<String>,
) -> bool {
    match detected {
        Ok(report) => {
            *said = None;
            for (rule, count) in &report.found {
                tracing::warn!(rule = rule.as_str(), count, "something unusual is in the audit log");
                app.metrics.found_anomalies(rule.as_str(), *count);
            }
            !report.found.is_empty()
        }
        Err(error) => {
            let error = error.to_string();
            if said.as_ref() != Some(&error) {
                tracing::error!(error, "anomalies are not looked for");
            }
            *said = Some(error);
            false
        }
    }
}

/// How long a clock has to run evenly before what was overdue before that is believed.
const SETTLING_TIME: Duration = Duration::from_secs(60);

/// A clock that is watched: from when on it has run evenly.
///
/// The embedded store is on the same machine and knows no other time. A deadline that passes while the
/// clock runs evenly has been seen to pass. One that had passed when the program started, or when the
/// clock jumped, is believed after a minute: a clock that is wrong at the start of a machine is set by
/// then, and nothing depends on the minute.
#[derive(Debug)]
struct EvenClock {
    began: (Timestamp, Duration),
}

impl EvenClock {
    fn new(clock: &dyn Clock) -> Self {
        Self { began: (clock.now(), clock.elapsed()) }
    }

    /// The earliest deadline whose passing is believed now.
    fn believed_since(&mut self, clock: &dyn Clock) -> Timestamp {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        let passed = elapsed.saturating_sub(self.began.1);
        let expected = self.began.0.as_millisecond().saturating_add(milliseconds(passed));
        let jump = now.as_millisecond().abs_diff(expected);
        if u128::from(jump) > expire::MAX_CLOCK_DIFFERENCE.as_millis() {
            tracing::warn!(seconds = jump / 1000, "the clock has jumped; expiry waits until it has settled");
            self.began = (now, elapsed);
            return now;
        }
        if passed >= SETTLING_TIME { Timestamp::EARLIEST } else { self.began.0 }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

async fn expire_until(app: Application, retention: Option<Retention>, mut stopped: watch::Receiver<bool>) {
    let mut clock = EvenClock::new(app.dependencies().host.as_ref());
    let mut erased_at: Option<Duration> = None;
    let mut expired_at: Option<Duration> = None;
    while !*stopped.borrow() {
        let dependencies = app.dependencies();
        let host = dependencies.host.as_ref();
        let since = clock.believed_since(host);
        match timers::look(&dependencies, Channel::Local, since, BUDGET).await {
            Ok(report) => {
                app.metrics.swept(SweepName::Leases, host.now());
                if report.unknown > 0 {
                    tracing::warn!(unknown = report.unknown, failed = report.failed, "leases ended");
                    app.wake_sweeps();
                }
            }
            Err(error) => tracing::error!(%error, "the timers cannot be looked at"),
        }
        let is_due = |last: Duration| host.elapsed().saturating_sub(last) >= EXPIRY_INTERVAL;
        if !expired_at.is_none_or(is_due) {
            rest(&mut stopped).await;
            continue;
        }
        let strangers = app.unauthenticated.swap(0, Ordering::Relaxed);
        if strangers > 0 {
            let code = Code::Unauthenticated.as_str();
            attempts::unauthenticated(&dependencies, Channel::Local, code, strangers).await;
        }
        if let Err(error) = attempts::record_counts(&dependencies).await {
            tracing::error!(%error, "counts of refused attempts are not recorded");
        }
        let expired = expire::expire(&dependencies, Channel::Local, since, BUDGET).await;
        // What expires late closes in the past: nothing is erased before it is written down, nor by a clock that has just
        // been set.
        let is_settled = since == Timestamp::EARLIEST;
        let is_written = expired.as_ref().is_ok_and(|report| !report.cut_short && report.failed == 0);
        let is_erasure_due = |last: Duration| host.elapsed().saturating_sub(last) >= ERASURE_INTERVAL;
        if let Some(retention) = retention
            && is_settled
            && is_written
            && erased_at.is_none_or(is_erasure_due)
        {
            erased_at = erase(&app, retention).await.then(|| host.elapsed());
        }
        match expired {
            Ok(report) => {
                app.metrics.swept(SweepName::Expiry, host.now());
                if report.expired > 0 {
                    tracing::info!(expired = report.expired, failed = report.failed, "expired");
                    app.wake_sweeps();
                }
                if report.cut_short {
                    continue;
                }
            }
            Err(error) => tracing::error!(%error, "the expiry sweep failed"),
        }
        // What has expired by now is not announced any more.
        match urge(&dependencies, &app.deliveries, &app.next_looks, since, BUDGET).await {
            Ok(UrgeReport { fired, routed, .. }) if fired > 0 => {
                tracing::info!(fired, routed, "reminders and escalations");
                app.courier_wakeup.notify_one();
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "reminders and escalations are left to the next pass"),
        }
        match digests::send(&dependencies, &app.deliveries, since).await {
            Ok(DigestsReport { routed, .. }) if routed > 0 => app.courier_wakeup.notify_one(),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "reports are left to the next pass"),
        }
        expired_at = Some(host.elapsed());
        rest(&mut stopped).await;
    }
}

/// One pass of erasure. Whether it came to its end.
async fn erase(app: &Application, retention: Retention) -> bool {
    let erased = retention::erase(&app.dependencies(), Channel::Local, retention, BUDGET).await;
    match &erased {
        Ok(report) => {
            let ErasureReport { erased, failed, damaged, .. } = *report;
            if erased + failed + damaged > 0 {
                tracing::info!(erased, failed, damaged, "erased");
                app.wake_sweeps();
            }
        }
        Err(error) => tracing::error!(%error, "nothing is erased"),
    }
    erased.is_ok_and(|report| !report.cut_short)
}

async fn measure_until(app: Application, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = measure(&app).await {
            tracing::error!(%error, "what is open cannot be measured");
        }
        tokio::select! {
            () = sleep(MEASUREMENT_INTERVAL) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Measures once. Nothing is measured when metrics are read: they can be read often.
///
/// # Errors
/// When the store cannot be read. What was measured before stays.
pub async fn measure(app: &Application) -> Result<(), AppError> {
    let dependencies = app.dependencies();
    let open = figures::open_requests(&dependencies, COUNTED).await?;
    let backlog = app.outbox.backlog().await?;
    let now = dependencies.host.now();
    app.metrics.measured(open, backlog, now);
    let figures = DeliveryFigures::read(
        &app.deliveries,
        dependencies.notifications.as_deref(),
        &dependencies.deployment_key,
    )
    .await?;
    app.metrics.measured_deliveries(&figures, now);
    app.metrics.swept(SweepName::Measurement, now);
    Ok(())
}

/// Until timers are looked at again, or the sweep is to stop.
async fn rest(stopped: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(TIMER_INTERVAL) => {}
        _ = stopped.changed() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_app::host::BoxFuture;
    use std::sync::Mutex;

    /// A clock of the wall and one that only measures.
    #[derive(Debug)]
    struct Clocks(Mutex<(Timestamp, Duration)>);

    impl Clocks {
        fn pass(&self, elapsed: u64, wall: i64) {
            let mut clocks = self.0.lock().unwrap();
            clocks.1 += Duration::from_secs(elapsed);
            clocks.0 = Timestamp::from_millisecond(clocks.0.as_millisecond() + wall * 1000);
        }
    }

    impl Clock for Clocks {
        fn now(&self) -> Timestamp {
            self.0.lock().unwrap().0
        }

        fn elapsed(&self) -> Duration {
            self.0.lock().unwrap().1
        }

        fn pause(&self, _: Duration) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    /// THREATS 57: five days ahead for seven seconds, at the start and later.
    #[test]
    fn only_what_an_even_clock_has_seen_pass_is_believed() {
        let began = Timestamp::parse("2026-01-06T00:00:00Z").unwrap();
        let clocks = Clocks(Mutex::new((began, Duration::ZERO)));
        let mut clock = EvenClock::new(&clocks);
        clocks.pass(7, 7);
        assert_eq!(clock.believed_since(&clocks), began, "nothing from before the start");
        const FIVE_DAYS: i64 = 5 * 24 * 60 * 60;
        clocks.pass(1, 1 - FIVE_DAYS);
        assert_eq!(clock.believed_since(&clocks), clocks.now(), "set back: nothing from before that");
        clocks.pass(59, 59);
        assert_ne!(clock.believed_since(&clocks), Timestamp::EARLIEST);
        clocks.pass(1, 1);
        assert_eq!(clock.believed_since(&clocks), Timestamp::EARLIEST, "settled");
        clocks.pass(5, 5 + FIVE_DAYS);
        assert_eq!(clock.believed_since(&clocks), clocks.now(), "ahead: nothing from before that");
        clocks.pass(7, 7 - FIVE_DAYS);
        assert_eq!(clock.believed_since(&clocks), clocks.now());
    }
}
