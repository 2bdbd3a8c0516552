//! The client that calls addresses: POST over https, one connection for one call, and never a redirect or a proxy.

use crate::address::Address;
use crate::answer::{Answer, MAX_BODY_BYTES, retry_after};
use crate::failure::{classified, failure, wants_other_roots};
use crate::resolver::{CheckedResolver, Hosts, SystemResolver};
use crate::roots::{InvalidRoots, context};
use crate::rules::EgressRules;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_runtime_api::client::dns::{ResolveDns, SharedDnsResolver};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass};
use http::header::{self, HeaderMap, HeaderName};
use http_body_util::BodyExt as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// The longest body of a call, in bytes: what a message of SNS may have. A server that reads nothing holds the connection of
/// a longer one open after the time limit, since the rest of it does not fit the system's buffers.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// Headers that say how a message is framed or who is asked, which the client writes itself: given by people, they would
/// let a server or a proxy before it read another request than the one that was meant (RFC 9110 section 7.6.1, RFC 9112
/// section 11.2).
const RESERVED_HEADERS: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Those of them that `http` has no constant for.
const RESERVED_HEADER_NAMES: [&str; 3] = ["http2-settings", "keep-alive", "proxy-connection"];

/// Whether the client writes this header itself, so that a call cannot carry it.
pub fn is_reserved(name: &HeaderName) -> bool {
    RESERVED_HEADERS.contains(name) || RESERVED_HEADER_NAMES.contains(&name.as_str())
}

/// Calls addresses by its rules, also those that were read by others.
///
/// Public hosts are known by public roots. Where the operator gives roots of their own, they count for hosts with no other
/// addresses than ones that the rules name: two connections with a store of roots each, whose resolvers refuse the hosts of
/// the other. An internal host is resolved once for each of them; either is connected to only by its own resolution.
#[derive(Debug)]
pub struct Client {
    rules: Arc<EgressRules>,
    connector: Connector,
    internal: Option<Connector>,
}

impl Client {
    /// One that asks the system for addresses of names. `ca_bundle` is roots in PEM for hosts in networks that the rules
    /// name.
    ///
    /// # Errors
    /// When the bundle holds no certificate, or one that cannot be used.
    pub fn new(rules: EgressRules, ca_bundle: Option<&[u8]>) -> Result<Self, InvalidRoots> {
        Self::with_resolver(rules, SystemResolver, ca_bundle)
    }

