//! CPU time of this process, and what many measurements of it come to.

use rustix::time::{ClockId, clock_gettime};

/// The CPU time that this process has used since it was started, in nanoseconds.
pub(crate) fn nanoseconds() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// How often the faster and the slower way are run before anything is measured.
const WARM_UP: usize = 200;
/// How many differences are taken.
const ROUNDS: usize = 300;
/// How many runs are measured together: one alone is not much longer than reading the clock.
const BATCH: u32 = 20;

/// What one way costs more than another, in microseconds a run.
///
/// # Errors
/// The first of their errors: a task that fails early is fast.
pub(crate) fn difference(
    mut more: impl FnMut() -> Result<(), String>,
    mut less: impl FnMut() -> Result<(), String>,
) -> Result<Spread, String> {
    let mut batch = |more_of_it: bool| -> Result<f64, String> {
        let before = nanoseconds();
        for _ in 0..BATCH {
            if more_of_it { more()? } else { less()? }
        }
        Ok(microseconds(nanoseconds() - before) / f64::from(BATCH))
    };
    for _ in 0..WARM_UP.div_ceil(BATCH as usize) {
        batch(true)?;
        batch(false)?;
    }
    let mut differences = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        // Whichever comes second finds warm caches: they take turns.
        let is_first = round % 2 == 0;
        let one = batch(is_first)?;
        let other = batch(!is_first)?;
        differences.push(if is_first { one - other } else { other - one });
    }
    Ok(Spread::of(differences))
}

/// Nanoseconds as microseconds.
pub(crate) fn microseconds(nanoseconds: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a run of 100 days would be a microsecond off")]
    let nanoseconds = nanoseconds as f64;
    nanoseconds / 1000.0
}

/// The middle and the high end of many measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) p95: f64,
}

impl Spread {
    /// Not a number where nothing was measured, which holds no claim.
    pub(crate) fn of(mut measured: Vec<f64>) -> Self {
        measured.sort_by(f64::total_cmp);
        let at = |percent: usize| measured.get(measured.len() * percent / 100).copied().unwrap_or(f64::NAN);
        Self { median: at(50), p95: at(95) }
    }
}
