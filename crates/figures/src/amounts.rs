//! Amounts of money: how many there are, and their sum. Whole numbers, so that sums are the same on every machine.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The digits after the point that are counted. No amount of a request is less than the last of them.
const DIGITS: usize = 6;
/// The parts of a unit that these are.
const PARTS: u128 = 1_000_000;

/// Amounts, each rounded to a millionth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// How many there are.
    count: u64,
    /// All of them together. A decimal as text: not every reader of JSON reads whole numbers of this size.
    sum: Millionths,
}

/// An amount in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Millionths(u128);

impl Amounts {
    /// Adds an amount, a decimal without exponent as events have it. What is no amount is not counted.
    pub fn record(&mut self, decimal: &str) {
        if let Some(amount) = Millionths::read(decimal) {
            self.merge(&Self { count: 1, sum: amount });
        }
    }

    /// Adds all of others.
    pub fn merge(&mut self, others: &Self) {
        self.count = self.count.saturating_add(others.count);
        self.sum = Millionths(self.sum.0.saturating_add(others.sum.0));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All of them together, as a decimal without exponent. `None` if there is none.
    pub fn sum(&self) -> Option<String> {
        (self.count > 0).then(|| self.sum.text())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Millionths {
    fn read(decimal: &str) -> Option<Self> {
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(fraction) || !is_digits(whole) || whole.is_empty() {
            return None;
        }
        let counted: String = fraction.chars().chain(std::iter::repeat('0')).take(DIGITS).collect();
        let is_rounded_up = fraction.as_bytes().get(DIGITS).is_some_and(|digit| *digit >= b'5');
        let parts = counted.parse::<u128>().ok()? + u128::from(is_rounded_up);
        Some(Self(whole.parse::<u128>().ok()?.checked_mul(PARTS)?.checked_add(parts)?))
    }

    /// As short as it is.
    fn text(self) -> String {
        let text = format!("{}.{:0DIGITS$}", self.0 / PARTS, self.0 % PARTS);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

impl Serialize for Millionths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Millionths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| serde::de::Error::custom("not a decimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(amounts: &[&str]) -> Option<String> {
        let mut sum = Amounts::default();
        amounts.iter().for_each(|amount| sum.record(amount));
        sum.sum()
    }

    #[test]
    fn sums_are_exact_and_what_is_no_amount_is_none() {
        assert_eq!(sum(&["0.1", "0.2"]).as_deref(), Some("0.3"));
        assert_eq!(sum(&["250.5", "249.5"]).as_deref(), Some("500"));
        assert_eq!(sum(&["1000000000000000", "0.000001"]).as_deref(), Some("1000000000000000.000001"));
        assert_eq!(sum(&["0.0000005", "0.00000049"]).as_deref(), Some("0.000001"));
        assert_eq!(sum(&["0"]).as_deref(), Some("0"));
        assert_eq!(sum(&["", ".5", "-1", "1e3", "1.2.3", "NaN", "+1"]), None);
    }

    proptest! {
        #[test]
        fn sums_of_parts_are_those_of_all_and_documents_read_back(
            amounts in prop::collection::vec(0..10_u128.pow(21), 0..40),
            place in 0..40_usize,
        ) {
            let [mut one, mut other] = [Amounts::default(); 2];
            for (number, amount) in amounts.iter().enumerate() {
                let part = if number < place { &mut one } else { &mut other };
                part.record(&Millionths(*amount).text());
            }
            one.merge(&other);
            prop_assert_eq!(one.count(), amounts.len() as u64);
            prop_assert_eq!(one.sum, Millionths(amounts.iter().sum()));
            let text = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amounts>(&text).unwrap(), one);
        }
    }
}
