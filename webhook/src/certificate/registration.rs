//! The API server's trust in our CA: `caBundle` in every webhook of our two registrations.

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Validity;
use crate::cluster::{FIELD_MANAGER, Failure};

/// How long an older CA stays trusted beside a newer one: until every replica has surely read
/// the newer, and not for the years that it counts, as its key may be why it was replaced.
const OVERLAP: Duration = Duration::from_hours(24);
const TRIES: u32 = 5;
const END: &str = "-----END CERTIFICATE-----";

/// Why the API server may not call us.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registration cannot be read.
    #[error("cannot read the {kind} {name}: {source}")]
    Read {
        /// Of which kind.
        kind: &'static str,
        /// Which.
        name: String,
        /// What went wrong.
        source: Failure,
    },
    /// The CA cannot be written into it.
    #[error("cannot write caBundle into the {kind} {name}: {source}")]
    Write {
        /// Of which kind.
        kind: &'static str,
        /// Which.
        name: String,
        /// What went wrong.
        source: Failure,
    },
    /// The registration registers nothing.
    #[error("the {kind} {name} has no webhooks: install the chart again")]
    Empty {
        /// Of which kind.
        kind: &'static str,
        /// Which.
        name: String,
    },
    /// Others are always faster.
    #[error("the {kind} {name} changes at every try to write it: look for what else writes it")]
    Contended {
        /// Of which kind.
        kind: &'static str,
        /// Which.
        name: String,
    },
}

impl Error {
    /// Whether no API server answered at all.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => source.is_silence(),
            Self::Empty { .. } | Self::Contended { .. } => false,
        }
    }

    /// Whether the API server surely cannot call us, and not only a look at it failed.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.is_not_found(),
            Self::Write { source, .. } => source.is_refusal(),
            Self::Empty { .. } => true,
            Self::Contended { .. } => false,
        }
    }
}

/// Our mutating and our validating registration, which have one name.
#[derive(Debug)]
pub struct Registration {
    mutating: Api<MutatingWebhookConfiguration>,
    validating: Api<ValidatingWebhookConfiguration>,
    name: String,
}

/// Whether the API server knew the CA before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It did, in every webhook.
    Known,
    /// It is told now, and may take a moment.
    Told,
}

impl Registration {
    /// The two registrations of this name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            mutating: Api::all(client.clone()),
            validating: Api::all(client),
            name: name.to_owned(),
        }
    }

    /// Sees to it that every webhook of both trusts the CA `authority`, a PEM text.
    pub async fn ensure(&self, authority: &str, now: SystemTime) -> Result<Trust, Error> {
        let mutating = ensure(&self.mutating, &self.name, authority, now).await;
        // The one's absence is no reason to leave out the other.
        let validating = ensure(&self.validating, &self.name, authority, now).await;
        match (mutating?, validating?) {
            (Trust::Known, Trust::Known) => Ok(Trust::Known),
            _ => Ok(Trust::Told),
        }
    }
}

/// What both kinds of registration have.
trait Webhooks: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug {
    const KIND: &'static str;

    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)>;
}

impl Webhooks for MutatingWebhookConfiguration {
    const KIND: &'static str = "MutatingWebhookConfiguration";

    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)> {
        self.webhooks.iter().flatten().map(|it| (it.name.as_str(), &it.client_config)).collect()
    }
}

impl Webhooks for ValidatingWebhookConfiguration {
    const KIND: &'static str = "ValidatingWebhookConfiguration";

    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)> {
        self.webhooks.iter().flatten().map(|it| (it.name.as_str(), &it.client_config)).collect()
    }
}

async fn ensure<K: Webhooks>(
    api: &Api<K>,
    name: &str,
    authority: &str,
    now: SystemTime,
) -> Result<Trust, Error> {
    let kind = K::KIND;
    for _ in 0..TRIES {
        let registration = api.get(name).await.map_err(|error| Error::Read {
            kind,
            name: name.to_owned(),
            source: error.into(),
        })?;
        if registration.webhooks().is_empty() {
            return Err(Error::Empty { kind, name: name.to_owned() });
        }
        let Some(patch) = patch(&registration, authority, now) else {
            return Ok(Trust::Known);
        };
        match api.patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Strategic(patch)).await {
            Ok(_) => {
                tracing::info!(kind, name, "wrote caBundle");
                return Ok(Trust::Told);
            }
            // Another replica was faster, and most likely wrote the same.
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(error) => {
                return Err(Error::Write { kind, name: name.to_owned(), source: error.into() });
            }
        }
    }
    Err(Error::Contended { kind, name: name.to_owned() })
}

