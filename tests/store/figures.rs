//! Figures: each event of the log is counted exactly once, whatever fails, however often the log is folded, and however many
//! programs fold it. What is counted is compared with a recount of the raw events, which knows nothing of the code that
//! counts.

use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::figure_store::FigureStore as _;
use countersign_app::fold::{FoldError, FoldReport, Folder, Rebuilt};
use countersign_app::log_reader::{LogReadError, LogReader};
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::client::Client;
use countersign_e2e::inspection::{deployment_key, scan, tables};
use countersign_e2e::random::Random;
use countersign_e2e::service::Service;
use countersign_e2e::signing::log_key;
use countersign_e2e::transport::Fault;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

const BUDGET: Duration = Duration::from_secs(60);
const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

/// An item of a table.
type Item = HashMap<String, AttributeValue>;

/// Figures by their names.
type Counts = BTreeMap<String, u64>;

/// Raw events, counted the long way.
#[derive(Debug, Default)]
struct Recount {
    events: u64,
    totals: Counts,
    operations: BTreeMap<String, Counts>,
    users: BTreeMap<String, Counts>,
    days: BTreeMap<String, Counts>,
    event_types: Counts,
    durations: Vec<i64>,
    /// The times of approvals and rejections by person, of approvals by group, in milliseconds.
    approvers: BTreeMap<String, Vec<i64>>,
    groups: BTreeMap<String, Vec<i64>>,
    /// Costs in millionths, by operation: as estimated, as reported.
    estimated: BTreeMap<String, Vec<i64>>,
    reported: BTreeMap<String, Vec<i64>>,
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or_default()
}

fn milliseconds(event: &Value) -> i64 {
    countersign_core::timestamp::Timestamp::parse(text(event, "timestamp")).unwrap().as_millisecond()
}

impl Recount {
    fn of(service: &Service) -> Self {
        let items = service.block_on(scan(&service.database, &tables().audit));
        let mut streams = BTreeMap::<String, Vec<Value>>::new();
        for item in items {
            if let Some(event) = item.get("event") {
                let event: Value = serde_json::from_str(event.as_s().unwrap()).unwrap();
                streams.entry(text(&event, "stream").to_owned()).or_default().push(event);
            }
        }
        let mut recount = Self::default();
        for events in streams.values_mut() {
            events.sort_by_key(|event| event["sequence"].as_u64());
            recount.stream(events);
        }
        recount
    }

    fn count(&mut self, figure: &str, event: &Value, person: &str, more: u64) {
        let day = &text(event, "timestamp")[..10];
        for counts in [&mut self.totals, self.days.entry(day.to_owned()).or_default()] {
            *counts.entry(figure.to_owned()).or_default() += more;
        }
        *self.users.entry(person.to_owned()).or_default().entry(figure.to_owned()).or_default() += more;
        if !["refused", "approvals_given", "rejections_given"].contains(&figure) {
            let counts = self.operations.entry(text(event, "operation_type").to_owned()).or_default();
            *counts.entry(figure.to_owned()).or_default() += more;
        }
    }

    /// How long after its creation a request was approved or rejected by one person.
    fn answer(&mut self, created: &Value, event: &Value) {
        let after = milliseconds(event) - milliseconds(created);
        self.approvers.entry(text(event, "user").to_owned()).or_default().push(after);
        for group in event["details"]["groups"].as_array().into_iter().flatten() {
            self.groups.entry(group.as_str().unwrap().to_owned()).or_default().push(after);
        }
    }

    /// What the event says of costs.
    fn costs(&mut self, event: &Value) {
        for (name, costs) in [("estimated_cost", &mut self.estimated), ("actual_cost", &mut self.reported)] {
            if let Some(cost) = event["details"][name].as_str() {
                let millionths = (cost.parse::<f64>().unwrap() * 1e6).round() as i64;
                costs.entry(text(event, "operation_type").to_owned()).or_default().push(millionths);
            }
        }
    }

