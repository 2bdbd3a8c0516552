//! `countersign audit export`, of the log of a running service.

use crate::Ended;
use crate::auditor::Auditor;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

/// Events of several kinds: decisions, an execution, and an attempt that was refused.
fn events(service: &Service) {
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    Service::started(&ann, &path);
    let path = Service::create(&ann, &Service::medium());
    ann.post(&format!("{path}/approve"), &json!({})).expect(403);
    service.host.advance_milliseconds(24 * 60 * 60 * 1000);
    ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    service.seal().unwrap();
}

impl Auditor {
    fn export(&self, service: &Service, format: &str, more: &[&str]) -> Ended {
        let (keys, log) = (self.path("jwks.json"), service.log_path());
        let options = ["--log", log.to_str().unwrap(), "--key", &keys];
        self.person.run(&[&["audit", "export", "--format", format], options.as_slice(), more].concat())
    }
}

fn lines(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_are_exported_as_they_were_logged() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    events(&service);
    let exported = auditor.export(&service, "jsonl", &[]);
    let events = lines(&exported);
    let bundle = fs::read(service.log_path().join(format!("tile/entries/000.p/{}", events.len()))).unwrap();
    let logged: usize = exported.stdout.lines().map(|line| line.len() + 2).sum();
    assert_eq!(logged, bundle.len());
    for line in exported.stdout.lines() {
        assert!(bundle.windows(line.len()).any(|window| window == line.as_bytes()), "{line}");
    }
    let types: BTreeSet<_> = events.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert!(
        types.is_superset(&BTreeSet::from(["APPROVAL_GRANTED", "ATTEMPT_REFUSED", "EXECUTION_STARTED"])),
        "{types:?}"
    );
    // A span, and a file.
    let of = |span: &[&str]| lines(&auditor.export(&service, "jsonl", span)).len();
    assert_eq!((of(&["--to", "2026-01-02"]), of(&["--from", "2026-01-02"])), (events.len() - 1, 1));
    assert_eq!(of(&["--from", "2026-01-02", "--to", "2026-01-03"]), 1);
    let file = auditor.path("events.jsonl");
    assert_eq!(auditor.export(&service, "jsonl", &["--file", &file]).stdout, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), exported.stdout);
    auditor.export(&service, "jsonl", &["--file", &file]).expect(5, "is there already; --replace");
    auditor.export(&service, "jsonl", &["--file", &file, "--replace"]).expect(0, "");
}

#[test]
fn events_are_exported_as_cloud_events() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    events(&service);
    let events = lines(&auditor.export(&service, "jsonl", &[]));
    let exported = lines(&auditor.export(&service, "cloudevents", &[]));
    assert_eq!(events.len(), exported.len());
    for (event, exported) in events.iter().zip(&exported) {
        assert_eq!(exported["data"], *event);
        for (attribute, member) in [("id", "event_id"), ("source", "origin"), ("time", "timestamp")] {
            assert_eq!(exported[attribute], event[member]);
        }
        assert_eq!(exported["specversion"], "1.0");
        assert_eq!(exported["dataschema"], "urn:countersign:audit:v1");
        let subject = event.get("request_id").unwrap_or(&event["stream"]);
        assert_eq!(exported["subject"], *subject);
        assert_eq!(exported["sequence"], format!("{:010}", event["sequence"].as_u64().unwrap()));
    }
    assert_eq!(exported[0]["type"], "countersign.approval.created.v1");
}

/// What OCSF 1.6.0 requires of each event, and of the class API Activity.
#[test]
fn events_are_exported_as_ocsf_has_them() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    events(&service);
    let events = auditor.export(&service, "jsonl", &[]);
    let exported = lines(&auditor.export(&service, "ocsf", &[]));
    for (line, exported) in events.stdout.lines().zip(&exported) {
        let number = |name: &str| exported[name].as_i64().unwrap_or_else(|| panic!("{name} of {exported}"));
        assert_eq!((number("class_uid"), number("category_uid")), (6003, 6), "{exported}");
        assert_eq!(number("type_uid"), 600_300 + number("activity_id"));
        assert!(number("time") >= 1_767_225_600_000 && (1..=6).contains(&number("severity_id")));
        assert_eq!(exported["metadata"]["version"], "1.6.0");
        assert!(exported["metadata"]["product"]["name"].is_string());
        assert!(exported["api"]["operation"].is_string() && exported["actor"]["user"]["uid"].is_string());
        assert!(exported["src_endpoint"].as_object().is_some_and(|endpoint| !endpoint.is_empty()));
        assert_eq!(exported["raw_data"], line);
    }
    let refused = exported.iter().find(|event| event["metadata"]["event_code"] == "ATTEMPT_REFUSED").unwrap();
    assert_eq!((&refused["status_id"], &refused["api"]["operation"]), (&json!(2), &json!("approve")));
    auditor.export(&service, "csv", &[]).expect(2, "jsonl");
}

/// Serves the files of a log; of a bundle of entries, from the second time on, the same entries in another order.
fn serve_another_order_later(log: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut read = BTreeSet::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let Some(request) = lines.next() else { continue };
            lines.find(|line| line.is_empty());
            let path = request.split(' ').nth(1).unwrap().strip_prefix("/v1/log/").unwrap().to_owned();
            let file = fs::read(log.join(&path)).ok();
            let is_again = path.starts_with("tile/entries/") && !read.insert(path);
            let file = file.map(|file| if is_again { reversed(&file) } else { file });
            let status = if file.is_some() { "200 OK" } else { "404 Not Found" };
            let body = file.unwrap_or_default();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    url
}

/// The entries of a bundle in the opposite order.
fn reversed(bundle: &[u8]) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while let Some((length, _)) = rest.split_first_chunk::<2>() {
        let (entry, after) = rest.split_at(2 + usize::from(u16::from_be_bytes(*length)));
        entries.push(entry);
        rest = after;
    }
    entries.into_iter().rev().flatten().copied().collect()
}

#[test]
fn a_service_that_answers_other_entries_after_they_were_verified_is_found() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    events(&service);
    let (url, keys) = (serve_another_order_later(service.log_path()), auditor.path("jwks.json"));
    let export = ["audit", "export", "--format", "jsonl", "--log", &url, "--key", &keys];
    let refused = auditor.person.run(&export);
    refused.expect(1, "was changed while the log was read");
    assert_eq!(refused.stdout, "");
}
