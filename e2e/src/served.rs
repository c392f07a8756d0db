//! The webhook's certificate: what is served, and what is trusted.

use std::sync::Arc;

use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    core::v1::Pod,
};
use kube::{Api, api::ListParams};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio_rustls::TlsConnector;

use crate::{RELEASE, RELEASE_NAMESPACE, client};

/// The port that the Service leads to.
const PORT: u16 = 8443;

/// What the API server trusts of each webhook that is registered.
pub async fn trusted() -> Vec<Vec<CertificateDer<'static>>> {
    let client = client().await;
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(client);
    let mutating = mutating.get(RELEASE).await.expect("a registration").webhooks;
    let validating = validating.get(RELEASE).await.expect("a registration").webhooks;
    let mutating = mutating.into_iter().flatten().map(|it| it.client_config.ca_bundle);
    let validating = validating.into_iter().flatten().map(|it| it.client_config.ca_bundle);
    let bundles = mutating.chain(validating).map(|it| it.expect("caBundle").0);
    bundles
        .map(|it| CertificateDer::pem_slice_iter(&it).collect::<Result<_, _>>().expect("PEM"))
        .collect()
}

/// The certificate that each replica serves, to a client that trusts these CAs and wants the
/// Service's name as the API server does.
pub async fn served(trusted: &[CertificateDer<'static>]) -> Vec<CertificateDer<'static>> {
    let client = client().await;
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        roots.add(authority.clone()).expect("a CA");
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = format!("{RELEASE}-webhook.{RELEASE_NAMESPACE}.svc");
    let name = ServerName::try_from(name).expect("a name");

    let pods: Api<Pod> = Api::namespaced(client, RELEASE_NAMESPACE);
    let selector = "app.kubernetes.io/component=webhook";
    let list = pods.list(&ListParams::default().labels(selector)).await.expect("the pods");
    let mut served = Vec::new();
    for pod in list.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let pod = pod.metadata.name.as_deref().expect("a name");
        let mut forwarded = pods.portforward(pod, &[PORT]).await.expect("a forwarded port");
        let stream = forwarded.take_stream(PORT).expect("its stream");
        let stream = connector.connect(name.clone(), stream).await.expect("a trusted server");
        let chain = stream.get_ref().1.peer_certificates().expect("its certificates");
        served.push(chain.first().expect("its own").clone().into_owned());
    }
    served
}
