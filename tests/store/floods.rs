//! Floods: what one person has much of costs no other person anything, and walks over much miss nothing.

use aws_sdk_dynamodb::Client;
use countersign_app::ports::{CountOpen as _, ListQuery, ListRequests as _, Page};
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_e2e::inspection::tables;
use countersign_e2e::lagging::LaggingTransport;
use countersign_e2e::random::Random;
use countersign_e2e::rows::{self, Rows};
use countersign_e2e::service::Service;
use countersign_e2e::transport::FaultyTransport;
use countersign_embedded::Embedded;
use serde_json::json;
use std::collections::BTreeSet;
use strum::IntoEnumIterator;
use tokio::runtime::Runtime;

const HOUR: i64 = 60 * 60 * 1000;

fn now() -> Timestamp {
    Timestamp::parse("2026-06-15T12:00:00Z").unwrap()
}

fn after(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(now().as_millisecond() + milliseconds)
}

fn person(name: &str) -> PersonId {
    PersonId::from_email(&format!("{name}@example.com")).unwrap()
}

fn query(statuses: &[Status], requesters: &[&str]) -> ListQuery {
    ListQuery {
        statuses: statuses.to_vec(),
        requested_by: requesters.iter().map(|name| person(name)).collect(),
        ..ListQuery::unfiltered(50, countersign_app::list::MAX_QUERIES, now())
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn ids(page: &Page) -> Vec<String> {
    page.items.iter().map(|item| item.id.to_string()).collect()
}

/// A store on an engine whose calls are counted.
fn counted(runtime: &Runtime) -> (FaultyTransport, Client, DynamoStore) {
    let transport = FaultyTransport::new(Embedded::in_memory().unwrap());
    let client = countersign_embedded::client(transport.clone());
    runtime.block_on(create_missing(&client, &tables())).unwrap();
    (transport, client.clone(), DynamoStore::new(client, tables()))
}

/// What one reading costs: calls, and items read.
fn cost<T>(transport: &FaultyTransport, read: impl FnOnce() -> T) -> (usize, u64) {
    transport.take_calls();
    transport.take_items_read();
    read();
    (transport.take_calls().len(), transport.take_items_read())
}

/// THREATS 59: with ten thousand approved requests of one developer, lists and creations of another make
/// the same calls and read the same items as before.
#[test]
fn ten_thousand_approved_requests_of_one_person_cost_another_nothing() {
    let (rows, runtime) = (Rows::default(), runtime());
    let (transport, client, store) = counted(&runtime);
    let put = |row| runtime.block_on(rows::put(&client, row));
    for (number, status) in Status::iter().cycle().take(24).enumerate() {
        let at = after(if status.is_open() { HOUR } else { -HOUR } + number as i64);
        put(rows.row(number as u64, "ben@example.com", status, at));
    }
    let others = || {
        let list =
            |query: ListQuery| cost(&transport, || runtime.block_on(store.list(&query, |_| true)).unwrap());
        let count = |status| {
            cost(&transport, || {
                runtime.block_on(store.count_open(&person("ben"), status, now(), 1000)).unwrap()
            })
        };
        let mut costs = vec![count(Status::Pending), count(Status::Approved)];
        costs.push(list(query(&[], &["ben"])));
        costs.push(list(query(&[Status::Pending], &[])));
        for status in Status::iter() {
            costs.push(list(query(&[status], &["ben"])));
        }
        costs.push(list(query(&Status::iter().collect::<Vec<_>>(), &["ben"])));
        costs
    };
    let before = others();
    assert!(before.iter().all(|(calls, items)| *calls <= 6 && *items <= 60), "{before:?}");
    for number in 0..10_000 {
        put(rows.row(number, "ann@example.com", Status::Approved, after(HOUR + number as i64)));
    }
    assert_eq!(others(), before);
    // What she pays herself is a page, and no more than the budget.
    let own = |statuses: &[Status]| {
        let query = query(statuses, &["ann"]);
        cost(&transport, || runtime.block_on(store.list(&query, |_| true)).unwrap())
    };
    assert_eq!(own(&[Status::Approved]), (1, 52));
    assert_eq!(own(&[]), (1, 52));
    assert_eq!(own(&[Status::Rejected]), (25, 5000));
}

/// A list that leaves much out ends each page with its budget, and the walk still comes to its end.
#[test]
fn a_page_ends_with_its_budget_and_the_walk_goes_on() {
    let (rows, runtime) = (Rows::default(), runtime());
    let (_, client, store) = counted(&runtime);
    let mut expected = Vec::new();
    for number in 0..3000 {
        let row = rows.row(number, "ann@example.com", Status::Pending, after(HOUR + number as i64));
        if number % 1000 == 999 {
            expected.push(rows::id(&row));
        }
        runtime.block_on(rows::put(&client, row));
    }
    let wanted: BTreeSet<_> = expected.iter().cloned().collect();
    let mut query = ListQuery { max_queries: 2, ..query(&[Status::Pending], &[]) };
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page =
            runtime.block_on(store.list(&query, |item| wanted.contains(&item.id.to_string()))).unwrap();
        seen.extend(ids(&page));
        pages += 1;
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
    assert!(pages > 5, "{pages}");
}

/// THREATS 42: whatever is written meanwhile, and however far the indexes are behind, a walk over what is
/// pending sees everything that was pending throughout, once.
#[test]
fn a_walk_over_ten_thousand_pending_requests_with_lagging_indexes_misses_none() {
    const COUNT: u64 = 10_000;
    let (rows, runtime) = (Rows::default(), runtime());
    let transport = LaggingTransport::default();
    let client = countersign_embedded::client(transport.clone());
    let store = DynamoStore::new(client.clone(), tables());
    let deadline = |number: u64| after(HOUR + (number / 7) as i64);
    let pending = |number| rows.row(number, "ann@example.com", Status::Pending, deadline(number));
    runtime.block_on(async {
        create_missing(&client, &tables()).await.unwrap();
        for number in 0..COUNT {
            rows::put(&client, pending(number)).await;
        }
    });
    for seed in 0..6 {
        let mut random = Random(seed);
        let (mut changed, mut new) = (BTreeSet::new(), BTreeSet::new());
        let mut query = query(&[Status::Pending], if seed % 2 == 0 { &[] } else { &["ann"] });
        let mut seen = BTreeSet::new();
        loop {
            transport.set_lag(random.below(51));
            for _ in 0..random.below(4) {
                // One leaves, by a decision or by its deadline; one comes, somewhere in the order.
                let number = random.below(COUNT as usize) as u64;
                let status = [Status::Approved, Status::Rejected, Status::Expired][random.below(3)];
                changed.insert(number);
                let row = rows.row(number, "ann@example.com", status, after(-HOUR));
                runtime.block_on(rows::put(&client, row));
                let number = COUNT + random.below(1000) as u64;
                let at = after(HOUR + random.below(2000) as i64);
                let row = rows.row(number, "ann@example.com", Status::Pending, at);
                new.insert(rows::id(&row));
                runtime.block_on(rows::put(&client, row));
            }
            query.limit = [1, 2, 7, 50, 100][random.below(5)];
            let page = runtime.block_on(store.list(&query, |_| true)).unwrap();
            assert!(page.items.len() == query.limit || page.next.is_none());
            for id in ids(&page) {
                // What has come meanwhile may have been moved further on since.
                assert!(seen.insert(id.clone()) || new.contains(&id), "seed {seed}: {id} comes twice");
            }
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        for number in (0..COUNT).filter(|number| !changed.contains(number)) {
            assert!(seen.contains(&rows::id(&pending(number))), "seed {seed}: {number} was missed");
        }
        transport.set_lag(0);
        runtime.block_on(async {
            for number in changed {
                rows::put(&client, pending(number)).await;
            }
        });
    }
}

/// THREATS 44: a flood ends at its limit, and what others ask for is listed and decided.
#[test]
fn a_flood_of_one_person_hides_and_blocks_no_request_of_another() {
    let service = Service::start();
    let (ann, ben, bob) = (service.requester("ann"), service.requester("ben"), service.approver("bob"));
    let first = Service::create(&ben, &Service::medium());
    let mut answers = std::collections::BTreeMap::new();
    for _ in 0..80 {
        *answers.entry(ann.post("/v1/approvals", &Service::medium()).status).or_insert(0) += 1;
    }
    assert_eq!(answers, [(201, 50), (429, 30)].into());
    let second = Service::create(&ben, &Service::medium());
    let listed = bob.ids("/v1/approvals");
    for path in [&first, &second] {
        assert!(listed.contains(&Service::id(path).to_owned()));
        Service::approve(&bob, path).expect(200);
        ben.post(&format!("{path}/execution"), &json!({})).expect(200);
    }
    let own = cost(&service.transport, || ben.ids("/v1/approvals"));
    // One query of requests, and one of the claims of approvers, which are few.
    assert_eq!(own, (2, 0), "his own list reads nothing of hers");
}
