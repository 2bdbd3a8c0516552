//! kill -9 under load: what was acknowledged is there, state and trail agree, and every event is
//! delivered in the end.

use countersign_e2e::client::Client;
use countersign_e2e::program::{self, Program};
use countersign_e2e::service::Service;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");
const ROUNDS: u32 = 12;
const WRITERS: usize = 4;

/// The highest version of each request that anybody was told of.
type Acknowledged = Mutex<BTreeMap<String, u64>>;

fn note(acknowledged: &Acknowledged, body: &Value) -> Option<String> {
    let id = body["request_id"].as_str()?.to_owned();
    let version = body["version"].as_u64()?;
    let mut acknowledged = acknowledged.lock().unwrap();
    let seen = acknowledged.entry(id.clone()).or_default();
    *seen = version.max(*seen);
    Some(id)
}

/// Makes and approves requests until the server is gone.
fn write_until_killed(requester: &Client, approvers: &[Client], acknowledged: &Acknowledged) {
    let medium = Service::high().to_string();
    loop {
        let Ok(created) = requester.send("POST", "/v1/approvals", &[], medium.as_bytes()) else { return };
        let Some(id) = note(acknowledged, &created.body) else { return };
        for approver in approvers {
            let path = format!("/v1/approvals/{id}/approve");
            let Ok(approved) = approver.send("POST", &path, &[], b"{}") else { return };
            note(acknowledged, &approved.body);
        }
    }
}

/// THREATS 24 and 39.
#[test]
fn nothing_acknowledged_is_lost_whenever_the_server_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let acknowledged = Acknowledged::default();
    let mut delivered = String::new();
    for round in 0..ROUNDS {
        let mut program = Program::start(BINARY, directory.path());
        let approvers = [program.person("bob", "approver"), program.person("cat", "approver")];
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                // Everybody has a limit of pending requests: each round and writer is somebody else.
                let requester = program.person(&format!("ann-{round}-{writer}"), "developer");
                let (approvers, acknowledged) = (&approvers, &acknowledged);
                scope.spawn(move || write_until_killed(&requester, approvers, acknowledged));
            }
            // At another moment each round, but never before something was acknowledged.
            let before = acknowledged.lock().unwrap().len();
            let began = Instant::now();
            let least = Duration::from_millis(u64::from(round) * 23);
            while acknowledged.lock().unwrap().len() == before || began.elapsed() < least {
                std::thread::yield_now();
                assert!(began.elapsed() < Duration::from_secs(60), "nothing is ever acknowledged");
            }
            program.signal("KILL");
        });
        program.wait();
        delivered.push_str(&program.log());
        let stored: BTreeMap<_, _> = program::inspect(directory.path())
            .into_iter()
            .map(|request| (request.id().to_string(), request.version))
            .collect();
        for (id, version) in acknowledged.lock().unwrap().iter() {
            let found = stored.get(id);
            assert!(
                found.is_some_and(|found| found >= version),
                "{id}: {version} acknowledged, {found:?} found"
            );
        }
    }
    assert!(acknowledged.lock().unwrap().len() > WRITERS, "there was load");

    // The next server delivers what the killed ones had committed and not delivered.
    let mut program = Program::start(BINARY, directory.path());
    program.signal("TERM");
    assert!(program.wait().success());
    delivered.push_str(&program.log());
    let requests = program::inspect(directory.path());
    let events = program::event_ids(directory.path());
    assert_eq!(events.len() as u64, requests.iter().map(|request| request.version).sum::<u64>());
    for event in events {
        let is_delivered = |line: &str| line.contains("\"outbox\"") && line.contains(&event);
        assert!(delivered.lines().any(is_delivered), "{event} was never delivered");
    }
}
