//! An OpenID Connect issuer on this machine: it describes itself, publishes keys that a test changes, and counts how often
//! it is asked for them.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use serde_json::json;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// A running issuer, gone when dropped.
#[derive(Debug)]
pub struct Issuer {
    published: Published,
    _runtime: Runtime,
}

#[derive(Debug, Clone)]
struct Published {
    url: String,
    state: Arc<Mutex<PublishedState>>,
}

#[derive(Debug, Default)]
struct PublishedState {
    keys: Option<String>,
    fetches: usize,
}

impl Issuer {
    /// Starts one over http, with these keys.
    pub fn start(keys: &str) -> Self {
        Self::start_with(keys, None)
    }

    /// The same over https, with a certificate and its key in PEM.
    pub fn start_tls(keys: &str, certificate: &Path, key: &Path) -> Self {
        Self::start_with(keys, Some((certificate, key)))
    }

    fn start_with(keys: &str, tls: Option<(&Path, &Path)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let published = Published { url, state: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(description))
            .route("/keys", get(key_set))
            .with_state(published.clone());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        match tls {
            None => {
                runtime.spawn(async move {
                    axum_server::from_tcp(listener).unwrap().serve(router.into_make_service()).await.unwrap();
                });
            }
            Some((certificate, key)) => {
                let config = runtime.block_on(RustlsConfig::from_pem_file(certificate, key)).unwrap();
                runtime.spawn(async move {
                    let server = axum_server::from_tcp_rustls(listener, config).unwrap();
                    server.serve(router.into_make_service()).await.unwrap();
                });
            }
        }
        let issuer = Self { published, _runtime: runtime };
        issuer.publish(Some(keys));
        issuer
    }

    /// Its name, which is where it is.
    pub fn url(&self) -> &str {
        &self.published.url
    }

    /// Publishes other keys; without any, it answers that it is out of order.
    pub fn publish(&self, keys: Option<&str>) {
        self.published.state.lock().unwrap().keys = keys.map(str::to_owned);
    }

    /// How often it was asked where its keys are.
    pub fn fetches(&self) -> usize {
        self.published.state.lock().unwrap().fetches
    }
}

async fn description(State(published): State<Published>) -> Result<String, StatusCode> {
    let mut state = published.state.lock().unwrap();
    state.fetches += 1;
    let url = &published.url;
    let description = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
    if state.keys.is_some() { Ok(description.to_string()) } else { Err(StatusCode::SERVICE_UNAVAILABLE) }
}

async fn key_set(State(published): State<Published>) -> Result<String, StatusCode> {
    published.state.lock().unwrap().keys.clone().ok_or(StatusCode::SERVICE_UNAVAILABLE)
}
