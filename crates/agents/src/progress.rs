//! How far a request has come, in a few words.

use countersign_api::wire::RequestBody;
use countersign_core::timestamp::Timestamp;

/// Approvals so far, and how long it lasts: `1 of 2 approvals, 4 min left`.
pub fn progress(request: &RequestBody, now: Timestamp) -> String {
    let approvals = format!(
        "{} of {} {}",
        request.approvals_received,
        request.approvals_required,
        if request.approvals_required == 1 { "approval" } else { "approvals" }
    );
    match Timestamp::parse(&request.expires_at) {
        Ok(deadline) => format!("{approvals}, {}", left(deadline.as_millisecond() - now.as_millisecond())),
        Err(_) => approvals,
    }
}

/// A span of milliseconds as an agent passes it on: rounded down, so that it promises nothing.
fn left(milliseconds: i64) -> String {
    let seconds = milliseconds.div_euclid(1000);
    match seconds {
        ..=0 => "no time left".to_owned(),
        1..=119 => format!("{seconds} s left"),
        120..=7_199 => format!("{} min left", seconds / 60),
        7_200..=172_799 => format!("{} h left", seconds / 3_600),
        _ => format!("{} days left", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_rounded_down() {
        for (milliseconds, words) in [
            (-1, "no time left"),
            (999, "no time left"),
            (119_999, "119 s left"),
            (299_999, "4 min left"),
            (7_199_999, "119 min left"),
            (259_199_999, "2 days left"),
        ] {
            assert_eq!(left(milliseconds), words);
        }
    }
}
