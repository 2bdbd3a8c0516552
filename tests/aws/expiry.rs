//! The expire function: each overdue request is written down once, with its event, however often a run
//! is cut off.

use countersign_app::create::create;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::NoWebhookClient;
use countersign_app::urge::NextLooks;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::Draft;
use countersign_core::digest::DeploymentKey;
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::request::Status;
use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_e2e::grants::{Granted, granted};
use countersign_e2e::inspection::{self, scan, tables};
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::repetitions::repetitions;
use countersign_e2e::signing::{log_key, signing_key};
use countersign_e2e::transport::{Fault, FaultyTransport};
use countersign_embedded::Embedded;
use countersign_lambda::expire;
use countersign_lambda::metrics::Metrics;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The expire function on a store in memory, with no more than its grants, and `count` requests that
/// are overdue: half of them pending, half approved and never started.
/// Nobody is reminded: the file that would say so is not there.
const NO_URGING: Option<(&DynamoDeliveries, &NextLooks)> = None;

async fn overdue(
    count: usize,
) -> (
    Dependencies<DynamoStore>,
    FaultyTransport,
    Granted<FaultyTransport>,
    aws_sdk_dynamodb::Client,
    ManualHost,
) {
    let host = ManualHost::default();
    let embedded = Embedded::in_memory().unwrap();
    let database = countersign_embedded::client(embedded.clone());
    create_missing(&database, &tables()).await.unwrap();
    let dependencies = |store| Dependencies {
        store,
        policy: countersign_policy::load::bundled().unwrap(),
        notifications: None,
        signing_keys: Arc::new(signing_key()),
        audit_keys: Arc::new(log_key()),
        webhook_client: Arc::new(NoWebhookClient),
        deployment_key: DeploymentKey::new([9; 32]),
        host: Arc::new(host.clone()),
    };
    let all = dependencies(DynamoStore::new(database.clone(), tables()));
    for number in 0..count {
        let person = PersonId::from_email(&format!("ann{}@example.com", number / 40)).unwrap();
        let ann = Principal::assumed(person, PrincipalKind::Human, Channel::Direct, ["developer"]);
        let (operation, environment) =
            [("reboot", "production"), ("enable_enhanced_monitoring", "non-production")][number % 2];
        let draft = Draft::new(operation, "dev-db-01", &json!({}), environment, "why").unwrap();
        create(&all, &draft, &ann, None).await.unwrap();
    }
    host.advance_milliseconds(100 * 60 * 60 * 1000);
    let transport = FaultyTransport::new(embedded);
    let grants = Granted::new(transport.clone(), tables(), granted("expire"));
    let store = DynamoStore::new(countersign_embedded::client(grants.clone()), tables());
    (dependencies(store), transport, grants, database, host)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn overdue_requests_are_each_expired_once_although_runs_are_cut_off() {
    block_on(async {
        let count = repetitions("COUNTERSIGN_OVERDUE", 2_000);
        let (dependencies, transport, grants, database, host) = overdue(count).await;
        let count = count as u64;
        // Every transaction takes 10 ms of a function's time; a run has time for three tenths of them.
        let clock = host.clone();
        transport.set_plan(move |operation| {
            if operation == "TransactWriteItems" {
                clock.advance_elapsed(Duration::from_millis(10));
            }
            None
        });
        let (mut expired, mut runs) = (0, Vec::new());
        loop {
            let answer = expire::handle(
                &dependencies,
                NO_URGING,
                &Metrics::new("test".to_owned(), |_| {}),
                Duration::from_millis(count * 3),
                None,
            )
            .await
            .unwrap();
            expired += answer["expired"].as_u64().unwrap();
            assert_eq!(answer["failed"], 0);
            runs.push(answer["expired"].as_u64().unwrap());
            if answer["cut_short"] == false {
                break;
            }
        }
        let part = count * 3 / 10;
        assert_eq!((expired, runs), (count, vec![part, part, part, count - 3 * part]));
        // The inspection finds exactly one event for every change.
        for request in inspection::check(&database).await {
            assert_eq!((request.status, request.version), (Status::Expired, 2));
        }
        let events = scan(&database, &tables().audit).await;
        let is_expiry = |event: &&std::collections::HashMap<_, _>| {
            let document: Option<&aws_sdk_dynamodb::types::AttributeValue> = event.get("event");
            let text = document.and_then(|document| document.as_s().ok());
            text.is_some_and(|text| text.contains(EventType::ApprovalExpired.as_str()))
        };
        assert_eq!(events.iter().filter(is_expiry).count() as u64, count);
        assert_eq!(grants.denied(), Vec::<String>::new());
    });
}

#[test]
fn a_run_over_a_store_that_fails_now_and_then_expires_what_it_can() {
    block_on(async {
        let (dependencies, transport, _, database, _) = overdue(200).await;
        let mut random = countersign_e2e::random::Random(7);
        transport.set_plan(move |_| (random.below(5) == 0).then(|| Fault::ALL[random.below(6)]));
        let metrics = Metrics::new("test".to_owned(), |_| {});
        for _ in 0..20 {
            // A run that cannot even read fails as a whole, and the next one does its work.
            let _ = expire::handle(&dependencies, NO_URGING, &metrics, Duration::from_secs(60), None).await;
        }
        transport.heal();
        expire::handle(&dependencies, NO_URGING, &metrics, Duration::from_secs(60), None).await.unwrap();
        for request in inspection::check(&database).await {
            assert_eq!((request.status, request.version), (Status::Expired, 2));
        }
    });
}

#[test]
fn a_run_that_cannot_read_what_is_due_is_a_failed_invocation() {
    block_on(async {
        let (dependencies, transport, ..) = overdue(1).await;
        transport.set_plan(|_| Some(Fault::ServerError));
        let error = expire::handle(
            &dependencies,
            NO_URGING,
            &Metrics::new("test".to_owned(), |_| {}),
            Duration::from_secs(60),
            None,
        )
        .await;
        assert_eq!(error.unwrap_err().error_type, "store_unavailable");
    });
}

#[test]
fn the_oldest_pending_request_is_measured() {
    static WRITTEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    block_on(async {
        let (dependencies, _, _, database, host) = overdue(0).await;
        let all = Dependencies {
            store: DynamoStore::new(database, tables()),
            policy: countersign_policy::load::bundled().unwrap(),
            notifications: None,
            signing_keys: Arc::new(signing_key()),
            audit_keys: Arc::new(log_key()),
            webhook_client: Arc::new(NoWebhookClient),
            deployment_key: DeploymentKey::new([9; 32]),
            host: Arc::new(host.clone()),
        };
        let ann = PersonId::from_email("ann@example.com").unwrap();
        let ann = Principal::assumed(ann, PrincipalKind::Human, Channel::Direct, ["developer"]);
        for hours in [20, 5, 0] {
            let draft = Draft::new("reboot", "dev-db-01", &json!({}), "production", "why").unwrap();
            create(&all, &draft, &ann, None).await.unwrap();
            host.advance_milliseconds(hours * 60 * 60 * 1000);
        }
        let metrics = Metrics::new("test".to_owned(), |line| WRITTEN.lock().unwrap().push(line.to_owned()));
        expire::handle(&dependencies, NO_URGING, &metrics, Duration::from_secs(60), None).await.unwrap();
        let line = WRITTEN.lock().unwrap().pop().unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["PendingOldestAge"], json!(25.0 * 3600.0));
        assert_eq!(line["ExecutingOldestAge"], json!(0.0));
        assert_eq!((&line["PendingRequests"], &line["ApprovedRequests"]), (&json!(3.0), &json!(0.0)));
    });
}

