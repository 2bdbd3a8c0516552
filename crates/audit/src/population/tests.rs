//! Populations, their tables and manifests, of events that are made up here.

use super::discrepancy::Discrepancy;
use super::manifest::{Manifest, Sample};
use super::recount::recount;
use super::table::{COLUMNS, table};
use super::*;
use crate::checkpoint::Checkpoint;
use crate::key::{KeyStatus, PrivateKey, Purpose};
use crate::key_set::KeySet;
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::Digest;
use serde_json::json;

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";

/// An event of request `number`, at a second of the first minute of 2026. Its id follows from request and sequence.
pub(crate) fn event(
    number: u64,
    sequence: u64,
    event_type: &str,
    (second, user, status): (u64, &str, &str),
    details: &Value,
) -> AuditEvent {
    let request_id = id(number);
    let document = json!({
        "format": "countersign.audit.v1", "origin": "urn:countersign:deployment:0a",
        "stream": format!("request/{request_id}"), "sequence": sequence,
        "event_id": event_id(number, sequence), "timestamp": format!("2026-01-01T00:00:{second:02}.000Z"),
        "event_type": event_type, "user": user, "kind": "human", "channel": "api", "request_id": request_id,
        "operation_type": "reboot", "instance_id": "db-01", "environment": "production", "risk_level": "high",
        "requested_by": ANN, "status": status, "details": details, "prev_hash": "0".repeat(64),
        "hash": "0".repeat(64),
    });
    AuditEvent::read(&CanonicalJson::of(&document)).unwrap()
}

fn id(number: u64) -> String {
    format!("019abc00-0000-7000-8000-{number:012}")
}

fn event_id(number: u64, sequence: u64) -> String {
    format!("019abc00-0000-7000-9000-{:012}", number * 100 + sequence)
}

fn time(second: u64) -> Timestamp {
    Timestamp::parse(&format!("2026-01-01T00:00:{second:02}.000Z")).unwrap()
}

fn span(from: u64, to: u64) -> Span {
    Span { from: time(from), to: time(to) }
}

fn created(number: u64, second: u64) -> AuditEvent {
    let details = json!({ "approvals_required": 2, "content_digest": "c0", "policy_version": "b0" });
    event(number, 1, "APPROVAL_REQUEST_CREATED", (second, ANN, "pending"), &details)
}

fn population(span: Span, events: &[AuditEvent]) -> Population {
    let mut population = Population::of(span);
    (0..).zip(events).for_each(|(index, event)| population.add(index, event));
    population
}

/// The cells of the one request of events, by the names of their columns.
fn row(events: &[AuditEvent]) -> BTreeMap<&'static str, String> {
    let population = population(span(0, 60), events);
    assert_eq!(population.size(), 1);
    let table = table(&population).unwrap();
    let mut records = table::records(&table).unwrap().into_iter();
    assert_eq!(records.next().unwrap().iter().collect::<Vec<_>>(), COLUMNS);
    let cells = records.next().unwrap();
    COLUMNS.into_iter().zip(cells.iter().map(str::to_owned)).collect()
}

#[test]
fn a_request_is_of_the_span_in_which_it_was_created() {
    let events = [created(1, 9), created(2, 10), created(3, 19), created(4, 20)];
    let population = population(span(10, 20), &events);
    let ids: Vec<_> = population.rows().map(|row| row.request_id().to_string()).collect();
    assert_eq!(ids, [id(2), id(3)]);
    // What happens later to one that is not counts nowhere.
    let late = event(1, 2, "APPROVAL_CANCELLED", (15, ANN, "cancelled"), &json!({}));
    let mut more = population.clone();
    more.add(4, &late);
    assert_eq!(more, population);
}