/// What makes every webhook of a registration trust `authority`, where one does not.
///
/// A strategic merge finds the webhooks by name and leaves every other field alone; by the
/// version it is a conflict where the registration has changed since it was read.
fn patch<K: Webhooks>(registration: &K, authority: &str, now: SystemTime) -> Option<Value> {
    let changes: Vec<Value> = registration
        .webhooks()
        .into_iter()
        .filter_map(|(webhook, client)| {
            let present = client.ca_bundle.as_ref().map_or(&[][..], |bundle| &bundle.0);
            let bundle = bundle(present, authority, now)?;
            let client = json!({"caBundle": ByteString(bundle.into_bytes())});
            Some(json!({"name": webhook, "clientConfig": client}))
        })
        .collect();
    (!changes.is_empty()).then(|| {
        json!({
            "metadata": {"resourceVersion": registration.meta().resource_version},
            "webhooks": changes,
        })
    })
}

/// The bundle that is to replace `present`, where that is not as it should be: our CA first, and
/// others that count while ours is young, or that are younger than ours.
fn bundle(present: &[u8], authority: &str, now: SystemTime) -> Option<String> {
    let ours = Anchor::read(authority)?;
    let present = String::from_utf8_lossy(present);
    let mut wanted = format!("{}\n", ours.pem);
    let mut seen = vec![ours.der.clone()];
    let young = now < ours.validity.not_before + OVERLAP;
    for other in present.split_inclusive(END).filter_map(Anchor::read) {
        let keep = young || other.validity.not_before > ours.validity.not_before;
        if keep && other.validity.contains(now) && !seen.contains(&other.der) {
            wanted.push_str(other.pem);
            wanted.push('\n');
            seen.push(other.der);
        }
    }
    (wanted != present).then_some(wanted)
}

/// A CA of a bundle.
struct Anchor<'a> {
    pem: &'a str,
    der: CertificateDer<'static>,
    validity: Validity,
}

impl<'a> Anchor<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let pem = text.trim();
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let validity = Validity::of(&der).ok()?;
        Some(Self { pem, der, validity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::authority::Material;
    use std::time::UNIX_EPOCH;

    const HOUR: Duration = Duration::from_hours(1);

    fn start() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(500_000)
    }

    fn authority(at: SystemTime) -> String {
        Material::make(&["hook.rich.svc".into()], at).unwrap().authority
    }

    fn count(bundle: &str) -> usize {
        bundle.matches(END).count()
    }

    #[test]
    fn an_empty_or_unreadable_bundle_becomes_our_ca() {
        let ours = authority(start());
        for present in [&b""[..], b"\n", b"Cg==", &[0xff, 0xfe]] {
            let bundle = bundle(present, &ours, start()).unwrap();
            assert_eq!(bundle.trim(), ours.trim());
        }
    }

    #[test]
    fn a_bundle_that_is_right_stays() {
        let ours = authority(start());
        let first = bundle(b"", &ours, start()).unwrap();
        assert_eq!(bundle(first.as_bytes(), &ours, start()), None);
        assert_eq!(bundle(first.as_bytes(), &ours, start() + 1000 * HOUR), None);
    }

    #[test]
    fn an_older_ca_overlaps_for_a_day() {
        let older = authority(start());
        let later = start() + 100 * HOUR;
        let newer = authority(later);
        let both = bundle(older.as_bytes(), &newer, later).unwrap();
        assert_eq!(count(&both), 2);
        assert!(both.starts_with(newer.trim()));
        assert_eq!(bundle(both.as_bytes(), &newer, later + 20 * HOUR), None);
        let one = bundle(both.as_bytes(), &newer, later + 25 * HOUR).unwrap();
        assert_eq!(one.trim(), newer.trim());
    }

    #[test]
    fn a_replica_that_is_behind_does_not_take_out_the_newer_ca() {
        let older = authority(start());
        let later = start() + 100 * HOUR;
        let newer = authority(later);
        let both = bundle(older.as_bytes(), &newer, later).unwrap();
        let rewritten = bundle(both.as_bytes(), &older, later).unwrap();
        assert_eq!(count(&rewritten), 2);
    }

    #[test]
    fn a_ca_that_counts_no_more_is_dropped() {
        let ancient = authority(start() - 11 * 365 * 24 * HOUR);
        let ours = authority(start());
        let bundle = bundle(ancient.as_bytes(), &ours, start()).unwrap();
        assert_eq!(bundle.trim(), ours.trim());
    }
}