    fn stream(&mut self, events: &[Value]) {
        let (mut was_decided, mut was_unknown) = (false, false);
        for event in events {
            self.events += 1;
            self.costs(event);
            *self.event_types.entry(text(event, "event_type").to_owned()).or_default() += 1;
            let (requester, user) = (text(event, "requested_by"), text(event, "user"));
            let is_approved = text(event, "status") == "approved";
            match text(event, "event_type") {
                "APPROVAL_REQUEST_CREATED" => {
                    self.count("total", event, requester, 1);
                    if is_approved {
                        self.count("auto_approved", event, requester, 1);
                        was_decided = true;
                    }
                }
                "APPROVAL_GRANTED" => {
                    self.count("approvals_given", event, user, 1);
                    self.answer(&events[0], event);
                    if is_approved && !was_decided {
                        self.count("approved", event, requester, 1);
                        self.durations.push(milliseconds(event) - milliseconds(&events[0]));
                        was_decided = true;
                    }
                }
                "APPROVAL_REJECTED" => {
                    self.count("rejections_given", event, user, 1);
                    self.answer(&events[0], event);
                    self.count("rejected", event, requester, 1);
                    if !was_decided {
                        self.durations.push(milliseconds(event) - milliseconds(&events[0]));
                    }
                }
                "EXECUTION_UNKNOWN" if !was_unknown => {
                    self.count("unknown", event, requester, 1);
                    was_unknown = true;
                }
                "ATTEMPT_REFUSED" => {
                    let counts = event["details"]["counts"].as_object();
                    let attempts = counts.map_or(1, |counts| counts.values().filter_map(Value::as_u64).sum());
                    self.count("refused", event, user, attempts);
                }
                "APPROVAL_CANCELLED" => self.count("cancelled", event, requester, 1),
                "APPROVAL_EXPIRED" => self.count("expired", event, requester, 1),
                "EXECUTION_SUCCEEDED" => self.count("executed", event, requester, 1),
                "EXECUTION_FAILED" => self.count("failed", event, requester, 1),
                _ => {}
            }
        }
    }

    /// The nearest rank.
    fn quantile(&self, percent: usize) -> i64 {
        let mut sorted = self.durations.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * percent).div_ceil(100) - 1]
    }
}

/// What is not zero.
fn counts(figures: &Value) -> Counts {
    let members = figures.as_object().unwrap().iter().filter(|(name, _)| *name != "events");
    let whole = members.filter_map(|(name, value)| Some((name.clone(), value.as_u64()?)));
    whole.filter(|(_, count)| *count > 0).collect()
}

/// What a service answers for all of its days.
fn stats(service: &Service, group_by: &str) -> Value {
    let auditor = service.person("aud", &["auditor"]);
    auditor
        .get(&format!("/v1/audit-logs/stats?from=2026-01-01&to=2026-12-31&group_by={group_by}"))
        .expect(200)
}

