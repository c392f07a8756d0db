//! The TLS side of the server.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, ResolvesServerCert},
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;

/// The provider cannot do what TLS 1.2 and 1.3 ask.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS: {0}; this is a fault of the build")]
pub struct TlsError(#[source] rustls::Error);

/// What turns a connection into a TLS connection, with the certificate that `resolver` gives.
pub fn acceptor(
    provider: Arc<CryptoProvider>,
    resolver: Arc<dyn ResolvesServerCert>,
) -> Result<TlsAcceptor, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    // The API server resumes no sessions, and a resumed one would go on with an old certificate.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
