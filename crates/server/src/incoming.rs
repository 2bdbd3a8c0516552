//! What of a call is taken in before it is carried out: the turn of its caller, and its body. Of strangers nothing is kept.

use crate::application::Application;
use crate::callers::{Room, TURN_TIMEOUT, Turn};
use axum::body::Body;
use countersign_api::call::MAX_BODY_BYTES;
use countersign_api::problem::{Code, Problem};
use countersign_core::caller::Caller;
use http_body_util::BodyExt as _;
use std::time::Duration;
use tokio::time::timeout;

/// How much of a body that is too large is still taken in, so that its sender gets to read the
/// answer: a client that writes into a closed connection sees only that it is closed.
const DRAINED_BYTES: usize = 4 * 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of a body that is not looked at is taken in: the largest body that makes sense, and a bit.
const LET_GO_BYTES: usize = 2 * MAX_BODY_BYTES;
/// How long that may take.
const LET_GO_TIMEOUT: Duration = Duration::from_secs(5);

/// What a call begins with.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) turn: Option<Turn>,
    pub(crate) body: Vec<u8>,
    pub(crate) room: Option<Room>,
}

/// The turn of a caller who is known, the body, and the room that it takes. Of a stranger there is nothing.
///
/// # Errors
/// When the body does not come in time, or breaks off; or when too much of this caller's is under way.
pub(crate) async fn take(
    app: &Application,
    caller: Option<&Caller>,
    body: Option<Body>,
) -> Result<Taken, Problem> {
    let Some(caller) = caller else { return Ok(Taken::default()) };
    let too_many = |what| Problem::new(Code::StoreUnavailable, what);
    let Ok(Some(turn)) = timeout(TURN_TIMEOUT, app.callers.turn(&caller.person)).await else {
        return Err(too_many("too many calls of yours are under way; read their answers, and try again"));
    };
    let Some(body) = body else { return Ok(Taken { turn: Some(turn), ..Taken::default() }) };
    let Ok(Some(room)) = timeout(TURN_TIMEOUT, app.callers.room(&turn)).await else {
        return Err(too_many("too many bodies are on their way; try again"));
    };
    match timeout(BODY_TIMEOUT, read_body(body)).await {
        Ok(Ok(body)) => Ok(Taken { turn: Some(turn), body, room: Some(room) }),
        Ok(Err(_)) => Err(Problem::new(Code::MalformedJson, "the body broke off")),
        Err(_) => Err(Problem::new(Code::MalformedJson, "the body did not arrive in time")),
    }
}

/// Takes a body in and keeps nothing of it, so that its sender gets to read the answer. Not for long:
/// the sender is not authenticated.
pub(crate) async fn let_go(mut body: Body) {
    let all = async {
        let mut taken = 0;
        while let Some(Ok(frame)) = body.frame().await {
            taken += frame.data_ref().map_or(0, |data| data.len());
            if taken > LET_GO_BYTES {
                break;
            }
        }
    };
    // Whether it has ended or not, it is answered now.
    let _ = timeout(LET_GO_TIMEOUT, all).await;
}

/// The body, or as much of it as shows that it is over the limit; the rest is taken in and let go.
///
/// # Errors
/// When the body breaks off.
async fn read_body(mut body: Body) -> Result<Vec<u8>, axum::Error> {
    let mut kept = Vec::new();
    let mut taken = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        taken += data.len();
        let room = (MAX_BODY_BYTES + 1).saturating_sub(kept.len());
        kept.extend(data.iter().take(room));
        if taken > DRAINED_BYTES {
            break;
        }
    }
    Ok(kept)
}
