//! A certificate that someone else keeps, in two files.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use rustls::crypto::CryptoProvider;
use tokio::time::sleep;

use super::{Pair, PairError, Resolver, complaint::Complaint};
use crate::health::Health;

/// How soon a new certificate is noticed. By content: the kubelet swaps a link two folders up,
/// which no watch on the file sees.
const INTERVAL: Duration = Duration::from_secs(5);

/// Why the files give no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What they hold cannot be served.
    #[error("cannot serve {certificate} with {key}: {source}", certificate = certificate.display(), key = key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: PairError,
    },
}

/// Keeps the served certificate in step with two files.
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
    resolver: Arc<Resolver>,
    health: Arc<Health>,
    provider: Arc<CryptoProvider>,
    served: Option<(Vec<u8>, Vec<u8>)>,
    complaint: Complaint,
}

impl Files {
    /// Puts what is in these files into `resolver`.
    #[must_use]
    pub fn new(
        certificate: PathBuf,
        key: PathBuf,
        resolver: Arc<Resolver>,
        health: Arc<Health>,
        provider: Arc<CryptoProvider>,
        complaint: Complaint,
    ) -> Self {
        Self { certificate, key, resolver, health, provider, served: None, complaint }
    }

    /// Looks at the files again and again. What cannot be served leaves the old in its place.
    pub async fn run(mut self) {
        loop {
            match self.pass() {
                Ok(()) => {
                    self.complaint.settle();
                    self.health.settle();
                }
                Err(error) => {
                    self.complaint.tell(&error);
                    if self.served.is_none() {
                        self.health.hinder(error.to_string());
                    }
                }
            }
            sleep(INTERVAL).await;
        }
    }

    fn pass(&mut self) -> Result<(), Error> {
        let found = (read(&self.certificate)?, read(&self.key)?);
        if self.served.as_ref() != Some(&found) {
            let pair = Pair::from_pem(&found.0, &found.1, &self.provider).map_err(|source| {
                Error::Pair { certificate: self.certificate.clone(), key: self.key.clone(), source }
            })?;
            self.resolver.install(pair);
            self.served = Some(found);
        }
        Ok(())
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Read { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{certificate::authority::Material, stop::Stop};
    use prometheus::IntGauge;
    use std::time::SystemTime;

    #[test]
    fn a_new_certificate_is_served_and_a_broken_one_leaves_the_old() {
        let folder = std::env::temp_dir().join(format!("rich-pouch-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
        let resolver = Arc::new(Resolver::default());
        let (_stopper, stop) = Stop::new();
        let health = Arc::new(Health::new(Arc::clone(&resolver), stop));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut files = Files::new(
            certificate.clone(),
            key.clone(),
            Arc::clone(&resolver),
            health,
            provider,
            Complaint::new(IntGauge::new("failing", "it fails").unwrap()),
        );
        assert!(files.pass().unwrap_err().to_string().contains("tls.crt"));

        let now = SystemTime::now();
        let write = |at| {
            let made = Material::make(&["a.svc".into()], at).unwrap();
            fs::write(&certificate, made.serving).unwrap();
            fs::write(&key, made.serving_key).unwrap();
        };
        write(now);
        files.pass().unwrap();
        let first = resolver.not_after();
        assert!(first > 0);

        write(now + Duration::from_hours(1));
        files.pass().unwrap();
        let second = resolver.not_after();
        assert_eq!(second, first + 3600);

        fs::write(&key, "half a key").unwrap();
        assert!(files.pass().is_err());
        assert_eq!(resolver.not_after(), second);
        fs::remove_dir_all(&folder).unwrap();
    }
}