/// That the figures of a service are those of a recount. What was read for it is an event, of which the log knows nothing yet.
#[track_caller]
fn check(service: &Service) -> u64 {
    // The reading is recorded by the first of these.
    stats(service, "day");
    service.seal().unwrap();
    let folded = fold(service, &service.database).unwrap();
    assert!(!folded.cut_short);
    let expected = Recount::of(service);
    let by_day = stats(service, "day");
    assert_eq!(by_day["log_size"], expected.events);
    assert_eq!(by_day["totals"]["events"], expected.events);
    assert_eq!(counts(&by_day["totals"]), expected.totals);
    let groups = |answer: &Value| -> BTreeMap<String, Counts> {
        let groups = answer["groups"].as_array().unwrap().iter();
        let named = groups.map(|group| (text(group, "name").to_owned(), counts(&group["figures"])));
        named.filter(|(_, counts)| !counts.is_empty()).collect()
    };
    assert_eq!(groups(&by_day), expected.days);
    assert_eq!(groups(&stats(service, "operation")), expected.operations);
    assert_eq!(groups(&stats(service, "user")), expected.users);
    let types = stats(service, "event_type");
    let types: Counts = types["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (text(group, "name").to_owned(), group["figures"]["events"].as_u64().unwrap()))
        .collect();
    assert_eq!(types, expected.event_types);
    check_answers(service, &by_day, &expected);
    check_costs(service, &by_day, &expected);
    if !expected.durations.is_empty() {
        let durations = &by_day["totals"]["time_to_decision"];
        assert_eq!(durations["count"], expected.durations.len());
        let average = expected.durations.iter().sum::<i64>() / expected.durations.len() as i64;
        assert_eq!(durations["average_milliseconds"], average);
        for (name, percent) in [("median_milliseconds", 50), ("p95_milliseconds", 95)] {
            let (given, exact) = (durations[name].as_i64().unwrap(), expected.quantile(percent));
            assert!((given - exact).abs() * 20 <= exact, "{name}: {given} for {exact}");
        }
    }
    expected.events
}

/// Count and mean of each.
fn means(times: &BTreeMap<String, Vec<i64>>) -> BTreeMap<String, (i64, i64)> {
    let mean = |times: &Vec<i64>| (times.len() as i64, times.iter().sum::<i64>() / times.len() as i64);
    times.iter().map(|(name, times)| (name.clone(), mean(times))).collect()
}

fn answers(figures: &Value) -> Option<(i64, i64)> {
    let answers = figures.get("time_to_answer")?;
    Some((answers["count"].as_i64().unwrap(), answers["average_milliseconds"].as_i64().unwrap()))
}

#[track_caller]
fn check_answers(service: &Service, by_day: &Value, expected: &Recount) {
    let all: Vec<i64> = expected.approvers.values().flatten().copied().collect();
    let all = means(
        &BTreeMap::from([(String::new(), all)]).into_iter().filter(|(_, all)| !all.is_empty()).collect(),
    );
    assert_eq!(answers(&by_day["totals"]), all.get("").copied());
    for (group_by, slowest, expected) in
        [("user", "slowest_approvers", &expected.approvers), ("group", "slowest_groups", &expected.groups)]
    {
        let expected = means(expected);
        let groups = stats(service, group_by);
        let groups = groups["groups"].as_array().unwrap().iter();
        let found: BTreeMap<String, (i64, i64)> = groups
            .filter_map(|group| Some((text(group, "name").to_owned(), answers(&group["figures"])?)))
            .collect();
        assert_eq!(found, expected, "{group_by}");
        let named = by_day[slowest].as_array().unwrap();
        let found: Vec<_> =
            named.iter().map(|one| (text(one, "name").to_owned(), answers(one).unwrap())).collect();
        let mut slowest: Vec<_> = expected.into_iter().collect();
        slowest.sort_by_key(|(_, (_, mean))| std::cmp::Reverse(*mean));
        assert_eq!(found, slowest);
    }
}

#[track_caller]
fn check_costs(service: &Service, by_day: &Value, expected: &Recount) {
    let sums = |costs: &Vec<i64>| (costs.len() as u64, costs.iter().sum::<i64>() as f64 / 1e6);
    let found = |figures: &Value, name: &str| {
        let costs = figures.get(name)?;
        Some((costs["count"].as_u64().unwrap(), costs["sum"].as_f64().unwrap()))
    };
    let by_operation = stats(service, "operation");
    for (name, expected) in [("estimated_cost", &expected.estimated), ("actual_cost", &expected.reported)] {
        let all: Vec<i64> = expected.values().flatten().copied().collect();
        assert_eq!(
            found(&by_day["totals"], name),
            Some(sums(&all)).filter(|(count, _)| *count > 0),
            "{name}"
        );
        for group in by_operation["groups"].as_array().unwrap() {
            let expected = expected.get(text(group, "name")).map(sums);
            assert_eq!(found(&group["figures"], name), expected, "{name}");
        }
    }
}

async fn fold_with(service: &Service, client: &aws_sdk_dynamodb::Client) -> Result<FoldReport, FoldError> {
    let store = DynamoStore::new(client.clone(), tables());
    let (keys, key, host) = (log_key(), deployment_key(), service.host.clone());
    let storage = service.log();
    let log = LogReader { storage: &storage, keys: &keys, key: &key };
    let folder = Folder { store: &store, log, host: &host };
    folder.fold(BUDGET).await
}

fn fold(service: &Service, client: &aws_sdk_dynamodb::Client) -> Result<FoldReport, FoldError> {
    service.block_on(fold_with(service, client))
}

fn rebuilt(service: &Service, replace: bool) -> Rebuilt {
    let store = DynamoStore::new(service.database.clone(), tables());
    let (keys, key, host) = (log_key(), deployment_key(), service.host.clone());
    let storage = service.log();
    let log = LogReader { storage: &storage, keys: &keys, key: &key };
    let folder = Folder { store: &store, log, host: &host };
    service.block_on(async {
        if replace {
            assert!(folder.reset().await.unwrap());
            assert!(!folder.fold(BUDGET).await.unwrap().cut_short);
        }
        folder.compare().await.unwrap()
    })
}

/// Starts an execution, if that can be, and mostly reports it; sometimes with what it cost.
fn execute(client: &Client, path: &str, random: &mut Random) {
    let path = format!("{path}/execution");
    let started = client.post(&path, &json!({}));
    if started.status != 200 || random.below(4) == 0 {
        return;
    }
    let mut report = json!({ "execution_id": started.body["execution_id"], "outcome": "succeeded" });
    if random.below(3) > 0 {
        report["actual_cost"] = json!(random.below(1_000_000) as f64 / 100.0);
    }
    client.put(&path, &report).expect(200);
}

/// What becomes of some requests, each at another pace.
fn traffic(service: &Service, random: &mut Random, requests: usize) {
    let (bob, carol) = (service.approver("bob"), service.approver("carol"));
    for _ in 0..requests {
        let ann = service.requester(["ann", "dora"][random.below(2)]);
        let mut body = [Service::low(), Service::medium(), Service::high()][random.below(3)].clone();
        if random.below(2) == 0 {
            body["estimated_cost"] = json!(random.below(1_000_000_000) as f64 / 1e6);
        }
        let path = Service::create(&ann, &body);
        service.host.advance_milliseconds(random.below(5_000_000) as i64);
        // Refused where it does not fit, which is counted too.
        for _ in 0..random.below(5) {
            let client = [&ann, &bob, &carol][random.below(3)];
            match random.below(7) {
                0 => drop(client.post(&format!("{path}/reject"), &json!({ "reason": "no" }))),
                1 => drop(client.post(&format!("{path}/withdraw"), &json!({}))),
                2 => drop(client.post(&format!("{path}/cancel"), &json!({}))),
                3 => execute(client, &path, random),
                _ => drop(Service::approve(client, &path)),
            }
            service.host.advance_milliseconds(random.below(100_000) as i64);
        }
        if random.below(5) == 0 {
            // Approved twice, and one request.
            let path = Service::create(&ann, &Service::medium());
            Service::approve(&bob, &path).expect(200);
            bob.post(&format!("{path}/withdraw"), &json!({})).expect(200);
            service.host.advance_milliseconds(30_000);
            Service::approve(&carol, &path).expect(200);
        }
        if random.below(6) == 0 {
            service.host.advance_milliseconds(DAY_MILLISECONDS);
            service.expire();
            service.record_counts();
        }
    }
}

#[test]
fn figures_are_those_of_a_recount_however_often_the_log_is_folded() {
    let service = Service::start();
    assert_eq!(fold(&service, &service.database), Ok(FoldReport::default()), "no log, no figures");
    let mut random = Random(1);
    for _ in 0..4 {
        traffic(&service, &mut random, 25);
        service.seal().unwrap();
        for expected in [false, true, true] {
            assert_eq!(fold(&service, &service.database).unwrap().folded == 0, expected);
        }
        check(&service);
    }
    assert!(check(&service) > 256, "more than one bundle");
    let found = rebuilt(&service, false);
    assert!(found.is_equal() && found.stored == found.log, "{found:?}");
}

#[test]
fn nothing_is_counted_twice_or_lost_where_calls_fail() {
    let service = Service::start();
    let client = countersign_embedded::client(service.transport.clone());
    let mut failures = 0;
    for seed in 0..12 {
        let mut random = Random(seed);
        traffic(&service, &mut random, 12);
        service.seal().unwrap();
        for pass in 0..6 {
            let mut chance = Random(seed * 100 + pass);
            service.transport.set_plan(move |_| {
                (chance.below(3) == 0).then(|| Fault::ALL[chance.below(Fault::ALL.len())])
            });
            let folded = fold(&service, &client);
            failures += usize::from(folded.is_err() || folded.is_ok_and(|report| report.cut_short));
            service.transport.heal();
        }
        check(&service);
    }
    assert!(failures > 20, "{failures}");
    assert!(rebuilt(&service, false).is_equal());
}

/// A program that stops at any step leaves what the next one goes on with.
#[test]
fn a_program_that_folds_may_stop_at_any_step() {
    let service = Service::start();
    let client = countersign_embedded::client(service.transport.clone());
    let mut random = Random(11);
    for fault in [Fault::Refused, Fault::TimeoutAfter, Fault::Conflict] {
        for step in 0.. {
            traffic(&service, &mut random, 2);
            service.seal().unwrap();
            let mut calls = 0;
            service.transport.set_plan(move |_| {
                calls += 1;
                (calls > step).then_some(fault)
            });
            let folded = fold(&service, &client);
            service.transport.heal();
            if folded.as_ref().is_ok_and(|report| !report.cut_short) {
                break;
            }
            assert!(step < 20, "{fault:?}: {folded:?}");
            check(&service);
        }
    }
}

#[test]
fn programs_that_fold_at_once_count_each_event_once() {
    let service = Service::start();
    let mut random = Random(3);
    for _ in 0..6 {
        traffic(&service, &mut random, 40);
        service.seal().unwrap();
        service.block_on(async {
            let one = || async {
                for _ in 0..5 {
                    fold_with(&service, &service.database).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            tokio::join!(one(), one(), one());
        });
        check(&service);
    }
}

/// Shows that the comparison finds figures that are not those of the log, and that they are put right.
#[test]
fn figures_that_were_edited_are_found_and_replaced() {
    let service = Service::start();
    traffic(&service, &mut Random(5), 30);
    service.seal().unwrap();
    check(&service);
    let items = service.block_on(scan(&service.database, &tables().outbox));
    let day = items.into_iter().find(|item| {
        item["shard"].as_s().is_ok_and(|shard| shard == "figures") && item.contains_key("document")
    });
    let mut day = day.unwrap();
    let document = day["document"].as_s().unwrap().replacen("\"total\":", "\"total\":1", 1);
    day.insert("document".to_owned(), AttributeValue::S(document));
    let put = service.database.put_item().table_name(tables().outbox).set_item(Some(day));
    service.block_on(put.send()).unwrap();
    let found = rebuilt(&service, false);
    assert_eq!(found.differing_days.len(), 1, "{found:?}");
    let found = rebuilt(&service, true);
    assert!(found.is_equal() && found.stored == found.log, "{found:?}");
    check(&service);
    let store = DynamoStore::new(service.database.clone(), tables());
    assert_eq!(service.block_on(store.fold_cursor()).unwrap().unwrap().generation, 1);
    let left = service.block_on(scan(&service.database, &tables().outbox));
    let of_before = |item: &Item| item["event_id"].as_s().is_ok_and(|key| key.starts_with("0000000000/"));
    assert_eq!(
        left.iter().filter(|item| of_before(item)).count(),
        0,
        "nothing is left of the figures before"
    );
}

/// Takes from stored figures what the first revision did not have.
fn downgrade(service: &Service) {
    let of_figures = |item: &Item| item["shard"].as_s().is_ok_and(|shard| shard == "figures");
    for mut item in service.block_on(scan(&service.database, &tables().outbox)) {
        if !of_figures(&item) {
            continue;
        }
        item.remove("revision");
        if let Some(document) = item.get("document") {
            let mut figures: Value = serde_json::from_str(document.as_s().unwrap()).unwrap();
            let figures = figures.as_object_mut().unwrap();
            figures.retain(|name, _| !["costs", "approvers", "groups"].contains(&name.as_str()));
            for (_, operation) in figures["operations"].as_object_mut().unwrap() {
                operation.as_object_mut().unwrap().remove("costs");
            }
            item.insert("document".to_owned(), AttributeValue::S(serde_json::to_string(figures).unwrap()));
        }
        let put = service.database.put_item().table_name(tables().outbox).set_item(Some(item));
        service.block_on(put.send()).unwrap();
    }
}

/// Figures of an earlier version lack what is counted now. They are read, and counted anew by the next pass.
#[test]
fn figures_of_an_earlier_revision_are_counted_anew() {
    let service = Service::start();
    traffic(&service, &mut Random(9), 30);
    service.seal().unwrap();
    let expected = check(&service);
    downgrade(&service);
    let before = stats(&service, "day");
    assert!(before["totals"]["total"].as_u64() > Some(20));
    assert_eq!(before["totals"].get("time_to_answer"), None);
    assert_eq!(before["slowest_approvers"], json!([]));
    assert!(!rebuilt(&service, false).is_equal());
    service.seal().unwrap();
    let folded = fold(&service, &service.database).unwrap();
    assert!(folded.folded >= expected && folded.folded == folded.size, "{folded:?}");
    assert!(rebuilt(&service, false).is_equal());
    check(&service);
    let cursor = || {
        let store = DynamoStore::new(service.database.clone(), tables());
        service.block_on(store.fold_cursor()).unwrap().unwrap()
    };
    assert_eq!((cursor().generation, cursor().revision), (1, 3));
    // Several programs of the newer version begin anew once.
    downgrade(&service);
    service.block_on(async {
        let one = || async {
            for _ in 0..5 {
                fold_with(&service, &service.database).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(one(), one(), one());
    });
    check(&service);
    assert_eq!((cursor().generation, cursor().revision), (2, 3));
    let left = service.block_on(scan(&service.database, &tables().outbox));
    let of_before = |item: &&Item| {
        let key = item["event_id"].as_s().unwrap();
        key.starts_with("0000000000/") || key.starts_with("0000000001/")
    };
    assert_eq!(left.iter().filter(of_before).count(), 0, "nothing is left of the figures before");
}

#[test]
fn a_log_that_was_changed_or_cut_is_not_counted() {
    let service = Service::start();
    traffic(&service, &mut Random(7), 10);
    service.seal().unwrap();
    let size = fold(&service, &service.database).unwrap().size;
    traffic(&service, &mut Random(8), 10);
    service.seal().unwrap();
    let folder = service.log_path().join("tile/entries/000.p");
    let bundle = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u16>().unwrap());
    let bundle = bundle.unwrap();
    let whole = std::fs::read(&bundle).unwrap();
    let mut edited = whole.clone();
    // What is left is an event all the same, of another person.
    let word = b"@example.com";
    let place = edited.windows(word.len()).rposition(|window| window == word).unwrap();
    edited[place + 1] = b'x';
    std::fs::write(&bundle, &edited).unwrap();
    assert!(matches!(fold(&service, &service.database), Err(FoldError::Log(LogReadError::Changed(_)))));
    std::fs::write(&bundle, &whole).unwrap();
    assert!(fold(&service, &service.database).unwrap().size > size);
    std::fs::remove_file(service.log_path().join("checkpoint")).unwrap();
    assert!(matches!(fold(&service, &service.database), Err(FoldError::LogBehind { log: 0, .. })));
}
