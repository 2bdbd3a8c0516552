//! What `notifications.toml` may say, and what is said of one that cannot be used.

use crate::fixture::{NOTIFICATIONS, OPERATIONS, PEOPLE, at, configuration, configured, policy};
use countersign_core::digest::Digest;
use countersign_core::policy::mistake::Mistake;
use countersign_core::priority::Priority;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_notifications::configuration::Configuration;
use countersign_notifications::destination::{Destination, Kind, Region, Target, Tls, Transport};
use countersign_notifications::local_time::Day;
use countersign_notifications::secret::SecretReference;
use proptest::prelude::*;

fn refused(text: &str) -> Mistake {
    Configuration::parse(text, policy().people().groups()).unwrap_err()
}

/// The mistake in a text that is put behind a whole file.
fn refused_with(more: &str) -> String {
    refused(&format!("{NOTIFICATIONS}{more}")).to_string()
}

#[test]
fn every_kind_is_read() {
    let text = r#"
[destinations.topic]
kind = "sns"
topic_arn = "arn:aws-cn:sns:cn-north-1:111122223333:events.fifo"
rate_per_minute = 60
[destinations.bus]
kind = "eventbridge"
bus = "default"
[destinations.hook]
kind = "slack_webhook"
url = "file:/run/secrets/slack"
[destinations.bot]
kind = "slack_bot"
token = "env:SLACK_TOKEN"
channel = "C012AB3CD"
[destinations.teams]
kind = "teams"
url = "secretsmanager:arn:aws:secretsmanager:eu-central-1:111122223333:secret:teams-a1b2c3"
[destinations.ses]
kind = "email"
from = "countersign@example.com"
transport = "ses"
[destinations.smtp]
kind = "email"
from = "countersign@example.com"
transport = "smtp"
host = "mail.example.com"
username = "countersign"
password = "env:SMTP_PASSWORD"
[destinations.smtps]
kind = "email"
from = "countersign@example.com"
transport = "smtp"
host = "mail.example.com"
port = 465
[destinations.pager]
kind = "pagerduty"
routing_key = "env:PAGERDUTY"
region = "eu"
[destinations.log]
kind = "log"
"#;
    let configuration = configured(text);
    let kinds: Vec<Kind> = configuration.destinations.values().map(Destination::kind).collect();
    assert_eq!(kinds.len(), 10);
    let target = |name: &str| configuration.destination(name).unwrap().target.clone();
    assert_eq!(configuration.destination("topic").unwrap().rate_per_minute, Some(60));
    assert_eq!(
        target("hook"),
        Target::SlackWebhook { url: SecretReference::File("/run/secrets/slack".to_owned()) }
    );
    let Target::Email { transport: Transport::Smtp { port, tls, credentials, .. }, .. } = target("smtp")
    else {
        panic!("no smtp")
    };
    assert_eq!((port, tls), (587, Tls::StartTls));
    assert_eq!(credentials.unwrap().password, SecretReference::Environment("SMTP_PASSWORD".to_owned()));
    let Target::Email { transport: Transport::Smtp { tls, credentials, .. }, .. } = target("smtps") else {
        panic!("no smtp")
    };
    assert_eq!((tls, credentials), (Tls::Implicit, None));
    let Target::PagerDuty { region, .. } = target("pager") else { panic!("no pagerduty") };
    assert_eq!(region, Region::Eu);
    let reaching: Vec<&String> = configuration
        .destinations
        .iter()
        .filter(|(_, destination)| destination.reaches_people())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(reaching, ["ses", "smtp", "smtps"]);
}

