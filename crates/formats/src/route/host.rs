//! What kind of host an address names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of host a tool's requests go to. The address itself is nobody's business.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HostKind {
    /// The tool's own maker: no other address is set.
    #[default]
    Default,
    /// This device.
    Loopback,
    /// A private network.
    Private,
    /// Any other host.
    Other,
}

/// The host of Claude Code's own maker.
const DEFAULT: &str = "api.anthropic.com";
/// Endings of names that only a private network knows.
const PRIVATE: [&str; 5] = [".local", ".lan", ".internal", ".home.arpa", ".home"];

impl HostKind {
    /// The kind of host that a URL names. What is no URL is no host of one's own.
    pub fn of(url: &str) -> Self {
        let host = host_of(url).to_ascii_lowercase();
        if host == DEFAULT {
            return Self::Default;
        }
        match host.parse() {
            Ok(IpAddr::V4(address)) => Self::of_v4(address),
            Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().map_or_else(|| Self::of_v6(address), Self::of_v4),
            Err(_) if host == "localhost" || host.ends_with(".localhost") => Self::Loopback,
            Err(_) if !host.contains('.') || PRIVATE.iter().any(|ending| host.ends_with(ending)) => Self::Private,
            Err(_) => Self::Other,
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let shared = matches!(address.octets(), [100, 64..=127, _, _]);
        if address.is_loopback() || address.is_unspecified() {
            Self::Loopback
        } else if address.is_private() || address.is_link_local() || shared {
            Self::Private
        } else {
            Self::Other
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() || address.is_unspecified() {
            Self::Loopback
        } else if address.is_unique_local() || address.is_unicast_link_local() {
            Self::Private
        } else {
            Self::Other
        }
    }
}

/// The host in a URL, without user, port, path and query.
fn host_of(url: &str) -> &str {
    let rest = url.trim().split_once("://").map_or(url.trim(), |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(address) = host.strip_prefix('[') {
        return address.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart() {
        for (kind, urls) in [
            (HostKind::Default, &["https://api.anthropic.com", "HTTPS://u:p@API.Anthropic.com:443/v1?x#y"][..]),
            (
                HostKind::Loopback,
                &[
                    "http://localhost:11434",
                    "127.0.0.1:8080",
                    "http://127.9.9.9/a@b",
                    "http://[::1]:80/",
                    "http://0.0.0.0",
                    "http://x.localhost",
                    "http://[::ffff:127.0.0.1]",
                ],
            ),
            (
                HostKind::Private,
                &[
                    "http://192.168.1.5",
                    "http://u@10.0.0.1:80",
                    "https://172.31.0.1",
                    "http://100.64.0.1",
                    "http://[fd00::1]",
                    "http://[fe80::1]:1",
                    "http://studio.local",
                    "http://studio:8080",
                    "http://169.254.0.1",
                ],
            ),
            (
                HostKind::Other,
                &[
                    "https://gate.example.com/api.anthropic.com",
                    "https://api.anthropic.com@evil.example",
                    "https://api.anthropic.com.evil.example",
                    "http://8.8.8.8",
                    "http://100.128.0.1",
                    "http://[2001:db8::1]",
                    "https://local.example",
                    "http://172.32.0.1",
                ],
            ),
        ] {
            for url in urls {
                assert_eq!(HostKind::of(url), kind, "{url}");
            }
        }
    }
}
