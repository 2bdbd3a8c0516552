//! What a policy names: the numbers, texts, times, amounts and networks in its conditions. Between two
//! neighbours of one kind no condition changes its answer, so that a lint that tries them out, and what is
//! next to them, has tried everything.

use crate::context::Attribute;
use cedar_policy::Policy;
use countersign_core::risk::Cost;
use countersign_core::timestamp::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// One ten-thousandth: the difference between two neighbours among decimals.
const SMALLEST_AMOUNT: f64 = 0.0001;
const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

/// One address of each network in the text: `ip("10.0.0.0/8")` asks for 10.0.0.0. What stands in a
/// comment is found as well, and does no harm: addresses are only for trying out.
pub(crate) fn addresses(text: &str) -> Vec<IpAddr> {
    let networks = text.split("ip(\"").skip(1).filter_map(|rest| rest.split(['"', '/']).next());
    networks.filter_map(|address| address.parse().ok()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What stands in the conditions of a policy, and in its scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct Literals {
    pub(crate) numbers: BTreeSet<i64>,
    /// Texts, and the names of entities.
    pub(crate) texts: BTreeSet<String>,
    /// What `like` compares with; `None` stands for a wildcard.
    pub(crate) patterns: BTreeSet<Vec<Option<String>>>,
    amounts: Vec<f64>,
    /// Milliseconds since the Unix epoch.
    times: BTreeSet<i64>,
    /// Milliseconds.
    durations: BTreeSet<i64>,
    /// The first and the last address of each.
    networks: BTreeSet<(IpAddr, IpAddr)>,
    /// Whether numbers are calculated with, so that they are not what an hour is compared with.
    calculates: bool,
    /// Whether times are calculated with, or something cannot be read.
    pub(crate) is_beyond_reading: bool,
    /// Whether conditions look at the action.
    pub(crate) looks_at_action: bool,
}

/// Which parts of the time are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    pub(crate) time: bool,
    pub(crate) weekday: bool,
    pub(crate) hour: bool,
    pub(crate) minute: bool,
}

impl Clock {
    /// Those of what is asked for.
    pub(crate) fn of(wanted: &BTreeSet<Attribute>) -> Self {
        let wants = |attribute| wanted.contains(&attribute);
        Self {
            time: wants(Attribute::Time),
            weekday: wants(Attribute::Weekday),
            hour: wants(Attribute::Hour),
            minute: wants(Attribute::Minute),
        }
    }
}

impl Literals {
    /// Reads a policy.
    pub(crate) fn of(policy: &Policy) -> Self {
        let mut literals = Self::default();
        literals.texts.extend(policy.entity_literals().iter().map(|uid| uid.id().unescaped().to_owned()));
        match policy.to_json() {
            Ok(json) => literals.read(json.get("conditions").unwrap_or(&Value::Null)),
            Err(_) => literals.is_beyond_reading = true,
        }
        literals
    }

    /// What several policies name.
    pub(crate) fn extend(&mut self, other: Self) {
        self.numbers.extend(other.numbers);
        self.texts.extend(other.texts);
        self.patterns.extend(other.patterns);
        self.amounts.extend(other.amounts);
        self.times.extend(other.times);
        self.durations.extend(other.durations);
        self.networks.extend(other.networks);
        self.calculates |= other.calculates;
        self.is_beyond_reading |= other.is_beyond_reading;
        self.looks_at_action |= other.looks_at_action;
    }

    fn read(&mut self, node: &Value) {
        match node {
            Value::Array(nodes) => nodes.iter().for_each(|node| self.read(node)),
            Value::Object(members) => members.iter().for_each(|(key, value)| self.read_member(key, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn read_member(&mut self, key: &str, value: &Value) {
        match key {
            "Value" => self.read_value(value),
            "Var" => self.looks_at_action |= value == "action",
            "+" | "-" | "*" | "neg" => {
                self.calculates = true;
                self.read(value);
            }
            "offset" | "durationSince" | "toMilliseconds" | "toSeconds" | "toMinutes" | "toHours"
            | "toDays" => {
                self.is_beyond_reading = true;
                self.read(value);
            }
            "decimal" | "datetime" | "duration" | "ip" => {
                let text = value.pointer("/0/Value").and_then(Value::as_str);
                if text.and_then(|text| self.read_extension(key, text)).is_none() {
                    self.is_beyond_reading = true;
                }
            }
            "like" => {
                self.patterns.insert(pattern(value));
                self.read(value);
            }
            _ => self.read(value),
        }
    }

    fn read_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                self.texts.insert(text.clone());
            }
            Value::Number(number) => self.numbers.extend(number.as_i64()),
            Value::Array(values) => values.iter().for_each(|value| self.read_value(value)),
            Value::Object(_) => {
                let id = value.pointer("/__entity/id").and_then(Value::as_str);
                self.texts.extend(id.map(str::to_owned));
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// `None` if the text is not read.
    fn read_extension(&mut self, function: &str, text: &str) -> Option<()> {
        match function {
            "decimal" => self.amounts.push(text.parse().ok()?),
            "datetime" => {
                self.times.insert(time(text)?);
            }
            "duration" => {
                self.durations.insert(duration(text)?);
            }
            _ => {
                self.networks.insert(network(text)?);
            }
        }
        Some(())
    }

    /// Costs on both sides of each amount, and none.
    pub(crate) fn costs(&self) -> Vec<Option<Cost>> {
        let beside = |amount: &f64| [amount - SMALLEST_AMOUNT, *amount, amount + SMALLEST_AMOUNT];
        let amounts = self.amounts.iter().flat_map(beside).chain([0.0]);
        // Whole ten-thousandths, as they are written: not what is left of them in binary.
        let whole = amounts.filter_map(|amount| format!("{amount:.4}").parse().ok());
        let costs = whole.filter_map(|amount| Cost::new(amount).ok()).map(Some);
        std::iter::once(None).chain(costs).collect()
    }

    /// Addresses in and beside each network, of each kind, and none.
    pub(crate) fn addresses(&self) -> Vec<Option<IpAddr>> {
        let beside = |(first, last): &(IpAddr, IpAddr)| [moved(*first, -1), *first, *last, moved(*last, 1)];
        // Somewhere else, and what has a function of its own: loopback and multicast.
        let others = ["203.0.113.77", "2001:db8:ffff::77", "127.0.0.1", "::1", "224.0.0.1", "ff02::1"];
        let others = others.iter().filter_map(|address| address.parse().ok());
        let addresses: BTreeSet<IpAddr> = self.networks.iter().flat_map(beside).chain(others).collect();
        std::iter::once(None).chain(addresses.into_iter().map(Some)).collect()
    }

    /// Names that are each of the texts, match each of the patterns or several of them, or none.
    pub(crate) fn names(&self, other: &str) -> BTreeSet<String> {
        let filled = |fillings: &[String]| -> Vec<String> {
            let fill = |pattern: &Vec<Option<String>>, slot_assignment: &str| {
                pattern.iter().map(|part| part.as_deref().unwrap_or(slot_assignment)).collect::<String>()
            };
            self.patterns
                .iter()
                .flat_map(|pattern| {
                    fillings.iter().map(move |slot_assignment| fill(pattern, slot_assignment))
                })
                .collect()
        };
        let parts = self.patterns.iter().flatten().flatten().cloned();
        let fillings: Vec<String> = ["", "x", "xx"].map(str::to_owned).into_iter().chain(parts).collect();
        let once = filled(&fillings);
        let twice = filled(&once);
        let names = self.texts.iter().cloned().chain(once).chain(twice);
        names.chain([other.to_owned()]).collect()
    }

    /// Moments from `from` on at which a condition may begin or cease to hold: within a week, and around
    /// each of the times that are named.
    pub(crate) fn moments(&self, clock: Clock, from: Timestamp, zone: &TimeZone) -> BTreeSet<Timestamp> {
        let start = from.as_millisecond();
        let mut moments = BTreeSet::from([from]);
        let mut add = |millisecond: i64| {
            if millisecond >= start {
                moments.insert(Timestamp::from_millisecond(millisecond));
            }
        };
        let days = if clock.weekday { 7 } else { 1 };
        let mut begins = vec![start];
        if clock.time {
            for &time in &self.times {
                [time - 1, time, time + 1].into_iter().for_each(&mut add);
                begins.extend([time - days * DAY_MILLISECONDS, time]);
            }
        }
        let is_of_the_day = clock.hour || clock.minute || !self.durations.is_empty();
        if !is_of_the_day && !clock.weekday {
            return moments;
        }
        // A named time falls into an hour, of which every minute counts.
        let is_every_hour = !clock.hour && clock.minute && clock.time && !self.times.is_empty();
        let hours = if is_every_hour { (0..24).collect() } else { self.edges(clock.hour, 24) };
        let minutes = self.edges(clock.minute, 60);
        for begin in begins {
            // One day more: the first may be over in part.
            for day in (0..=days).map(|day| begin + day * DAY_MILLISECONDS) {
                let Some(date) = date_of(day, zone) else { continue };
                for (hour, minute) in
                    hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (hour, minute)))
                {
                    let Ok(time) = Time::new(*hour, *minute, 0, 0) else { continue };
                    if let Ok(moment) = date.to_datetime(time).to_zoned(zone.clone()) {
                        add(moment.timestamp().as_millisecond());
                    }
                }
                // The time of the day is that of UTC.
                let midnight = day.div_euclid(DAY_MILLISECONDS) * DAY_MILLISECONDS;
                self.durations.iter().flat_map(|d| [d - 1, *d, d + 1]).for_each(|d| add(midnight + d));
            }
        }
        moments
    }

    /// The numbers below `end` at which an answer may change.
    fn edges(&self, is_looked_at: bool, end: i8) -> Vec<i8> {
        match (is_looked_at, self.calculates) {
            (false, _) => vec![0],
            (true, true) => (0..end).collect(),
            (true, false) => {
                let beside =
                    self.numbers.iter().flat_map(|number| [-1, 0, 1].map(|by| number.saturating_add(by)));
                let edges: BTreeSet<i8> = beside.filter_map(|number| i8::try_from(number).ok()).collect();
                edges.into_iter().chain([0, end - 1]).filter(|edge| (0..end).contains(edge)).collect()
            }
        }
    }
}

/// What `like` compares with, as Cedar's JSON has it.
pub(crate) fn pattern(like: &Value) -> Vec<Option<String>> {
    let parts = like.get("pattern").and_then(Value::as_array).into_iter().flatten();
    let mut pattern: Vec<Option<String>> = Vec::new();
    for part in parts {
        match (part.get("Literal").and_then(Value::as_str), pattern.last_mut()) {
            // Cedar has a part for each letter.
            (Some(text), Some(Some(before))) => before.push_str(text),
            (Some(text), _) => pattern.push(Some(text.to_owned())),
            (None, _) => pattern.push(None),
        }
    }
    pattern
}

/// What an expression in Cedar's JSON asks of the context.
pub(crate) fn attribute(node: &Value) -> Option<&str> {
    let members: &Map<String, Value> = node.get(".")?.as_object()?;
    let of_context = members.get("left")?.get("Var")? == "context";
    members.get("attr").filter(|_| of_context)?.as_str()
}

fn date_of(millisecond: i64, zone: &TimeZone) -> Option<Date> {
    let moment = jiff::Timestamp::from_millisecond(millisecond).ok()?;
    Some(zone.to_datetime(moment).date())
}

/// `2026-12-19`, or with a time and an offset, in milliseconds.
fn time(text: &str) -> Option<i64> {
    let moment = match text.parse::<jiff::Timestamp>() {
        Ok(moment) => moment,
        Err(_) => text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
    };
    Some(moment.as_millisecond())
}

/// `1d2h3m4s5ms`, in milliseconds.
fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at_checked(digits)?;
        let end = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at_checked(end)?;
        let milliseconds = match unit {
            "d" => DAY_MILLISECONDS,
            "h" => 60 * 60 * 1000,
            "m" => 60 * 1000,
            "s" => 1000,
            "ms" => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(milliseconds)?)?;
        rest = after;
    }
    Some(sign * total)
}

/// The first and the last address.
fn network(text: &str) -> Option<(IpAddr, IpAddr)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let host = |width: u32| width.checked_sub(length.unwrap_or(width));
    Some(match address.parse().ok()? {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(32 - host(32)?).unwrap_or(0);
            let bits = address.to_bits();
            (IpAddr::V4((bits & !host).into()), IpAddr::V4((bits | host).into()))
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(128 - host(128)?).unwrap_or(0);
            let bits = address.to_bits();
            (IpAddr::V6((bits & !host).into()), IpAddr::V6((bits | host).into()))
        }
    })
}

fn moved(address: IpAddr, by: i8) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(address.to_bits().saturating_add_signed(by.into()).into()),
        IpAddr::V6(address) => IpAddr::V6(address.to_bits().saturating_add_signed(by.into()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_durations_and_networks_are_read() {
        assert_eq!(time("1970-01-02"), Some(DAY_MILLISECONDS));
        assert_eq!(time("1970-01-01T01:00:00+0100"), Some(0));
        assert_eq!(time("1970-01-01T00:00:01.500Z"), Some(1500));
        assert_eq!(duration("1d2h3m4s5ms"), Some(93_784_005));
        assert_eq!(duration("-90m"), Some(-5_400_000));
        assert_eq!(duration("soon"), None);
        for (text, first, last) in [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255"),
            ("192.0.2.66", "192.0.2.66", "192.0.2.66"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let expected = (first.parse().unwrap(), last.parse().unwrap());
            assert_eq!(network(text), Some(expected), "{text}");
        }
        assert_eq!(network("10.0.0.0/40"), None);
    }
}