#[test]
fn what_is_wrong_has_its_line_and_its_rule() {
    let route = "[routes.r]\nto = [\"approvers\"]\nvia = [\"mail\"]\n";
    for (more, expected) in [
        ("[surprise]\n", "unknown field `surprise`"),
        ("[routes.r]\nvias = [\"mail\"]\n", "routes.r has an unknown field `vias`"),
        (
            "[routes.r]\nto = [\"boss\"]\n",
            "routes.r.to `boss` must be approvers, requester, owner, group:NAME or person:ADDRESS",
        ),
        (
            "[routes.r]\nto = [\"group:nobody\"]\n",
            "routes.r.to `group:nobody` names none of the `groups` of this file",
        ),
        ("[routes.r]\nto = [\"person:ann\"]\n", "routes.r.to `person:ann` must be an e-mail address"),
        ("[routes.r]\nvia = [\"fax\"]\n", "routes.r.via `fax` is none of the `destinations` of this file"),
        (
            "[routes.r]\nvia = [\"pager\"]\n",
            "routes.r.via `pager` is of kind pagerduty, which only escalations trigger",
        ),
        ("[routes.r]\nvia = [\"mail\"]\n", "routes.r lacks `to`: its destinations write to people"),
        ("[routes.r]\n", "routes.r leads nowhere"),
        ("[routes.\"r r\"]\nvia = [\"topic\"]\n", "must have a name of 1 to 64 letters"),
        (
            &format!("{route}events = [\"CREATED\"]\n"),
            "routes.r.events `CREATED` is no event, such as APPROVAL_REQUEST_CREATED",
        ),
        (
            &format!("{route}statuses = [\"open\"]\n"),
            "routes.r.statuses `open` is no status, such as pending",
        ),
        (&format!("{route}risk = [\"critical\"]\n"), "routes.r.risk"),
        (&format!("{route}priority = [\"P5\"]\n"), "routes.r.priority"),
        (&format!("{route}operations = []\n"), "routes.r.operations must not be empty"),
        (
            &format!("{route}requester_groups = [\"watchers\"]\n"),
            "routes.r.requester_groups names `watchers`, which is not one of the groups in people.toml",
        ),
        (
            &format!("{route}cost_above = 500\ncost_at_most = 100\n"),
            "routes.r.cost_at_most must be more than cost_above",
        ),
        ("[destinations.d]\nkind = \"carrier_pigeon\"\n", "destinations.d.kind"),
        ("[destinations.d]\nkind = \"sns\"\n", "destinations.d lacks `topic_arn`"),
        (
            "[destinations.d]\nkind = \"sns\"\ntopic_arn = \"arn:aws:sqs:eu-central-1:111122223333:events\"\n",
            "destinations.d.topic_arn must be the ARN of a topic",
        ),
        (
            "[destinations.d]\nkind = \"log\"\nbus = \"default\"\n",
            "destinations.d.bus is no member of a destination of kind log",
        ),
        (
            "[destinations.d]\nkind = \"email\"\nfrom = \"a@x.org\"\ntransport = \"ses\"\nhost = \"h\"\n",
            "destinations.d.host is no member of a destination of kind email, unless its transport is smtp",
        ),
        (
            "[destinations.d]\nkind = \"email\"\nfrom = \"a@x.org\"\ntransport = \"smtp\"\nhost = \"h\"\nusername = \"u\"\n",
            "destinations.d.username must come with `password`",
        ),
        (
            "[destinations.d]\nkind = \"email\"\nfrom = \"a@x.org\"\ntransport = \"smtp\"\nhost = \"h\"\ntls = \"none\"\n",
            "destinations.d.tls",
        ),
        (
            "[destinations.d]\nkind = \"email\"\nfrom = \"Ann\"\ntransport = \"ses\"\n",
            "destinations.d.from must be an e-mail address",
        ),
        (
            "[destinations.d]\nkind = \"log\"\nrate_per_minute = 0\n",
            "destinations.d.rate_per_minute must be 1 or more",
        ),
        ("[groups.g]\nmembers = [\"ann\"]\n", "groups.g.members `ann` must be an e-mail address"),
        (
            "[groups.g]\nteams = \"mail\"\n",
            "groups.g.teams names `mail`, which is not one of the destinations of kind teams",
        ),
        ("[groups.\"g g\"]\n", "must be a name of 1 to 48"),
        ("[people.ann]\n", "people `ann` must be an e-mail address"),
        ("[fallback]\nto = [\"approvers\"]\nvia = [\"mail\"]\n", "fallback.to must name groups and people"),
        (
            "[digests.d]\nperiod = \"daily\"\nat = \"8:00\"\nto = [\"group:dba\"]\n",
            "digests.d.at must be a time of the day",
        ),
        (
            "[digests.d]\nperiod = \"daily\"\nat = \"08:00\"\nzone = \"Vienna\"\nto = [\"group:dba\"]\n",
            "digests.d.zone must be the name of a time zone",
        ),
        (
            "[digests.d]\nperiod = \"daily\"\nat = \"08:00\"\nto = [\"group:dba\"]\nvia = [\"mail\", \"topic\"]\n",
            "digests.d.via `topic` is of kind sns, which takes no reports",
        ),
        (
            "[digests.d]\nperiod = \"daily\"\nat = \"08:00\"\nto = [\"group:dba\"]\nvia = [\"pager\"]\n",
            "digests.d.via `pager` is of kind pagerduty, which takes no reports",
        ),
        ("[digests.d]\nperiod = \"hourly\"\nat = \"08:00\"\nto = [\"group:dba\"]\n", "digests.d.period"),
        (
            "[reminders.r]\nbefore_expiry_seconds = []\n",
            "reminders.r.before_expiry_seconds must be 1 to 10 numbers",
        ),
        (
            "[reminders.r]\nbefore_expiry_seconds = [0]\n",
            "reminders.r.before_expiry_seconds must be 1 to 10 numbers",
        ),
        (
            "[escalations.e]\npriority = \"P1\"\nafter_seconds = 2_592_001\nvia = [\"pager\"]\n",
            "escalations.e.after_seconds must be at most",
        ),
        ("[priority.high]\nproduction = \"P0\"\n", "priority.high.production"),
        ("[priority.highest]\nproduction = \"P1\"\n", "priority"),
        ("[webhooks]\nallow_ports = [0]\n", "webhooks.allow_ports must be ports"),
        (
            "[webhooks]\nallow_networks = [\"10.0.0.0/33\"]\n",
            "webhooks.allow_networks `10.0.0.0/33` is no network",
        ),
        ("[webhooks]\nallow_networks = [\"10.0.0.1\"]\n", "webhooks.allow_networks `10.0.0.1` is no network"),
        ("[webhooks]\nca_bundle = \"roots.pem\"\n", "webhooks.ca_bundle must be an absolute path"),
    ] {
        let mistake = refused(&format!("{NOTIFICATIONS}{more}"));
        let shown = mistake.to_string();
        assert!(shown.contains(expected), "{more}\n{shown}");
        assert!(shown.starts_with("notifications.toml:"), "{shown}");
        let first = NOTIFICATIONS.lines().count();
        assert!(mistake.line.is_some_and(|line| line > first), "{shown}");
    }
    let defaults = |line: &str| refused(&NOTIFICATIONS.replace("channels = [\"mail\"]", line)).to_string();
    assert!(defaults("channels = [\"room\"]").contains("defaults.channels `room` writes to no person"));
    assert!(defaults("muted_events = [\"NOISE\"]").contains("defaults.muted_events `NOISE` is no event"));
    assert!(
        defaults("quiet_hours = [{ from = \"18:00\", to = \"18:00\" }]")
            .contains("defaults.quiet_hours must not begin and end")
    );
    assert!(
        defaults("digest = { period = \"daily\", at = \"25:00\" }").contains("defaults.digest has a `at`")
    );
    let column = refused(&format!("{NOTIFICATIONS}[routes.r]\nto = [\"requester\", \"boss\"]\n")).column;
    assert_eq!(column, Some(20));
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    for (secret, shown) in [
        ("\"xoxb-1234567890-secret\"", "xoxb"),
        ("\"https://hooks.slack.com/services/T0/B0/secret\"", "hooks"),
        ("\"file:secret.txt\"", "secret.txt"),
        ("\"file:/run/../secret\"", "../"),
        ("\"env:9SECRET\"", "9SECRET"),
        ("\"env:\"", "env:\""),
        ("\"secretsmanager:two words\"", "two words"),
        ("1234567890123", "1234567890123"),
        ("123.5", "123.5"),
        ("true", "true"),
    ] {
        let mistake = refused_with(&format!("[destinations.d]\nkind = \"slack_bot\"\ntoken = {secret}\n"));
        assert!(mistake.contains("destinations.d.token must "), "{mistake}");
        assert!(!mistake.contains(shown), "{mistake}");
    }
}

