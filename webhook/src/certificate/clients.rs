//! Which clients are answered, where not all are: those with a certificate of a CA in a file and a
//! name in a list. A CA alone says too little: that of a cluster gives certificates to kubelets and
//! to users whose CertificateSigningRequest was approved.

use std::{fmt, fs, io, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use tokio::time::sleep;
use x509_parser::{extensions::GeneralName, x509::AttributeTypeAndValue};

use super::{complaint::Complaint, validity::parse};

/// How soon other CAs are noticed. By content, as [`super::files`] does it.
const INTERVAL: Duration = Duration::from_secs(5);

/// Why the file names no CAs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read the clients' CAs in {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It holds something else.
    #[error("the clients' CAs in {} are not PEM: {source}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate in it is none that others can be signed with.
    #[error("a client's CA in {} cannot be trusted: {source}", path.display())]
    Root {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// It holds none.
    #[error("cannot trust the clients' CAs in {}: {source}", path.display())]
    Verifier {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: VerifierBuilderError,
    },
}

/// Lets those clients ask that a CA in a file has given a certificate for one of these names, and
/// follows the file.
pub struct Clients {
    path: PathBuf,
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Current>,
}

struct Current {
    file: Vec<u8>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    /// Reads the file for the first time. Without a name nobody is answered.
    pub fn read(
        path: PathBuf,
        names: Vec<String>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let current = Current::read(&path, &provider)?;
        Ok(Self { path, names, provider, current: ArcSwap::from_pointee(current) })
    }

    /// Looks at the file again and again. What cannot be used leaves the old in its place.
    pub async fn run(self: Arc<Self>, mut complaint: Complaint) {
        loop {
            sleep(INTERVAL).await;
            match self.pass() {
                Ok(()) => complaint.settle(),
                Err(error) => complaint.tell(&error),
            }
        }
    }

    fn pass(&self) -> Result<(), Error> {
        let found = Current::read(&self.path, &self.provider)?;
        if found.file != self.current.load().file {
            tracing::info!("other CAs of clients are trusted");
            self.current.store(Arc::new(found));
        }
        Ok(())
    }

    /// Whether one of the certificate's names is in the list.
    fn is_listed(&self, certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
        let shown = names(certificate).ok_or(CertificateError::BadEncoding)?;
        if shown.iter().any(|name| self.names.contains(name)) {
            return Ok(());
        }
        // A CA that is trusted has signed it: nobody fills the log with what they like.
        tracing::warn!(
            names = shown.join(","),
            "refused a client whose certificate has no name of --client-name"
        );
        Err(CertificateError::ApplicationVerificationFailure.into())
    }
}

/// What a certificate calls its client: the last common name, which is the one that Kubernetes goes
/// by (Go's `pkix.Name`), and the DNS names. Nothing where they cannot be read.
fn names(certificate: &[u8]) -> Option<Vec<String>> {
    let certificate = parse(certificate).ok()?;
    let common = certificate.subject().iter_common_name().last();
    let common = common.map(AttributeTypeAndValue::as_str).transpose().ok()?;
    let alternative = certificate.subject_alternative_name().ok()?;
    let alternative = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let dns = alternative.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    Some(common.into_iter().chain(dns).map(str::to_owned).collect())
}

impl Current {
    fn read(path: &PathBuf, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let file = fs::read(path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&file) {
            let certificate =
                certificate.map_err(|source| Error::Pem { path: path.clone(), source })?;
            roots.add(certificate).map_err(|source| Error::Root { path: path.clone(), source })?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
                .build()
                .map_err(|source| Error::Verifier { path: path.clone(), source })?;
        Ok(Self { file, verifier })
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Clients").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ClientCertVerifier for Clients {
    /// No hints: they would have to outlive the CAs that they are of, and the API server has one
    /// certificate for us whatever is hinted.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let verified =
            self.current.load().verifier.verify_client_cert(end_entity, intermediates, now)?;
        self.is_listed(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.current.load().verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.current.load().verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.load().verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;
    use crate::certificate::authority::Material;

    #[test]
    fn other_cas_are_trusted_and_a_broken_file_leaves_the_old() {
        let file = std::env::temp_dir().join(format!("rich-pouch-clients-{}", std::process::id()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let read = || Clients::read(file.clone(), vec!["a".to_owned()], Arc::clone(&provider));
        assert!(read().unwrap_err().to_string().starts_with("cannot read the clients' CAs in /"));
        fs::write(&file, "").unwrap();
        assert!(read().unwrap_err().to_string().starts_with("cannot trust the clients' CAs in /"));

        let made = || {
            Material::make(&["client".into()], SystemTime::now()).unwrap().authority.into_bytes()
        };
        let (first, second) = (made(), made());
        fs::write(&file, &first).unwrap();
        let clients = read().unwrap();
        fs::write(&file, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
        assert!(clients.pass().is_err());
        assert_eq!(clients.current.load().file, first);
        fs::write(&file, &second).unwrap();
        clients.pass().unwrap();
        assert_eq!(clients.current.load().file, second);
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_client_is_called_by_its_last_common_name_and_its_dns_names() {
        let made = |common: &[&str], alternative: &[&str]| {
            let alternative: Vec<_> = alternative.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(alternative).unwrap();
            params.distinguished_name = DistinguishedName::new();
            for name in common {
                params.distinguished_name.push(DnType::CommonName, *name);
            }
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            names(certificate.der()).unwrap()
        };
        assert_eq!(made(&["api"], &[]), ["api"]);
        assert_eq!(made(&[], &["api.example", "10.0.0.1"]), ["api.example"]);
        assert_eq!(made(&["api"], &["a", "b"]), ["api", "a", "b"]);
        assert_eq!(made(&[], &[]), [""; 0]);
        assert_eq!(names(b"no certificate"), None);
    }
}
