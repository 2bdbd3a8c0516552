//! What a policy names: the numbers, texts, times, amounts and networks in its conditions. Between two
//! neighbours of one kind no condition changes its answer, so that a lint that tries them out, and what is
//! next to them, has tried everything.

use crate::attribute::Attribute;
use crate::literal::{DAY_MILLISECONDS, Literal};
use crate::policy::{Kind, Method, Policy, Variable};
use countersign_core::risk::Cost;
use countersign_core::timestamp::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// One ten-thousandth: the difference between two neighbours among decimals.
const SMALLEST_AMOUNT: f64 = 0.0001;

/// What stands in the conditions of a policy, and in its scope.
#[derive(Debug, Clone, Default)]
pub struct Literals {
    numbers: BTreeSet<i64>,
    /// Texts, and the names of entities.
    pub texts: BTreeSet<String>,
    /// What `like` compares with; `None` stands for a wildcard.
    pub patterns: BTreeSet<Vec<Option<String>>>,
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
    pub is_beyond_reading: bool,
    /// Whether conditions look at the action.
    pub looks_at_action: bool,
}

/// Which parts of the time are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    time: bool,
    weekday: bool,
    hour: bool,
    minute: bool,
}

impl Clock {
    /// Those of what is asked for.
    pub fn of(wanted: &BTreeSet<Attribute>) -> Self {
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
        literals.texts.extend(policy.entities().iter().map(|entity| entity.id.clone()));
        policy.each(&mut |expression| literals.read(&expression.kind));
        literals
    }

    fn read(&mut self, kind: &Kind) {
        match kind {
            Kind::Literal(literal) => self.read_literal(literal),
            Kind::Variable(variable) => self.looks_at_action |= *variable == Variable::Action,
            Kind::Calculated(..) | Kind::Negative(_) => self.calculates = true,
            Kind::Like(_, pattern) => {
                self.patterns.insert(pattern.clone());
            }
            Kind::Method(
                Method::Offset
                | Method::DurationSince
                | Method::ToMilliseconds
                | Method::ToSeconds
                | Method::ToMinutes
                | Method::ToHours
                | Method::ToDays,
                ..,
            ) => self.is_beyond_reading = true,
            Kind::Method(..)
            | Kind::Attribute(_)
            | Kind::Has(_)
            | Kind::Not(_)
            | Kind::And(..)
            | Kind::Or(..)
            | Kind::If(_)
            | Kind::Compared(..)
            | Kind::In(..)
            | Kind::Is(..)
            | Kind::Set(_) => {}
        }
    }

    fn read_literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Bool(_) => {}
            Literal::Long(number) => {
                self.numbers.insert(*number);
            }
            Literal::Text(text) => {
                self.texts.insert(text.clone());
            }
            Literal::Entity(entity) => {
                self.texts.insert(entity.id.clone());
            }
            Literal::Decimal(parts) => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "an amount that people name is far below 2^52"
                )]
                self.amounts.push(*parts as f64 * SMALLEST_AMOUNT);
            }
            Literal::Network(network) => {
                self.networks.insert(network.ends());
            }
            Literal::Time(time) => {
                self.times.insert(*time);
            }
            Literal::Duration(duration) => {
                self.durations.insert(*duration);
            }
        }
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

    /// Costs on both sides of each amount, and none.
    pub fn costs(&self) -> Vec<Option<Cost>> {
        let beside = |amount: &f64| [amount - SMALLEST_AMOUNT, *amount, amount + SMALLEST_AMOUNT];
        let amounts = self.amounts.iter().flat_map(beside).chain([0.0]);
        // Whole ten-thousandths, as they are written: not what is left of them in binary.
        let whole = amounts.filter_map(|amount| format!("{amount:.4}").parse().ok());
        let costs = whole.filter_map(|amount| Cost::new(amount).ok()).map(Some);
        std::iter::once(None).chain(costs).collect()
    }

    /// Addresses in and beside each network, of each kind, and none.
    pub fn addresses(&self) -> Vec<Option<IpAddr>> {
        let beside = |(first, last): &(IpAddr, IpAddr)| [moved(*first, -1), *first, *last, moved(*last, 1)];
        // Somewhere else, and what has a function of its own: loopback and multicast.
        let others = ["203.0.113.77", "2001:db8:ffff::77", "127.0.0.1", "::1", "224.0.0.1", "ff02::1"];
        let others = others.iter().filter_map(|address| address.parse().ok());
        let addresses: BTreeSet<IpAddr> = self.networks.iter().flat_map(beside).chain(others).collect();
        std::iter::once(None).chain(addresses.into_iter().map(Some)).collect()
    }

    /// Names that are each of the texts, match each of the patterns or several of them, or none.
    pub fn names(&self, other: &str) -> BTreeSet<String> {
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
    pub fn moments(&self, clock: Clock, from: Timestamp, zone: &TimeZone) -> BTreeSet<Timestamp> {
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
                let beside = |d: &i64| [d.saturating_sub(1), *d, d.saturating_add(1)];
                self.durations.iter().flat_map(beside).for_each(|d| add(midnight.saturating_add(d)));
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

fn date_of(millisecond: i64, zone: &TimeZone) -> Option<Date> {
    let moment = jiff::Timestamp::from_millisecond(millisecond).ok()?;
    Some(zone.to_datetime(moment).date())
}

fn moved(address: IpAddr, by: i8) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(address.to_bits().saturating_add_signed(by.into()).into()),
        IpAddr::V6(address) => IpAddr::V6(address.to_bits().saturating_add_signed(by.into()).into()),
    }
}
