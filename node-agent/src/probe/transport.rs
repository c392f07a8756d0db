//! One POST by HTTP/1.1 over TLS, trusting one CA, within a deadline.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName,
        pem::{self, PemObject},
    },
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// A refusal is a few hundred bytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Whom to ask.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    pub(super) server_name: String,
    pub(super) path_and_query: String,
    /// PEM; nobody else is trusted.
    pub(super) ca: Vec<u8>,
    /// The files of our own certificate and its key, PEM, where the server asks for one. They are
    /// read each time, as whoever keeps them renews them.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    pub(super) timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    #[error("its caBundle holds no certificate that can be read")]
    CaBundle,
    #[error("our own certificate in {path} cannot be read: {source}")]
    Identity { path: String, source: pem::Error },
    #[error("its name cannot be that of a server: {0}")]
    ServerName(#[from] InvalidDnsNameError),
    #[error("no TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("TLS handshake failed: {0}")]
    Handshake(io::Error),
    #[error("HTTP failed: {0}")]
    Http(Box<dyn Error + Send + Sync>),
    #[error("no answer within {0:?}")]
    Deadline(Duration),
}

/// Asks, and waits for the whole answer.
pub(super) async fn post(endpoint: &Endpoint, body: String) -> Result<Answer, TransportError> {
    timeout(endpoint.timeout, exchange(endpoint, body))
        .await
        .unwrap_or(Err(TransportError::Deadline(endpoint.timeout)))
}

async fn exchange(endpoint: &Endpoint, body: String) -> Result<Answer, TransportError> {
    let tls = TlsConnector::from(Arc::new(trusting(&endpoint.ca, endpoint.identity.as_ref())?));
    let name = ServerName::try_from(endpoint.server_name.clone())?;
    let tcp = TcpStream::connect(endpoint.address).await.map_err(TransportError::Connect)?;
    let stream = tls.connect(name, tcp).await.map_err(TransportError::Handshake)?;

    let host = format!("{}:{}", endpoint.server_name, endpoint.address.port());
    let request = Request::post(&endpoint.path_and_query)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| TransportError::Http(error.into()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| TransportError::Http(error.into()))?;
    let answer = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| TransportError::Http(error.into()))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER)
            .collect()
            .await
            .map_err(TransportError::Http)?
            .to_bytes();
        Ok(Answer { status, body })
    };
    // The connection is driven here and ends with the answer: nothing goes on in the background.
    tokio::pin!(answer, connection);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    }
}

fn trusting(
    ca: &[u8],
    identity: Option<&(PathBuf, PathBuf)>,
) -> Result<ClientConfig, TransportError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        let certificate = certificate.map_err(|_| TransportError::CaBundle)?;
        roots.add(certificate).map_err(|_| TransportError::CaBundle)?;
    }
    if roots.is_empty() {
        return Err(TransportError::CaBundle);
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let Some((certificate, key)) = identity else {
        return Ok(config.with_no_client_auth());
    };
    let unreadable = |path: &Path| {
        let path = path.display().to_string();
        |source| TransportError::Identity { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(unreadable(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    Ok(config.with_client_auth_cert(chain, key)?)
}

#[cfg(test)]
mod tests;
