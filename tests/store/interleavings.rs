//! Ten thousand seeded interleavings of people, the requester and the clock on one request each,
//! pausing before every call to the store. Whatever the order: no acknowledged decision is lost,
//! at most one end is acknowledged, no request is stuck in pending, and state and trail agree.

use countersign_app::command::{Done, command};
use countersign_app::create::create;
use countersign_app::dependencies::Dependencies;
use countersign_app::error::AppError;
use countersign_app::ports::{
    ChangeSet, CommitChange, CommitError, CountOpen, FindEvent, LastEvent, LoadEvents, LoadRequest,
    NoWebhookClient, RecordEvent, Sequel, StoreError, Trail,
};
use countersign_core::audit::{AuditEvent, Stream};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::{Command, Draft, Shown};
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::text::CommentText;
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_e2e::inspection::{self, check_request};
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::random::Random;
use countersign_e2e::repetitions::repetitions;
use countersign_e2e::signing::{log_key, signing_key};
use countersign_embedded::Embedded;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

const SEEDS: usize = 1_500;
/// Both cores of a small machine.
const THREADS: u64 = 2;
/// Longer than a request for `execute_bash` stays pending or approved.
const PAST_THE_DEADLINE_MILLISECONDS: i64 = 301_000;

/// Where an actor waits for its turn before each call to the store.
#[derive(Debug, Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Gives the turn back once. No waker wakes the task: the scheduler polls whom it chooses.
    async fn pass(&self) {
        let mut arrived = false;
        poll_fn(|_| {
            if arrived {
                return Poll::Ready(());
            }
            arrived = true;
            self.0.store(true, Ordering::SeqCst);
            Poll::Pending
        })
        .await;
    }
}

#[derive(Debug)]
struct PausingStore {
    inner: DynamoStore,
    gate: Gate,
}

impl LoadRequest for PausingStore {
    async fn load(&self, id: RequestId) -> Result<Option<Request>, StoreError> {
        self.gate.pass().await;
        self.inner.load(id).await
    }
}

impl CommitChange for PausingStore {
    async fn commit(&self, change: ChangeSet<'_>) -> Result<(), CommitError> {
        self.gate.pass().await;
        self.inner.commit(change).await
    }
}

impl FindEvent for PausingStore {
    async fn find_event(&self, request_id: RequestId, sequence: u64) -> Result<Option<EventId>, StoreError> {
        self.gate.pass().await;
        self.inner.find_event(request_id, sequence).await
    }
}

impl LoadEvents for PausingStore {
    async fn load_stream(&self, stream: &Stream) -> Result<Trail, StoreError> {
        self.gate.pass().await;
        self.inner.load_stream(stream).await
    }
}

impl LastEvent for PausingStore {
    async fn last_event(&self, _: &Stream) -> Result<Option<AuditEvent>, StoreError> {
        Ok(None)
    }
}

/// No interleaving damages anything: this is a false alarm.
impl RecordEvent for PausingStore {
    async fn record_event(&self, event: &AuditEvent, _: Sequel<'_>) -> Result<bool, StoreError> {
        panic!("{event:?}")
    }
}

impl CountOpen for PausingStore {
    async fn count_open(
        &self,
        person: &PersonId,
        status: Status,
        now: Timestamp,
        at_most: usize,
    ) -> Result<usize, StoreError> {
        self.inner.count_open(person, status, now, at_most).await
    }
}

type Acknowledged = (Command, Principal, Result<Done, AppError>);
type Running = Pin<Box<dyn Future<Output = Acknowledged>>>;

/// Polls one actor at a time, chosen by the seed, from gate to gate. Now and then the deadline
/// passes in between.
async fn run_interleaved(
    actors: Vec<(Running, Gate)>,
    random: &mut Random,
    host: &ManualHost,
) -> Vec<Acknowledged> {
    let mut alive: Vec<_> = actors.into_iter().map(Some).collect();
    let mut acknowledged = Vec::new();
    let mut current = None;
    poll_fn(|context| {
        loop {
            let choices: Vec<usize> = (0..alive.len()).filter(|index| alive[*index].is_some()).collect();
            if choices.is_empty() {
                return Poll::Ready(());
            }
            let index = current.unwrap_or_else(|| choices[random.below(choices.len())]);
            let (running, gate) = alive[index].as_mut().unwrap();
            match running.as_mut().poll(context) {
                Poll::Ready(result) => {
                    acknowledged.push(result);
                    alive[index] = None;
                    current = None;
                }
                Poll::Pending if gate.0.swap(false, Ordering::SeqCst) => {
                    current = None;
                    if random.below(60) == 0 {
                        host.advance_milliseconds(PAST_THE_DEADLINE_MILLISECONDS);
                    }
                }
                // Inside a call: it goes on when the runtime says so.
                Poll::Pending => {
                    current = Some(index);
                    return Poll::Pending;
                }
            }
        }
    })
    .await;
    acknowledged
}

fn actor(name: &str, group: &str) -> Principal {
    let person = PersonId::from_email(&format!("{name}@example.com")).unwrap();
    Principal::assumed(person, PrincipalKind::Human, Channel::Local, [group])
}

struct World {
    store: DynamoStore,
    host: ManualHost,
    policy: Policy,
}

impl World {
    fn dependencies(&self, gate: Gate) -> Dependencies<PausingStore> {
        Dependencies {
            store: PausingStore { inner: self.store.clone(), gate },
            policy: self.policy.clone(),
            notifications: None,
            signing_keys: Arc::new(signing_key()),
            audit_keys: Arc::new(log_key()),
            webhook_client: Arc::new(NoWebhookClient),
            deployment_key: DeploymentKey::new([9; 32]),
            host: Arc::new(self.host.clone()),
        }
    }

