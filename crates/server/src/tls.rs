//! The certificate chain and the private key of the server, read again on request.

use countersign_core::timestamp::Timestamp;
use countersign_system::private_file;
use countersign_system::text_file;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use x509_parser::parse_x509_certificate;

/// Where a certificate chain and its private key are, in PEM.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The chain.
    pub chain: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Why there is nothing to show to those who speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCertificates {
    /// A file cannot be read, or holds something else.
    #[error("{}: {reason}", text_file::shown(path))]
    File {
        /// Its path.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The library supports none of the versions of TLS.
    #[error("TLS: {0}")]
    Protocol(#[source] rustls::Error),
}

/// What the server shows to those who speak TLS with it.
#[derive(Debug)]
pub struct Certificates {
    files: CertificateFiles,
    current: RwLock<Loaded>,
}

/// A chain and its key, as they were read.
#[derive(Debug, Clone)]
pub struct Loaded {
    configuration: Arc<ServerConfig>,
    /// When the first certificate of the chain to end does.
    not_after: Timestamp,
    /// When the last one to begin does.
    not_before: Timestamp,
}

impl Certificates {
    /// Those of two files.
    ///
    /// # Errors
    /// Which file is wrong, and how.
    pub fn read(files: CertificateFiles) -> Result<Self, InvalidCertificates> {
        let current = RwLock::new(load(&files)?);
        Ok(Self { files, current })
    }

    /// Reads the same files again and changes nothing.
    ///
    /// # Errors
    /// Which file is wrong, and how.
    pub fn read_again(&self) -> Result<Loaded, InvalidCertificates> {
        load(&self.files)
    }

    /// Shows these from the next connection on.
    pub fn replace(&self, loaded: Loaded) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    /// What the next connection is shown.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).configuration)
    }

    /// Logs that a certificate is not valid, if so: every client will refuse it.
    pub fn check_validity(&self, now: Timestamp) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let file = text_file::shown(&self.files.chain);
        if current.not_after < now {
            tracing::error!(%file, not_after = %current.not_after, "the certificate has expired");
        } else if current.not_before > now {
            tracing::error!(%file, not_before = %current.not_before, "the certificate is not valid yet");
        }
    }
}

fn load(files: &CertificateFiles) -> Result<Loaded, InvalidCertificates> {
    let CertificateFiles { chain: chain_path, key: key_path } = files;
    let text = text_file::read(chain_path).map_err(|error| at(chain_path, error))?;
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| at(chain_path, error))?;
    if chain.is_empty() {
        return Err(at(chain_path, "holds no certificate in PEM"));
    }
    let (mut not_before, mut not_after) = (Timestamp::EARLIEST, Timestamp::LATEST);
    for certificate in &chain {
        let (_, certificate) = parse_x509_certificate(certificate).map_err(|error| at(chain_path, error))?;
        let validity = certificate.validity();
        let time = |seconds: i64| Timestamp::from_millisecond(seconds.saturating_mul(1000));
        not_before = not_before.max(time(validity.not_before.timestamp()));
        not_after = not_after.min(time(validity.not_after.timestamp()));
    }
    let pem = private_file::read_linked(key_path).map_err(|error| at(key_path, error))?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| at(key_path, format!("holds no private key in PEM: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(InvalidCertificates::Protocol)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| at(chain_path, error))?;
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Loaded { configuration: Arc::new(configuration), not_after, not_before })
}

fn at(path: &Path, error: impl std::fmt::Display) -> InvalidCertificates {
    InvalidCertificates::File { path: path.to_owned(), reason: error.to_string() }
}
