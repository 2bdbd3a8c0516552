//! Figures as an operator meets them: counted while the service runs, and computed anew when it is stopped.

use aws_sdk_dynamodb::types::AttributeValue;
use countersign_e2e::inspection::scan;
use countersign_e2e::program::{Program, run};
use countersign_e2e::service::Service;
use countersign_server::stopped_service::StoppedService;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");

/// Runs `countersign audit rebuild` and gives its code, and what it printed.
fn rebuild(data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = run(BINARY, &[&["audit", "rebuild", "--data-dir", data.to_str().unwrap()], more].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), format!("{}{}", text(output.stdout), text(output.stderr)))
}

/// Makes the figures of one day others than they are.
fn edit(data: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stopped = StoppedService::open(data).unwrap();
        let table = &stopped.tables.outbox;
        let items = scan(&stopped.client, table).await;
        let is_day = |item: &std::collections::HashMap<String, AttributeValue>| {
            item["shard"].as_s().is_ok_and(|shard| shard == "figures") && item.contains_key("document")
        };
        let mut day = items.into_iter().find(is_day).unwrap();
        let document = day["document"].as_s().unwrap().replacen("\"total\":", "\"total\":7", 1);
        day.insert("document".to_owned(), AttributeValue::S(document));
        stopped.client.put_item().table_name(table).set_item(Some(day)).send().await.unwrap();
    });
}

#[test]
fn figures_follow_the_log_and_are_computed_anew_from_it() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut program = Program::start(BINARY, &data);
    let ann = program.person("ann", "developer");
    for _ in 0..30 {
        let path = Service::create(&ann, &Service::medium());
        ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    }
    let auditor = program.person("aud", "auditor");
    let began = Instant::now();
    loop {
        let totals = auditor.get("/v1/audit-logs/stats").expect(200)["totals"].clone();
        if (totals["total"].as_u64(), totals["cancelled"].as_u64()) == (Some(30), Some(30)) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{totals} {}", program.log());
        std::thread::yield_now();
    }
    let (code, said) = rebuild(&data, &[]);
    assert_ne!(code, Some(0), "the service is running: {said}");
    program.signal("TERM");
    assert!(program.wait().success(), "{}", program.log());

    let (code, said) = rebuild(&data, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("equal: the figures of 62 events are what the log of 62 gives"), "{said}");
    edit(&data);
    let (code, said) = rebuild(&data, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not equal") && said.contains(" differs"), "{said}");
    let (code, said) = rebuild(&data, &["--replace", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\"replaced\": true"), "{said}");
    let (code, said) = rebuild(&data, &["--log", data.join("log").to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = rebuild(&data, &["--log", home.path().join("none").to_str().unwrap()]);
    assert_eq!((code, said.contains("there is no directory")), (Some(4), true), "{said}");
}
