//! From the outbox through the notify function to subscribers: every event at least once, or visibly
//! dead, whatever the stream and the topic do.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::continuations::{Released, Resume, ResumeError};
use countersign_app::create::create;
use countersign_app::deliver::MAX_ATTEMPTS;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{
    NoSubscribers, NoWebhookClient, Outbox as _, OutboxKey, Publish, PublishError, Settled,
};
use countersign_app::route::NoRequests;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::command::Draft;
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::EventId;
use countersign_core::notification::{Notice, Notification};
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_e2e::deployment::stream_record;
use countersign_e2e::grants::{Granted, granted};
use countersign_e2e::inspection::{scan, tables};
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::random::Random;
use countersign_e2e::repetitions::repetitions;
use countersign_e2e::signing::{log_key, signing_key};
use countersign_e2e::transport::{Fault, FaultyTransport};
use countersign_embedded::Embedded;
use countersign_lambda::metrics::Metrics;
use countersign_lambda::notify::Notify;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Item = HashMap<String, AttributeValue>;
type Weather = Arc<Mutex<Box<dyn FnMut(&Notification) -> Result<(), PublishError> + Send>>>;

/// A topic whose weather a test makes; it remembers how often each event arrived.
#[derive(Clone)]
struct Topic {
    weather: Weather,
    arrived: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Topic {
    fn set(&self, weather: impl FnMut(&Notification) -> Result<(), PublishError> + Send + 'static) {
        *self.weather.lock().unwrap() = Box::new(weather);
    }
}

/// Nobody waits for anything here.
struct Nobody;

impl Resume for Nobody {
    async fn resume(&self, released: &Released) -> Result<(), ResumeError> {
        panic!("{released:?}")
    }
}

impl Publish for Topic {
    async fn publish(&self, event: &CloudEvent) -> Result<(), PublishError> {
        let Notice::Event(notification) = &event.notice else { panic!("nothing here is damaged: {event:?}") };
        (self.weather.lock().unwrap())(notification)?;
        *self.arrived.lock().unwrap().entry(notification.event_id.to_string()).or_default() += 1;
        Ok(())
    }
}

fn refused() -> PublishError {
    PublishError::Refused("scripted".to_owned())
}

fn unreachable() -> PublishError {
    PublishError::Unreachable("scripted".to_owned())
}

/// The notify function on an outbox in memory, with no more than its grants.
struct World {
    host: ManualHost,
    database: Client,
    transport: FaultyTransport,
    grants: Granted<FaultyTransport>,
    topic: Topic,
    notify: Notify<DynamoOutbox, NoSubscribers, Topic, Nobody, NoRequests>,
}

impl World {
    async fn start() -> Self {
        let host = ManualHost::default();
        let embedded = Embedded::in_memory().unwrap();
        let database = countersign_embedded::client(embedded.clone());
        create_missing(&database, &tables()).await.unwrap();
        let transport = FaultyTransport::new(embedded);
        let grants = Granted::new(transport.clone(), tables(), granted("notify"));
        let topic = Topic { weather: Arc::new(Mutex::new(Box::new(|_| Ok(())))), arrived: Arc::default() };
        let notify = Notify {
            subscribers: NoSubscribers,
            routes: None,
            outbox: DynamoOutbox::new(countersign_embedded::client(grants.clone()), tables().outbox),
            publisher: topic.clone(),
            resumer: Nobody,
            host: Box::new(host.clone()),
            metrics: Metrics::new("test".to_owned(), |_| {}),
            min_age_seconds: 60,
        };
        Self { host, database, transport, grants, topic, notify }
    }

    /// Commits some requests, which are logged at once; gives the ids of their events, the oldest first.
    async fn commit(&self, count: usize) -> Vec<String> {
        let events = self.commit_unlogged(count).await;
        self.log().await;
        events
    }

