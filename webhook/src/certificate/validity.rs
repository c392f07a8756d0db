//! From when to when a certificate counts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// The time in which a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: SystemTime,
    /// The last second.
    pub not_after: SystemTime,
}

/// Bytes that are no certificate.
#[derive(Debug, thiserror::Error)]
#[error("it is not an X.509 certificate: {0}")]
pub struct Unreadable(#[source] x509_parser::asn1_rs::Err<x509_parser::error::X509Error>);

impl Validity {
    /// Reads a certificate's validity.
    pub fn of(der: &[u8]) -> Result<Self, Unreadable> {
        parse(der).map(|certificate| Self::of_parsed(&certificate))
    }

    pub(super) fn of_parsed(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
        }
    }

    /// Whether the certificate counts.
    #[must_use]
    pub fn contains(&self, now: SystemTime) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// Whether two thirds of the life are over: time to renew, with a third left to try.
    #[must_use]
    pub fn is_due(&self, now: SystemTime) -> bool {
        let life = self.not_after.duration_since(self.not_before).unwrap_or_default();
        now >= self.not_before + life * 2 / 3
    }
}

pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Unreadable> {
    X509Certificate::from_der(der).map(|(_, certificate)| certificate).map_err(Unreadable)
}

/// Nothing that counts today began before 1970.
fn time(timestamp: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(timestamp.try_into().unwrap_or(0))
}