#[test]
fn a_row_is_what_the_events_have_made_of_the_request() {
    let execution = json!({ "execution_id": "019abc00-0000-7000-8000-0000000000ee" });
    let mut events = vec![
        created(1, 1),
        event(1, 2, "APPROVAL_GRANTED", (2, BOB, "pending"), &json!({})),
        event(1, 3, "APPROVAL_GRANTED", (3, "cay@example.com", "approved"), &json!({ "execute_by": "x" })),
    ];
    let approved = row(&events);
    for (column, cell) in [
        ("request_id", id(1).as_str()),
        ("created_at", "2026-01-01T00:00:01.000Z"),
        ("requested_by", ANN),
        ("operation_type", "reboot"),
        ("instance_id", "db-01"),
        ("environment", "production"),
        ("risk_level", "high"),
        ("status", "approved"),
        ("approvals_required", "2"),
        ("approved_by", "bob@example.com cay@example.com"),
        ("rejected_by", ""),
        ("decided_at", "2026-01-01T00:00:03.000Z"),
        ("started_by", ""),
        ("ended_at", ""),
        ("outcome", ""),
        ("content_digest", "c0"),
        ("policy_version", "b0"),
        ("first_entry", "0"),
        ("events", "3"),
    ] {
        assert_eq!(approved[column], cell, "{column}");
    }
    events.push(event(1, 4, "EXECUTION_STARTED", (4, ANN, "executing"), &execution));
    events.push(event(1, 5, "EXECUTION_UNKNOWN", (5, "system:expiry", "executing"), &execution));
    let unknown = row(&events);
    assert_eq!((unknown["started_by"].as_str(), unknown["outcome"].as_str()), (ANN, "unknown"));
    events.push(event(1, 6, "EXECUTION_RENEWED", (6, ANN, "executing"), &execution));
    assert_eq!(row(&events)["outcome"], "");
    events.push(event(1, 7, "EXECUTION_FAILED", (7, ANN, "failed"), &execution));
    let failed = row(&events);
    assert_eq!((failed["status"].as_str(), failed["outcome"].as_str()), ("failed", "failed"));
    assert_eq!((failed["ended_at"].as_str(), failed["events"].as_str()), ("2026-01-01T00:00:07.000Z", "7"));
}

#[test]
fn an_approval_that_was_replaced_or_withdrawn_counts_no_more() {
    let mut events = vec![
        created(1, 1),
        event(1, 2, "APPROVAL_GRANTED", (2, BOB, "approved"), &json!({ "execute_by": "x" })),
        event(1, 3, "APPROVAL_GRANTED", (3, BOB, "approved"), &json!({ "replaces": [event_id(1, 2)] })),
    ];
    let replaced = row(&events);
    assert_eq!((replaced["approved_by"].as_str(), &replaced["decided_at"]), (BOB, &time(2).to_string()));
    events.push(event(
        1,
        4,
        "APPROVAL_WITHDRAWN",
        (4, BOB, "pending"),
        &json!({ "withdraws": [event_id(1, 3)] }),
    ));
    let withdrawn = row(&events);
    assert_eq!((withdrawn["approved_by"].as_str(), withdrawn["decided_at"].as_str()), ("", ""));
    events.push(event(1, 5, "APPROVAL_REJECTED", (5, BOB, "rejected"), &json!({})));
    let rejected = row(&events);
    assert_eq!((rejected["rejected_by"].as_str(), &rejected["decided_at"]), (BOB, &time(5).to_string()));
}

#[test]
fn a_request_of_another_version_is_in_the_population_too() {
    let events = [
        event(1, 1, "REQUEST_IMPORTED", (1, ANN, "approved"), &json!({})),
        event(1, 2, "SOMETHING_ELSE", (2, BOB, "executed"), &json!({})),
    ];
    let row = row(&events);
    assert_eq!((row["status"].as_str(), row["events"].as_str()), ("executed", "2"));
    assert_eq!((row["content_digest"].as_str(), row["approvals_required"].as_str()), ("", ""));
}

