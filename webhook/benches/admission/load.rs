//! The load: connections that are kept open, as the API server keeps them, and on each one
//! request after the other.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, task::JoinSet, time::sleep};
use tokio_rustls::TlsConnector;

/// Who connects.
pub(crate) struct Client {
    tls: TlsConnector,
    name: &'static str,
}

impl Client {
    /// Trusts `authority` where it speaks for `name`.
    pub(crate) fn new(authority: &str, name: &'static str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: TlsConnector::from(Arc::new(config)), name }
    }

    /// Opens so many connections.
    pub(crate) async fn connect(&self, address: SocketAddr, count: usize) -> Connections {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(Connection { sender: self.open(address).await, name: self.name });
        }
        Connections(connections)
    }

    /// A server that listens may not have read its certificate yet.
    async fn open(&self, address: SocketAddr) -> SendRequest<Full<Bytes>> {
        let start = Instant::now();
        loop {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let name = ServerName::try_from(self.name).unwrap();
            match self.tls.connect(name, stream).await {
                Ok(stream) => {
                    let (sender, connection) =
                        http1::handshake(TokioIo::new(stream)).await.unwrap();
                    tokio::spawn(connection);
                    return sender;
                }
                Err(error) => assert!(start.elapsed() < Duration::from_secs(10), "{error}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// One connection, with one request at a time.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    name: &'static str,
}

impl Connection {
    async fn ask(&mut self, body: &Bytes) -> Bytes {
        let request = Request::post("/mutate")
            .header(HOST, self.name)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))
            .unwrap();
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap().to_bytes()
    }

    /// How long an answer takes, which must be this one.
    async fn time(&mut self, body: &Bytes, expected: &Bytes) -> Duration {
        let start = Instant::now();
        let answer = self.ask(body).await;
        let time = start.elapsed();
        assert!(answer == *expected, "another answer than the first");
        time
    }
}

/// The connections to a server.
pub(crate) struct Connections(Vec<Connection>);

/// What was measured while all of them asked.
pub(crate) struct Round {
    /// How long that was.
    pub(crate) duration: Duration,
    /// How long each answer took.
    pub(crate) times: Vec<Duration>,
}

impl Connections {
    /// The answer to one request.
    pub(crate) async fn ask(&mut self, body: &Bytes) -> Bytes {
        self.0[0].ask(body).await
    }

    /// How long one request takes while nothing else is asked.
    pub(crate) async fn time(&mut self, body: &Bytes, expected: &Bytes) -> Duration {
        self.0[0].time(body, expected).await
    }

    /// Asks on all connections at once, again and again for this long.
    pub(crate) async fn ask_for(
        &mut self,
        duration: Duration,
        body: &Bytes,
        expected: &Bytes,
    ) -> Round {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for mut connection in self.0.drain(..) {
            let (body, expected) = (body.clone(), expected.clone());
            tasks.spawn(async move {
                let mut times = Vec::new();
                while start.elapsed() < duration {
                    times.push(connection.time(&body, &expected).await);
                }
                (connection, times)
            });
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            let (connection, part) = done.unwrap();
            self.0.push(connection);
            times.extend(part);
        }
        Round { duration: start.elapsed(), times }
    }
}
