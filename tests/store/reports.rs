//! Reports that are sent regularly: each period once to each place, whatever stops, and on days of other lengths.

use countersign_app::courier::LastAnswer;
use countersign_app::digests::DigestsReport;
use countersign_app::host::Clock as _;
use countersign_app::ports::{DeliveryQuery, NoWebhookClient, ReadDeliveries as _};
use countersign_channels::sender::ConfiguredSender;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::state::{Delivery, DeliveryState};
use countersign_e2e::chat_services::{ChatServices, KnownSecrets, Taken};
use countersign_e2e::service::Service;
use countersign_e2e::transport::Fault;
use countersign_notifications::configuration::Configuration;
use countersign_policy::load;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const HOOK: &str = "hooks.slack.com";
const TEAMS: &str = "prod-1.westeurope.logic.azure.com";
const SLACK: &str = "slack.com";

const PLACES: &str = r#"
[destinations.hook]
kind = "slack_webhook"
url = "env:HOOK"
[destinations.teams]
kind = "teams"
url = "env:TEAMS"
[destinations.dm]
kind = "slack_bot"
token = "env:BOT"
[destinations.lines]
kind = "log"
[groups.heads]
members = ["bob@example.com", "carol@example.com"]
"#;
const DAILY: &str = r#"
[digests.morning]
period = "daily"
at = "08:00"
to = ["group:heads"]
via = ["hook", "teams", "dm", "lines"]
"#;

/// A service with a file, and what it sends to.
struct Stage {
    service: Service,
    services: ChatServices,
    last_answer: LastAnswer,
}

impl Stage {
    fn of(digests: &str) -> Self {
        let mut service = Service::start();
        let services = ChatServices::default();
        let policy = load::bundled().unwrap();
        let text = format!("{PLACES}{digests}");
        let configuration = Configuration::parse(&text, policy.people().groups()).unwrap();
        let call = Arc::new(services.clone());
        let sender =
            ConfiguredSender::new(Arc::new(configuration.clone()), call, Arc::new(KnownSecrets), None);
        service.notify_by(configuration, Arc::new(sender));
        Self { service, services, last_answer: LastAnswer::default() }
    }

    fn pass_to(&self, time: &str) {
        let to = Timestamp::parse(time).unwrap().as_millisecond();
        let left = to - self.service.host.now().as_millisecond();
        assert!(left >= 0, "{time} is over");
        self.service.host.advance_milliseconds(left);
    }

    /// Sweeps, and sends what is due by then.
    fn sweep(&self) -> DigestsReport {
        let report = self.service.report().unwrap();
        self.service.send(&NoWebhookClient, &self.last_answer).unwrap();
        report
    }

    fn sent(&self) -> usize {
        self.sweep().sent
    }

    fn titles(&self) -> Vec<String> {
        let taken = self.services.taken(HOOK).into_iter();
        taken.map(|taken| taken.body["text"].as_str().unwrap().lines().next().unwrap().to_owned()).collect()
    }

    fn deliveries(&self, destination: &str) -> Vec<Delivery> {
        let query = DeliveryQuery {
            destination: DestinationId::parse(destination).unwrap(),
            from: Timestamp::EARLIEST,
            to: Timestamp::LATEST,
            is_newest_first: false,
            after: None,
            limit: 1000,
        };
        let page = self.service.block_on(self.service.deliveries().deliveries(&query)).unwrap();
        page.deliveries.into_iter().map(|stored| stored.delivery).collect()
    }
}

#[test]
fn a_report_comes_once_to_each_place_and_a_new_digest_sends_no_old_period() {
    let stage = Stage::of(DAILY);
    stage.pass_to("2026-01-01T09:00:00Z");
    assert_eq!(stage.sweep(), DigestsReport::default(), "the time of this day was over before");
    stage.pass_to("2026-01-02T07:59:59Z");
    assert_eq!(stage.sent(), 0);
    stage.pass_to("2026-01-02T08:00:00Z");
    assert_eq!(stage.sweep(), DigestsReport { sent: 1, routed: 5, ..DigestsReport::default() });
    for _ in 0..3 {
        stage.service.host.advance_milliseconds(60_000);
        assert_eq!(stage.sweep(), DigestsReport::default());
    }
    assert_eq!(stage.titles(), ["Daily report: 2026-01-01"]);
    assert_eq!(stage.services.taken(TEAMS).len(), 1);
    let people = stage.services.taken(SLACK);
    let mut channels: Vec<_> = people.iter().map(|taken| taken.body["channel"].as_str().unwrap()).collect();
    channels.sort_unstable();
    assert_eq!(channels, ["U00BOB", "U00CAROL"]);
    for destination in ["hook", "teams", "lines", "dm#bob@example.com"] {
        let deliveries = stage.deliveries(destination);
        assert_eq!(deliveries.len(), 1, "{destination}");
        assert_eq!(deliveries[0].state, DeliveryState::Delivered, "{destination}");
        assert_eq!((deliveries[0].request_id, deliveries[0].event_type), (None, None));
    }
    stage.pass_to("2026-01-03T08:00:05Z");
    assert_eq!(stage.sent(), 1);
    assert_eq!(stage.titles().len(), 2);
}

