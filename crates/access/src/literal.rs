//! The values that a policy's text can hold, and how their texts are read:
//! <https://docs.cedarpolicy.com/policies/syntax-datatypes.html>.

use crate::entity::Entity;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::net::IpAddr;

/// How many ten-thousandths are in one.
const FRACTION: i64 = 10_000;
/// The most digits of a decimal after its point.
const FRACTION_DIGITS: usize = 4;
pub(crate) const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

/// A value in the text of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    Bool(bool),
    Long(i64),
    Text(String),
    Entity(Entity),
    /// In ten-thousandths.
    Decimal(i64),
    Network(Network),
    /// In milliseconds since the Unix epoch.
    Time(i64),
    /// In milliseconds.
    Duration(i64),
}

/// An address, or a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) address: IpAddr,
    /// How many bits all its addresses have in common.
    pub(crate) prefix: u8,
}

impl Network {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self { address, prefix: width(address) }
    }

    /// An address, or one with the length of a prefix, such as `10.0.0.0/8`. An IPv4 address within an IPv6 address is
    /// not read in the form of both.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.matches(':').count() >= 2 && text.matches('.').count() >= 2 {
            return None;
        }
        let Some((address, prefix)) = text.split_once('/') else {
            return Some(Self::of(text.parse().ok()?));
        };
        let address = address.parse().ok()?;
        let is_canonical = prefix == "0" || !prefix.starts_with('0');
        let prefix = digits(prefix).filter(|_| is_canonical)?.parse().ok()?;
        (prefix <= width(address)).then_some(Self { address, prefix })
    }

    /// The first and the last address, as numbers.
    fn bounds(self) -> (u128, u128) {
        let (bits, width) = match self.address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        // The bits that are not part of the prefix: all of them, or a part, or none.
        let host = match width - u32::from(self.prefix) {
            128 => u128::MAX,
            bits => (1 << bits) - 1,
        };
        (bits & !host, bits | host)
    }

    /// The first and the last address.
    pub(crate) fn ends(self) -> (IpAddr, IpAddr) {
        let (first, last) = self.bounds();
        let address = |bits: u128| match (self.address, u32::try_from(bits)) {
            (IpAddr::V4(_), Ok(bits)) => IpAddr::V4(bits.into()),
            _ => IpAddr::V6(bits.into()),
        };
        (address(first), address(last))
    }

    pub(crate) fn is_in(self, other: Self) -> bool {
        let ((first, last), (other_first, other_last)) = (self.bounds(), other.bounds());
        self.address.is_ipv4() == other.address.is_ipv4() && other_first <= first && last <= other_last
    }

    /// Whether all of it is loopback.
    pub(crate) fn is_loopback(self) -> bool {
        self.address.is_loopback() && self.prefix >= if self.address.is_ipv4() { 8 } else { 128 }
    }

    /// Whether all of it is multicast.
    pub(crate) fn is_multicast(self) -> bool {
        self.address.is_multicast() && self.prefix >= if self.address.is_ipv4() { 4 } else { 8 }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A text of one decimal digit or more.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// `-12.5`, in ten-thousandths: a point, digits on both sides, four at most after it.
pub(crate) fn decimal(text: &str) -> Option<i64> {
    let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = rest.split_once('.')?;
    let fraction = digits(fraction).filter(|digits| digits.len() <= FRACTION_DIGITS)?;
    let whole: i64 = format!("{}{}", if is_negative { "-" } else { "" }, digits(whole)?).parse().ok()?;
    let fraction: i64 = format!("{fraction:0<FRACTION_DIGITS$}").parse().ok()?;
    let whole = whole.checked_mul(FRACTION)?;
    if is_negative { whole.checked_sub(fraction) } else { whole.checked_add(fraction) }
}

/// `2026-12-19`, or with a time, milliseconds if need be, and `Z` or an offset such as `+0100`.
pub(crate) fn time(text: &str) -> Option<i64> {
    let date = number(text.get(..4)?)?;
    let month = number(text.get(4..)?.strip_prefix('-')?.get(..2)?)?;
    let day = number(text.get(7..)?.strip_prefix('-')?.get(..2)?)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return milliseconds(date, month, day, [0; 4]);
    }
    let hour = number(rest.strip_prefix('T')?.get(..2)?)?;
    let minute = number(rest.get(3..)?.strip_prefix(':')?.get(..2)?)?;
    let second = number(rest.get(6..)?.strip_prefix(':')?.get(..2)?)?;
    let rest = rest.get(9..)?;
    let (millisecond, zone) = match rest.strip_prefix('.') {
        Some(rest) => (number(rest.get(..3)?)?, rest.get(3..)?),
        None => (0, rest),
    };
    let time = milliseconds(date, month, day, [hour, minute, second, millisecond])?;
    if zone == "Z" {
        return Some(time);
    }
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let zone = zone.get(1..).filter(|zone| zone.len() == 4)?;
    let (hours, minutes) = (number(zone.get(..2)?)?, number(zone.get(2..)?)?);
    (hours < 24 && minutes < 60).then(|| time - sign * i64::from(hours * 60 + minutes) * 60_000)
}

