//! The certificate that is served, which changes under a running server.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwapOption;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Unreadable, Validity};

/// A certificate with its chain and key, ready to be served.
#[derive(Debug)]
pub struct Pair {
    certified: Arc<CertifiedKey>,
    validity: Validity,
}

/// Why two PEM texts are not a certificate and its key.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The chain.
    #[error("the certificate is not PEM: {0}")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// The chain's first certificate.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The key.
    #[error("the key is not PEM: {0}")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// Both are readable, but they do not belong together or are of an unknown kind.
    #[error("the certificate and the key cannot be served: {0}")]
    Mismatch(#[source] rustls::Error),
}

impl Pair {
    /// Joins a chain and its key, each in PEM.
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Self, PairError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(PairError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(PairError::Key)?;
        let validity = Validity::of(chain.first().map_or(&[], |first| first))?;
        let certified =
            CertifiedKey::from_der(chain, key, provider).map_err(PairError::Mismatch)?;
        Ok(Self { certified: Arc::new(certified), validity })
    }
}

/// Gives every new connection the newest certificate.
#[derive(Debug, Default)]
pub struct Resolver {
    pair: ArcSwapOption<Pair>,
}

impl Resolver {
    /// Serves `pair` from the next handshake on. Open connections go on as they are.
    pub fn install(&self, pair: Pair) {
        tracing::info!(not_after = unix(pair.validity.not_after), "serving a new certificate");
        self.pair.store(Some(Arc::new(pair)));
    }

    /// The validity of what is served, where anything is.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.pair.load().as_ref().map(|pair| pair.validity)
    }

    /// Whether a certificate is served that counts.
    #[must_use]
    pub fn is_valid(&self, now: SystemTime) -> bool {
        self.validity().is_some_and(|validity| validity.contains(now))
    }

    /// The last second of what is served, in Unix time; 0 where nothing is.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.validity().map_or(0, |validity| unix(validity.not_after))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.pair.load().as_ref().map(|pair| Arc::clone(&pair.certified))
    }
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