/// What a message says: the figures, a link to the page of them, and nothing that a request was made with.
#[test]
fn a_message_has_the_figures_and_a_link_to_them() {
    let stage = Stage::of(DAILY);
    let service = &stage.service;
    stage.sweep();
    let path = Service::create(&service.requester("ann"), &Service::high());
    service
        .approver("bob")
        .post(&format!("{path}/reject"), &serde_json::json!({ "reason": "no" }))
        .expect(200);
    service.seal().unwrap();
    service.fold().unwrap();
    stage.pass_to("2026-01-02T08:00:00Z");
    stage.sweep();
    for Taken { host, body, .. } in [stage.services.taken(HOOK), stage.services.taken(TEAMS)].concat() {
        let text = body.to_string();
        for part in [
            "Daily report: 2026-01-01",
            "100.0 % of decisions were rejections: 1 of 1",
            "0 requested, 0 approved, 1 rejected",
            "bob@example.com",
            "https://countersign.example.com/insights",
        ] {
            assert!(text.contains(part), "{host} lacks {part}: {text}");
        }
        for hidden in ["target_instance_class", Service::id(&path), "/approvals/"] {
            assert!(!text.contains(hidden), "{host} shows {hidden}: {text}");
        }
    }
}

#[test]
fn after_an_outage_only_the_latest_report_is_sent() {
    let stage = Stage::of(DAILY);
    stage.sweep();
    stage.pass_to("2026-01-02T08:00:00Z");
    assert_eq!(stage.sent(), 1);
    stage.pass_to("2026-01-09T12:00:00Z");
    assert_eq!(stage.sent(), 1);
    assert_eq!(stage.sent(), 0);
    assert_eq!(stage.titles(), ["Daily report: 2026-01-01", "Daily report: 2026-01-08"]);
}

#[test]
fn two_sweeps_at_once_send_one_message() {
    let stage = Stage::of(DAILY);
    stage.sweep();
    stage.pass_to("2026-01-02T08:00:00Z");
    let (one, other) =
        stage.service.block_on(async { tokio::join!(stage.service.reporting(), stage.service.reporting()) });
    assert_eq!(one.unwrap().routed + other.unwrap().routed, 5, "each place has one delivery");
    stage.sweep();
    assert_eq!(stage.titles().len(), 1);
}

/// Stops a sweep at each call of the store in turn.
#[test]
fn a_sweep_that_stops_anywhere_sends_each_report_once() {
    for stop in 0.. {
        let stage = Stage::of(DAILY);
        stage.sweep();
        stage.pass_to("2026-01-02T08:00:00Z");
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        stage
            .service
            .transport
            .set_plan(move |_| (counted.fetch_add(1, Ordering::SeqCst) >= stop).then_some(Fault::Refused));
        let _ = stage.service.report();
        let was_stopped = calls.load(Ordering::SeqCst) > stop;
        stage.service.transport.heal();
        for _ in 0..3 {
            stage.service.host.advance_milliseconds(60_000);
            stage.sweep();
        }
        assert_eq!(stage.titles(), ["Daily report: 2026-01-01"], "stopped at call {stop}");
        assert_eq!(stage.services.taken(SLACK).len(), 2, "stopped at call {stop}");
        if !was_stopped {
            assert!(stop > 8, "the plan stopped nothing");
            return;
        }
    }
}

/// 02:30 is left out on one of these days, and comes twice on the other.
#[test]
fn over_both_changes_of_summer_time_each_day_has_one_report() {
    let digest = |at: &str| {
        format!(
            "[digests.night]\nperiod = \"daily\"\nat = \"{at}\"\nzone = \"Europe/Vienna\"\nvia = [\"hook\"]\n"
        )
    };
    for at in ["02:30", "00:30", "24:00"] {
        for (from, days) in [("2026-03-27T12:00:00Z", 4), ("2026-10-23T12:00:00Z", 4)] {
            let stage = Stage::of(&digest(at));
            stage.pass_to(from);
            stage.sweep();
            for _ in 0..days * 48 {
                stage.service.host.advance_milliseconds(30 * 60_000);
                stage.sweep();
            }
            let titles = stage.titles();
            let first = Timestamp::parse(from).unwrap();
            let expected: Vec<_> = (0..days)
                .map(|day| format!("Daily report: {}", first.plus_seconds(day * 24 * 60 * 60).day()))
                .collect();
            assert_eq!(titles, expected, "at {at} from {from}");
        }
    }
}