fn number(text: &str) -> Option<i16> {
    digits(text)?.parse().ok()
}

/// `None` where the calendar has no such time.
fn milliseconds(
    year: i16,
    month: i16,
    day: i16,
    [hour, minute, second, millisecond]: [i16; 4],
) -> Option<i64> {
    let small = |number: i16| i8::try_from(number).ok();
    let nanosecond = i32::from(millisecond) * 1_000_000;
    let (month, day, hour) = (small(month)?, small(day)?, small(hour)?);
    let local = DateTime::new(year, month, day, hour, small(minute)?, small(second)?, nanosecond).ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// `1d2h3m4s5ms`, in milliseconds: each unit once at most, in this order, with a sign for all if need be.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    let units = [("d", DAY_MILLISECONDS), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    for (unit, milliseconds) in units {
        let Some(end) = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0) else { continue };
        let (amount, after) = rest.split_at_checked(end)?;
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (named, after) = after.split_at_checked(letters)?;
        if named != unit {
            continue;
        }
        let amount = amount.parse::<i64>().ok()?.checked_mul(milliseconds)?.checked_mul(sign)?;
        total = total.checked_add(amount)?;
        rest = after;
    }
    rest.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_far_as_the_calendar_has_them() {
        for (text, expected) in [
            ("1970-01-02", Some(DAY_MILLISECONDS)),
            ("1970-01-01T01:00:00+0100", Some(0)),
            ("1970-01-01T00:00:01.500Z", Some(1500)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("1970-01-01T00:00:00-0030", Some(1_800_000)),
            ("1970-02-30", None),
            ("1970-01-01T24:00:00Z", None),
            ("1970-01-01T00:00:60Z", None),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01T00:00:00+2400", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("1970-01-01T00:00:00.50Z", None),
            ("1970-1-1", None),
            ("+970-01-01", None),
            ("1970-01-01 ", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_have_each_unit_once_and_in_order() {
        for (text, expected) in [
            ("1d2h3m4s5ms", Some(93_784_005)),
            ("-90m", Some(-5_400_000)),
            ("5ms", Some(5)),
            ("", None),
            ("-", None),
            ("1s1m", None),
            ("1m1m", None),
            ("1", None),
            ("soon", None),
            ("9223372036854775807ms", Some(i64::MAX)),
            ("-9223372036854775808ms", None),
            ("9223372036854775808ms", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn decimals_have_a_point() {
        for (text, expected) in [
            ("1.0", Some(10_000)),
            ("-0.5", Some(-5000)),
            ("0.0001", Some(1)),
            ("922337203685477.5807", Some(i64::MAX)),
            ("922337203685477.5808", None),
            ("-922337203685477.5808", Some(i64::MIN)),
            ("1", None),
            ("1.", None),
            (".5", None),
            ("1.00000", None),
            ("+1.0", None),
            ("1.0 ", None),
        ] {
            assert_eq!(decimal(text), expected, "{text}");
        }
    }

    #[test]
    fn networks_are_of_one_kind() {
        let network = |text: &str| Network::parse(text).unwrap();
        assert!(network("10.1.2.3").is_in(network("10.0.0.0/8")));
        assert!(!network("10.0.0.0/7").is_in(network("10.0.0.0/8")));
        assert!(network("::/0").is_in(network("::/0")) && network("0.0.0.0/0").is_in(network("1.2.3.4/0")));
        assert!(!network("::a01:203").is_in(network("10.0.0.0/8")));
        assert!(network("127.0.0.1").is_loopback() && !network("127.0.0.1/7").is_loopback());
        assert!(network("ff02::1").is_multicast() && !network("ff02::1/7").is_multicast());
        for text in
            ["", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/", "10.0.0", "::ffff:10.1.2.3", "::1/129", "a"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
