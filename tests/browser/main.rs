//! The dashboard in a browser, as people use it: Chromium, with and without scripts, wide and narrow, light and dark. What pages
//! say is tested in `crates/dashboard`, and what a hostile sender gets in `tests/e2e/dashboard.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod axe;
mod decisions;
mod driver;
mod journeys;
mod keyboard;
mod live;
mod pages;
mod sample;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");