#[test]
fn the_table_has_one_spelling() {
    let mut first = created(1, 1);
    first.request.as_mut().unwrap().requested_by = PersonId::from_email("=cmd|'/c'!a1@example.com").unwrap();
    let population = population(span(0, 60), &[first]);
    let table = String::from_utf8(table(&population).unwrap()).unwrap();
    let expected = [
        r#""request_id","created_at","requested_by","operation_type","instance_id","environment","risk_level","status","approvals_required","approved_by","rejected_by","decided_at","started_by","ended_at","outcome","content_digest","policy_version","first_entry","events""#,
        r#""019abc00-0000-7000-8000-000000000001","2026-01-01T00:00:01.000Z","'=cmd|'/c'!a1@example.com","reboot","db-01","production","high","pending","2","","","","","","","c0","b0","0","1""#,
        "",
    ];
    assert_eq!(table, expected.join("\r\n"));
}

#[test]
fn a_sample_is_chosen_as_for_evidence() {
    let events: Vec<_> = (1..=5).map(|number| created(number, number)).collect();
    let all = population(span(0, 60), &events);
    let rank = |id: &String| Digest::of(format!("countersign.sample.v1\0seed\0{id}")).to_string();
    let mut ranked: Vec<_> = (1..=5).map(id).collect();
    ranked.sort_by_key(rank);
    let chosen = |seed, size| Sample::of(&all, seed, size).request_ids;
    assert_eq!(chosen("seed", 3), ranked[..3]);
    assert_eq!(chosen("seed", u64::MAX), ranked);
    assert_eq!(chosen("seed", 0), [""; 0]);
    assert_ne!(chosen("another", 5), ranked);
}

/// A population of three requests with its table and manifest, and the keys that it is believed for.
struct Made {
    population: Population,
    table: Vec<u8>,
    manifest: Manifest,
    keys: KeySet,
}

fn made() -> Made {
    let private = PrivateKey::from_bytes(&[7; 32]);
    let keys = [Purpose::Log, Purpose::Evidence].map(|purpose| private.public(purpose, KeyStatus::Current));
    let population = population(span(0, 60), &[created(1, 1), created(2, 2), created(3, 3)]);
    let table = table(&population).unwrap();
    let checkpoint =
        Checkpoint { origin: "urn:countersign:deployment:0a".to_owned(), size: 3, root: [9; 32] };
    let note = checkpoint.signed(&keys[0], &private.sign(checkpoint.text().as_bytes()));
    let mut manifest = Manifest::of(&population, &table, &checkpoint, &note);
    manifest.sample = Some(Sample::of(&population, "seed", 2));
    let signature = private.sign(&manifest.signed_bytes());
    assert!(manifest.clone().with_signature(&keys[0], &signature).is_err(), "a key of another purpose");
    let manifest = manifest.with_signature(&keys[1], &signature).unwrap();
    Made { population, table, manifest, keys: KeySet::new(keys.to_vec()) }
}

impl Made {
    fn recount(&self) -> Result<Option<String>, Discrepancy> {
        let signer = recount(&self.manifest, &self.table, &self.population, &self.keys)?;
        Ok(signer.map(|key| key.key_id().to_owned()))
    }

    /// Why it is refused after something in the table has changed.
    #[track_caller]
    fn refused(&self, change: impl Fn(&str) -> String) -> String {
        let table = change(std::str::from_utf8(&self.table).unwrap()).into_bytes();
        recount(&self.manifest, &table, &self.population, &self.keys).unwrap_err().to_string()
    }
}

#[test]
fn a_manifest_is_read_back_in_its_one_form_and_names_its_log() {
    let made = made();
    let text = made.manifest.canonical().as_str().to_owned();
    assert_eq!(Manifest::read(text.as_bytes()), Ok(made.manifest.clone()));
    assert_eq!(made.manifest.span(), Ok(span(0, 60)));
    assert_eq!(made.manifest.open_checkpoint(&made.keys).map(|checkpoint| checkpoint.size), Ok(3));
    for other in [
        format!("{text}\n"),
        text.replace("population.v1", "population.v2"),
        text.replace("\"rows\"", "\"lines\""),
    ] {
        assert!(matches!(Manifest::read(other.as_bytes()), Err(Discrepancy::Form(_))), "{other}");
    }
    let resized = Manifest { tree_size: 2, ..made.manifest.clone() };
    assert_eq!(
        resized.open_checkpoint(&made.keys),
        Err(Discrepancy::TreeSize { manifest: 2, checkpoint: 3 })
    );
    let renamed = Manifest { origin: "urn:countersign:deployment:0b".to_owned(), ..made.manifest.clone() };
    assert_eq!(renamed.open_checkpoint(&made.keys), Err(Discrepancy::Origin));
    assert!(made.manifest.open_checkpoint(&KeySet::default()).is_err());
    let day = Manifest { from: "2026-01-01".to_owned(), ..made.manifest };
    assert!(day.span().is_err());
}