/// East of Greenwich a day of UTC ends later than the day of the clock on the wall.
#[test]
fn a_report_waits_for_the_end_of_its_period() {
    let stage = Stage::of(&DAILY.replace("at =", "zone = \"Asia/Tokyo\"\nat ="));
    stage.sweep();
    stage.pass_to("2026-01-01T23:00:00Z");
    assert_eq!(stage.sweep(), DigestsReport { waiting: 1, ..DigestsReport::default() });
    stage.pass_to("2026-01-02T00:09:59Z");
    assert_eq!(stage.sweep().waiting, 1);
    stage.pass_to("2026-01-02T00:10:00Z");
    assert_eq!(stage.sent(), 1);
    assert_eq!(stage.titles(), ["Daily report: 2026-01-01"]);
}

#[test]
fn a_report_waits_for_figures_and_after_six_hours_says_how_far_they_go() {
    let with_uncounted = || {
        let stage = Stage::of(DAILY);
        stage.sweep();
        Service::create(&stage.service.requester("ann"), &Service::medium());
        stage.service.seal().unwrap();
        stage.pass_to("2026-01-02T08:00:00Z");
        assert_eq!(stage.sweep(), DigestsReport { waiting: 1, ..DigestsReport::default() });
        stage
    };
    let stage = with_uncounted();
    stage.service.fold().unwrap();
    assert_eq!(stage.sent(), 1);
    assert!(stage.services.taken(HOOK)[0].body.to_string().contains("Figures of all 1 events"));
    let stage = with_uncounted();
    stage.pass_to("2026-01-02T14:00:00Z");
    assert_eq!(stage.sent(), 1);
    let text = stage.services.taken(HOOK)[0].body.to_string();
    assert!(text.contains("Figures of the first 0 events of the audit log, 1 are not counted yet"), "{text}");
    // What is counted of later days shows that the day is counted: a service that is always busy waits for nothing.
    let stage = with_uncounted();
    Service::create(&stage.service.requester("ann"), &Service::medium());
    stage.service.seal().unwrap();
    stage.service.fold().unwrap();
    Service::create(&stage.service.requester("ann"), &Service::medium());
    stage.service.seal().unwrap();
    assert_eq!(stage.sent(), 1);
}

/// The log of deliveries is shorter than a month and a day.
#[test]
fn a_monthly_report_is_not_sent_again_when_its_delivery_is_forgotten() {
    let digest = "[digests.month]\nperiod = \"monthly\"\nat = \"08:00\"\nvia = [\"hook\"]\n";
    let stage = Stage::of(digest);
    stage.pass_to("2026-02-28T12:00:00Z");
    for _ in 0..33 {
        stage.sweep();
        stage.service.host.advance_milliseconds(24 * 60 * 60_000);
    }
    assert_eq!(stage.titles(), ["Monthly report: 2026-02", "Monthly report: 2026-03"]);
    assert_eq!(stage.deliveries("hook").len(), 1, "the first one is forgotten");
}

/// THREATS 57: a clock that was ahead for some time.
#[test]
fn a_clock_that_was_ahead_ends_no_reports() {
    let stage = Stage::of(DAILY);
    stage.sweep();
    stage.service.host.advance_milliseconds(30 * 24 * 60 * 60_000);
    stage.sweep();
    stage.service.host.advance_milliseconds(-30 * 24 * 60 * 60_000);
    stage.sweep();
    stage.pass_to("2026-01-02T08:00:00Z");
    stage.sweep();
    stage.pass_to("2026-01-03T08:00:00Z");
    stage.sweep();
    let titles = stage.titles();
    assert!(titles.contains(&"Daily report: 2026-01-02".to_owned()), "{titles:?}");
}

#[test]
fn dead_deliveries_are_counted_until_they_begin_anew() {
    let stage = Stage::of(DAILY);
    stage.sweep();
    stage.services.set(HOOK, countersign_e2e::chat_services::Weather::SaysNo("no_service"));
    stage.pass_to("2026-01-02T08:00:00Z");
    for _ in 0..12 {
        stage.sweep();
        stage.service.host.advance_milliseconds(27 * 60 * 60_000);
    }
    assert!(stage.deliveries("hook").iter().any(|delivery| delivery.state == DeliveryState::Dead));
    let dead = stage.deliveries("hook").iter().filter(|it| it.state == DeliveryState::Dead).count();
    let auditor = stage.service.person("aud", &["auditor"]);
    let report = auditor.get("/v1/reports/monthly?date=2026-01-10").expect(200);
    assert_eq!(report["dead_letters"]["deliveries"], dead);
}
