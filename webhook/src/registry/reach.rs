//! Which addresses a registry may have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a look-up may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To every address.
    Everywhere,
    /// To addresses of the public Internet.
    Public,
}

impl Reach {
    /// Whether this address may be connected to.
    pub(super) fn includes(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::Everywhere, _) => true,
            (Self::Public, IpAddr::V4(address)) => is_public(address),
            (Self::Public, IpAddr::V6(address)) => is_public_v6(address),
        }
    }
}

/// Whether an address is globally reachable by
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, and not multicast or reserved.
fn is_public(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

/// The same by <https://www.iana.org/assignments/iana-ipv6-special-registry>: of the global
/// unicast addresses (2000::/3) those that lead to no other network.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64, by which IPv6-only clusters reach IPv4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // Teredo and the like, documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_told_from_inner_ones() {
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.1",
            "2606:4700::1111",
            "64:ff9b::1.1.1.1",
            "::ffff:1.1.1.1",
        ] {
            assert!(Reach::Public.includes(public.parse().unwrap()), "{public}");
        }
        for inner in [
            "0.0.0.0",
            "10.96.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!Reach::Public.includes(inner.parse().unwrap()), "{inner}");
            assert!(Reach::Everywhere.includes(inner.parse().unwrap()), "{inner}");
        }
    }
}
