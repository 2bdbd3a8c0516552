//! The checks that turn `notifications.toml` as it is written into a configuration.

use crate::configuration::{
    Configuration, Defaults, Escalation, FILE, Group, MAX_DESTINATIONS, MAX_MEMBERS, MAX_REMINDERS,
    MAX_TABLES, PersonAddresses, Reminder, ReportDigest, WebhookSettings, bundled_escalations,
};
use crate::destination::{Credentials, Destination, Kind, Target, Tls, Transport};
use crate::file::{
    DefaultsTable, DestinationTable, GroupTable, NotificationsFile, PriorityTable, RouteTable, TransportName,
    WebhooksTable, WrittenRecurrence,
};
use crate::local_time::{Recurrence, TimeOfDay, Zone};
use crate::priority::Priorities;
use crate::quiet::QuietHours;
use crate::route::{Addressing, Audience, Route};
use crate::secret::{SecretReference, WrittenSecret};
use countersign_core::digest::Digest;
use countersign_core::person::PersonId;
use countersign_core::policy::mistake::Mistake;
use countersign_core::policy::people::{self, is_group_name};
use countersign_core::policy::rules::MAX_LIFETIME_SECONDS;
use countersign_core::policy::rules::conditions::{Conditions, ConditionsTable};
use countersign_core::policy::source::{Source, Value};
use countersign_core::priority::Priority;
use countersign_core::risk::RiskLevel;
use countersign_core::slots::Groups;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use toml::Spanned;

/// The longest name of a table, in bytes.
const MAX_NAME: usize = 64;
/// The longest address, channel, bus or host, in bytes.
const MAX_TEXT: usize = 512;
/// A port of SMTP that is protected from the first byte (RFC 8314).
const IMPLICIT_TLS_PORT: u16 = 465;
/// The port of submission (RFC 6409).
const SUBMISSION_PORT: u16 = 587;

impl Configuration {
    /// Reads and checks the text of `notifications.toml`. `known` are the groups of people.toml, which conditions may name.
    ///
    /// # Errors
    /// Text that is not TOML, unknown keys, a secret in the text, a destination that lacks what its kind needs or has what
    /// it does not, and every name of a destination or group that the file does not have.
    pub fn parse(text: &str, known: &Groups) -> Result<Self, Mistake> {
        let source = Source { file: FILE, text };
        let file: NotificationsFile = source.read()?;
        let configuration = Reader { source, known }.read(file)?;
        Ok(Self { version: Some(Digest::of(text)), ..configuration })
    }
}

/// Reads tables of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) source: Source<'a>,
    /// The groups of people.toml.
    pub(crate) known: &'a Groups,
}

/// What other tables may name.
struct Names<'a> {
    destinations: &'a BTreeMap<String, Destination>,
    groups: &'a BTreeMap<String, Group>,
}

