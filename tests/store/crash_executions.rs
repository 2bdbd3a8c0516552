//! kill -9 between the start and the end of executions: each has its effect once at most, and each that was begun is
//! there to be seen.
//!
//! `COUNTERSIGN_KILLS=500 cargo test --workspace --test store -- killed_between` kills as often.

use countersign_core::execution::ExecutionState;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::program::{self, Program};
use countersign_e2e::random::Random;
use countersign_e2e::repetitions::repetitions;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");
/// Kills, unless the environment says otherwise.
const KILLS: usize = 15;
const EXECUTORS: usize = 4;

/// What all executors of a test have done, as the world outside would tell.
#[derive(Default)]
struct World {
    /// For each request how often its operation was carried out.
    effects: Mutex<BTreeMap<String, usize>>,
    /// Requests whose end was acknowledged.
    ended: Mutex<BTreeSet<String>>,
}

/// One call, or nothing once the server is gone.
fn call(client: &Client, method: &str, path: &str, body: &Value) -> Option<Answer> {
    let body = if method == "GET" { String::new() } else { body.to_string() };
    client.send(method, path, &[], body.as_bytes()).ok()
}

/// An executor without a memory: it takes whatever request it is given as far as the service lets it.
fn carry_out(client: &Client, id: &str, world: &World, random: &mut Random) -> Option<()> {
    let execution = format!("/v1/approvals/{id}/execution");
    let started = call(client, "POST", &execution, &json!({}))?;
    let permit = match started.status {
        200 => started.body["permit"].clone(),
        _ => call(client, "GET", &execution, &Value::Null)?.body["permit"].clone(),
    };
    if random.below(8) == 0 {
        return Some(());
    }
    let claimed = call(client, "POST", &format!("{execution}/claim"), &json!({ "permit": permit }))?;
    if claimed.status != 200 {
        return Some(());
    }
    *world.effects.lock().unwrap().entry(id.to_owned()).or_default() += 1;
    if random.below(8) == 0 {
        return Some(());
    }
    let report = json!({ "execution_id": claimed.body["execution_id"], "outcome": "succeeded" });
    let ended = call(client, "PUT", &execution, &report)?;
    if ended.status == 200 {
        world.ended.lock().unwrap().insert(id.to_owned());
    }
    Some(())
}

/// Makes requests that policy approves at once, and carries out these and older ones, until the server is gone.
fn work_until_killed(client: &Client, ids: &Mutex<Vec<String>>, world: &World, mut random: Random) {
    let low = Service::low().to_string();
    loop {
        let Ok(created) = client.send("POST", "/v1/approvals", &[], low.as_bytes()) else { return };
        let Some(id) = created.body["request_id"].as_str() else { return };
        ids.lock().unwrap().push(id.to_owned());
        // One of its own, and two that others may be carrying out.
        let others = |random: &mut Random| {
            let ids = ids.lock().unwrap();
            ids[random.below(ids.len())].clone()
        };
        for id in [id.to_owned(), others(&mut random), others(&mut random)] {
            if carry_out(client, &id, world, &mut random).is_none() {
                return;
            }
        }
    }
}

/// THREATS 23 and 24.
#[test]
fn an_execution_that_is_killed_between_start_and_end_has_its_effect_once_and_is_seen() {
    let kills = repetitions("COUNTERSIGN_KILLS", KILLS);
    let directory = tempfile::tempdir().unwrap();
    let (world, ids) = (World::default(), Mutex::new(Vec::new()));
    let mut random = Random(7);
    for round in 0..kills {
        let mut program = Program::start(BINARY, directory.path());
        // One requester in each round: policy limits what one has approved and not started.
        let client = program.person(&format!("ann-{}", round / 20), "developer");
        if round % 20 == 0 {
            ids.lock().unwrap().clear();
        }
        let effects = || world.effects.lock().unwrap().len();
        let before = effects();
        let wait = Duration::from_millis(u64::try_from(random.below(120)).unwrap());
        let seeds: Vec<_> = (0..EXECUTORS).map(|_| Random(random.below(1 << 30) as u64)).collect();
        std::thread::scope(|scope| {
            for seed in seeds {
                let (client, ids, world) = (&client, &ids, &world);
                scope.spawn(move || work_until_killed(client, ids, world, seed));
            }
            let began = Instant::now();
            while effects() < before + 2 || began.elapsed() < wait {
                std::thread::yield_now();
                assert!(began.elapsed() < Duration::from_secs(60), "nothing is ever carried out");
            }
            program.signal("KILL");
        });
        program.wait();
    }
    let effects = world.effects.into_inner().unwrap();
    assert!(effects.len() > kills, "{} executions", effects.len());
    assert!(effects.values().all(|effect| *effect == 1), "{effects:?}");
    // The whole store agrees with itself, and everything that was begun says so.
    let requests: BTreeMap<_, _> = program::inspect(directory.path())
        .into_iter()
        .map(|request| (request.id().to_string(), request))
        .collect();
    let mut unfinished = 0;
    for id in effects.keys() {
        let request = &requests[id];
        let execution = request.execution.as_ref().unwrap();
        assert!(execution.claim.is_some(), "{id} was carried out and nobody claimed it");
        match request.status {
            Status::Executed => {}
            Status::Executing => {
                unfinished += 1;
                assert_eq!(execution.state_at(Timestamp::LATEST), ExecutionState::Unknown);
                assert!(execution.lease_end().is_some(), "the sweep will say so");
            }
            other => panic!("{id} was carried out and is {other}"),
        }
    }
    assert!(unfinished > 0, "no kill came between");
    for id in world.ended.into_inner().unwrap() {
        assert_eq!(requests[&id].status, Status::Executed, "{id} was acknowledged");
    }
}