    /// One that asks `resolver` for addresses of names, and calls none that may not be called.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_resolver(
        rules: EgressRules,
        resolver: impl ResolveDns + 'static,
        ca_bundle: Option<&[u8]>,
    ) -> Result<Self, InvalidRoots> {
        let rules = Arc::new(rules);
        let inner = SharedDnsResolver::new(resolver);
        let checked = |hosts| CheckedResolver::for_hosts(inner.clone(), Arc::clone(&rules), hosts);
        let (connector, internal) = match ca_bundle {
            None => (connector(checked(Hosts::All), context(None)?), None),
            Some(bundle) => (
                connector(checked(Hosts::Public), context(None)?),
                Some(connector(checked(Hosts::Internal), context(Some(bundle))?)),
            ),
        };
        Ok(Self { rules, connector, internal })
    }

    /// The rules that it calls by.
    pub fn rules(&self) -> &EgressRules {
        &self.rules
    }

    /// Sends one POST and reads no more than the beginning of the answer. `time_limit` is for all of it, from the resolution
    /// to the last byte; `now` is what a date in the answer is counted from.
    ///
    /// Every status is an answer. A status that came before a failure is in it: the other side may have acted by then.
    ///
    /// # Errors
    /// `ForbiddenAddress`, `Name`, `Connection`, `Tls` and `Timeout`, as they say; `Unusable` for a header that
    /// [`is_reserved`] and a body of more than [`MAX_MESSAGE_BYTES`].
    pub async fn post(
        &self,
        address: &Address,
        headers: &HeaderMap,
        body: Bytes,
        time_limit: Duration,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        self.post_within(address, headers, body, time_limit, now, MAX_BODY_BYTES).await
    }

    /// The same, which reads at most so many bytes of the answer's body.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn post_within(
        &self,
        address: &Address,
        headers: &HeaderMap,
        body: Bytes,
        time_limit: Duration,
        now: Timestamp,
        max_body_bytes: usize,
    ) -> Result<Answer, Failure> {
        let mut status = None;
        let exchange = self.exchange(address, headers, body, (now, max_body_bytes), &mut status);
        match tokio::time::timeout(time_limit, exchange).await {
            Ok(result) => result,
            Err(_) => {
                let detail = format!("no whole answer in {} ms", time_limit.as_millis());
                Err(failure(FailureClass::Timeout, status, detail))
            }
        }
    }

    async fn exchange(
        &self,
        address: &Address,
        headers: &HeaderMap,
        body: Bytes,
        (now, max_body_bytes): (Timestamp, usize),
        status: &mut Option<u16>,
    ) -> Result<Answer, Failure> {
        if headers.keys().any(is_reserved) {
            return Err(failure(FailureClass::Unusable, None, "a header that the client writes itself"));
        }
        if body.len() > MAX_MESSAGE_BYTES {
            let detail = format!("a message of more than {MAX_MESSAGE_BYTES} bytes");
            return Err(failure(FailureClass::Unusable, None, detail));
        }
        // The address may have been read by other rules, and hyper asks no resolver for one that is an IP address.
        let address = Address::parse(address.as_str(), &self.rules)?;
        let answer = self.sent(&address, headers, body).await?;
        let (head, body) = answer.into_parts();
        *status = Some(head.status.as_u16());
        let mut body = pin!(body);
        let mut beginning = Vec::new();
        while beginning.len() < max_body_bytes {
            let Some(frame) = body.frame().await else { break };
            let frame = frame.map_err(|error| classified(error.as_ref(), *status))?;
            if let Some(data) = frame.data_ref() {
                let room = max_body_bytes.saturating_sub(beginning.len());
                beginning.extend_from_slice(data.get(..room).unwrap_or(data));
            }
        }
        // The rest is not read: with its body the connection is dropped.
        let retry_after = retry_after(&head.headers, now);
        Ok(Answer { status: head.status.as_u16(), retry_after, body: beginning })
    }

    async fn sent(
        &self,
        address: &Address,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<http::Response<SdkBody>, Failure> {
        let is_internal = address.ip().is_some_and(|ip| self.rules.names(ip));
        let result = match &self.internal {
            Some(internal) if is_internal => call(internal, address, headers, body).await?,
            Some(internal) => match call(&self.connector, address, headers, body.clone()).await? {
                Err(error) if wants_other_roots(&error) => call(internal, address, headers, body).await?,
                result => result,
            },
            None => call(&self.connector, address, headers, body).await?,
        };
        result.map_err(|error| classified(&error, None))
    }
}

/// One request on a connection of its own. The outer error is a request or an answer that is none in HTTP.
async fn call(
    connector: &Connector,
    address: &Address,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Result<http::Response<SdkBody>, ConnectorError>, Failure> {
    let mut request = http::Request::post(address.uri().clone())
        .body(SdkBody::from(body))
        .map_err(|_| failure(FailureClass::Unusable, None, "the request is none in HTTP"))?;
    request.headers_mut().extend(headers.clone());
    let request = request
        .try_into()
        .map_err(|_| failure(FailureClass::Unusable, None, "a header is no text in ASCII"))?;
    match connector.call(request).await {
        Ok(answer) => match answer.try_into_http1x() {
            Ok(answer) => Ok(Ok(answer)),
            Err(_) => Err(failure(FailureClass::Connection, None, "the answer is none in HTTP")),
        },
        Err(error) => Ok(Err(error)),
    }
}

/// A connector that keeps no connection: the next call is checked and connected anew.
fn connector(resolver: CheckedResolver, context: TlsContext) -> Connector {
    Connector::builder()
        .proxy_config(ProxyConfig::disabled())
        .pool_max_idle_per_host(0)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_with_resolver(resolver)
}
