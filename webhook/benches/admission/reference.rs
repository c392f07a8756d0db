//! The reference: what these libraries alone need to read a body and to answer.
//!
//! A process of its own, so that its processor time and memory can be told from the load's.

use std::{fs, sync::Arc};

use axum::{
    Router, body::Bytes, extract::DefaultBodyLimit, http::header::CONTENT_TYPE, routing::post,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What starts this benchmark's executable as the reference.
pub(crate) const ARGUMENT: &str = "reference";

/// Answers every review with what is in the file `answer`.
pub(crate) async fn serve(chain: &str, key: &str, answer: &str) {
    let answer = Bytes::from(fs::read(answer).unwrap());
    let router = Router::new()
        .route(
            "/mutate",
            post(async move |_body: Bytes| ([(CONTENT_TYPE, "application/json")], answer.clone())),
        )
        .layer(DefaultBodyLimit::disable());
    let service = TowerToHyperService::new(router);
    let tls = acceptor(chain, key);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!(r#"{{"listen": "{}"}}"#, socket.local_addr().unwrap());
    loop {
        let (stream, _) = socket.accept().await.unwrap();
        let (tls, service) = (tls.clone(), service.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true).unwrap();
            // Where the load is done, it hangs up.
            if let Ok(stream) = tls.accept(stream).await {
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                let _ = connection.await;
            }
        });
    }
}

fn acceptor(chain: &str, key: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(chain).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
