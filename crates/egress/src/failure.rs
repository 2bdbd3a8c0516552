//! What kind of failure an error of the client is. Its texts are fixed: what an error says may come from the other side.

use crate::address::InvalidAddress;
use crate::resolver::ResolutionError;
use countersign_delivery::outcome::{Failure, FailureClass};
use rustls::CertificateError;
use std::error::Error;
use std::io;
use std::iter::successors;

pub(crate) fn failure(class: FailureClass, status: Option<u16>, detail: impl Into<String>) -> Failure {
    Failure { class, status, retry_after: None, detail: detail.into() }
}

/// An address that may no longer be called, or never could be: `webhooks.allow_networks` changes after it is registered.
impl From<InvalidAddress> for Failure {
    fn from(invalid: InvalidAddress) -> Self {
        failure(FailureClass::ForbiddenAddress, None, format!("the address {invalid}"))
    }
}

/// The failure of a connection or of an exchange on it, after the status if one has come.
pub(crate) fn classified(error: &(dyn Error + 'static), status: Option<u16>) -> Failure {
    if let Some(error) = find::<ResolutionError>(error) {
        let class = match error {
            ResolutionError::LookUp(_) | ResolutionError::NoAddress | ResolutionError::OtherRoots => {
                FailureClass::Name
            }
            ResolutionError::Forbidden(_) => FailureClass::ForbiddenAddress,
        };
        return failure(class, status, error.to_string());
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return failure(FailureClass::Tls, status, tls(error));
    }
    let kind = find::<io::Error>(error).map(io::Error::kind);
    if kind == Some(io::ErrorKind::ConnectionRefused) {
        return failure(FailureClass::ConnectionRefused, status, "the connection is refused");
    }
    let detail = match kind {
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "no way to the host",
        _ if status.is_some() => "the connection ended within the answer",
        _ => "no connection, or it ended without an answer",
    };
    failure(FailureClass::Connection, status, detail)
}

/// The resolution of a name that must be asked for with other roots.
pub(crate) fn wants_other_roots(error: &(dyn Error + 'static)) -> bool {
    matches!(find::<ResolutionError>(error), Some(ResolutionError::OtherRoots))
}

fn tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the certificate is not under a root that is trusted"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for another host"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate is not valid yet"
            }
            CertificateError::Revoked => "the certificate is revoked",
            _ => "the certificate cannot be verified",
        },
        _ => "no TLS connection",
    }
}

/// The first error of a type among an error and its sources. `io::Error::source` passes over the error that is within it,
/// so that it is looked into.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let next = |&error: &&'a (dyn Error + 'static)| {
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        within.map(|error| error as &(dyn Error + 'static)).or_else(|| error.source())
    };
    successors(Some(error), next).find_map(|error| error.downcast_ref())
}