impl Reader<'_> {
    pub(crate) fn read(self, file: NotificationsFile) -> Result<Configuration, Mistake> {
        self.check_names("destinations", file.destinations.keys(), MAX_DESTINATIONS)?;
        self.check_names("routes", file.routes.keys(), MAX_TABLES)?;
        self.check_names("reminders", file.reminders.keys(), MAX_TABLES)?;
        self.check_names("escalations", file.escalations.iter().flat_map(BTreeMap::keys), MAX_TABLES)?;
        self.check_names("digests", file.digests.keys(), MAX_TABLES)?;
        let destinations = file
            .destinations
            .iter()
            .map(|(name, table)| Ok((name.clone(), self.destination(name, table)?)))
            .collect::<Result<BTreeMap<_, _>, Mistake>>()?;
        let groups = file
            .groups
            .iter()
            .map(|(name, table)| Ok((name.clone(), self.group(name, table, &destinations)?)))
            .collect::<Result<BTreeMap<_, _>, Mistake>>()?;
        let names = Names { destinations: &destinations, groups: &groups };
        let mut people = BTreeMap::new();
        for (name, table) in &file.people {
            let id = self.person(&["people"], name)?;
            let path = ["people", name.get_ref().as_str()];
            self.check_address(&path, "email", table.email.as_deref())?;
            self.check_text(&path, "slack", table.slack.as_deref())?;
            people.insert(id, PersonAddresses { email: table.email.clone(), slack: table.slack.clone() });
        }
        let routes = file
            .routes
            .into_iter()
            .map(|(name, table)| self.route(name, table, &names))
            .collect::<Result<_, _>>()?;
        let fallback = self.addressing(&["fallback"], &file.fallback.to, &file.fallback.via, &names)?;
        self.check_of_no_request(&["fallback"], &fallback)?;
        let reminders = file.reminders.into_iter().map(|(name, table)| {
            let times = self.reminder_times(&name, &table.before_expiry_seconds)?;
            Ok(Reminder { name, before_expiry_seconds: times })
        });
        let reminders = reminders.collect::<Result<_, Mistake>>()?;
        let defaults = self.defaults(&file.defaults, &names)?;
        let escalations = match file.escalations {
            None => bundled_escalations(&destinations, &defaults, &fallback),
            Some(tables) => tables
                .into_iter()
                .map(|(name, table)| {
                    let path = ["escalations", name.as_str()];
                    if table.after_seconds > MAX_LIFETIME_SECONDS {
                        let rule = format!("must be at most {MAX_LIFETIME_SECONDS} seconds");
                        return self.refuse(&path, "after_seconds", rule);
                    }
                    let addressing = self.addressing(&path, &table.to, &table.via, &names)?;
                    let (priority, after_seconds) = (table.priority, table.after_seconds);
                    Ok(Escalation { priority, after_seconds, addressing, name })
                })
                .collect::<Result<_, _>>()?,
        };
        let digests = file.digests.into_iter().map(|(name, table)| {
            let path = ["digests", name.as_str()];
            let addressing = self.addressing(&path, &table.to, &table.via, &names)?;
            self.check_of_no_request(&path, &addressing)?;
            self.check_takes_reports(&path, &table.via, &names)?;
            let written = WrittenRecurrence { period: table.period, at: table.at, zone: table.zone };
            let recurrence =
                read_recurrence(&written).map_err(|(key, rule)| self.refused(&path, key, rule))?;
            Ok(ReportDigest { recurrence, addressing, name })
        });
        Ok(Configuration {
            version: None,
            digests: digests.collect::<Result<_, Mistake>>()?,
            priorities: priorities(&file.priority),
            webhooks: self.webhooks(file.webhooks)?,
            destinations,
            groups,
            people,
            routes,
            fallback,
            reminders,
            escalations,
            defaults,
        })
    }

    fn refused(&self, path: &[&str], key: &str, rule: impl fmt::Display) -> Mistake {
        let path: Vec<&str> = path.iter().copied().chain([key]).collect();
        self.source.refused(&path, rule)
    }

    fn refuse<T>(&self, path: &[&str], key: &str, rule: impl fmt::Display) -> Result<T, Mistake> {
        Err(self.refused(path, key, rule))
    }

    fn refused_text(&self, path: &[&str], text: &Spanned<String>, rule: impl fmt::Display) -> Mistake {
        Value { source: self.source, path, text }.refused(rule)
    }

    fn check_names<'a>(
        &self,
        table: &str,
        names: impl Iterator<Item = &'a String>,
        most: usize,
    ) -> Result<(), Mistake> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        for (place, name) in names.enumerate() {
            if place >= most {
                return self.source.refuse(&[table], format!("must be at most {most}"));
            }
            if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(allowed) {
                let rule = format!("must have a name of 1 to {MAX_NAME} letters, digits, - and _");
                return self.source.refuse(&[table, name], rule);
            }
        }
        Ok(())
    }

    fn check_text(&self, path: &[&str], key: &str, text: Option<&str>) -> Result<(), Mistake> {
        match text {
            Some(text) if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) => {
                self.refuse(path, key, format!("must be a text of 1 to {MAX_TEXT} bytes in one line"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_address(&self, path: &[&str], key: &str, address: Option<&str>) -> Result<(), Mistake> {
        match address.map(PersonId::from_email) {
            Some(Err(error)) => self.refuse(path, key, error),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn person(&self, path: &[&str], text: &Spanned<String>) -> Result<PersonId, Mistake> {
        PersonId::from_email(text.get_ref()).map_err(|error| self.refused_text(path, text, error))
    }

    fn destination(&self, name: &str, table: &DestinationTable) -> Result<Destination, Mistake> {
        let path = ["destinations", name];
        self.check_members(name, table)?;
        for (key, text) in [
            ("bus", &table.bus),
            ("channel", &table.channel),
            ("host", &table.host),
            ("username", &table.username),
        ] {
            self.check_text(&path, key, text.as_deref())?;
        }
        self.check_address(&path, "from", table.from.as_deref())?;
        if table.rate_per_minute == Some(0) {
            return self.refuse(&path, "rate_per_minute", "must be 1 or more: leave it out for no limit");
        }
        if table.port == Some(0) {
            return self.refuse(&path, "port", "must be from 1 to 65535");
        }
        let target = match table.kind {
            Kind::Sns => {
                let topic_arn = self.needed(name, "topic_arn", table.topic_arn.clone())?;
                if !is_topic_arn(&topic_arn) {
                    let rule =
                        "must be the ARN of a topic, such as arn:aws:sns:eu-central-1:111122223333:events";
                    return self.refuse(&path, "topic_arn", rule);
                }
                Target::Sns { topic_arn }
            }
            Kind::EventBridge => Target::EventBridge { bus: self.needed(name, "bus", table.bus.clone())? },
            Kind::SlackWebhook => Target::SlackWebhook { url: self.secret(name, "url", table.url.as_ref())? },
            Kind::SlackBot => Target::SlackBot {
                token: self.secret(name, "token", table.token.as_ref())?,
                channel: table.channel.clone(),
            },
            Kind::Teams => Target::Teams { url: self.secret(name, "url", table.url.as_ref())? },
            Kind::Email => Target::Email {
                from: self.needed(name, "from", table.from.clone())?,
                transport: self.transport(name, table)?,
            },
            Kind::PagerDuty => Target::PagerDuty {
                routing_key: self.secret(name, "routing_key", table.routing_key.as_ref())?,
                region: table.region.unwrap_or_default(),
            },
            Kind::Log => Target::Log,
        };
        Ok(Destination { target, rate_per_minute: table.rate_per_minute })
    }

    /// That a destination has no member that its kind has no use for.
    fn check_members(&self, name: &str, table: &DestinationTable) -> Result<(), Mistake> {
        let is_smtp = table.transport == Some(TransportName::Smtp);
        let wanted: &[&str] = match table.kind {
            Kind::Sns => &["topic_arn"],
            Kind::EventBridge => &["bus"],
            Kind::SlackWebhook | Kind::Teams => &["url"],
            Kind::SlackBot => &["token", "channel"],
            Kind::Email if is_smtp => &["from", "transport", "host", "port", "username", "password", "tls"],
            Kind::Email => &["from", "transport"],
            Kind::PagerDuty => &["routing_key", "region"],
            Kind::Log => &[],
        };
        let members = [
            ("topic_arn", table.topic_arn.is_some()),
            ("bus", table.bus.is_some()),
            ("url", table.url.is_some()),
            ("token", table.token.is_some()),
            ("channel", table.channel.is_some()),
            ("from", table.from.is_some()),
            ("transport", table.transport.is_some()),
            ("host", table.host.is_some()),
            ("port", table.port.is_some()),
            ("username", table.username.is_some()),
            ("password", table.password.is_some()),
            ("tls", table.tls.is_some()),
            ("routing_key", table.routing_key.is_some()),
            ("region", table.region.is_some()),
        ];
        let superfluous = members.iter().find(|(key, is_there)| *is_there && !wanted.contains(key));
        let Some((key, _)) = superfluous else { return Ok(()) };
        let of_transport = if table.kind == Kind::Email { ", unless its transport is smtp" } else { "" };
        let rule = format!("is no member of a destination of kind {}{of_transport}", table.kind);
        self.refuse(&["destinations", name], key, rule)
    }

    fn needed<T>(&self, name: &str, key: &str, member: Option<T>) -> Result<T, Mistake> {
        let lacks = || self.source.refused(&["destinations", name], format!("lacks `{key}`"));
        member.ok_or_else(lacks)
    }

    fn secret(
        &self,
        name: &str,
        key: &str,
        member: Option<&WrittenSecret>,
    ) -> Result<SecretReference, Mistake> {
        let secret = self.needed(name, key, member)?;
        secret.read().map_err(|error| self.refused(&["destinations", name], key, error))
    }

    fn transport(&self, name: &str, table: &DestinationTable) -> Result<Transport, Mistake> {
        let path = ["destinations", name];
        if self.needed(name, "transport", table.transport)? == TransportName::Ses {
            return Ok(Transport::Ses);
        }
        let tls = table.tls.unwrap_or(match table.port {
            Some(IMPLICIT_TLS_PORT) => Tls::Implicit,
            Some(_) | None => Tls::StartTls,
        });
        let port = table.port.unwrap_or(match tls {
            Tls::Implicit => IMPLICIT_TLS_PORT,
            Tls::StartTls => SUBMISSION_PORT,
        });
        let credentials = match (&table.username, &table.password) {
            (None, None) => None,
            (Some(username), Some(_)) => Some(Credentials {
                username: username.clone(),
                password: self.secret(name, "password", table.password.as_ref())?,
            }),
            (Some(_), None) => return self.refuse(&path, "username", "must come with `password`"),
            (None, Some(_)) => return self.refuse(&path, "password", "must come with `username`"),
        };
        Ok(Transport::Smtp { host: self.needed(name, "host", table.host.clone())?, port, credentials, tls })
    }

    fn group(
        &self,
        name: &str,
        table: &GroupTable,
        destinations: &BTreeMap<String, Destination>,
    ) -> Result<Group, Mistake> {
        let path = ["groups", name];
        if !is_group_name(name) {
            let most = people::MAX_GROUP_NAME;
            let rule = format!("must be a name of 1 to {most} of the letters, digits and _ . : / -");
            return self.source.refuse(&path, rule);
        }
        if table.members.len() > MAX_MEMBERS {
            return self.refuse(&path, "members", format!("must be at most {MAX_MEMBERS}"));
        }
        self.check_address(&path, "email", table.email.as_deref())?;
        self.check_text(&path, "slack", table.slack.as_deref())?;
        let own = [("teams", &table.teams, Kind::Teams), ("pagerduty", &table.pagerduty, Kind::PagerDuty)];
        for (key, named, kind) in own {
            let Some(named) = named else { continue };
            if destinations.get(named).map(Destination::kind) != Some(kind) {
                let shown = named.escape_debug();
                let rule = format!("names `{shown}`, which is not one of the destinations of kind {kind}");
                return self.refuse(&path, key, rule);
            }
        }
        let members = table.members.iter().map(|member| self.person(&["groups", name, "members"], member));
        Ok(Group {
            members: members.collect::<Result<_, _>>()?,
            email: table.email.clone(),
            slack: table.slack.clone(),
            teams: table.teams.clone(),
            pagerduty: table.pagerduty.clone(),
        })
    }

    fn route(&self, name: String, table: RouteTable, names: &Names<'_>) -> Result<Route, Mistake> {
        let path = ["routes", name.as_str()];
        let conditions = ConditionsTable {
            operations: table.operations,
            environment: table.environment,
            instances: table.instances,
            cost_above: table.cost_above,
            cost_at_most: table.cost_at_most,
            cost_missing: table.cost_missing,
            requester_groups: table.requester_groups,
        };
        let conditions = Conditions::read(self.source, &path, conditions, self.known)?;
        let events =
            self.named(&path, "events", &table.events, "is no event, such as APPROVAL_REQUEST_CREATED")?;
        let statuses = self.named(&path, "statuses", &table.statuses, "is no status, such as pending")?;
        let addressing = self.addressing(&path, &table.to, &table.via, names)?;
        let is_pagerduty = |name: &&Spanned<String>| {
            names.destinations.get(name.get_ref()).map(Destination::kind) == Some(Kind::PagerDuty)
        };
        if let Some(text) = table.via.iter().find(is_pagerduty) {
            let rule = "is of kind pagerduty, which only escalations trigger";
            return Err(self.refused_text(&["routes", &name, "via"], text, rule));
        }
        let (risk, priority) = (table.risk, table.priority);
        Ok(Route { conditions, risk, priority, events, statuses, addressing, name })
    }

    /// Texts that are names of a closed set.
    fn named<T: FromStr, All: FromIterator<T>>(
        &self,
        path: &[&str],
        key: &str,
        texts: &[Spanned<String>],
        rule: &str,
    ) -> Result<All, Mistake> {
        let path: Vec<&str> = path.iter().copied().chain([key]).collect();
        let read =
            |text: &Spanned<String>| text.get_ref().parse().map_err(|_| self.refused_text(&path, text, rule));
        texts.iter().map(read).collect()
    }

    fn addressing(
        &self,
        path: &[&str],
        to: &[Spanned<String>],
        via: &[Spanned<String>],
        names: &Names<'_>,
    ) -> Result<Addressing, Mistake> {
        let in_to: Vec<&str> = path.iter().copied().chain(["to"]).collect();
        let to: BTreeSet<Audience> =
            to.iter().map(|text| self.audience(&in_to, text, names)).collect::<Result<_, _>>()?;
        let via = self.destinations(path, "via", via, names)?;
        let is_table_there = path != ["fallback"] || !to.is_empty();
        if to.is_empty() && via.is_empty() && is_table_there {
            return self.source.refuse(path, "leads nowhere: it has neither `to` nor `via`");
        }
        let reaches_people_alone =
            |name: &String| names.destinations.get(name).is_some_and(Destination::reaches_people);
        if to.is_empty() && !via.is_empty() && via.iter().all(reaches_people_alone) {
            return self
                .source
                .refuse(path, "lacks `to`: its destinations write to people, and it names none");
        }
        Ok(Addressing { to, via })
    }

    fn audience(
        &self,
        path: &[&str],
        text: &Spanned<String>,
        names: &Names<'_>,
    ) -> Result<Audience, Mistake> {
        let refused = |rule: String| self.refused_text(path, text, rule);
        match text.get_ref().split_once(':') {
            None if text.get_ref() == "approvers" => Ok(Audience::Approvers),
            None if text.get_ref() == "requester" => Ok(Audience::Requester),
            None if text.get_ref() == "owner" => Ok(Audience::Owner),
            Some(("group", name)) if names.groups.contains_key(name) => Ok(Audience::Group(name.to_owned())),
            Some(("group", _)) => Err(refused("names none of the `groups` of this file".to_owned())),
            Some(("person", address)) => PersonId::from_email(address)
                .map(Audience::Person)
                .map_err(|error| refused(error.to_string())),
            None | Some(_) => {
                Err(refused("must be approvers, requester, owner, group:NAME or person:ADDRESS".to_owned()))
            }
        }
    }

    fn destinations(
        &self,
        path: &[&str],
        key: &str,
        texts: &[Spanned<String>],
        names: &Names<'_>,
    ) -> Result<BTreeSet<String>, Mistake> {
        let path: Vec<&str> = path.iter().copied().chain([key]).collect();
        let known = |text: &Spanned<String>| match names.destinations.contains_key(text.get_ref()) {
            true => Ok(text.get_ref().clone()),
            false => Err(self.refused_text(&path, text, "is none of the `destinations` of this file")),
        };
        texts.iter().map(known).collect()
    }

    /// What is about no request is for no approver, requester or owner.
    fn check_of_no_request(&self, path: &[&str], addressing: &Addressing) -> Result<(), Mistake> {
        let is_of_request = |audience: &Audience| match audience {
            Audience::Approvers | Audience::Requester | Audience::Owner => true,
            Audience::Group(_) | Audience::Person(_) => false,
        };
        if addressing.to.iter().any(is_of_request) {
            return self.refuse(path, "to", "must name groups and people: group:NAME or person:ADDRESS");
        }
        Ok(())
    }

    /// That no report is sent to where it would not be understood.
    fn check_takes_reports(
        &self,
        path: &[&str],
        via: &[Spanned<String>],
        names: &Names<'_>,
    ) -> Result<(), Mistake> {
        let kind = |text: &Spanned<String>| Some(names.destinations.get(text.get_ref())?.kind());
        match via.iter().find_map(|text| Some((text, kind(text).filter(|kind| !kind.takes_reports())?))) {
            Some((text, kind)) => {
                let path: Vec<&str> = path.iter().copied().chain(["via"]).collect();
                Err(self.refused_text(&path, text, format!("is of kind {kind}, which takes no reports")))
            }
            None => Ok(()),
        }
    }

    fn reminder_times(&self, name: &str, times: &[u32]) -> Result<BTreeSet<u32>, Mistake> {
        let is_time = |seconds: &u32| (1..=MAX_LIFETIME_SECONDS).contains(seconds);
        if times.is_empty() || times.len() > MAX_REMINDERS || !times.iter().all(is_time) {
            let rule = format!("must be 1 to {MAX_REMINDERS} numbers from 1 to {MAX_LIFETIME_SECONDS}");
            return self.refuse(&["reminders", name], "before_expiry_seconds", rule);
        }
        Ok(times.iter().copied().collect())
    }

    fn defaults(&self, table: &DefaultsTable, names: &Names<'_>) -> Result<Defaults, Mistake> {
        let path = ["defaults"];
        let channels = self.destinations(&path, "channels", &table.channels, names)?;
        let is_shared = |text: &&Spanned<String>| {
            !names.destinations.get(text.get_ref()).is_some_and(Destination::reaches_people)
        };
        if let Some(text) = table.channels.iter().find(is_shared) {
            let rule = "writes to no person: it is neither of kind email nor a slack_bot without `channel`";
            return Err(self.refused_text(&["defaults", "channels"], text, rule));
        }
        let quiet_hours = QuietHours::new(&table.quiet_hours);
        let digest = table.digest.as_ref().map(read_recurrence).transpose();
        Ok(Defaults {
            channels,
            quiet_hours: quiet_hours.map_err(|error| self.refused(&path, "quiet_hours", error))?,
            muted_events: self.named(
                &path,
                "muted_events",
                &table.muted_events,
                "is no event, such as COMMENT_ADDED",
            )?,
            digest: digest
                .map_err(|(key, rule)| self.refused(&path, "digest", format!("has a `{key}` that {rule}")))?,
        })
    }

    fn webhooks(&self, table: WebhooksTable) -> Result<WebhookSettings, Mistake> {
        let path = ["webhooks"];
        if table.allow_ports.contains(&0) {
            return self.refuse(&path, "allow_ports", "must be ports from 1 to 65535");
        }
        if let Some(text) = table.allow_networks.iter().find(|text| !is_network(text.get_ref())) {
            let rule = "is no network, such as 10.0.0.0/8 or fd00::/8";
            return Err(self.refused_text(&["webhooks", "allow_networks"], text, rule));
        }
        if table.ca_bundle.as_ref().is_some_and(|path| !Path::new(path).is_absolute()) {
            return self.refuse(&path, "ca_bundle", "must be an absolute path");
        }
        Ok(WebhookSettings {
            allow_ports: table.allow_ports.into_iter().collect(),
            allow_networks: table.allow_networks.into_iter().map(Spanned::into_inner).collect(),
            ca_bundle: table.ca_bundle,
        })
    }
}

/// What a file says, over what comes with the program.
fn priorities(tables: &BTreeMap<RiskLevel, PriorityTable>) -> Priorities {
    let mut priorities = Priorities::default();
    for (risk_level, table) in tables {
        let by_environment = match risk_level {
            RiskLevel::Low => &mut priorities.low,
            RiskLevel::Medium => &mut priorities.medium,
            RiskLevel::High => &mut priorities.high,
        };
        let over = |priority: &mut Priority, written: Option<Priority>| {
            *priority = written.unwrap_or(*priority);
        };
        over(&mut by_environment.production, table.production);
        over(&mut by_environment.non_production, table.non_production);
    }
    priorities
}

/// A recurrence as it is written; else the key and the rule that it breaks.
pub(crate) fn read_recurrence(written: &WrittenRecurrence) -> Result<Recurrence, (&'static str, String)> {
    let zone = written.zone.as_deref().map_or_else(|| Ok(Zone::utc()), Zone::parse);
    Ok(Recurrence {
        period: written.period,
        at: TimeOfDay::parse(&written.at).map_err(|error| ("at", error.to_string()))?,
        zone: zone.map_err(|error| ("zone", error.to_string()))?,
    })
}

/// `arn:PARTITION:sns:REGION:ACCOUNT:NAME`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
fn is_topic_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_part = |part: &&str| !part.is_empty() && part.bytes().all(allowed);
    matches!(parts.as_slice(), ["arn", partition, "sns", _, account, _]
        if partition.starts_with("aws") && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
        && parts.iter().all(is_part)
}

/// An address and the length of a prefix of it.
fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u8>()) else { return false };
    length <= if address.is_ipv4() { 32 } else { 128 }
}
