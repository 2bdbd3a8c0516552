//! Walks over long lists: everything exactly once, full pages, and an end that says it is one.

use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// Pending requests of five people, `each` of each, a second apart where `seconds` says so.
fn many(service: &Service, each: usize, seconds: i64) -> Vec<String> {
    let requesters: Vec<_> =
        ["ann", "ben", "cat", "dora", "emil"].iter().map(|name| service.requester(name)).collect();
    let mut paths = Vec::new();
    for _ in 0..each {
        for requester in &requesters {
            paths.push(Service::create(requester, &Service::medium()));
            service.host.advance_milliseconds(seconds * 1000);
        }
    }
    paths
}

fn ids(paths: &[String]) -> BTreeSet<String> {
    paths.iter().map(|path| Service::id(path).to_owned()).collect()
}

fn id(item: &Value) -> String {
    item["request_id"].as_str().unwrap().to_owned()
}

/// Walks with several limits; each walk sees exactly what is expected, on as few pages as can be.
#[track_caller]
fn check(client: &Client, list: &str, expected: &BTreeSet<String>) {
    for limit in [1, 7, 40, 50, 99, 100] {
        let pages = client.pages(list, limit);
        // Full pages and a last one that says so: no empty page at the end.
        assert_eq!(pages.len(), expected.len().div_ceil(limit).max(1), "{list} by {limit}");
        let seen: BTreeSet<_> = pages.iter().flatten().map(id).collect();
        assert_eq!(&seen, expected, "{list} by {limit}");
    }
}

#[test]
fn every_walk_sees_every_request_exactly_once() {
    for seconds in [0, 1] {
        let service = Service::start();
        let all = many(&service, 40, seconds);
        let bob = service.approver("bob");
        check(&bob, "/v1/approvals", &ids(&all));
        check(&bob, "/v1/approvals?instance_id=dev-db-01", &ids(&all));
        check(&bob, "/v1/approvals?status=pending&instance_id=dev-db-01", &ids(&all));
        check(&bob, "/v1/approvals?status=approved", &BTreeSet::new());
        let of_ann: Vec<_> = all.iter().step_by(5).cloned().collect();
        check(&bob, "/v1/approvals?requested_by=ann@example.com", &ids(&of_ann));
        check(&bob, "/v1/approvals?status=pending&requested_by=ann@example.com", &ids(&of_ann));
        check(&service.requester("ann"), "/v1/approvals", &ids(&of_ann));
    }
}

#[test]
fn a_walk_keeps_its_order_over_its_pages() {
    let service = Service::start();
    many(&service, 10, 1);
    let bob = service.approver("bob");
    for (list, member, ascending) in [
        ("/v1/approvals", "expires_at", true),
        ("/v1/approvals?instance_id=dev-db-01", "requested_at", false),
        ("/v1/approvals?requested_by=ann@example.com", "requested_at", false),
    ] {
        let times: Vec<_> =
            bob.pages(list, 3).into_iter().flatten().map(|item| item[member].to_string()).collect();
        let mut sorted = times.clone();
        sorted.sort();
        if !ascending {
            sorted.reverse();
        }
        assert_eq!(times, sorted, "{list}");
    }
}

#[test]
fn a_filter_that_matches_little_still_fills_its_pages() {
    let service = Service::start();
    let all = many(&service, 40, 1);
    let bob = service.approver("bob");
    let mut rare = Vec::new();
    for path in all.iter().step_by(20) {
        Service::approve(&bob, path).expect(200);
        rare.push(path.clone());
    }
    check(&bob, "/v1/approvals?status=approved&instance_id=dev-db-01", &ids(&rare));
    check(&bob, "/v1/approvals?status=approved&requested_by=ann@example.com", &ids(&rare));
}

#[test]
fn a_cursor_belongs_to_one_list() {
    let service = Service::start();
    many(&service, 3, 1);
    let (ann, ben, bob) = (service.requester("ann"), service.requester("ben"), service.approver("bob"));
    let lists = [
        "/v1/approvals?status=pending",
        "/v1/approvals?status=expired",
        "/v1/approvals?status=pending&requested_by=ann@example.com",
        "/v1/approvals?requested_by=ann@example.com",
        "/v1/approvals?requested_by=ben@example.com",
        "/v1/approvals?instance_id=dev-db-01",
        "/v1/approvals?instance_id=dev-db-01&status=pending",
        "/v1/approvals?instance_id=dev-db-01&from=2025-12-01",
        "/v1/approvals?instance_id=dev-db-01&to=2026-12-01",
        "/v1/approvals?instance_id=dev-db-02",
    ];
    for from in lists {
        let (_, Some(cursor)) = bob.page(from, 1, None) else { continue };
        for to in lists {
            let answer = bob.get(&format!("{to}&cursor={cursor}"));
            if from == to {
                answer.expect(200);
            } else {
                answer.expect_problem(400, "malformed_cursor");
            }
        }
        // The same list, and another caller.
        ben.get(&format!("{from}&cursor={cursor}")).expect_problem(400, "malformed_cursor");
    }
    let (_, cursor) = ann.page("/v1/approvals", 1, None);
    let list = format!("/v1/approvals?cursor={}", cursor.unwrap());
    ben.get(&list).expect_problem(400, "malformed_cursor");
    bob.get(&list).expect_problem(400, "malformed_cursor");
    ann.get(&list).expect(200);
}

