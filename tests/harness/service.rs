//! A service in this process, on a free port, with a clock that the test sets and no sweeps but
//! those that it asks for.

use crate::client::{Answer, Client};
use crate::endpoint::Endpoint;
use crate::inspection;
use crate::manual_host::ManualHost;
use crate::signature;
use crate::signing::{TestKeys, log_key};
use crate::transport::FaultyTransport;
use axum_server::Handle;
use countersign_app::anomalies::{DetectionError, DetectionReport};
use countersign_app::attempts;
use countersign_app::courier::{Courier, CourierReport, LastAnswer};
use countersign_app::deliver::{DeliveryReport, Subscribers, deliver};
use countersign_app::digests::{self, DigestsReport};
use countersign_app::error::AppError;
use countersign_app::expire::{ExpiryReport, expire};
use countersign_app::fold::{FoldError, FoldReport};
use countersign_app::host::{BoxFuture, Clock as _};
use countersign_app::ports::{DestinationSender, Outgoing, Publish, WebhookClient};
use countersign_app::retention::{ErasureReport, erase};
use countersign_app::route::Routing;
use countersign_app::seal::{SealError, SealReport};
use countersign_app::timers::{self, TimerReport};
use countersign_app::urge::{NextLooks, UrgeReport, urge};
use countersign_core::caller::Channel;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::request::Request;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::schedule::Schedule;
use countersign_delivery::state::Attempt;
use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_embedded::Embedded;
use countersign_identity::token::{LOCAL_ISSUER, LOCAL_TYPE, LocalKey, Verifier};
use countersign_issuer::authenticator::Authenticator;
use countersign_notifications::configuration::Configuration;
use countersign_policy::load;
use countersign_server::application::{Application, Channels};
use countersign_server::dashboard::{DashboardOptions, Pages};
use countersign_server::http;
use countersign_server::log_directory::LogDirectory;
use countersign_server::policy_directory::PolicyDirectory;
use countersign_server::source_address::{ProxyNetwork, TrustedProxies};
use countersign_server::sweeps;
use ipnet::IpNet;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long the tokens of a test are valid, in seconds: longer than any test moves its clock.
const TOKEN_SECONDS: u32 = 400 * 24 * 60 * 60;
/// The key of the service's tokens.
const TOKEN_KEY: [u8; 32] = [7; 32];

/// A running service.
#[derive(Debug)]
pub struct Service {
    /// The clock.
    pub host: ManualHost,
    /// The way to the database.
    pub transport: FaultyTransport,
    /// The database, past all faults.
    pub database: aws_sdk_dynamodb::Client,
    /// The keys that sign permits.
    pub signing_keys: Arc<TestKeys>,
    /// The endpoint of all webhooks.
    pub endpoint: Endpoint,
    application: Application,
    embedded: Embedded,
    log_home: Arc<TempDir>,
    key: LocalKey,
    base: String,
    pages: String,
    handle: Handle<SocketAddr>,
    runtime: Runtime,
}

/// What a service sends by whose tests look at no message.
#[derive(Debug)]
struct NothingIsSent;

impl DestinationSender for NothingIsSent {
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Attempt> {
        panic!("{outgoing:?}")
    }
}

impl Service {
    /// Starts one on an empty store.
    pub fn start() -> Self {
        Self::start_as(Channel::Local)
    }

    /// The same; events say that their actors came by this channel.
    pub fn start_as(channel: Channel) -> Self {
        Self::start_with(channel, load::bundled().unwrap(), Vec::new())
    }

    /// One under a policy of the test's own.
    pub fn under(policy: Policy) -> Self {
        Self::start_with(Channel::Local, policy, Vec::new())
    }

    /// One whose pages have a name of their own, as those of the program have: browsers keep cookies by name.
    pub fn for_browsers() -> Self {
        let policy = load::bundled().unwrap();
        let (embedded, host) = (Embedded::in_memory().unwrap(), ManualHost::default());
        Self::start_on(embedded, host, Channel::Local, policy, Vec::new(), Some("pages.localhost"))
    }

    /// One that takes the word of these proxies for where a call comes from.
    pub fn behind(proxies: Vec<IpNet>, policy: Policy) -> Self {
        Self::start_with(Channel::Local, policy, proxies)
    }

    /// A second one on the same store and by the same clock, under another policy: what a new release
    /// of the policy finds. Tokens are good at both.
    pub fn again_under(&self, policy: Policy) -> Self {
        Self::start_on(self.embedded.clone(), self.host.clone(), Channel::Local, policy, Vec::new(), None)
    }

    fn start_with(channel: Channel, policy: Policy, proxies: Vec<IpNet>) -> Self {
        let embedded = Embedded::in_memory().unwrap();
        Self::start_on(embedded, ManualHost::default(), channel, policy, proxies, None)
    }

