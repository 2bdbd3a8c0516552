//! Where a call comes from, as far as a shell can vouch for it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The network address that a call comes from. A call that comes from no network has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceAddress {
    /// This one; never an IPv4 address in the form of IPv6.
    Known(IpAddr),
    /// One that a proxy did not give, or not in a form that can be read. Written `unknown`, as in RFC 7239.
    Unknown,
}

/// The text is neither an address nor `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an IP address")]
pub struct InvalidSourceAddress;

const UNKNOWN: &str = "unknown";

impl From<IpAddr> for SourceAddress {
    fn from(address: IpAddr) -> Self {
        Self::Known(address.to_canonical())
    }
}

impl FromStr for SourceAddress {
    type Err = InvalidSourceAddress;

    fn from_str(text: &str) -> Result<Self, InvalidSourceAddress> {
        match text {
            UNKNOWN => Ok(Self::Unknown),
            text => text.parse::<IpAddr>().map(Self::from).map_err(|_| InvalidSourceAddress),
        }
    }
}

impl fmt::Display for SourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(address) => address.fmt(f),
            Self::Unknown => f.write_str(UNKNOWN),
        }
    }
}
