//! A fresh embedded store behind TLS, as a function reaches `DynamoDB`.

use crate::certificate::Certificate;
use crate::metered_store::MeteredStore;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use countersign_dynamodb::table::{TableNames, create_missing};
use countersign_embedded::Embedded;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A store with its tables, for as long as the runtime lives.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) address: SocketAddr,
    pub(super) store: MeteredStore,
}

impl Database {
    pub(super) async fn start(certificate: &Certificate, delay: Duration) -> Result<Self, String> {
        let engine = Embedded::in_memory().map_err(text)?;
        let names = TableNames::of_environment("bench");
        create_missing(&countersign_embedded::client(engine.clone()), &names).await.map_err(text)?;
        let store = MeteredStore::new(engine, delay);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        let address = listener.local_addr().map_err(text)?;
        let acceptor = certificate.acceptor();
        tokio::spawn(accept(listener, acceptor, store.clone()));
        Ok(Self { address, store })
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, store: MeteredStore) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, store) = (acceptor.clone(), store.clone());
        tokio::spawn(async move {
            // As a database in the same network does; without it, an answer waits for an acknowledgement.
            let _ = stream.set_nodelay(true);
            // A function that is stopped breaks its connection off.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| answer(&store, request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    store: &MeteredStore,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let request = HttpRequest::try_from(Request::from_parts(head, SdkBody::from(body)))?;
    let (head, body) = store.call(request).await?.try_into_http1x()?.into_parts();
    let body = body.bytes().map(Bytes::copy_from_slice).unwrap_or_default();
    Ok(Response::from_parts(head, Full::new(body)))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
