//! Tails of distributions. Logarithms and powers are those of `libm`, whose results are the same on every machine; additions,
//! multiplications and divisions of IEEE 754 are.

/// What is less likely than this is a finding.
pub(crate) const THRESHOLD: f64 = 1e-4;

/// A term that is so small a part of its sum adds nothing any more.
const NEGLIGIBLE: f64 = 1e-17;

/// How likely it is that at least so many of events happen, of which `mean` are expected: the upper tail of a Poisson
/// distribution. 1 for what is not above the mean.
pub(crate) fn poisson_tail(at_least: u64, mean: f64) -> f64 {
    let first = at_least as f64;
    if first <= mean || mean <= 0.0 {
        return 1.0;
    }
    let mut term = libm::exp(first * libm::log(mean) - mean - libm::lgamma(first + 1.0));
    let mut sum = term;
    let mut number = first;
    while term > sum * NEGLIGIBLE {
        number += 1.0;
        term *= mean / number;
        sum += term;
    }
    sum.min(1.0)
}

/// How likely it is that at least so many `of` all are of one kind whose share is from 0 to 1: the upper tail of a binomial
/// distribution. 1 for what is not above the mean.
pub(crate) fn binomial_tail(at_least: u64, of: u64, share: f64) -> f64 {
    let (first, all) = (at_least as f64, of as f64);
    if first <= all * share || share <= 0.0 || at_least > of {
        return 1.0;
    }
    let ways = libm::lgamma(all + 1.0) - libm::lgamma(first + 1.0) - libm::lgamma(all - first + 1.0);
    let mut term = libm::exp(ways + first * libm::log(share) + (all - first) * libm::log1p(-share));
    let mut sum = term;
    let mut number = first;
    while number < all && term > sum * NEGLIGIBLE {
        term *= (all - number) / (number + 1.0) * share / (1.0 - share);
        number += 1.0;
        sum += term;
    }
    sum.min(1.0)
}

/// How likely it is that so many in a row are all of a kind that has this share, from 0 to 1.
pub(crate) fn all_in_a_row(share: f64, row: u32) -> f64 {
    libm::pow(share, f64::from(row))
}

/// How likely two independent tails as small as these are together: Fisher's method of combining two tests,
/// `p (1 − ln p)` of their product.
pub(crate) fn both(one: f64, other: f64) -> f64 {
    let product = one * other;
    if product <= 0.0 { 0.0 } else { product * (1.0 - libm::log(product)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-6, "{value} is not {expected}");
    }

    /// Values of `scipy.stats.poisson.sf` and `binom.sf`.
    #[test]
    fn tails_are_those_of_tables() {
        assert_near(poisson_tail(5, 1.0), 0.003_659_846_827_343_713);
        assert_near(poisson_tail(10, 2.0), 4.649_807_501_726_378e-5);
        assert_near(binomial_tail(8, 10, 0.2), 7.792_64e-5);
        assert_near(binomial_tail(10, 10, 0.5), 0.000_976_562_5);
        assert_near(all_in_a_row(0.95, 100), 0.005_920_529_220_334);
        assert_near(both(1e-2, 1e-2), 1e-4 * (1.0 + 9.210_340_371_976_184));
    }

    #[test]
    fn what_is_usual_is_certain_and_no_input_gives_anything_else_than_a_probability() {
        assert_eq!((poisson_tail(3, 3.0), binomial_tail(2, 10, 0.2)), (1.0, 1.0));
        for at_least in [0, 1, 5, 1_000, u64::from(u32::MAX)] {
            for mean in [0.0, 1e-9, 1.0, 999.0, 1e9] {
                let tail = poisson_tail(at_least, mean);
                assert!((0.0..=1.0).contains(&tail), "{at_least} {mean} {tail}");
            }
            for share in [0.0, 1e-9, 0.5, 0.75] {
                let tail = binomial_tail(at_least, 1_000, share);
                assert!((0.0..=1.0).contains(&tail), "{at_least} {share} {tail}");
            }
        }
        assert_eq!(both(0.0, 1.0), 0.0);
    }
}
