//! A certificate of this machine, for what a measurement serves over TLS.

use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate of this machine, which the programs that are measured trust.
#[derive(Debug)]
pub(crate) struct Certificate {
    settings: Arc<ServerConfig>,
    /// In PEM.
    pub(crate) pem: String,
}

impl Certificate {
    /// Issues one.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn issue() -> Result<Self, String> {
        let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).map_err(text)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let settings = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(text)?
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .map_err(text)?;
        Ok(Self { settings: Arc::new(settings), pem: issued.cert.pem() })
    }

    /// What accepts connections with it.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.settings))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
