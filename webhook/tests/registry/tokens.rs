//! A server that gives out tokens for a registry.

use std::time::SystemTime;

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
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};

use crate::{
    daemon::{PASSWORD, USER, material},
    server::TlsServer,
};

pub(crate) const SERVICE: &str = "the test's registry";
pub(crate) const ISSUER: &str = "the test";
/// The one repository for which everybody gets a token.
const PUBLIC: &str = "repository:public:pull";

/// A server of tokens on the loopback.
pub(crate) struct TokenServer(TlsServer);

impl TokenServer {
    pub(crate) async fn start() -> Self {
        Self(TlsServer::start(Router::new().route("/token", get(give_out))).await)
    }

    pub(crate) fn realm(&self) -> String {
        format!("https://{}/token", self.0.address)
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
