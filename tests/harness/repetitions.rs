//! How often a test repeats what chance decides: a few times, unless the environment says otherwise.

/// The number in a variable, or another.
#[expect(clippy::disallowed_methods, reason = "a test is a shell of its own")]
pub fn repetitions(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |number| number.parse().unwrap())
}