    fn start_on(
        embedded: Embedded,
        host: ManualHost,
        channel: Channel,
        policy: Policy,
        proxies: Vec<IpNet>,
        pages_host: Option<&str>,
    ) -> Self {
        let key = LocalKey::new(TOKEN_KEY);
        let transport = FaultyTransport::new(embedded.clone());
        let signing_keys = Arc::<TestKeys>::default();
        let endpoint = Endpoint::default();
        let log_home = Arc::new(tempfile::tempdir().unwrap());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let application = runtime
            .block_on(Application::new(
                countersign_embedded::client(transport.clone()),
                policy,
                signing_keys.clone(),
                Arc::new(log_key()),
                LogDirectory::open(&log_home.path().join("log"), None).unwrap(),
                PolicyDirectory::new(log_home.path().join("policies")),
                inspection::deployment_key(),
                Authenticator::fixed(Verifier { channel, ..Verifier::local(key.clone()) }),
                TrustedProxies::new(proxies.into_iter().map(ProxyNetwork::from).collect()),
                Arc::new(host.clone()),
            ))
            .unwrap()
            .with_webhooks(Arc::new(endpoint.clone()), None);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let handle = Handle::new();
        // As a service answers by itself: pages beside the API.
        let port = listener.local_addr().unwrap().port();
        let pages = pages_host.map_or_else(|| base.clone(), |host| format!("http://{host}:{port}"));
        let options = DashboardOptions {
            public_url: Some(pages.clone()),
            ticket_url: pages_host.map(|_| "https://tickets.example.com/{}".to_owned()),
            ticket_hours: pages_host.map(|_| 4.0),
        };
        let api = http::router(application.clone());
        let router = Pages::new(application.clone(), api, options, None, "http", 0).router();
        let server_handle = handle.clone();
        runtime.spawn(async move {
            let server = axum_server::from_tcp(listener).unwrap().handle(server_handle);
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            server.serve(service).await.unwrap();
        });
        transport.take_calls();
        let database = countersign_embedded::client(embedded.clone());
        Self {
            host,
            transport,
            signing_keys,
            endpoint,
            database,
            application,
            embedded,
            log_home,
            key,
            base,
            pages,
            handle,
            runtime,
        }
    }

    /// Where it listens.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where its pages are.
    pub fn pages(&self) -> &str {
        &self.pages
    }

