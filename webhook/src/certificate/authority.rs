//! Our own CA and the serving certificate that it signs: made and judged, at a time that is given.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use super::{
    PairError,
    resolver::Pair,
    validity::{Validity, parse},
};

/// Long, as clients learn a new CA only through the registration; renewed like the rest.
const AUTHORITY_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
const SERVING_LIFE: Duration = Duration::from_hours(90 * 24);
/// Certificates begin a little earlier, for nodes whose clocks are behind.
const SKEW: Duration = Duration::from_hours(1);

/// The CA and the serving certificate with their keys, each in PEM.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Material {
    /// The CA's certificate.
    pub authority: String,
    /// The CA's key.
    pub authority_key: String,
    /// The serving certificate.
    pub serving: String,
    /// The serving certificate's key.
    pub serving_key: String,
}

/// Why material cannot be used, or should not be for much longer.
#[derive(Debug, thiserror::Error)]
pub enum Defect {
    /// The CA: both certificates have to be made.
    #[error("the CA is to be made: {0}")]
    Authority(#[source] Flaw),
    /// The serving certificate: the CA can sign another.
    #[error("the serving certificate is to be made: {0}")]
    Serving(#[source] Flaw),
}

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// None is there.
    #[error("there is none yet")]
    Missing,
    /// One is there, or a key, that cannot be used.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// It is no CA that can sign.
    #[error("it cannot sign: {0}")]
    NoIssuer(#[source] rcgen::Error),
    /// Its key belongs to another.
    #[error("its key belongs to another certificate")]
    KeyMismatch,
    /// It does not count yet, or two thirds of its life are over.
    #[error("two thirds of its life are over, or it has not begun")]
    Due,
    /// A client that trusts the CA would refuse it.
    #[error("a client would refuse it: {0}")]
    Refused(#[source] rustls::Error),
    /// The CA cannot be a root of trust.
    #[error("it cannot be trusted: {0}")]
    NoRoot(String),
}

impl Material {
    /// Makes a CA and a serving certificate for `names`, the first of which is its main name.
    pub fn make(names: &[String], now: SystemTime) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = params("Rich Pouch webhook CA", now, AUTHORITY_LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key)?.pem();
        Self { authority, authority_key: key.serialize_pem(), ..Self::default() }
            .reissue(names, now)
    }

    /// The same CA with a new serving certificate for `names`.
    pub fn reissue(self, names: &[String], now: SystemTime) -> Result<Self, rcgen::Error> {
        let issuer =
            Issuer::from_ca_cert_pem(&self.authority, KeyPair::from_pem(&self.authority_key)?)?;
        let key = KeyPair::generate()?;
        let mut params = params("Rich Pouch webhook", now, SERVING_LIFE);
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let serving = params.signed_by(&key, &issuer)?.pem();
        Ok(Self { serving, serving_key: key.serialize_pem(), ..self })
    }

    /// Mends what [`Material::examine`] found.
    pub fn mended(
        self,
        defect: &Defect,
        names: &[String],
        now: SystemTime,
    ) -> Result<Self, rcgen::Error> {
        match defect {
            Defect::Authority(_) => Self::make(names, now),
            Defect::Serving(_) => self.reissue(names, now),
        }
    }

    /// The pair to serve, where nothing has to be made first.
    pub fn examine(
        &self,
        names: &[String],
        now: SystemTime,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Pair, Defect> {
        let authority = self.examine_authority(now).map_err(Defect::Authority)?;
        self.examine_serving(authority, names, now, provider).map_err(Defect::Serving)
    }

    fn examine_authority(&self, now: SystemTime) -> Result<CertificateDer<'static>, Flaw> {
        let der = certificate(&self.authority)?;
        let parsed = parse(&der).map_err(PairError::from)?;
        let key = KeyPair::from_pem(&self.authority_key).map_err(Flaw::NoIssuer)?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(Flaw::KeyMismatch);
        }
        Issuer::from_ca_cert_der(&der, key).map_err(Flaw::NoIssuer)?;
        in_its_time(Validity::of_parsed(&parsed), now)?;
        Ok(der)
    }

    fn examine_serving(
        &self,
        authority: CertificateDer<'static>,
        names: &[String],
        now: SystemTime,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Pair, Flaw> {
        let der = certificate(&self.serving)?;
        let pair = Pair::from_pem(self.serving.as_bytes(), self.serving_key.as_bytes(), provider)?;
        in_its_time(Validity::of(&der).map_err(PairError::from)?, now)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(|error| Flaw::NoRoot(error.to_string()))?;
        let client =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
                .build()
                .map_err(|error| Flaw::NoRoot(error.to_string()))?;
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        for name in names {
            let name = ServerName::try_from(name.as_str())
                .map_err(|error| Flaw::NoRoot(error.to_string()))?;
            client.verify_server_cert(&der, &[], &name, &[], now).map_err(Flaw::Refused)?;
        }
        Ok(pair)
    }
}

fn params(name: &str, now: SystemTime, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = (now - SKEW).into();
    params.not_after = (now + life).into();
    params
}

fn certificate(pem: &str) -> Result<CertificateDer<'static>, Flaw> {
    if pem.trim().is_empty() {
        return Err(Flaw::Missing);
    }
    Ok(CertificateDer::from_pem_slice(pem.as_bytes()).map_err(PairError::Certificate)?)
}

fn in_its_time(validity: Validity, now: SystemTime) -> Result<(), Flaw> {
    if validity.not_before <= now && !validity.is_due(now) { Ok(()) } else { Err(Flaw::Due) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn names() -> Vec<String> {
        vec!["hook.rich.svc".into(), "hook.rich.svc.cluster.local".into()]
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(500_000)
    }

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    fn examine(material: &Material, at: SystemTime) -> Result<Pair, Defect> {
        material.examine(&names(), at, &provider())
    }

    #[test]
    fn what_is_made_is_good_until_two_thirds_of_its_life() {
        let material = Material::make(&names(), now()).unwrap();
        assert!(examine(&material, now()).is_ok());
        assert!(examine(&material, now() + 59 * DAY).is_ok());
        let defect = examine(&material, now() + 60 * DAY).unwrap_err();
        assert!(matches!(defect, Defect::Serving(Flaw::Due)), "{defect}");
        let defect = examine(&material, now() + AUTHORITY_LIFE * 2 / 3).unwrap_err();
        assert!(matches!(defect, Defect::Authority(Flaw::Due)), "{defect}");
        let defect = examine(&material, now() - DAY).unwrap_err();
        assert!(matches!(defect, Defect::Authority(Flaw::Due)), "{defect}");
    }

    #[test]
    fn a_serving_certificate_that_is_due_is_renewed_under_the_same_ca() {
        let material = Material::make(&names(), now()).unwrap();
        let later = now() + 61 * DAY;
        let defect = examine(&material, later).unwrap_err();
        let renewed = material.clone().mended(&defect, &names(), later).unwrap();
        assert_eq!(renewed.authority, material.authority);
        assert_ne!(renewed.serving, material.serving);
        assert!(examine(&renewed, later).is_ok());
    }

    #[test]
    fn an_empty_secret_is_filled() {
        let defect = examine(&Material::default(), now()).unwrap_err();
        assert!(matches!(defect, Defect::Authority(Flaw::Missing)), "{defect}");
        let made = Material::default().mended(&defect, &names(), now()).unwrap();
        assert!(examine(&made, now()).is_ok());
    }

    #[test]
    fn what_does_not_belong_together_is_made_anew() {
        let good = Material::make(&names(), now()).unwrap();
        let other = Material::make(&names(), now()).unwrap();
        let elsewhere = Material::make(&["other.svc".into()], now()).unwrap();
        let with = |change: &dyn Fn(&mut Material)| {
            let mut material = good.clone();
            change(&mut material);
            examine(&material, now()).unwrap_err()
        };
        let defect = with(&|it| it.authority_key.clone_from(&other.authority_key));
        assert!(matches!(defect, Defect::Authority(Flaw::KeyMismatch)), "{defect}");
        let defect = with(&|it| it.authority.clone_from(&it.serving.clone()));
        assert!(matches!(defect, Defect::Authority(_)), "{defect}");
        let defect = with(&|it| it.serving_key.clone_from(&other.serving_key));
        assert!(matches!(defect, Defect::Serving(Flaw::Pair(_))), "{defect}");
        let defect = with(&|it| {
            it.serving.clone_from(&other.serving);
            it.serving_key.clone_from(&other.serving_key);
        });
        assert!(matches!(defect, Defect::Serving(Flaw::Refused(_))), "{defect}");
        for text in ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let defect = with(&|it| it.serving = text.into());
            assert!(matches!(defect, Defect::Serving(Flaw::Pair(_))), "{defect}");
        }
        let defect = examine(&elsewhere, now()).unwrap_err();
        assert!(matches!(defect, Defect::Serving(Flaw::Refused(_))), "{defect}");
    }
}
