//! Signature Version 4 of calls of an API that is behind API Gateway.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use std::time::SystemTime;

/// The service that calls of API Gateway are signed for.
const SERVICE: &str = "execute-api";

/// The call cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SignatureError(String);

/// A call that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The method.
    pub method: &'a str,
    /// The whole URL.
    pub url: &'a str,
    /// The headers that are signed, besides `Host`.
    pub headers: &'a [(&'static str, String)],
    /// The body.
    pub body: &'a str,
}

/// The headers that a call gets, signed at this time for this region.
///
/// # Errors
/// When the URL or a header cannot be part of a signature.
pub fn headers(
    call: Call<'_>,
    credentials: Credentials,
    region: &str,
    now: SystemTime,
) -> Result<Vec<(String, String)>, SignatureError> {
    let invalid = |error: &dyn std::fmt::Display| SignatureError(error.to_string());
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| invalid(&error))?;
    let headers = call.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let request =
        SignableRequest::new(call.method, call.url, headers, SignableBody::Bytes(call.body.as_bytes()))
            .map_err(|error| invalid(&error))?;
    let (instructions, _) = sign(request, &parameters.into()).map_err(|error| invalid(&error))?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
