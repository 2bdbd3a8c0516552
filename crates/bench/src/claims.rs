//! Claims, and the table that says which of them hold.

use crate::cpu::Spread;
use std::fmt::Write as _;

/// Something that is measured, and perhaps claimed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    /// What is measured.
    pub(crate) what: String,
    /// The most it may take, in microseconds; `None` if nothing is claimed of it.
    pub(crate) at_most: Option<f64>,
    /// What it takes, in microseconds.
    pub(crate) measured: Spread,
}

impl Claim {
    /// Whether the median is within the claim.
    pub(crate) fn holds(&self) -> bool {
        self.at_most.is_none_or(|limit| self.measured.median <= limit)
    }

    fn verdict(&self) -> &'static str {
        match (self.at_most, self.holds()) {
            (None, _) => "",
            (Some(_), true) => "holds",
            (Some(_), false) => "DOES NOT HOLD",
        }
    }
}

/// The claims, one line each.
pub(crate) fn table(claims: &[Claim]) -> String {
    let width = claims.iter().map(|claim| claim.what.chars().count()).max().unwrap_or(0);
    let mut table = "CPU time in microseconds. A claim is about the median.\n\n".to_owned();
    let mut row = |what: &str, claim: &str, median: &str, p95: &str, verdict: &str| {
        let line = format!("{what:width$}  {claim:>7}  {median:>8}  {p95:>8}  {verdict}");
        // INVARIANT: a text takes everything that is written to it.
        let _ = writeln!(table, "{}", line.trim_end());
    };
    row("", "claim", "measured", "p95", "");
    for claim in claims {
        let limit = claim.at_most.map_or_else(String::new, |limit| format!("<= {limit:.0}"));
        let [median, p95] = [claim.measured.median, claim.measured.p95].map(|time| format!("{time:.1}"));
        row(&claim.what, &limit, &median, &p95, claim.verdict());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(what: &str, at_most: Option<f64>, median: f64) -> Claim {
        Claim { what: what.to_owned(), at_most, measured: Spread { median, p95: median * 2.0 } }
    }

    #[test]
    fn a_table_says_what_holds() {
        let claims = [
            claim("to start", Some(1500.0), 1200.25),
            claim("for free", None, 3.0),
            claim("a call of a longer name", Some(100.0), 100.5),
        ];
        let lines = [
            "CPU time in microseconds. A claim is about the median.",
            "",
            "                           claim  measured       p95",
            "to start                 <= 1500    1200.2    2400.5  holds",
            "for free                               3.0       6.0",
            "a call of a longer name   <= 100     100.5     201.0  DOES NOT HOLD",
        ];
        assert_eq!(table(&claims).lines().collect::<Vec<_>>(), lines);
        assert_eq!(claims.map(|claim| claim.holds()), [true, true, false]);
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        assert!(!Claim { measured: Spread::of(Vec::new()), ..claim("", Some(1.0), 0.0) }.holds());
        let measured = Spread::of((1..=100).map(f64::from).rev().collect());
        assert_eq!(measured, Spread { median: 51.0, p95: 96.0 });
    }
}