    /// A caller without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.base, None)
    }

    /// `name@example.com` in some groups.
    pub fn person(&self, name: &str, groups: &[&str]) -> Client {
        Client::new(&self.base, Some(self.token(&format!("{name}@example.com"), groups)))
    }

    /// A token for an address.
    pub fn token(&self, email: &str, groups: &[&str]) -> String {
        let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
        let person = PersonId::from_email(email).unwrap();
        self.key.issue(&person, &groups, self.host.now(), TOKEN_SECONDS)
    }

    /// A token with any claims at all, signed with the service's key: what `countersign token`
    /// would not issue. What is missing of `iss`, `aud` and `exp` is added.
    pub fn token_of(&self, claims: &Value) -> String {
        let mut all = json!({
            "iss": LOCAL_ISSUER,
            "aud": LOCAL_ISSUER,
            "exp": self.host.now().as_millisecond() / 1000 + i64::from(TOKEN_SECONDS),
        });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        signature::sign(&json!({ "alg": "HS256", "typ": LOCAL_TYPE }), &all, &TOKEN_KEY)
    }

    /// The claims that a token of [`Self::token_of`] carries.
    pub fn claims_of(&self, token: &str) -> serde_json::Map<String, Value> {
        signature::claims(token)
    }

    /// A program without an e-mail, in some groups.
    pub fn program(&self, subject: &str, groups: &[&str]) -> Client {
        let claims = json!({ "sub": subject, "client_id": subject, "groups": groups });
        Client::new(&self.base, Some(self.token_of(&claims)))
    }

    /// A developer.
    pub fn requester(&self, name: &str) -> Client {
        self.person(name, &["developer"])
    }

    /// An approver.
    pub fn approver(&self, name: &str) -> Client {
        self.person(name, &["approver"])
    }

    /// The body of a request that needs two approvals.
    pub fn high() -> Value {
        json!({
            "operation_type": "modify_instance_class",
            "instance_id": "production-db-01",
            "parameters": { "target_instance_class": "db.r6g.xlarge", "apply_immediately": true },
            "environment": "production",
            "justification": "CPU has been at 95 % since Monday",
            "estimated_cost": 250.5,
            "estimated_duration": "15 minutes",
        })
    }

    /// The body of a request that needs one approval.
    pub fn medium() -> Value {
        json!({
            "operation_type": "modify_storage",
            "instance_id": "dev-db-01",
            "parameters": { "allocated_storage": 200 },
            "environment": "non-production",
            "justification": "The disk is nearly full",
        })
    }

    /// The body of a request that policy approves at once.
    pub fn low() -> Value {
        json!({
            "operation_type": "enable_enhanced_monitoring",
            "instance_id": "dev-db-01",
            "parameters": { "interval": 60 },
            "environment": "non-production",
            "justification": "We want to see more",
        })
    }

    /// Makes a request and gives its path.
    #[track_caller]
    pub fn create(requester: &Client, body: &Value) -> String {
        let created = requester.post("/v1/approvals", body).expect(201);
        format!("/v1/approvals/{}", created["request_id"].as_str().unwrap())
    }

    /// Approves, with an empty body.
    pub fn approve(approver: &Client, path: &str) -> Answer {
        approver.post(&format!("{path}/approve"), &json!({}))
    }

    /// Makes a request that needs one approval, has it approved by `bob`, and gives its path.
    #[track_caller]
    pub fn approved(&self, requester: &Client) -> String {
        let path = Self::create(requester, &Self::medium());
        Self::approve(&self.approver("bob"), &path).expect(200);
        path
    }

    /// Starts an approved request and gives the id of its execution.
    #[track_caller]
    pub fn started(requester: &Client, path: &str) -> String {
        let started = requester.post(&format!("{path}/execution"), &json!({})).expect(200);
        started["execution_id"].as_str().unwrap().to_owned()
    }

    /// The id at the end of a request's path.
    pub fn id(path: &str) -> &str {
        path.rsplit('/').next().unwrap_or_default()
    }

    /// Runs the expiry sweep once.
    pub fn expire(&self) -> ExpiryReport {
        self.try_expire().unwrap()
    }

    /// The same, and how it failed.
    pub fn try_expire(&self) -> Result<ExpiryReport, AppError> {
        let budget = Duration::from_secs(60);
        let since = Timestamp::EARLIEST;
        self.runtime.block_on(expire(&self.application.dependencies(), Channel::Local, since, budget))
    }

    /// Erases once what closed more than so many days ago.
    pub fn erase(&self, days: u16) -> ErasureReport {
        let retention = days.to_string().parse().unwrap();
        let dependencies = self.application.dependencies();
        self.runtime
            .block_on(erase(&dependencies, Channel::Local, retention, Duration::from_secs(60)))
            .unwrap()
    }

    /// Writes down once what was counted of refused attempts, those of callers who are not known included.
    pub fn record_counts(&self) -> usize {
        let dependencies = self.application.dependencies();
        let strangers = self.application.unauthenticated.swap(0, Ordering::Relaxed);
        self.runtime.block_on(async {
            if strangers > 0 {
                attempts::unauthenticated(&dependencies, Channel::Local, "unauthenticated", strangers).await;
            }
            attempts::record_counts(&dependencies).await.unwrap()
        })
    }

    /// Measures once what is open and what waits for delivery.
    pub fn measure(&self) {
        self.try_measure().unwrap();
    }

    /// The same, and how it failed.
    pub fn try_measure(&self) -> Result<(), AppError> {
        self.runtime.block_on(sweeps::measure(&self.application))
    }

    /// Looks once at the timers that are due.
    pub fn look(&self) -> TimerReport {
        let budget = Duration::from_secs(60);
        let since = Timestamp::EARLIEST;
        let dependencies = self.application.dependencies();
        self.runtime.block_on(timers::look(&dependencies, Channel::Local, since, budget)).unwrap()
    }

    /// Runs the delivery sweep once.
    pub fn deliver(&self, publisher: &impl Publish) -> DeliveryReport {
        self.try_deliver(publisher).unwrap()
    }

    /// The same, and how it failed.
    pub fn try_deliver(&self, publisher: &impl Publish) -> Result<DeliveryReport, AppError> {
        let before = self.host.now().plus_seconds(1);
        let budget = Duration::from_secs(60);
        let outbox = &self.application.outbox;
        let key = inspection::deployment_key();
        let dependencies = self.application.dependencies();
        let routing = dependencies.notifications.as_deref().map(|configuration| Routing {
            configuration,
            policy: &dependencies.policy,
            requests: &dependencies.store,
            preferences: &self.application.known_preferences,
        });
        let subscribers = Subscribers { deliveries: &self.application.deliveries, routing };
        let delivered = deliver(outbox, publisher, subscribers, Some(&key), &self.host, before, budget);
        self.runtime.block_on(delivered)
    }

    /// The deliveries and the webhooks.
    pub fn deliveries(&self) -> &DynamoDeliveries {
        &self.application.deliveries
    }

    /// Attempts once everything that is due for webhooks.
    pub fn send(
        &self,
        client: &dyn WebhookClient,
        last_answer: &LastAnswer,
    ) -> Result<CourierReport, AppError> {
        let key = inspection::deployment_key();
        let link = Some("https://countersign.example.com");
        let courier = Courier::new(
            &self.application.deliveries,
            client,
            &key,
            link,
            &self.host,
            Schedule::CONTINUOUS,
            last_answer,
        );
        let channels = self.application.channels();
        self.runtime.block_on(
            courier.with_channels(channels.as_ref().map(Channels::parts)).pass(Duration::from_secs(60)),
        )
    }

    /// Puts `notifications.toml` in force, and what sends by it.
    pub fn notify_by(&mut self, notifications: Configuration, sender: Arc<dyn DestinationSender>) {
        let application = self.application.clone();
        self.application =
            application.with_channels(Some(Channels { configuration: Arc::new(notifications), sender }));
    }

    /// Puts the text of a `notifications.toml` in force. Nothing is sent by it.
    pub fn notify_by_text(&mut self, text: &str) {
        let policy = self.application.dependencies().policy.clone();
        let notifications = Configuration::parse(text, policy.people().groups()).unwrap();
        self.notify_by(notifications, Arc::new(NothingIsSent));
    }

    /// Reminds and escalates once.
    pub fn urge(&self) -> UrgeReport {
        let dependencies = self.application.dependencies();
        let looks = NextLooks::default();
        let budget = Duration::from_secs(60);
        let deliveries = &self.application.deliveries;
        let urged = urge(&dependencies, deliveries, &looks, Timestamp::EARLIEST, budget);
        self.runtime.block_on(urged).unwrap()
    }

    /// Sends reports that are due, once: puts their deliveries.
    pub fn report(&self) -> Result<DigestsReport, AppError> {
        self.runtime.block_on(self.reporting())
    }

    /// The same, beside others.
    pub async fn reporting(&self) -> Result<DigestsReport, AppError> {
        let dependencies = self.application.dependencies();
        digests::send(&dependencies, &self.application.deliveries, Timestamp::EARLIEST).await
    }

    /// The time by its clock.
    pub fn now(&self) -> Timestamp {
        self.host.now()
    }

    /// All that is stored of webhooks and deliveries, as text.
    pub fn webhook_items(&self) -> String {
        let table = inspection::tables().deliveries.unwrap();
        let scan = self.database.scan().table_name(table).send();
        format!("{:?}", self.runtime.block_on(scan).unwrap().items)
    }

    /// Attempts once everything that is due, at the endpoint of the test.
    pub fn call_webhooks(&self) -> CourierReport {
        self.send(&self.endpoint, &LastAnswer::default()).unwrap()
    }

    /// Seals the store into the log once.
    pub fn seal(&self) -> Result<SealReport, SealError> {
        self.runtime.block_on(sweeps::seal(&self.application, Duration::from_secs(60)))
    }

    /// Counts the log into the figures once.
    pub fn fold(&self) -> Result<FoldReport, FoldError> {
        self.runtime.block_on(sweeps::fold(&self.application, Duration::from_secs(60)))
    }

    /// Looks once for what is unusual in the log.
    pub fn detect(&self) -> Result<DetectionReport, DetectionError> {
        self.runtime.block_on(sweeps::detect(&self.application, Duration::from_secs(60)))
    }

    /// The files of the log.
    pub fn log(&self) -> LogDirectory {
        self.application.log.clone()
    }

    /// Where the files of the log are.
    pub fn log_path(&self) -> PathBuf {
        self.log_home.path().join("log")
    }

    /// Where the texts of policies are kept.
    pub fn policies_path(&self) -> PathBuf {
        self.log_home.path().join("policies")
    }

    /// Everything in the store, see [`inspection::snapshot`].
    pub fn snapshot(&self) -> BTreeSet<String> {
        self.runtime.block_on(inspection::snapshot(&self.database))
    }

    /// Runs something that must change nothing, but for what is written down of a refused attempt.
    ///
    /// # Panics
    /// With the items that were written or removed, when it does change something.
    #[track_caller]
    pub fn untouched<T>(&self, run: impl FnOnce() -> T) -> T {
        let snapshot = || self.runtime.block_on(inspection::snapshot_without_attempts(&self.database));
        let before = snapshot();
        let result = run();
        let after = snapshot();
        let differences: Vec<_> = after.symmetric_difference(&before).collect();
        assert!(differences.is_empty(), "something was written: {differences:#?}");
        result
    }

    /// Checks the whole store, see [`inspection::check`].
    pub fn inspect(&self) -> Vec<Request> {
        self.runtime.block_on(inspection::check(&self.database))
    }

    /// Puts another policy in force, as the program does on SIGHUP.
    pub fn replace_policy(&self, policy: Policy) {
        self.application.replace_policy(policy).unwrap();
    }

    /// Runs something on the service's runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.handle.shutdown();
        // A test that failed has said why; a second panic would only hide it.
        if !std::thread::panicking() {
            self.transport.heal();
            self.inspect();
        }
    }
}
