//! What is claimed of Countersign's cost, measured: `cargo run --release -p countersign-bench -- policy`, and the same with
//! `log` and `pages`. `traffic` is simulated, and claims nothing.
//!
//! Prints one line for each claim, and ends with 1 if one does not hold. Time is CPU time of the
//! process, so that a busy machine does not count; it still makes caches cold.

mod audit_log;
mod certificate;
mod claims;
mod commands;
mod cost;
mod cpu;
mod deliveries;
mod functions;
mod hot_keys;
mod memory;
mod metered_service;
mod metered_store;
mod moved_host;
mod pages;
mod requests;
mod scale;
mod serve;
mod start;
mod sweeps;
mod traffic;

use claims::Claim;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// What can be measured.
const USAGE: &str = "usage: countersign-bench functions|serve|commands|deliveries|policy|log|pages|scale|sweeps|cost|hot-keys|traffic";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["log"] => audit_log::measure(),
        // The process that verifies, so that its memory is its own.
        [audit_log::CHILD, directory] => audit_log::verify(directory).map(|line| (line, true)),
        ["functions", rest @ ..] => functions::measure(rest),
        ["pages"] => pages::measure(),
        [traffic::NAME] => traffic::measure(None).map(|tables| (tables, true)),
        [traffic::NAME, "--json", file] => {
            traffic::measure(Some(Path::new(file))).map(|tables| (tables, true))
        }
        ["scale", rest @ ..] => scale::measure(rest),
        ["cost"] => cost::measure(),
        ["hot-keys", rest @ ..] => hot_keys::measure(rest),
        ["sweeps", rest @ ..] => sweeps::measure(rest),
        ["serve", options @ ..] => serve::Options::read(options).and_then(|options| serve::measure(&options)),
        ["deliveries", options @ ..] => deliveries::measure(options),
        ["commands", options @ ..] => {
            serve::Options::read(options).and_then(|options| commands::measure(&options))
        }
        ["policy"] => policy().map(|claims| (claims::table(&claims), claims.iter().all(Claim::holds))),
        // One of the processes that the measurement itself starts.
        [start::CHILD, stage] => start::child(stage).map(|line| (line, true)),
        _ => Err(USAGE.to_owned()),
    };
    let (output, code) = match result {
        Ok((output, holds)) => (output, if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        Err(message) => {
            // Nothing is left to do if even this cannot be written.
            let _ = writeln!(std::io::stderr(), "countersign-bench: {message}");
            return ExitCode::from(2);
        }
    };
    match std::io::stdout().lock().write_all(output.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::from(2),
    }
}

/// What a policy costs: when a process starts, and with every call.
fn policy() -> Result<Vec<Claim>, String> {
    if cfg!(debug_assertions) {
        let warning = "countersign-bench: this is a debug build, and its figures mean nothing";
        writeln!(std::io::stderr(), "{warning}").map_err(|error| error.to_string())?;
    }
    let mut claims = start::measure()?;
    claims.extend(requests::measure()?);
    Ok(claims)
}