    fn running(&self, id: RequestId, wanted: Command, who: Principal) -> (Running, Gate) {
        let gate = Gate::default();
        let dependencies = self.dependencies(gate.clone());
        let running = async move {
            let mut patience = 6;
            loop {
                let result = command(&dependencies, id, &wanted, &who, None).await;
                // An executor who waits for an approval asks again.
                let waits = matches!(&result, Err(AppError::Refused(Refusal::NotApproved(Status::Pending))));
                if !waits || patience == 0 {
                    return (wanted, who, result);
                }
                patience -= 1;
            }
        };
        (Box::pin(running), gate)
    }
}

fn cast(random: &mut Random) -> Vec<(Command, Principal)> {
    let approve = || Command::Approve { comment: None, shown: Shown::default() };
    let reject = || Command::Reject { reason: CommentText::parse("no").unwrap(), shown: Shown::default() };
    let start = || Command::Start { shown: Shown::default() };
    let mut cast = vec![
        (approve(), actor("bob", "approver")),
        (approve(), actor("cat", "approver")),
        (approve(), actor("dan", "approver")),
        (approve(), actor("bob", "approver")),
        (start(), actor("ann", "developer")),
        (start(), actor("ann", "developer")),
        (Command::Expire, Principal::expiry(Channel::Local)),
    ];
    if random.below(3) == 0 {
        cast.push((reject(), actor("eve", "approver")));
    }
    if random.below(3) == 0 {
        cast.push((Command::Withdraw { reason: None }, actor("cat", "approver")));
    }
    if random.below(3) == 0 {
        cast.push((Command::Cancel { reason: None }, actor("ann", "developer")));
    }
    cast
}

async fn one_seed(world: &World, seed: u64) -> Request {
    let mut random = Random(seed);
    let draft =
        Draft::new("execute_bash", "host-1", &serde_json::json!({ "command": "ls" }), "production", "why");
    let made = Gate::default();
    // The creation passes its gates on its own: polled again, a gate is open.
    let creating = world.dependencies(made);
    let draft = draft.unwrap();
    let ann = actor("ann", "developer");
    let mut creation = Box::pin(create(&creating, &draft, &ann, None));
    let created = poll_fn(|context| {
        loop {
            match creation.as_mut().poll(context) {
                Poll::Ready(result) => return Poll::Ready(result),
                Poll::Pending if creating.store.gate.0.swap(false, Ordering::SeqCst) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    let id = created.unwrap().request.id();
    let actors =
        cast(&mut random).into_iter().map(|(command, who)| world.running(id, command, who)).collect();
    let acknowledged = run_interleaved(actors, &mut random, &world.host).await;

    let request = world.store.load(id).await.unwrap().unwrap();
    check_request(&world.store, &request, &inspection::deployment_key()).await;
    let done = |wanted: fn(&Command) -> bool| {
        acknowledged.iter().filter(move |(command, _, result)| wanted(command) && result.is_ok())
    };
    let approvals = done(|command| matches!(command, Command::Approve { .. }));
    let mut approvers: Vec<_> = approvals.map(|(_, who, _)| who.person.clone()).collect();
    let mut recorded: Vec<_> = request.approved_by().cloned().collect();
    for (_, who, _) in done(|command| matches!(command, Command::Withdraw { .. })) {
        let approval = approvers.iter().position(|person| *person == who.person);
        approvers.remove(approval.expect("nothing is withdrawn that was not given"));
    }
    approvers.sort();
    recorded.sort();
    assert_eq!(approvers, recorded, "seed {seed}: every acknowledged approval, and no other, is on record");
    let ends =
        done(|command| matches!(command, Command::Reject { .. } | Command::Cancel { .. } | Command::Expire));
    let starts = done(|command| matches!(command, Command::Start { .. })).count();
    assert!(starts + ends.count() <= 1, "seed {seed}: one end at most");
    assert_eq!(starts == 1, request.execution.is_some(), "seed {seed}");
    for (command, _, result) in &acknowledged {
        if let Err(failure) = result {
            assert!(matches!(failure, AppError::Refused(_)), "seed {seed}: {command:?}: {failure}");
        }
    }
    // A caller who asked for what is still possible got it: nothing is stuck.
    if request.status == Status::Pending {
        assert!(request.approvals_received() < 2, "seed {seed}: stuck in pending");
    }
    request
}

#[test]
fn interleavings_lose_nothing() {
    let count = repetitions("COUNTERSIGN_INTERLEAVINGS", SEEDS) as u64;
    let endings = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || seeds(thread, count))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(endings.len() as u64, count);
    // The interleavings are worth something only if they end in every way there is.
    for status in [Status::Executing, Status::Approved, Status::Rejected, Status::Cancelled, Status::Expired]
    {
        let ended = endings.iter().filter(|ending| **ending == status).count();
        assert!(ended > 7, "only {ended} of {count} ended {status}");
    }
}

fn seeds(thread: u64, count: u64) -> Vec<Status> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = countersign_embedded::client(Embedded::in_memory().unwrap());
        create_missing(&client, &inspection::tables()).await.unwrap();
        let world = World {
            store: DynamoStore::new(client, inspection::tables()),
            host: ManualHost::default(),
            policy: countersign_policy::load::bundled().unwrap(),
        };
        let mut endings = Vec::new();
        for seed in (thread..count).step_by(usize::try_from(THREADS).unwrap()) {
            let request = one_seed(&world, seed).await;
            endings.push(request.status);
            // No request of an earlier seed is pending any more.
            world.host.advance_milliseconds(PAST_THE_DEADLINE_MILLISECONDS);
        }
        endings
    })
}
