//! The resolution of names for connections, which answers only addresses that may be called.
//!
//! The connection is made from this answer, so that no second resolution can lead elsewhere than the one that was checked.

use crate::networks::ForbiddenAddress;
use crate::rules::{EgressRules, check_ip};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError, SharedDnsResolver};
use std::net::IpAddr;
use std::sync::Arc;

/// Asks the system: its files, its DNS servers, in its order.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl ResolveDns for SystemResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let addresses = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

/// Why there is no answer to a resolution; the source of a [`ResolveDnsError`].
#[derive(Debug, thiserror::Error)]
pub enum ResolutionError {
    /// The name does not resolve.
    #[error("the name does not resolve")]
    LookUp(#[source] BoxError),
    /// The name has no address.
    #[error("the name has no address")]
    NoAddress,
    /// One of the addresses may not be called, so that none is.
    #[error("the name has an address that may not be called: {0}")]
    Forbidden(ForbiddenAddress),
    /// All the addresses may be called, but with other certificates than those of this connection.
    #[error("the addresses of the name have changed between internal and public")]
    OtherRoots,
}

/// For which hosts a resolver answers, of those that may be called at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// For all of them.
    All,
    /// For all but those with no other addresses than ones that the rules name.
    Public,
    /// For those with no other addresses than ones that the rules name.
    Internal,
}

/// A resolver that answers what another does if each of its addresses may be called. One that may not takes the others
/// with it: a name with both is an attack or a mistake.
#[derive(Debug, Clone)]
pub struct CheckedResolver {
    inner: SharedDnsResolver,
    rules: Arc<EgressRules>,
    hosts: Hosts,
}

impl CheckedResolver {
    /// One that asks `inner`.
    pub fn new(inner: SharedDnsResolver, rules: Arc<EgressRules>) -> Self {
        Self::for_hosts(inner, rules, Hosts::All)
    }

    pub(crate) fn for_hosts(inner: SharedDnsResolver, rules: Arc<EgressRules>, hosts: Hosts) -> Self {
        Self { inner, rules, hosts }
    }

    /// The addresses of a name, all of which may be called.
    ///
    /// # Errors
    /// When the name has none, or one that may not be called.
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolutionError> {
        let addresses = self.inner.resolve_dns(name).await;
        let addresses = addresses.map_err(|error| ResolutionError::LookUp(error.into()))?;
        if addresses.is_empty() {
            return Err(ResolutionError::NoAddress);
        }
        for address in &addresses {
            check_ip(*address, &self.rules).map_err(ResolutionError::Forbidden)?;
        }
        let is_internal = addresses.iter().all(|address| self.rules.names(*address));
        match (self.hosts, is_internal) {
            (Hosts::All, _) | (Hosts::Public, false) | (Hosts::Internal, true) => Ok(addresses),
            (Hosts::Public, true) | (Hosts::Internal, false) => Err(ResolutionError::OtherRoots),
        }
    }
}

impl ResolveDns for CheckedResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move { self.resolve(name).await.map_err(ResolveDnsError::new) })
    }
}