    async fn commit_unlogged(&self, count: usize) -> Vec<String> {
        let dependencies = Dependencies {
            store: DynamoStore::new(self.database.clone(), tables()),
            policy: countersign_policy::load::bundled().unwrap(),
            notifications: None,
            signing_keys: Arc::new(signing_key()),
            audit_keys: Arc::new(log_key()),
            webhook_client: Arc::new(NoWebhookClient),
            deployment_key: DeploymentKey::new([9; 32]),
            host: Arc::new(self.host.clone()),
        };
        // Approved by policy at once: as many as one requester may have, so each is another's.
        let draft =
            Draft::new("enable_enhanced_monitoring", "dev-db-01", &json!({}), "non-production", "why")
                .unwrap();
        let mut events = Vec::new();
        for number in 0..count {
            let requester = format!("p{number}@example.com");
            let requester = PersonId::from_email(&requester).unwrap();
            let requester =
                Principal::assumed(requester, PrincipalKind::Human, Channel::Direct, ["developer"]);
            let done = create(&dependencies, &draft, &requester, None).await.unwrap();
            events.push(done.event_id.unwrap().to_string());
        }
        events
    }

    /// Says of all entries that the log has their events: whether one waits is then a question of its publication alone.
    async fn log(&self) {
        let outbox = DynamoOutbox::new(self.database.clone(), tables().outbox);
        for shard in outbox.shards() {
            let mut after = None;
            loop {
                let page = outbox.unlogged(&shard, after.as_ref()).await.unwrap();
                for entry in page.entries {
                    outbox.settle(&entry.key, Settled::Logged).await.unwrap();
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
    }

    async fn entries(&self) -> Vec<Item> {
        scan(&self.database, &tables().outbox).await
    }

    /// The events that are left, by whether they are dead.
    async fn left(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let entries = self.entries().await;
        let (dead, waiting): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| text(entry, "shard") == "dead");
        let ids = |entries: Vec<&Item>| entries.into_iter().map(|entry| text(entry, "event_id")).collect();
        (ids(waiting), ids(dead))
    }

    fn arrived(&self) -> BTreeSet<String> {
        self.topic.arrived.lock().unwrap().keys().cloned().collect()
    }

    /// Hands over records; gives the sequence numbers that are to come again.
    async fn batch(&self, records: &[Value]) -> Vec<String> {
        let event = json!({ "Records": records }).to_string();
        let answer = self.notify.handle(&event, Duration::from_secs(60)).await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap().iter();
        failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    /// One run of the sweep, a minute after the last. `None` if the outbox does not answer.
    async fn sweep(&self) -> Option<Value> {
        self.host.advance_milliseconds(61_000);
        self.notify.handle(r#"{"sweep":"outbox"}"#, Duration::from_secs(60)).await.ok()
    }

    /// Everything works again: sweeps until nothing waits.
    async fn calm_down(&self) {
        self.transport.heal();
        self.topic.set(|_| Ok(()));
        for _ in 0..MAX_ATTEMPTS {
            self.sweep().await.unwrap();
        }
        assert_eq!(self.left().await.0, BTreeSet::new(), "nothing waits for ever");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.grants.denied(), Vec::<String>::new(), "notify did with its permissions");
        }
    }
}

fn text(item: &Item, name: &str) -> String {
    item[name].as_s().unwrap().clone()
}

fn records(entries: &[Item]) -> Vec<Value> {
    let record = |(index, entry): (usize, &Item)| {
        stream_record(index + 1, &text(entry, "shard"), &text(entry, "event_id"))
    };
    entries.iter().enumerate().map(record).collect()
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_batch_is_delivered_and_what_comes_again_is_not() {
    block_on(async {
        let world = World::start().await;
        let events: BTreeSet<_> = world.commit(10).await.into_iter().collect();
        let records = records(&world.entries().await);
        for _ in 0..3 {
            assert_eq!(world.batch(&records).await, Vec::<String>::new());
        }
        assert_eq!(world.arrived(), events);
        assert!(world.topic.arrived.lock().unwrap().values().all(|count| *count == 1));
        assert_eq!(world.left().await, Default::default());
    });
}

#[test]
fn the_sweep_leaves_to_the_stream_what_is_young() {
    block_on(async {
        let world = World::start().await;
        world.commit(3).await;
        let swept = world.notify.handle("{}", Duration::from_secs(60)).await.unwrap();
        assert_eq!(swept["published"], 0);
        assert_eq!(world.sweep().await.unwrap()["published"], 3);
    });
}

#[test]
fn an_entry_that_cannot_be_read_is_the_only_dead_letter_at_every_place_of_a_batch() {
    block_on(async {
        for place in 0..10 {
            let world = World::start().await;
            let events = world.commit(10).await;
            let mut entries = world.entries().await;
            entries[place].insert("message".to_owned(), AttributeValue::S("{".to_owned()));
            let poison = text(&entries[place], "event_id");
            let entry = entries[place].clone();
            world.database.put_item().table_name(tables().outbox).set_item(Some(entry)).send().await.unwrap();
            assert_eq!(world.batch(&records(&entries)).await, Vec::<String>::new(), "place {place}");
            assert_eq!(world.arrived().len(), 9, "place {place}");
            assert_eq!(world.left().await, (BTreeSet::new(), BTreeSet::from([poison])), "place {place}");
            assert_eq!(events.len(), 10);
        }
    });
}

#[test]
fn a_record_about_a_dead_letter_does_not_deliver_it() {
    block_on(async {
        let world = World::start().await;
        let event_id = world.commit(1).await.remove(0);
        let key = OutboxKey { shard: text(&world.entries().await[0], "shard"), event_id: event_id.clone() };
        world.notify.outbox.dead_letter(&key).await.unwrap();
        assert_eq!(world.batch(&[stream_record(1, "dead", &event_id)]).await, Vec::<String>::new());
        assert_eq!(world.arrived(), BTreeSet::new());
        assert_eq!(world.left().await.1.len(), 1);
    });
}

#[test]
fn a_record_that_cannot_be_read_holds_up_nothing_and_loses_nothing() {
    block_on(async {
        for place in 0..10 {
            for damage in [
                |record: &mut Value| *record = json!("rubbish"),
                |record: &mut Value| record["dynamodb"] = Value::Null,
                |record: &mut Value| record["dynamodb"]["Keys"] = json!({}),
                |record: &mut Value| record["dynamodb"]["Keys"]["event_id"] = json!({ "N": "1" }),
                |record: &mut Value| record["dynamodb"]["SequenceNumber"] = json!(1),
                // Keys of another table, some of which the database itself refuses to look up.
                |record: &mut Value| record["dynamodb"]["Keys"]["event_id"] = json!({ "S": "" }),
                |record: &mut Value| {
                    record["dynamodb"]["Keys"]["event_id"] = json!({ "S": "x".repeat(3000) })
                },
                |record: &mut Value| record["dynamodb"]["Keys"]["shard"] = json!({ "S": "" }),
            ] {
                let world = World::start().await;
                let events: BTreeSet<_> = world.commit(10).await.into_iter().collect();
                let mut records = records(&world.entries().await);
                damage(&mut records[place]);
                assert_eq!(world.batch(&records).await, Vec::<String>::new(), "place {place}");
                assert_eq!(world.arrived().len(), 9, "place {place}");
                world.sweep().await.unwrap();
                assert_eq!(world.arrived(), events, "the sweep knows of it all the same");
            }
        }
    });
}

#[test]
fn a_message_that_the_topic_refuses_is_the_only_dead_letter_at_every_place_of_a_batch() {
    block_on(async {
        for place in 0..10 {
            let world = World::start().await;
            world.commit(10).await;
            let entries = world.entries().await;
            let poison = text(&entries[place], "event_id");
            let hated = poison.clone();
            world
                .topic
                .set(move |told| if told.event_id.to_string() == hated { Err(refused()) } else { Ok(()) });
            // The batch comes again from the first failure on, as the service does it.
            for _ in 0..4 {
                assert_eq!(world.batch(&records(&entries)).await, [(place + 1).to_string()], "place {place}");
            }
            assert_eq!(world.arrived().len(), 9, "place {place}");
            for _ in 4..MAX_ATTEMPTS {
                world.sweep().await.unwrap();
            }
            assert_eq!(world.left().await, (BTreeSet::new(), BTreeSet::from([poison])), "place {place}");
            assert!(world.topic.arrived.lock().unwrap().values().all(|count| *count == 1));
        }
    });
}

/// Streams as no test would think of them: duplicated, reordered, split anywhere, cut off, over a
/// topic and an outbox that fail now and then.
#[test]
fn whatever_the_stream_does_every_event_arrives_or_is_dead() {
    block_on(async {
        let world = World::start().await;
        let events: BTreeSet<_> = world.commit(20).await.into_iter().collect();
        let prepared = world.entries().await;
        let (mut all_arrived, mut some_died) = (0, 0);
        for seed in 0..150 {
            let mut random = Random(seed);
            for entry in &prepared {
                let entry = entry.clone();
                world
                    .database
                    .put_item()
                    .table_name(tables().outbox)
                    .set_item(Some(entry))
                    .send()
                    .await
                    .unwrap();
            }
            world.topic.arrived.lock().unwrap().clear();
            let mut stream = records(&prepared);
            for _ in 0..random.below(20) {
                stream.push(stream[random.below(20)].clone());
            }
            for end in (1..stream.len()).rev() {
                stream.swap(end, random.below(end + 1));
            }
            stream.truncate(stream.len() - random.below(stream.len()));

            let mut of_topic = Random(seed ^ 0x00c0_ffee);
            let bad_day = seed % 4;
            world.topic.set(move |told| match (bad_day, of_topic.below(10)) {
                // Some messages are never taken.
                (3, _) if told.event_id.to_string().ends_with(['0', '1']) => Err(refused()),
                (0 | 3, _) | (_, 3..) => Ok(()),
                (1, _) => Err(refused()),
                (_, _) => Err(unreachable()),
            });
            let mut of_store = Random(seed ^ 0x0bad_cafe);
            world
                .transport
                .set_plan(move |_| (of_store.below(12) == 0).then(|| Fault::ALL[of_store.below(6)]));
            while !stream.is_empty() {
                let batch: Vec<_> = stream.drain(..stream.len().min(1 + random.below(10))).collect();
                let mut again: Vec<_> = batch.clone();
                for _ in 0..3 {
                    let failures = world.batch(&again).await;
                    let number =
                        |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned();
                    match again.iter().position(|record| failures.contains(&number(record))) {
                        Some(first) => drop(again.drain(..first)),
                        None => break,
                    }
                }
                if random.below(3) == 0 {
                    world.sweep().await;
                }
            }
            for _ in 0..random.below(25) {
                world.sweep().await;
            }
            world.calm_down().await;
            let (_, dead) = world.left().await;
            let accounted: BTreeSet<_> = world.arrived().union(&dead).cloned().collect();
            assert_eq!(accounted, events, "seed {seed}");
            if dead.is_empty() {
                all_arrived += 1
            } else {
                some_died += 1
            }
            for entry in &dead {
                let replayed = DynamoOutbox::new(world.database.clone(), tables().outbox);
                assert!(replayed.redrive(EventId::parse(entry).unwrap()).await.unwrap(), "seed {seed}");
            }
            world.sweep().await.unwrap();
            assert_eq!(world.arrived(), events, "seed {seed}: the dead are delivered after all");
        }
        assert!(all_arrived > 15 && some_died > 15, "both ends are reached: {all_arrived}, {some_died}");
    });
}

/// The stream keeps a day; an outage takes three. Some 2,000 events come in meanwhile, or 72 times
/// `COUNTERSIGN_EVENTS_AN_HOUR`.
#[test]
fn three_days_without_a_topic_lose_nothing_and_are_drained_after() {
    block_on(async {
        let world = World::start().await;
        world.topic.set(|_| Err(unreachable()));
        let mut events = BTreeSet::new();
        let an_hour = repetitions("COUNTERSIGN_EVENTS_AN_HOUR", 28);
        for _ in 0..72 {
            let committed = world.commit_unlogged(an_hour).await;
            events.extend(committed);
            world.host.advance_milliseconds(60 * 60 * 1000);
        }
        world.log().await;
        assert_eq!(events.len(), 72 * an_hour);
        for _ in 0..3 {
            let swept = world.sweep().await.unwrap();
            assert_eq!((&swept["published"], &swept["failed"]), (&json!(0), &json!(events.len())));
        }
        let (waiting, dead) = world.left().await;
        assert_eq!((waiting.len(), dead.len()), (events.len(), 0), "an outage kills no message");
        world.topic.set(|_| Ok(()));
        let swept = world.sweep().await.unwrap();
        assert_eq!(swept["published"], json!(events.len()));
        assert_eq!(world.arrived(), events);
        assert_eq!(world.left().await, Default::default());
    });
}

/// The topic answers all the time, and takes nothing: a key that is disabled, a policy that is gone.
#[test]
fn a_topic_that_refuses_everything_for_days_loses_nothing_either() {
    block_on(async {
        let world = World::start().await;
        world.topic.set(|_| Err(refused()));
        let events: BTreeSet<_> = world.commit(300).await.into_iter().collect();
        for _ in 0..2 * MAX_ATTEMPTS {
            world.sweep().await.unwrap();
        }
        let (waiting, dead) = world.left().await;
        assert_eq!((waiting, &dead), (BTreeSet::new(), &events), "all are visible as dead letters");
        world.topic.set(|_| Ok(()));
        let outbox = DynamoOutbox::new(world.database.clone(), tables().outbox);
        for event in &events {
            assert!(outbox.redrive(EventId::parse(event).unwrap()).await.unwrap());
        }
        world.sweep().await.unwrap();
        assert_eq!(world.arrived(), events);
    });
}

/// One message that never gets through, while others do, is at fault itself.
#[test]
fn a_message_that_alone_is_not_answered_becomes_a_dead_letter() {
    block_on(async {
        let world = World::start().await;
        let poison = world.commit(1).await.remove(0);
        let hated = poison.clone();
        world
            .topic
            .set(move |told| if told.event_id.to_string() == hated { Err(unreachable()) } else { Ok(()) });
        for _ in 0..3 * MAX_ATTEMPTS {
            world.sweep().await.unwrap();
        }
        assert_eq!(world.left().await.0.len(), 1, "nobody knows yet whose fault it is");
        for _ in 0..MAX_ATTEMPTS {
            world.commit(1).await;
            world.sweep().await.unwrap();
        }
        assert_eq!(world.left().await, (BTreeSet::new(), BTreeSet::from([poison])));
    });
}

#[test]
fn a_sweep_that_runs_out_of_time_says_so_and_the_next_carries_on() {
    block_on(async {
        let world = World::start().await;
        world.commit(30).await;
        let host = world.host.clone();
        // Each publication takes a second of the function's time.
        world.topic.set(move |_| {
            host.advance_elapsed(Duration::from_secs(1));
            Ok(())
        });
        world.host.advance_milliseconds(61_000);
        for expected in [10, 10, 10] {
            let swept = world.notify.handle("{}", Duration::from_secs(10)).await.unwrap();
            assert_eq!(swept["published"], expected);
        }
        assert_eq!(world.arrived().len(), 30);
    });
}
