//! Another project's mutating webhook, for the tests of how ours goes together with others.
//!
//! usage: other-webhook ADDRESS
//! Prints its CA as caBundle has it, once it listens; answers until it is killed.
//!
//! - `/sidecar` adds a container `sidecar`, as log shippers do.
//! - `/first` puts it before all others, as meshes do.
//! - `/undo` gives the first container a command of its own.
#![forbid(unsafe_code)]

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::{Router, body::Bytes, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::crypto::ring;
use serde_json::{Value, json};
use webhook::{
    certificate::{Pair, Resolver},
    server::{Limits, Server, acceptor},
    stop::Stop,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: other-webhook ADDRESS")?;
    let address: SocketAddr = address.parse()?;
    let made = rcgen::generate_simple_self_signed([address.ip().to_string()])?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let provider = Arc::new(ring::default_provider());
    let resolver = Arc::new(Resolver::default());
    resolver.install(Pair::from_pem(certificate.as_bytes(), key.as_bytes(), &provider)?);

    let router = Router::new()
        .route("/sidecar", post(async |body: Bytes| sidecar(&body, "-")))
        .route("/first", post(async |body: Bytes| sidecar(&body, "0")))
        .route("/undo", post(undo));
    let (_stopper, stop) = Stop::new();
    let tls = acceptor(provider, resolver, None)?;
    let server = Server::bind(address, Some(tls), router, Limits::new(64), stop).await?;
    println!("{}", STANDARD.encode(certificate));
    server.run().await;
    Ok(())
}

/// The type and the body.
type Answer = ([(&'static str, &'static str); 1], String);

fn sidecar(body: &[u8], place: &str) -> Answer {
    answer(body, |pod| {
        let containers = pod["spec"]["containers"].as_array();
        let first = containers.and_then(|it| it.first()).cloned().unwrap_or_default();
        if containers.into_iter().flatten().any(|it| it["name"] == "sidecar") {
            return json!([]);
        }
        let sidecar =
            json!({"name": "sidecar", "image": first["image"], "command": ["sleep", "10000"]});
        let path = format!("/spec/containers/{place}");
        json!([{"op": "add", "path": path, "value": sidecar}])
    })
}

async fn undo(body: Bytes) -> Answer {
    answer(
        &body,
        |_| json!([{"op": "add", "path": "/spec/containers/0/command", "value": ["sleep", "1"]}]),
    )
}

fn answer(body: &[u8], patch: impl FnOnce(&Value) -> Value) -> Answer {
    let review: Value = serde_json::from_slice(body).unwrap_or_default();
    let patch = patch(&review["request"]["object"]).to_string();
    let response = json!({
        "uid": review["request"]["uid"],
        "allowed": true,
        "patchType": "JSONPatch",
        "patch": STANDARD.encode(patch),
    });
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    });
    ([("content-type", "application/json")], review.to_string())
}
