//! Which tone a value of a request has.

use crate::view::text::Tone;

pub(crate) fn risk_tone(risk_level: &str) -> Option<Tone> {
    match risk_level {
        "high" => Some(Tone::Danger),
        "medium" => Some(Tone::Warning),
        _ => None,
    }
}

pub(crate) fn environment_tone(environment: &str) -> Option<Tone> {
    (environment == "production").then_some(Tone::Warning)
}

pub(crate) fn status_tone(status: &str) -> Tone {
    match status {
        "approved" | "executed" => Tone::Good,
        "pending" | "executing" => Tone::Warning,
        "rejected" | "failed" => Tone::Danger,
        _ => Tone::Quiet,
    }
}
