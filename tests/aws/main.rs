//! The product as AWS runs it: the functions behind a gateway, in their runtime, on stores and topics
//! that are not ours.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod delivery;
mod equality;
mod expiry;
mod identity;
mod lifecycle;
mod policy;
mod samples;
mod tls;

/// The built function of a name.
fn binary(function: &str) -> &'static str {
    match function {
        "approve" => env!("CARGO_BIN_EXE_approve-under-test"),
        "cancel" => env!("CARGO_BIN_EXE_cancel-under-test"),
        "comment" => env!("CARGO_BIN_EXE_comment-under-test"),
        "create" => env!("CARGO_BIN_EXE_create-under-test"),
        "dispatch" => env!("CARGO_BIN_EXE_dispatch-under-test"),
        "events" => env!("CARGO_BIN_EXE_events-under-test"),
        "explain" => env!("CARGO_BIN_EXE_explain-under-test"),
        "expire" => env!("CARGO_BIN_EXE_expire-under-test"),
        "finish" => env!("CARGO_BIN_EXE_finish-under-test"),
        "get" => env!("CARGO_BIN_EXE_get-under-test"),
        "health" => env!("CARGO_BIN_EXE_health-under-test"),
        "list" => env!("CARGO_BIN_EXE_list-under-test"),
        "notify" => env!("CARGO_BIN_EXE_notify-under-test"),
        "reject" => env!("CARGO_BIN_EXE_reject-under-test"),
        "simulate" => env!("CARGO_BIN_EXE_simulate-under-test"),
        "start" => env!("CARGO_BIN_EXE_start-under-test"),
        "withdraw" => env!("CARGO_BIN_EXE_withdraw-under-test"),
        other => panic!("no function {other}"),
    }
}
