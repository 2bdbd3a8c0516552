//! The same over HTTP/2, which public hosts mostly speak: no connection is shared, kept or read to its end.

use crate::calls::{SHORT, client_of};
use crate::server::{AMPLE, Authority, Server, post};
use bytes::Bytes;
use countersign_delivery::outcome::FailureClass;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc::unbounded_channel;

fn head() -> http::Response<()> {
    http::Response::builder().header("retry-after", "7").body(()).unwrap()
}

#[tokio::test]
async fn every_call_connects_anew_and_closes_its_connection() {
    let authority = Authority::new(&["127.0.0.1"]);
    let (closed, mut is_closed) = unbounded_channel();
    let server = Server::http2("127.0.0.1:0", &authority, closed, |mut respond| async move {
        let mut body = respond.send_response(head(), false).unwrap();
        body.send_data(Bytes::from_static(b"ok"), true).unwrap();
    })
    .await;
    let (client, address) = client_of(&server, &authority, "/");
    for _ in 0..2 {
        let calls = [post(&client, &address, AMPLE), post(&client, &address, AMPLE)];
        for answer in futures_util::future::join_all(calls).await {
            let answer = answer.unwrap();
            assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
            assert_eq!(answer.retry_after.map(|wait| wait.as_secs()), Some(7));
        }
    }
    assert_eq!(server.connections().await, 4);
    for _ in 0..4 {
        tokio::time::timeout(AMPLE, is_closed.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_and_its_connection_closed() {
    let authority = Authority::new(&["127.0.0.1"]);
    let (closed, mut is_closed) = unbounded_channel();
    let granted = Arc::new(AtomicUsize::new(0));
    let server = Server::http2("127.0.0.1:0", &authority, closed, {
        let granted = Arc::clone(&granted);
        move |mut respond| {
            let granted = Arc::clone(&granted);
            async move {
                let mut body = respond.send_response(head(), false).unwrap();
                body.reserve_capacity(1 << 30);
                while let Some(Ok(capacity)) =
                    std::future::poll_fn(|context| body.poll_capacity(context)).await
                {
                    granted.fetch_add(capacity, Ordering::SeqCst);
                    if body.send_data(vec![b'x'; capacity].into(), false).is_err() {
                        break;
                    }
                    body.reserve_capacity(1 << 30);
                }
            }
        }
    })
    .await;
    let (client, address) = client_of(&server, &authority, "/");
    let answer = post(&client, &address, AMPLE).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 64 * 1024));
    tokio::time::timeout(AMPLE, is_closed.recv()).await.unwrap().unwrap();
    // The window of a stream, and what was read of it.
    assert!(granted.load(Ordering::SeqCst) < 3 << 20, "{} bytes were taken", granted.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_stream_that_is_never_answered_is_left_and_its_connection_closed() {
    let authority = Authority::new(&["127.0.0.1"]);
    let (closed, mut is_closed) = unbounded_channel();
    let server = Server::http2("127.0.0.1:0", &authority, closed, |respond| async move {
        tokio::time::sleep(AMPLE).await;
        drop(respond);
    })
    .await;
    let (client, address) = client_of(&server, &authority, "/");
    let failure = post(&client, &address, SHORT).await.unwrap_err();
    assert_eq!((failure.class, failure.status), (FailureClass::Timeout, None));
    tokio::time::timeout(AMPLE / 2, is_closed.recv()).await.unwrap().unwrap();
}
