//! Images, pushed through the registry's own interface.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE, LOCATION},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use ring::digest::{SHA256, digest};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::{Value, json};

use crate::daemon::material;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What pushes to one repository.
pub(crate) struct Pusher {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    address: SocketAddr,
    repository: &'static str,
    authorization: String,
}

/// A manifest that was pushed.
pub(crate) struct Pushed {
    pub(crate) digest: String,
    size: usize,
}

pub(crate) fn trusting() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(material().authority.as_bytes()).unwrap()).unwrap();
    ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl Pusher {
    pub(crate) fn new(
        address: SocketAddr,
        repository: &'static str,
        authorization: impl Into<String>,
    ) -> Self {
        let https = HttpsConnectorBuilder::new().with_tls_config(trusting()).https_only();
        let client = Client::builder(TokioExecutor::new()).build(https.enable_http1().build());
        Self { client, address, repository, authorization: authorization.into() }
    }

    /// Pushes an image whose configuration has this `config`, under a tag where one is given.
    pub(crate) async fn image(&self, tag: Option<&str>, config: &Value) -> Pushed {
        let config = json!({"architecture": "amd64", "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": []}});
        let config = config.to_string().into_bytes();
        let (name, size) = (sha256(&config), config.len());
        let upload = format!("https://{}/v2/{}/blobs/uploads/", self.address, self.repository);
        let location = self.send(Method::POST, &upload, "text/plain", Vec::new()).await.unwrap();
        let end = if location.contains('?') { '&' } else { '?' };
        let whole = format!("{location}{end}digest={name}");
        self.send(Method::PUT, &whole, "application/octet-stream", config).await;
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {"mediaType": CONFIG, "digest": name, "size": size}});
        self.manifest(tag, MANIFEST, &manifest).await
    }

    /// Pushes an index of images by architecture.
    pub(crate) async fn index(&self, tag: &str, images: &[(&str, &Pushed)]) -> Pushed {
        let entries: Vec<Value> = images
            .iter()
            .map(|(architecture, image)| {
                json!({"mediaType": MANIFEST, "digest": image.digest, "size": image.size,
                       "platform": {"os": "linux", "architecture": architecture}})
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        self.manifest(Some(tag), INDEX, &index).await
    }

    async fn manifest(&self, tag: Option<&str>, kind: &str, manifest: &Value) -> Pushed {
        let manifest = manifest.to_string().into_bytes();
        let (digest, size) = (sha256(&manifest), manifest.len());
        let name = tag.unwrap_or(&digest);
        let to = format!("https://{}/v2/{}/manifests/{name}", self.address, self.repository);
        self.send(Method::PUT, &to, kind, manifest).await;
        Pushed { digest, size }
    }

    /// Sends, sees that it was taken, and gives where it lies now.
    async fn send(&self, method: Method, to: &str, kind: &str, body: Vec<u8>) -> Option<String> {
        let mut request = Request::builder()
            .method(method)
            .uri(to.parse::<Uri>().unwrap())
            .header(CONTENT_TYPE, kind);
        if !self.authorization.is_empty() {
            request = request.header(AUTHORIZATION, &self.authorization);
        }
        let request = request.body(Full::from(body)).unwrap();
        let answer = self.client.request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(head.status.is_success(), "{to}: {} {}", head.status, body.escape_ascii());
        Some(head.headers.get(LOCATION)?.to_str().unwrap().to_owned())
    }
}

fn sha256(content: &[u8]) -> String {
    let hash = digest(&SHA256, content);
    hash.as_ref().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