/// THREATS 45: where two regions accept decisions, neither's conditions hold. The schedule refuses to run,
/// and the alarm on its failures says so.
#[test]
fn threat_45_a_replicated_table_is_refused() {
    block_on(async {
        let (dependencies, transport, grants, database, _) = overdue(3).await;
        transport.replicate();
        let metrics = Metrics::new("test".to_owned(), |_| {});
        let before = inspection::snapshot(&database).await;
        let failed = expire::handle(&dependencies, NO_URGING, &metrics, Duration::from_secs(60), None)
            .await
            .unwrap_err();
        assert_eq!(failed.error_type, "replicated_table");
        assert!(failed.error_message.contains("eu-west-1"), "{}", failed.error_message);
        assert_eq!(inspection::snapshot(&database).await, before);
        assert_eq!(grants.denied(), Vec::<String>::new());
    });
}

/// With no more than its grants; runs that are cut off and a store that fails now and then lose nothing and erase once.
#[test]
fn what_is_kept_no_longer_is_erased_once_although_runs_are_cut_off() {
    block_on(async {
        let (dependencies, transport, grants, database, host) = overdue(120).await;
        let metrics = Metrics::new("test".to_owned(), |_| {});
        let retention = Some("30".parse().unwrap());
        let run = async |budget: u64| {
            expire::handle(&dependencies, NO_URGING, &metrics, Duration::from_millis(budget), retention).await
        };
        let answer = run(60_000).await.unwrap();
        assert_eq!((&answer["expired"], &answer["erased"]), (&json!(120), &json!(0)));
        host.advance_milliseconds(31 * 24 * 60 * 60 * 1000);
        let (clock, mut random) = (host.clone(), countersign_e2e::random::Random(3));
        transport.set_plan(move |operation| {
            if operation == "TransactWriteItems" {
                clock.advance_elapsed(Duration::from_millis(10));
            }
            (random.below(20) == 0).then(|| Fault::ALL[random.below(6)])
        });
        for _ in 0..40 {
            let _ = run(200).await;
        }
        transport.heal();
        run(60_000).await.unwrap();
        assert_eq!(run(60_000).await.unwrap()["erased"], 0);
        for request in inspection::check(&database).await {
            assert_eq!((request.status, request.version), (Status::Expired, 3));
            assert!(request.erased_at.is_some());
        }
        assert_eq!(grants.denied(), Vec::<String>::new());
    });
}
