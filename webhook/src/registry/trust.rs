//! Whom the webhook trusts as a registry, and by which credentials of its own.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{credentials::DockerConfig, error::Error};

/// The public CAs and those of the file. It is read every time, so that it may change.
pub(super) fn tls(
    ca_file: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        add(&mut roots, path).ok_or(Error::Installation { what: "CA file" })?;
    }
    let config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::Installation { what: "TLS library" })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Adds the certificates of a file; none where it has one that is none, or has none at all.
fn add(roots: &mut RootCertStore, path: &Path) -> Option<()> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path).ok()? {
        roots.add(certificate.ok()?).ok()?;
    }
    (roots.len() > before).then_some(())
}

/// The webhook's own credentials. They are read every time, so that they may change.
pub(super) fn docker_config(path: &Path) -> Result<DockerConfig, Error> {
    let config = fs::read(path).ok().and_then(|json| DockerConfig::read(&json));
    config.ok_or(Error::Installation { what: "docker config" })
}
