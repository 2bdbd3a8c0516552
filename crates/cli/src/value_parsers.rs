//! What the values of options may be, beyond what their types say. Knows no command.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use countersign_api::operations::finish::Report;
use countersign_api::wire::{QuietHoursBody, WindowBody};
use countersign_core::event::EventType;
use countersign_core::execution::ExecutionMode;
use countersign_core::period::Period;
use countersign_core::priority::Priority;
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_delivery::state::DeliveryState;
use countersign_figures::report::GroupBy;
use serde_json::{Value, json};
use std::str::FromStr;
use strum::IntoEnumIterator;

/// One of some names, which shells complete.
fn one_of<T>() -> impl clap::builder::TypedValueParser<Value = T>
where
    T: Clone + FromStr<Err = strum::ParseError> + IntoEnumIterator + Into<&'static str> + Send + Sync,
{
    let names: Vec<&str> = T::iter().map(Into::into).collect();
    PossibleValuesParser::new(names).try_map(|text| text.parse())
}

/// An environment.
pub(crate) fn environment() -> impl clap::builder::TypedValueParser<Value = Environment> {
    one_of::<Environment>()
}

/// A level of risk.
pub(crate) fn risk_level() -> impl clap::builder::TypedValueParser<Value = RiskLevel> {
    one_of::<RiskLevel>()
}

/// A status.
pub(crate) fn status() -> impl clap::builder::TypedValueParser<Value = Status> {
    one_of::<Status>()
}

/// A type of audit event.
pub(crate) fn event_type() -> impl clap::builder::TypedValueParser<Value = EventType> {
    one_of::<EventType>()
}

/// What figures are told apart by.
pub(crate) fn group_by() -> impl clap::builder::TypedValueParser<Value = GroupBy> {
    one_of::<GroupBy>()
}

/// How long a period is.
pub(crate) fn period() -> impl clap::builder::TypedValueParser<Value = Period> {
    one_of::<Period>()
}

/// Where a delivery to a webhook stands.
pub(crate) fn delivery_status() -> impl clap::builder::TypedValueParser<Value = DeliveryState> {
    let states = DeliveryState::iter().filter(|state| *state != DeliveryState::Superseded);
    let names: Vec<&str> = states.map(DeliveryState::as_str).collect();
    PossibleValuesParser::new(names).try_map(|text| DeliveryState::parse(&text))
}

/// What is reported of an execution.
pub(crate) fn outcome() -> impl clap::builder::TypedValueParser<Value = Report> {
    one_of::<Report>()
}

/// Who starts an execution.
pub(crate) fn execution_mode() -> impl clap::builder::TypedValueParser<Value = ExecutionMode> {
    one_of::<ExecutionMode>()
}

/// How soon a request needs an answer.
pub(crate) fn priority() -> impl clap::builder::TypedValueParser<Value = Priority> {
    one_of::<Priority>()
}

/// Two times with a slash between them.
pub(crate) fn window(text: &str) -> Result<WindowBody, String> {
    let bounds = text.split_once('/');
    let (from, to) = bounds.ok_or(
        "must be two times with a slash between them, such as 2026-01-31T22:00:00Z/2026-01-31T23:00:00Z",
    )?;
    Ok(WindowBody { from: from.to_owned(), to: to.to_owned() })
}

/// What says that there is none of something.
pub(crate) const NONE: &str = "none";

/// A type of event that a person does not want to hear of, or [`NONE`].
pub(crate) fn muted_event() -> impl clap::builder::TypedValueParser<Value = String> {
    let names = EventType::iter().map(EventType::as_str);
    PossibleValuesParser::new(names.chain([NONE]).collect::<Vec<_>>())
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The place of a day in the week, by its name or the beginning of it.
fn day(text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    (text.len() >= 3).then(|| DAYS.iter().position(|day| day.starts_with(&text))).flatten()
}

/// `mon-fri`, `sat,sun` or `monday`.
fn days(text: &str) -> Option<Vec<String>> {
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // From Friday to Monday goes over the end of the week.
        let count = (last + DAYS.len() - first) % DAYS.len() + 1;
        days.extend(DAYS.iter().cycle().skip(first).take(count).map(|day| (*day).to_owned()));
    }
    Some(days)
}

/// `mon-fri 18:00-08:00 Europe/Vienna`, or [`NONE`]. Whether times and zones are some is for the service to say.
pub(crate) fn quiet_hours(text: &str) -> Result<Option<QuietHoursBody>, String> {
    const RULE: &str = "must be days, times and a time zone, such as \"mon-fri 18:00-08:00 Europe/Vienna\"";
    if text == NONE {
        return Ok(None);
    }
    let mut words = text.split_whitespace().peekable();
    let days = words.peek().and_then(|word| days(word));
    if days.is_some() {
        words.next();
    }
    let (from, to) = words.next().and_then(|times| times.split_once('-')).ok_or(RULE)?;
    let zone = words.next().map(str::to_owned);
    match words.next() {
        None => Ok(Some(QuietHoursBody { days, from: from.to_owned(), to: to.to_owned(), zone })),
        Some(_) => Err(RULE.to_owned()),
    }
}

