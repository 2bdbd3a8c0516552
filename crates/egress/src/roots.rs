//! Which certificates are trusted: public roots, and for internal hosts those of the operator too.

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// TLS cannot be set up: what should be a bundle of root certificates is none.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRoots {
    /// Nothing in it is a certificate.
    #[error("the bundle holds no certificate")]
    Empty,
    /// A certificate that cannot be read or cannot be a root.
    #[error("a certificate of the bundle cannot be used: {0}")]
    Certificate(String),
    /// The TLS library refuses its settings.
    #[error("TLS cannot be set up: {0}")]
    Settings(String),
}

/// Trusts the public roots of Mozilla's programme that are built in, and those of a bundle in PEM.
pub(crate) fn context(bundle: Option<&[u8]>) -> Result<TlsContext, InvalidRoots> {
    let mut trusted = TrustStore::empty().with_pem_certificate(public_roots());
    if let Some(bundle) = bundle {
        check(bundle)?;
        trusted = trusted.with_pem_certificate(bundle);
    }
    let context = TlsContext::builder().with_trust_store(trusted).build();
    context.map_err(|error| InvalidRoots::Settings(error.to_string()))
}

/// The SDK's client takes roots in PEM alone.
fn public_roots() -> Vec<u8> {
    let mut text = String::new();
    for certificate in TLS_SERVER_ROOT_CERTS {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        STANDARD.encode_string(certificate, &mut text);
        text.push_str("\n-----END CERTIFICATE-----\n");
    }
    text.into_bytes()
}

/// The SDK's client takes a bundle without certificates for an empty one, and panics at a broken certificate.
fn check(bundle: &[u8]) -> Result<(), InvalidRoots> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        let certificate = certificate.map_err(|error| InvalidRoots::Certificate(error.to_string()))?;
        roots.add(certificate).map_err(|error| InvalidRoots::Certificate(error.to_string()))?;
    }
    if roots.is_empty() { Err(InvalidRoots::Empty) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_roots_are_read_as_they_are_written() {
        let written = public_roots();
        let read: Vec<_> = CertificateDer::pem_slice_iter(&written).map(Result::unwrap).collect();
        assert!(read.len() > 100);
        assert_eq!(read, TLS_SERVER_ROOT_CERTS);
        assert!(check(&written).is_ok() && context(None).is_ok() && context(Some(&written)).is_ok());
    }

    #[test]
    fn a_bundle_holds_certificates_and_nothing_that_looks_like_one() {
        for bundle in ["", "rubbish"] {
            assert!(matches!(context(Some(bundle.as_bytes())), Err(InvalidRoots::Empty)), "{bundle}");
        }
        for body in ["!!!!", "cnViYmlzaA=="] {
            let bundle = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
            let both = [public_roots(), bundle.into_bytes()].concat();
            assert!(matches!(context(Some(&both)), Err(InvalidRoots::Certificate(_))), "{body}");
        }
    }
}
