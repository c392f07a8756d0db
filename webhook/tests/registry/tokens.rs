//! A server that gives out tokens for a registry.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use rustls::{
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use webhook::{
    certificate::{Pair, Resolver},
    server::{Limits, Server, acceptor},
    stop::{Stop, Stopper},
};

use crate::daemon::{PASSWORD, USER, material};

pub(crate) const SERVICE: &str = "the test's registry";
pub(crate) const ISSUER: &str = "the test";
/// The one repository for which everybody gets a token.
const PUBLIC: &str = "repository:public:pull";

/// A server on the loopback.
pub(crate) struct TokenServer {
    pub(crate) address: SocketAddr,
    _stopper: Stopper,
}

impl TokenServer {
    pub(crate) async fn start() -> Self {
        let provider = Arc::new(default_provider());
        let resolver = Arc::new(Resolver::default());
        let (chain, key) = (material().serving.as_bytes(), material().serving_key.as_bytes());
        resolver.install(Pair::from_pem(chain, key, &provider).unwrap());
        let (stopper, stop) = Stop::new();
        let tls = acceptor(provider, resolver).unwrap();
        let router = Router::new().route("/token", get(give_out));
        let address = ([127, 0, 0, 1], 0).into();
        let server = Server::bind(address, Some(tls), router, Limits::new(16), stop).await.unwrap();
        let address = server.address().unwrap();
        tokio::spawn(server.run());
        Self { address, _stopper: stopper }
    }

    pub(crate) fn realm(&self) -> String {
        format!("https://{}/token", self.address)
    }
}

/// Who may push gets that by this alone.
pub(crate) fn pusher(repository: &str) -> String {
    format!("Bearer {}", token(repository, &["pull", "push"]))
}

async fn give_out(headers: HeaderMap, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    assert!(query.contains("service=the%20test%27s%20registry"), "{query}");
    let scope = query.split('&').find_map(|it| it.strip_prefix("scope=")).unwrap();
    let scope = scope.replace("%3A", ":").replace("%2F", "/");
    let right = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let is_known = match headers.get(AUTHORIZATION) {
        Some(shown) if *shown == right => true,
        Some(_) => return StatusCode::UNAUTHORIZED.into_response(),
        None => scope == PUBLIC,
    };
    let repository = scope.split(':').nth(1).unwrap();
    let actions: &[&str] = if is_known { &["pull"] } else { &[] };
    json!({"token": token(repository, actions), "expires_in": 60}).to_string().into_response()
}

/// A token as the registry wants it, signed by the key of the test's certificate.
fn token(repository: &str, actions: &[&str]) -> String {
    let certificate = CertificateDer::from_pem_slice(material().serving.as_bytes()).unwrap();
    let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(&certificate)]});
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": ISSUER, "sub": USER, "aud": SERVICE, "jti": "1",
        "nbf": now - 60, "iat": now - 60, "exp": now + 600,
        "access": [{"type": "repository", "name": repository, "actions": actions}],
    });
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let key = PrivateKeyDer::from_pem_slice(material().serving_key.as_bytes()).unwrap();
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_der(), &random);
    let signature = key.unwrap().sign(&random, signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