/// `daily@08:00 Europe/Vienna`, or `off`.
pub(crate) fn digest(text: &str) -> Result<Value, String> {
    const RULE: &str = "must be off, or when: such as \"daily@08:00 Europe/Vienna\"";
    if text == "off" {
        return Ok(json!(text));
    }
    let (when, zone) = text.split_once(' ').map_or((text, None), |(when, zone)| (when, Some(zone.trim())));
    let (period, at) = when.split_once('@').ok_or(RULE)?;
    let mut digest = json!({ "period": period, "at": at });
    if let Some((members, zone)) = digest.as_object_mut().zip(zone) {
        members.insert("zone".to_owned(), json!(zone));
    }
    Ok(digest)
}

/// The name of a group.
pub(crate) fn group(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err("must be names of groups with commas between them, such as developer,approver".to_owned());
    }
    Ok(name.to_owned())
}

/// How many of something: at least one, at most a million.
pub(crate) fn number(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
    number.ok_or_else(|| "must be a number from 1 to 1000000".to_owned())
}

/// The longest a token may be valid, and anything may be waited for.
const MAX_DAYS: u32 = 366;
const SECONDS_A_DAY: u32 = 24 * 60 * 60;

/// `90s`, `15m`, `8h` or `30d` in seconds.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    seconds_of_days(MAX_DAYS, text)
}

/// The same, or a number of seconds.
pub(crate) fn time(text: &str) -> Result<u32, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { seconds(&format!("{text}s")) } else { seconds(text) }
}

/// The same as [`seconds`], of a time that may be at most so many days.
pub(crate) fn seconds_of_days(max_days: u32, text: &str) -> Result<u32, String> {
    let rule = || format!("must be a number and s, m, h or d, such as 8h; at most {max_days}d");
    let unit = text.chars().next_back().ok_or_else(rule)?;
    let unit_seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => SECONDS_A_DAY,
        _ => return Err(rule()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let number: u32 = digits.parse().map_err(|_| rule())?;
    number
        .checked_mul(unit_seconds)
        .filter(|seconds| (1..=max_days.saturating_mul(SECONDS_A_DAY)).contains(seconds))
        .ok_or_else(rule)
}

/// Scheme, host and port of a URL, as browsers write an origin: HTTPS, or HTTP on this machine.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let rule = "must be https:// and a host in lower case, without a path; http:// is for localhost alone";
    let (scheme, authority) = text.split_once("://").ok_or(rule)?;
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
    let is_local = host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1";
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let is_host = !host.is_empty() && host.bytes().all(is_name);
    let is_scheme = scheme == "https" || scheme == "http" && is_local;
    let is_port = port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port);
    if is_scheme && is_host && is_port { Ok(text.to_owned()) } else { Err(rule.to_owned()) }
}

/// A URL in which `{}` stands for a ticket.
pub(crate) fn ticket_url(text: &str) -> Result<String, String> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    if is_web && text.matches("{}").count() == 1 {
        return Ok(text.to_owned());
    }
    Err("must be an https or http URL with {} in it once, where the ticket stands".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_has_a_unit_and_a_limit() {
        for (text, expected) in [("90s", 90), ("15m", 900), ("8h", 28_800), ("366d", 31_622_400)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "8", "h", "0h", "-1h", "8w", "367d", "99999999999h", "8hh", "1.5h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_without_a_unit_is_seconds_where_that_is_said() {
        for (text, expected) in [("1", 1), ("3600", 3600), ("90s", 90), ("2h", 7200)] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "-1", "1.5", "+1", "31622401", "h"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_too_long_is_refused_with_the_limit_that_holds() {
        for (max_days, text) in [(365, "366d"), (365, "400d"), (366, "367d")] {
            let refused = seconds_of_days(max_days, text).unwrap_err();
            assert!(refused.ends_with(&format!("at most {max_days}d")), "{refused}");
        }
        assert_eq!(seconds_of_days(365, "365d"), Ok(31_536_000));
    }

    #[test]
    fn quiet_hours_are_days_times_and_a_zone() {
        let span = |days: Option<&[&str]>, from: &str, to: &str, zone: Option<&str>| QuietHoursBody {
            days: days.map(|days| days.iter().map(|day| (*day).to_owned()).collect()),
            from: from.to_owned(),
            to: to.to_owned(),
            zone: zone.map(str::to_owned),
        };
        let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday"];
        for (text, expected) in [
            (
                "mon-fri 18:00-08:00 Europe/Vienna",
                span(Some(&weekdays), "18:00", "08:00", Some("Europe/Vienna")),
            ),
            ("22:00-06:00", span(None, "22:00", "06:00", None)),
            ("Sat,SUNDAY 00:00-24:00", span(Some(&["saturday", "sunday"]), "00:00", "24:00", None)),
            ("sun-mon 20:00-21:00 UTC", span(Some(&["sunday", "monday"]), "20:00", "21:00", Some("UTC"))),
        ] {
            assert_eq!(quiet_hours(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(quiet_hours("none"), Ok(None));
        for text in ["", "mon-fri", "mo 18:00-08:00", "18:00", "mon 18:00-08:00 Europe/Vienna daily"] {
            assert!(quiet_hours(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_digest_is_off_or_has_a_time() {
        assert_eq!(digest("off"), Ok(json!("off")));
        let daily = json!({ "period": "daily", "at": "08:00", "zone": "Europe/Vienna" });
        assert_eq!(digest("daily@08:00 Europe/Vienna"), Ok(daily));
        assert_eq!(digest("weekly@09:00"), Ok(json!({ "period": "weekly", "at": "09:00" })));
        assert!(digest("on").is_err() && digest("daily").is_err());
    }
}
