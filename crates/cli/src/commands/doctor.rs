//! `countersign doctor`: is the way to the service open, and does it know who you are?
//!
//! Looks at everything even if something is wrong, and says of each what to do.

use crate::aws;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::view::terminal::Terminal;
use crate::view::text::{Line, Text, Tone};
use crate::view::times::RelativeTime;
use clap::Args;
use countersign_api::problem::Code;
use countersign_app::host::Clock as _;
use countersign_client::agent;
use countersign_client::connection::Connection;
use countersign_client::credential::{self, Credential};
use countersign_client::list_query::ListQuery;
use countersign_client::profile::{self, Settings};
use countersign_core::timestamp::Timestamp;
use countersign_identity::claim_path::Claims;
use countersign_identity::claims::ClaimNames;
use countersign_identity::jws;
use countersign_system::system::SystemHost;
use serde::Serialize;
use serde_json::Value;

/// `countersign doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// How far the clocks may be apart, in milliseconds: a service allows an issuer no more.
const MAX_SKEW_MILLISECONDS: i64 = 30_000;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Whether all is well.
    pub ok: bool,
    /// Check by check.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    /// The name of the check.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Report {
    fn well(&mut self, name: &'static str, found: String) {
        self.checks.push(Check { name, ok: true, found, advice: None });
    }

    fn problem(&mut self, name: &'static str, found: String, advice: &str) {
        self.checks.push(Check { name, ok: false, found, advice: Some(advice.to_owned()) });
    }

    fn text(&self) -> Text {
        let mut text = Text::default();
        for check in &self.checks {
            let (word, tone) = if check.ok { ("ok     ", Tone::Good) } else { ("problem", Tone::Danger) };
            text.push(Line::new(tone, word).with(None, &format!(" {:<8} {}", check.name, check.found)));
            if let Some(advice) = &check.advice {
                text.push(Line::plain(&format!("                 -> {advice}")));
            }
        }
        text
    }
}

/// `countersign doctor`.
///
/// # Errors
/// When something is wrong, after all of it was printed.
pub fn run(arguments: &DoctorArguments) -> Result<(), CommandError> {
    let host = SystemHost::default();
    let report = match profile::settings(&arguments.connection.overrides()) {
        Ok(settings) => examine(&settings, &|| host.now()),
        Err(error) => {
            let mut report = Report::default();
            report.problem("config", error.to_string(), "correct the file, or name another profile");
            report
        }
    };
    let terminal = Terminal::of_process();
    arguments.connection.output().print(terminal, &report, || report.text())?;
    let problems = report.checks.iter().filter(|check| !check.ok).count();
    if report.ok { Ok(()) } else { Err(CommandError::Failed(format!("problems found: {problems}"))) }
}

/// Looks at everything.
pub fn examine(settings: &Settings, now: &dyn Fn() -> Timestamp) -> Report {
    let mut report = Report::default();
    if let Some((name, _)) = &settings.profile {
        report.well("profile", name.to_string());
    }
    match agent::service(&settings.url) {
        Ok(_) => report.well("url", settings.url.clone()),
        Err(error) => {
            report.problem("url", error.to_string(), "set --url, COUNTERSIGN_URL or the profile's url")
        }
    }
    let is_there = service(settings, now, &mut report);
    if let Some(credential) = credential(settings, &mut report) {
        token(settings, credential, is_there, now, &mut report);
    }
    report.ok = report.checks.iter().all(|check| check.ok);
    report
}

/// Whether the service answers, and has the same time as we do.
fn service(settings: &Settings, now: &dyn Fn() -> Timestamp, report: &mut Report) -> bool {
    let before = now();
    let (health, date) = match Connection::to(settings).and_then(|connection| connection.health()) {
        Ok(answer) => answer,
        Err(error) => {
            report.problem(
                "service",
                error.to_string(),
                "start the service, or correct the URL or certificates",
            );
            return false;
        }
    };
    report.well("service", format!("version {}, policy {}", health.version, health.policy_version));
    let date = date.and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(&date).ok());
    let Some(date) = date else {
        report.well("clock", "the service does not say what time it is".to_owned());
        return true;
    };
    // The header was written between asking and now, and has no fractions of a second.
    let (earliest, latest) = (before.as_millisecond() - 1000, now().as_millisecond());
    let date = date.as_millisecond();
    let skew = if date < earliest { date - earliest } else { (date - latest).max(0) };
    let seconds = skew.abs() / 1000;
    if skew.abs() > MAX_SKEW_MILLISECONDS {
        let direction = if skew > 0 { "behind" } else { "ahead of" };
        report.problem(
            "clock",
            format!("this machine is {seconds} s {direction} the service"),
            "set this machine's clock (or the service's); tokens are refused when clocks differ",
        );
    } else {
        report.well("clock", format!("within {} s of the service", seconds + 1));
    }
    true
}

fn credential(settings: &Settings, report: &mut Report) -> Option<Credential> {
    match Credential::of(settings, aws::signer) {
        Ok(Credential::Nobody) => {
            let advice =
                "set COUNTERSIGN_TOKEN, name a --token-file, or set up a profile and `countersign login`";
            report.problem("token", "there is none".to_owned(), advice);
            None
        }
        Ok(credential) => Some(credential),
        Err(error) => {
            report.problem("token", error.to_string(), "correct what names the token");
            None
        }
    }
}

