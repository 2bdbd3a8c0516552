//! How often memory is allocated where every cold start pays for it, as it is written down in benches/figures.toml. In a process of
//! its own, with one test: others would allocate beside it.

use countersign_policy::load;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn the_bundled_policy_is_read_with_as_many_allocations_as_is_written_down() {
    let figures = include_str!("../../../benches/figures.toml");
    let figures: toml::Table = figures.parse().unwrap();
    let written = figures["start"]["allocations_of_the_bundled_policy"].as_integer().unwrap();
    let region = Region::new(ALLOCATOR);
    let policy = load::bundled().unwrap();
    let change = region.change();
    drop(policy);
    let allocations = i64::try_from(change.allocations + change.reallocations).unwrap();
    let is_near = written.abs_diff(allocations) * 50 <= written.unsigned_abs();
    assert!(
        is_near,
        "benches/figures.toml says {written}, and it is {allocations} ({} bytes)",
        change.bytes_allocated
    );
}
