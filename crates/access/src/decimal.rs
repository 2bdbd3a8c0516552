//! A cost as Cedar's `decimal`: four digits after the point, never less than the cost is.

use countersign_core::risk::Cost;

/// The largest `decimal`, in ten-thousandths. Also stands for a cost that the requester left out.
const LARGEST: i64 = i64::MAX;

/// How many ten-thousandths are in one.
const FRACTION: i64 = 10_000;

/// The smallest `decimal` that is not below the cost, in ten-thousandths.
///
/// Works on the number as people write it: the shortest text that means it. In binary 0.1 is a
/// little more than 0.1, and would become 0.1001.
pub fn decimal(cost: Option<Cost>) -> i64 {
    cost.and_then(|cost| ten_thousandths(&cost.amount().to_string())).unwrap_or(LARGEST)
}

/// `None` if there are too many of them.
fn ten_thousandths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let kept: String = fraction.chars().chain("0000".chars()).take(4).collect();
    let is_finer = fraction.chars().skip(4).any(|digit| digit != '0');
    let whole: i64 = whole.parse().ok()?;
    let kept: i64 = kept.parse().ok()?;
    whole.checked_mul(FRACTION)?.checked_add(kept)?.checked_add(i64::from(is_finer))
}

#[cfg(test)]
mod tests {
    use super::decimal;
    use countersign_core::risk::Cost;

    #[test]
    fn costs_are_rounded_up_and_never_wrap() {
        for (amount, text) in [
            (0.0, "0.0000"),
            (0.1, "0.1000"),
            (0.3, "0.3000"),
            (1e-6, "0.0001"),
            (0.000_1, "0.0001"),
            (0.000_100_1, "0.0002"),
            (0.999_99, "1.0000"),
            (499.999_99, "500.0000"),
            (500.0, "500.0000"),
            (500.000_01, "500.0001"),
            (1e14, "100000000000000.0000"),
            (9e14, "900000000000000.0000"),
            (1e15, "922337203685477.5807"),
        ] {
            let cost = Cost::new(amount).unwrap();
            let parts = decimal(Some(cost));
            assert_eq!(format!("{}.{:04}", parts / 10_000, parts % 10_000), text, "{amount}");
        }
        assert_eq!(decimal(None), i64::MAX);
    }
}