#[test]
fn the_limit_may_change_on_the_way() {
    let service = Service::start();
    let all = many(&service, 10, 1);
    let bob = service.approver("bob");
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    for limit in [1, 20, 2, 100] {
        let (items, next) = bob.page("/v1/approvals", limit, cursor.as_deref());
        seen.extend(items.iter().map(id));
        cursor = next;
    }
    assert_eq!((seen, cursor), (ids(&all), None));
}

#[test]
fn what_is_decided_on_the_way_hides_nothing_else() {
    let service = Service::start();
    let all = many(&service, 12, 1);
    let bob = service.approver("bob");
    let (mut seen, mut decided) = (BTreeSet::new(), BTreeSet::new());
    let mut cursor = None;
    loop {
        let (items, next) = bob.page("/v1/approvals", 7, cursor.as_deref());
        for item in &items {
            assert!(seen.insert(id(item)), "{item} comes twice");
        }
        // The very request at which the next page begins, and one that is still to come.
        for path in
            items.last().map(id).into_iter().chain(all.last().map(|path| Service::id(path).to_owned()))
        {
            if Service::approve(&bob, &format!("/v1/approvals/{path}")).status == 200 {
                decided.insert(path);
            }
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    let expected = ids(&all);
    assert!(expected.difference(&decided).all(|id| seen.contains(id)));
    assert!(seen.is_subset(&expected));
}

#[test]
fn what_expires_on_the_way_hides_nothing_else() {
    for sweep in [false, true] {
        let service = Service::start();
        let all = many(&service, 12, 60);
        let bob = service.approver("bob");
        // Ten minutes before the first deadline; ten deadlines pass with each page.
        service.host.advance_milliseconds(71 * HOUR - 10 * 60_000);
        let (mut seen, mut cursor) = (BTreeSet::new(), None);
        loop {
            let (items, next) = bob.page("/v1/approvals", 4, cursor.as_deref());
            for item in &items {
                assert_eq!(item["status"], "pending");
                assert!(seen.insert(id(item)), "{item} comes twice");
            }
            service.host.advance_milliseconds(7 * 60_000);
            if sweep {
                service.expire();
            }
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let still_pending: BTreeSet<_> = bob.ids("/v1/approvals").into_iter().collect();
        assert!(still_pending.is_subset(&seen), "swept: {sweep}");
        assert!(seen.is_subset(&ids(&all)));
    }
}

#[test]
fn what_is_made_on_the_way_hides_nothing_else() {
    let service = Service::start();
    let all = many(&service, 8, 1);
    let (bob, fay) = (service.approver("bob"), service.requester("fay"));
    for list in ["/v1/approvals", "/v1/approvals?instance_id=dev-db-01"] {
        let (mut seen, mut cursor) = (BTreeSet::new(), None);
        loop {
            let (items, next) = bob.page(list, 9, cursor.as_deref());
            for item in &items {
                assert!(seen.insert(id(item)), "{item} comes twice");
            }
            cursor = next.filter(|_| seen.len() < 80);
            if cursor.is_none() {
                break;
            }
            let mut urgent = Service::medium();
            urgent["operation_type"] = json!("git_commit");
            Service::create(&fay, &urgent);
            Service::create(&fay, &Service::medium());
        }
        assert!(ids(&all).is_subset(&seen), "{list}");
    }
}

/// A year of rejections, three every ten days, with the time of each.
fn a_year_of_rejections(service: &Service) -> Vec<(String, i64)> {
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let mut rejections = Vec::new();
    for number in 0..36 {
        for _ in 0..3 {
            let path = Service::create(&ann, &Service::medium());
            bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
            rejections.push((Service::id(&path).to_owned(), number * 10));
        }
        service.host.advance_milliseconds(10 * DAY);
    }
    rejections
}

#[test]
fn a_closed_status_is_walked_over_months_within_its_range() {
    let service = Service::start();
    // The clock begins on 1 January 2026; now it is 360 days later, 27 December.
    let rejections = a_year_of_rejections(&service);
    let bob = service.approver("bob");
    let between = |from: i64, to: i64| -> BTreeSet<String> {
        let inside = rejections.iter().filter(|(_, day)| (from..=to).contains(day));
        inside.map(|(id, _)| id.clone()).collect()
    };
    for filter in ["", "&requested_by=ann@example.com", "&instance_id=dev-db-01"] {
        let list = |range: &str| format!("/v1/approvals?status=rejected{range}{filter}");
        check(&bob, &list("&from=2025-12-27"), &between(0, 360));
        check(&bob, &list("&from=2025-12-31&to=2027-01-01"), &between(0, 360));
        check(&bob, &list(""), &between(270, 360));
        check(&bob, &list("&to=2026-07-01"), &between(91, 181));
        check(&bob, &list("&from=2026-01-31&to=2026-03-02"), &between(30, 60));
        check(&bob, &list("&from=2026-02-28&to=2026-03-01"), &BTreeSet::new());
        check(&bob, &list("&from=2026-01-31&to=2026-01-31"), &between(30, 30));
        for range in ["&from=2025-12-25", "&from=2025-12-25&to=2026-12-27", "&from=2020-01-01&to=2026-01-01"]
        {
            bob.get(&list(range)).expect_problem(422, "validation_failed");
        }
    }
    let newest_first: Vec<_> = bob.ids("/v1/approvals?status=rejected&from=2026-01-01");
    let mut days: Vec<_> = newest_first
        .iter()
        .map(|id| rejections.iter().find(|(rejected, _)| rejected == id).unwrap().1)
        .collect();
    days.reverse();
    assert!(days.is_sorted());
}

#[test]
fn expired_requests_are_walked_over_months_whether_or_not_they_were_swept() {
    let service = Service::start();
    let ann = service.requester("ann");
    let mut all = Vec::new();
    for number in 0..20 {
        for _ in 0..3 {
            all.push(Service::create(&ann, &Service::medium()));
        }
        service.host.advance_milliseconds(10 * DAY);
        if number % 2 == 0 {
            service.expire();
        }
    }
    let bob = service.approver("bob");
    for _ in 0..2 {
        for filter in ["", "&requested_by=ann@example.com", "&instance_id=dev-db-01"] {
            check(&bob, &format!("/v1/approvals?status=expired&from=2026-01-01{filter}"), &ids(&all));
        }
        service.expire();
    }
}

/// The deadline of an expired request is its place, whether or not the sweep has written it down.
#[test]
fn a_walk_over_expired_requests_sees_each_once_when_the_sweep_runs_between_two_pages() {
    for (seconds, statuses) in
        [(60, "expired"), (0, "expired"), (60, "rejected,expired"), (60, "pending,approved,expired")]
    {
        for sweep_after in 0..5 {
            let service = Service::start();
            let all = many(&service, 6, seconds);
            service.host.advance_milliseconds(80 * HOUR);
            let bob = service.approver("bob");
            let (mut seen, mut cursor) = (BTreeSet::new(), None);
            for page in 0.. {
                if page == sweep_after {
                    assert_eq!(service.expire().expired, 30);
                }
                let list = format!("/v1/approvals?status={statuses}");
                let (items, next) = bob.page(&list, 7, cursor.as_deref());
                for item in &items {
                    assert_eq!(
                        (&item["status"], &item["closed_at"]),
                        (&json!("expired"), &item["expires_at"])
                    );
                    assert!(
                        seen.insert(id(item)),
                        "{statuses}, swept after {sweep_after}: {item} comes twice"
                    );
                }
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, ids(&all), "{statuses}, swept after {sweep_after}");
        }
    }
}

/// Whatever it becomes on the way, what is in one of the statuses throughout is seen.
#[test]
fn a_walk_over_several_statuses_misses_nothing_that_goes_from_one_to_another() {
    let service = Service::start();
    let all = many(&service, 6, 60);
    let bob = service.approver("bob");
    let list = "/v1/approvals?status=pending,approved,rejected,expired";
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    for page in 0_usize.. {
        let (items, next) = bob.page(list, 4, cursor.as_deref());
        seen.extend(items.iter().map(id));
        if let Some(path) = all.iter().rev().nth(page * 2) {
            bob.post(&format!("{path}/reject"), &json!({ "reason": "no" }));
        }
        if let Some(path) = all.get(page * 3) {
            Service::approve(&bob, path);
        }
        if page == 2 {
            service.host.advance_milliseconds(71 * HOUR + 45 * 60_000);
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids(&all));
}

/// The last 90 days are those before the first page, however long the walk takes.
#[test]
fn a_walk_keeps_the_range_that_it_began_with() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    service.host.advance_milliseconds(30 * 24 * 60 * 60 * 1000 + 23 * 60 * 60 * 1000);
    for _ in 0..3 {
        let path = Service::create(&ann, &Service::medium());
        bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    }
    // 31 January 23:00 is just inside the last 90 days of 1 May, and a day later it is not.
    service.host.advance_milliseconds(90 * 24 * 60 * 60 * 1000 - 60_000);
    let (_, cursor) = bob.page("/v1/approvals?status=rejected", 1, None);
    service.host.advance_milliseconds(24 * 60 * 60 * 1000);
    let (second, cursor) = bob.page("/v1/approvals?status=rejected", 1, cursor.as_deref());
    let (third, cursor) = bob.page("/v1/approvals?status=rejected", 1, cursor.as_deref());
    assert_eq!((second.len(), third.len(), cursor), (1, 1, None));
    let (from_now, _) = bob.page("/v1/approvals?status=rejected", 1, None);
    assert!(from_now.is_empty(), "a new walk has a new range");
}