#[test]
fn references_to_secrets_print_as_they_are_written() {
    for text in ["file:/run/secrets/slack", "env:SLACK_TOKEN", "secretsmanager:countersign/slack"] {
        assert_eq!(SecretReference::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn what_comes_with_the_program_is_that_of_the_operations_guide() {
    let bundled = configuration("");
    let shown: Vec<_> = bundled
        .escalations
        .iter()
        .map(|escalation| (escalation.priority, escalation.after_seconds))
        .collect();
    assert_eq!(shown, [(Priority::P1, 0), (Priority::P2, 3600), (Priority::P3, 14_400)]);
    let via: Vec<&String> = bundled.escalations[0].addressing.via.iter().collect();
    assert_eq!(via, ["mail", "pager"]);
    let targets =
        [Priority::P1, Priority::P2, Priority::P3, Priority::P4].map(Priority::response_target_seconds);
    assert_eq!(targets, [0, 1800, 7200, 86_400]);
    assert!(configuration("[escalations]\n").escalations.is_empty());
    let priority = |more: &str, named| {
        configuration(more).priorities.of(named, RiskLevel::High, Environment::Production)
    };
    assert_eq!(priority("", None), Priority::P2);
    assert_eq!(priority("", Some(Priority::P4)), Priority::P4);
    assert_eq!(priority("[priority.high]\nproduction = \"P1\"\n", None), Priority::P1);
    let low = configuration("[priority.high]\nproduction = \"P1\"\n").priorities.low;
    assert_eq!(low.production, Priority::P4);
}

#[test]
fn the_version_is_that_of_the_file_and_a_missing_file_is_one_channel() {
    assert_eq!(configuration("").version(), Some(Digest::of(NOTIFICATIONS)));
    assert_ne!(configuration("").version(), configuration("\n").version());
    let log = Configuration::of_one_channel(Destination { target: Target::Log, rate_per_minute: None });
    assert_eq!(log.version(), None);
    assert_eq!(log.destinations.keys().collect::<Vec<_>>(), ["log"]);
    assert!(log.escalations.is_empty() && log.reminders.is_empty());
    assert!(configured("").routes.is_empty());
}

#[test]
fn digests_recur() {
    let text = "[digests.d]\nperiod = \"PERIOD\"\nat = \"08:30\"\nzone = \"Europe/Berlin\"\nto = [\"group:dba\"]\nvia = [\"mail\"]\n";
    for (period, after, next) in [
        ("daily", at("07:29:59"), "2026-01-15T07:30:00.000Z"),
        ("daily", at("07:30:00"), "2026-01-16T07:30:00.000Z"),
        ("weekly", at("07:30:00"), "2026-01-19T07:30:00.000Z"),
        ("monthly", at("07:30:00"), "2026-02-01T07:30:00.000Z"),
    ] {
        let configuration = configuration(&text.replace("PERIOD", period));
        assert_eq!(configuration.digests[0].recurrence.next(after).to_string(), next, "{period}");
    }
    assert_eq!(Day::Monday.to_string(), "monday");
    assert!(!OPERATIONS.is_empty() && !PEOPLE.is_empty());
}

proptest! {
    /// Whatever stands in the place of a secret, what is said of it holds no part of it.
    #[test]
    fn no_message_holds_a_secret(secret in "[a-zA-Z0-9]{12,40}") {
        let mistake = refused_with(&format!("[destinations.d]\nkind = \"teams\"\nurl = \"{secret}\"\n"));
        prop_assert!(!mistake.contains(&secret));
    }

    /// A configuration is read or refused: nothing makes the reader fail otherwise.
    #[test]
    fn any_text_is_read_or_refused(text in "(\\[[a-z]{1,12}(\\.[a-z]{1,5})?\\]\n|[a-z_]{1,12} = (\"[ -~&&[^\"\\\\]]{0,12}\"|[0-9]{1,9}|\\[\\])\n){0,8}") {
        let _ = Configuration::parse(&text, policy().people().groups());
    }
}

/// What operators begin with is a file that can be used.
#[test]
fn the_example_of_the_page_is_a_file() {
    let page = include_str!("../../../../docs/notifications-file.md");
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        if let Err(error) = Configuration::parse(example, policy().people().groups()) {
            panic!("{error}\n{example}");
        }
    }
}