/// What the token says, and whether the service accepts it.
fn token(
    settings: &Settings,
    credential: Credential,
    is_there: bool,
    now: &dyn Fn() -> Timestamp,
    report: &mut Report,
) {
    let token = match credential.token() {
        Ok(Some(token)) => token,
        Ok(None) => return signature(settings, credential, is_there, report),
        Err(error) => return report.problem("token", error.to_string(), "run `countersign login`"),
    };
    // Asked before the claims are looked at: where the service is content, so are we.
    let accepted = is_there.then(|| {
        let connection = Connection::to(settings)?.with(Credential::Token(token.clone()));
        connection.list(&ListQuery { limit: Some(1), ..ListQuery::default() }, false)
    });
    let is_accepted = matches!(accepted, Some(Ok(_)));
    match jws::claims(token.expose()) {
        Ok(claims) => {
            expiry(&claims, now(), report);
            person(&claims, is_accepted, report);
            groups(&claims, report);
        }
        Err(_) => report.problem("token", "this is not a token".to_owned(), "get another one"),
    }
    match accepted {
        Some(Ok(_)) => report.well("accepted", "the service accepts the token".to_owned()),
        Some(Err(error)) => {
            let advice = match error.problem() {
                // No other token helps a caller who is disabled, or not listed where callers have to be.
                Some(Code::NotPermitted) => {
                    "the token is good, but policy refuses you: ask whoever keeps the service's people.toml"
                }
                _ => "get a token from the issuer, and for the audience, that the service is set up for",
            };
            // What follows is why, as far as it can be known here, and says more than advice for every case.
            let message = error.to_string();
            let (said, why) = message.split_once('\n').unwrap_or((&message, advice));
            report.problem("accepted", format!("the service does not: {said}"), why.trim_start());
        }
        None => {}
    }
}

/// Whose credentials sign, and whether the service accepts a signed call.
fn signature(settings: &Settings, credential: Credential, is_there: bool, report: &mut Report) {
    let Credential::Signer(signer) = &credential else { return };
    match signer.name() {
        Ok(name) => report.well("signer", name),
        Err(error) => return report.problem("signer", error, "sign in to AWS"),
    }
    let list = |settings: &Settings| {
        let connection = Connection::to(settings)?.with(credential);
        connection.list(&ListQuery { limit: Some(1), ..ListQuery::default() }, false)
    };
    match is_there.then(|| list(settings)) {
        Some(Ok(_)) => report.well("accepted", "the service accepts the signature".to_owned()),
        Some(Err(error)) => {
            let message = error.to_string();
            let said = message.lines().next().unwrap_or_default();
            let advice = match error.problem() {
                Some(Code::NotPermitted) => {
                    "the signature is good, and policy refuses the caller: ask the operator whether people.toml lists the role"
                }
                _ => {
                    "the URL must be that of the API for signed calls, the role needs execute-api:Invoke, and the \
                     clocks and the region must be right"
                }
            };
            report.problem("accepted", format!("the service does not: {said}"), advice);
        }
        None => {}
    }
}

fn expiry(claims: &Claims, now: Timestamp, report: &mut Report) {
    let Some(end) = credential::expiry(claims) else {
        return report.problem("expiry", "the token has no end".to_owned(), "get another one");
    };
    let told = RelativeTime::relative(now).deadline(&end.to_string());
    if end > now {
        report.well("expiry", format!("the token is good: {told}"));
    } else {
        report.problem("expiry", format!("the token ended {told}"), "get a new one, or `countersign login`");
    }
}

/// The service may trust its issuer, or read another claim: if it accepts the token, that is that.
fn person(claims: &Claims, is_accepted: bool, report: &mut Report) {
    let is_verified = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        Some(Value::String(verified)) => verified == "true",
        _ => false,
    };
    match claims.get("email").and_then(Value::as_str) {
        Some(email) if is_verified => report.well("e-mail", format!("{email}, verified")),
        Some(email) if is_accepted => report.well("e-mail", format!("{email}, as the service accepts")),
        Some(email) => report.problem(
            "e-mail",
            format!("{email} is not verified"),
            "have the issuer verify it, or the operator set OIDC_EMAIL_TRUSTED",
        ),
        None if is_accepted => {
            report.well("e-mail", "none; the service accepts the token all the same".to_owned());
        }
        None => report.problem(
            "e-mail",
            "the token names none".to_owned(),
            "send an ID token, with the scope email; an access token has none at most issuers",
        ),
    }
}

fn groups(claims: &Claims, report: &mut Report) {
    let names = ClaimNames::default();
    let groups: Vec<&str> = names
        .groups
        .iter()
        .filter_map(|path| path.find(claims).ok().flatten())
        .flat_map(|groups| match groups {
            Value::Array(groups) => groups.iter().filter_map(Value::as_str).collect(),
            Value::String(group) => vec![group.as_str()],
            _ => Vec::new(),
        })
        .collect();
    if groups.is_empty() {
        let claims_read: Vec<_> = names.groups.iter().map(ToString::to_string).collect();
        report.problem(
            "groups",
            format!("the token names none in {}", claims_read.join(" or ")),
            "ask to be put into a group that the service's policy names, unless the service reads another claim",
        );
    } else {
        let groups = groups.join(", ");
        report.well("groups", format!("{groups}; which count is for the service's policy to say"));
    }
}
