//! The proxy on the way to an endpoint, as the variables of the environment name it.

use crate::Endpoint;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use ureq::{Proxy, ProxyProtocol};
use url::Host;

impl Endpoint {
    /// Whether an entry of `NO_PROXY` means this host: a name and what is below it, with or without a dot in front;
    /// an address, or a network of them; each with a port or without; `*` for everything.
    fn is_named_by(&self, exception: &str) -> bool {
        let host = match self.0.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_ascii_lowercase(),
            Some(Host::Ipv4(address)) => {
                return is_in(address.into(), exception, self.0.port_or_known_default());
            }
            Some(Host::Ipv6(address)) => {
                return is_in(address.into(), exception, self.0.port_or_known_default());
            }
            None => return false,
        };
        let (name, port) = match exception.rsplit_once(':') {
            Some((name, port)) => (name, port.parse::<u16>().ok()),
            None => (exception, None),
        };
        let is_port = port.is_none() || port == self.0.port_or_known_default();
        let name =
            name.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
        let below = host.strip_suffix(&name).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        exception == "*" || (is_port && !name.is_empty() && below)
    }

    /// The proxy of the environment on the way there. On the way to this machine there is none: a proxy would
    /// read the token that plain http carries, and could answer with keys of its own.
    ///
    /// # Errors
    /// When the environment names a proxy that cannot be used: the direct way may be one that was not meant.
    #[expect(clippy::disallowed_methods, reason = "the variables of proxies are those of every program")]
    pub fn proxy(&self) -> Result<Option<Proxy>, InvalidProxy> {
        if self.is_this_machine() {
            return Ok(None);
        }
        let set = |name: &'static str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some((variable, value)) = PROXIES.iter().find_map(|name| Some((*name, set(name)?))) else {
            return Ok(None);
        };
        let exceptions = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
        if exceptions.split([',', ' ']).any(|exception| self.is_named_by(exception)) {
            return Ok(None);
        }
        match Proxy::new(&value) {
            Ok(proxy) if is_usable(&proxy) => Ok(Some(proxy)),
            Ok(_) | Err(_) => Err(InvalidProxy { variable }),
        }
    }
}

/// Whether an address is the one that is named, with or without brackets and a port, or in the network.
fn is_in(address: IpAddr, exception: &str, port: Option<u16>) -> bool {
    let is_network = exception.parse::<IpNet>().is_ok_and(|network| network.contains(&address));
    let bare = exception.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<IpAddr>().is_ok_and(|named| named == address);
    let with_port = exception.parse::<SocketAddr>();
    let is_socket = with_port.is_ok_and(|named| named.ip() == address && Some(named.port()) == port);
    exception == "*" || is_network || is_address || is_socket
}

/// Whether a proxy speaks HTTP, at the port that is named: the library takes the usual one in place of one that
/// there cannot be.
fn is_usable(proxy: &Proxy) -> bool {
    let is_http = matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    let host = proxy.uri().authority().map_or("", |authority| authority.as_str());
    let port = host.rsplit(['@', ']']).next().and_then(|host| host.split_once(':'));
    is_http && port.is_none_or(|(_, port)| port.parse::<u16>().is_ok())
}

/// The variables that name a proxy for https, the first that is set first, as curl has it. Plain http is for this
/// machine alone.
const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// A variable of the environment does not name a proxy that can be used. Its value may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} is not the URL of an HTTP proxy (http:// or https://; SOCKS is not supported); correct it, or put \
     the host into NO_PROXY"
)]
pub struct InvalidProxy {
    variable: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// THREATS 53.
    #[test]
    fn threat_53_this_machine_is_reached_without_a_proxy() {
        for text in [
            "http://127.1:8080/keys",
            "http://[::1]:1/",
            "https://localhost.:8443/",
            "https://api.localhost/",
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().proxy(), Ok(None), "{text}");
        }
    }

    #[test]
    fn an_exception_names_a_host_as_curl_has_it() {
        let is_named = |url: &str, exception: &str| Endpoint::parse(url).unwrap().is_named_by(exception);
        for (url, exception) in [
            ("https://cs.corp", "cs.corp"),
            ("https://CS.corp./", "cs.CORP"),
            ("https://cs.corp", "corp"),
            ("https://cs.corp", ".corp"),
            ("https://corp", ".corp"),
            ("https://cs.corp", "*.corp"),
            ("https://cs.corp", "cs.corp."),
            ("https://cs.corp:8443", "cs.corp:8443"),
            ("https://cs.corp", "cs.corp:443"),
            ("https://cs.corp", "*"),
            ("https://10.9.8.7", "10.0.0.0/8"),
            ("https://10.9.8.7", "10.9.8.7"),
            ("https://10.9.8.7:1", "10.9.8.7:1"),
            ("https://[2001:db8::1]", "2001:db8::1"),
            ("https://[2001:db8::1]", "[2001:db8::1]"),
            ("https://[2001:db8::1]", "2001:db8::/32"),
        ] {
            assert!(is_named(url, exception), "{url} {exception}");
        }
        for (url, exception) in [
            ("https://cs.corp", ""),
            ("https://cs.corp", "."),
            ("https://cs.corp", "s.corp"),
            ("https://cs.corp", "cs.corp:8443"),
            ("https://cs.corp.example", "cs.corp"),
            ("https://10.9.8.7", "10."),
            ("https://10.9.8.7", "11.0.0.0/8"),
            ("https://[2001:db8::1]", "2001:db8::2"),
        ] {
            assert!(!is_named(url, exception), "{url} {exception}");
        }
    }
}
