//! The webhook's TLS: which certificate is served, which is trusted, and which clients are answered.

use std::{io, sync::Arc};

use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    core::v1::Pod,
};
use kube::{Api, api::ListParams};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{RELEASE, RELEASE_NAMESPACE, client, pod_of};

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
    let config = ClientConfig::builder().with_root_certificates(roots(trusted));
    let config = Arc::new(config.with_no_client_auth());
    let pods: Api<Pod> = Api::namespaced(client().await, RELEASE_NAMESPACE);
    let selector = "app.kubernetes.io/component=webhook";
    let list = pods.list(&ListParams::default().labels(selector)).await.expect("the pods");
    let mut served = Vec::new();
    for pod in list.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let stream = connect(pod, Arc::clone(&config)).await.expect("a trusted server");
        let chain = stream.get_ref().1.peer_certificates().expect("its certificates");
        served.push(chain.first().expect("its own").clone().into_owned());
    }
    served
}

/// Whether a replica answers a client with this certificate and its key, in PEM.
pub async fn answers_to(certificate: &str, key: &str) -> bool {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let trusted = trusted().await.concat();
    let config = ClientConfig::builder()
        .with_root_certificates(roots(&trusted))
        .with_client_auth_cert(vec![certificate], key)
        .expect("a client's certificate");
    let pod = pod_of("webhook").await;
    let answer = async {
        let mut stream = connect(&pod, Arc::new(config)).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: webhook\r\n\r\n").await?;
        // By TLS 1.3 only now it is seen whether the server took the certificate.
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        io::Result::Ok(head == *b"HTTP/1.1 ")
    };
    answer.await.unwrap_or(false)
}

fn roots(trusted: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        roots.add(authority.clone()).expect("a CA");
    }
    roots
}

/// Connects to a replica's port, and wants the Service's name as the API server does.
async fn connect(
    pod: &Pod,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<impl AsyncRead + AsyncWrite + Unpin + use<>>> {
    let pods: Api<Pod> = Api::namespaced(client().await, RELEASE_NAMESPACE);
    let pod = pod.metadata.name.as_deref().expect("a name");
    let mut forwarded = pods.portforward(pod, &[PORT]).await.expect("a forwarded port");
    let stream = forwarded.take_stream(PORT).expect("its stream");
    let name = format!("{RELEASE}-webhook.{RELEASE_NAMESPACE}.svc");
    let name = ServerName::try_from(name).expect("a name");
    TlsConnector::from(config).connect(name, stream).await
}