#[test]
fn what_the_log_gives_is_believed_and_the_first_difference_is_named() {
    let made = made();
    assert_eq!(made.recount().map(|signer| signer.is_some()), Ok(true));
    let line = |table: &str, number: usize| format!("{}\r\n", table.lines().nth(number).unwrap());
    let (first, second) = (id(1), id(2));
    let cell = made.refused(|table| table.replacen("\"high\"", "\"low\"", 1));
    assert_eq!(cell, format!(r#"row 1, request {first}: risk_level is "low", and the log gives "high""#));
    let missing = made.refused(|table| table.replace(&line(table, 2), ""));
    assert_eq!(missing, format!("row 2 is missing: request {second} of the log is not in the table"));
    let surplus = made.refused(|table| format!("{table}{}", line(table, 1).replace(&first, "x\u{1b}")));
    assert!(surplus.starts_with(r#"row 4: request "x\u{1b}" is not in the log"#), "{surplus}");
    let doubled = made.refused(|table| format!("{table}{}", line(table, 1)));
    assert!(doubled.contains("row 4: ") && doubled.contains("there twice"), "{doubled}");
    let order = made.refused(|table| table.replace(&line(table, 1), "") + &line(table, 1));
    assert!(order.contains("row 1: ") && order.contains("another place"), "{order}");
    let wide = made.refused(|table| table.replacen("\"1\"\r\n", "\"1\",\"\"\r\n", 1));
    assert_eq!(wide, "row 1 has 20 cells, and there are 19 columns");
    let columns = made.refused(|table| table.replace("\"status\"", "\"state\""));
    assert!(columns.contains("columns of this format"), "{columns}");
    let spelling = made.refused(|table| table.replace('"', ""));
    assert!(spelling.contains("another program"), "{spelling}");
    assert!(made.refused(|_| String::new()).contains("columns"));
    assert!(made.refused(|table| table.replacen("\"1\"\r\n", "\"\r\n", 1)).contains("row"));
}

#[test]
fn a_manifest_that_was_changed_is_refused_member_by_member() {
    let good = made();
    let refused = |change: fn(&mut Manifest)| {
        let mut made = made();
        change(&mut made.manifest);
        made.recount().unwrap_err()
    };
    assert_eq!(refused(|manifest| manifest.sha256 = "0".repeat(64)), Discrepancy::Digest);
    assert_eq!(refused(|manifest| manifest.rows = 2), Discrepancy::Rows { manifest: 2, table: 3 });
    let swap = |manifest: &mut Manifest| manifest.sample.as_mut().unwrap().request_ids.swap(0, 1);
    assert_eq!(refused(swap), Discrepancy::Sample { number: 1 });
    let enlarge = |manifest: &mut Manifest| manifest.sample.as_mut().unwrap().size = 3;
    assert_eq!(refused(enlarge), Discrepancy::Sample { number: 3 });
    // What else the manifest says is signed, and follows from the checkpoint for those that have no signature.
    let changed = refused(|manifest| manifest.sample = None);
    assert!(matches!(changed, Discrepancy::Signature(Some(_))), "{changed}");
    let unsigned = Manifest { dsse: None, ..good.manifest.clone() };
    assert_eq!(unsigned.signer(&good.keys), Ok(None));
    assert!(good.manifest.signer(&KeySet::default()).is_err());
}
