//! The server on a real socket: TLS, deadlines, certificates that change, the end.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests panic as tests do.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Barrier, LazyLock},
    time::{Duration, Instant, SystemTime},
};

use axum::{Router, routing::get};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::danger::ClientCertVerifier,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use webhook::{
    certificate::{Pair, Resolver, authority::Material, clients::Clients},
    server::{Limits, Server, Threads, acceptor},
    stop::{Phase, Stop, Stopper},
};

const NAME: &str = "hook.rich.svc";
const SHORT: Duration = Duration::from_millis(300);
/// Work that keeps a thread busy until the test lets it end.
static LONG: LazyLock<Long> = LazyLock::new(Long::new);

struct Long {
    begun: Barrier,
    ended: Barrier,
}

impl Long {
    fn new() -> Self {
        Self { begun: Barrier::new(2), ended: Barrier::new(2) }
    }

    fn wait(&self) -> &'static str {
        self.begun.wait();
        self.ended.wait();
        "done"
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn material() -> Material {
    Material::make(&[NAME.into()], SystemTime::now()).unwrap()
}

fn install(resolver: &Resolver, material: &Material) {
    let (chain, key) = (material.serving.as_bytes(), material.serving_key.as_bytes());
    resolver.install(Pair::from_pem(chain, key, &provider()).unwrap());
}

struct Running {
    address: SocketAddr,
    resolver: Arc<Resolver>,
    stopper: Stopper,
    task: JoinHandle<()>,
}

async fn start(limits: Limits) -> (Running, Material) {
    start_for(limits, None).await
}

async fn start_for(limits: Limits, clients: Option<Arc<Clients>>) -> (Running, Material) {
    let clients = clients.map(|clients| -> Arc<dyn ClientCertVerifier> { clients });
    let material = material();
    let resolver = Arc::new(Resolver::default());
    install(&resolver, &material);
    let (stopper, stop) = Stop::new();
    let tls = acceptor(provider(), Arc::<Resolver>::clone(&resolver), clients).unwrap();
    let router = Router::new().route("/", get(async || "here")).route(
        "/slow",
        get(async || {
            sleep(2 * SHORT).await;
            "late"
        }),
    );
    let router = router.route("/long", get(async || LONG.wait()));
    let address = ([127, 0, 0, 1], 0).into();
    let server = Server::bind(address, Some(tls), router, limits, stop).await.unwrap();
    let server = server.on(Threads::start(2).unwrap());
    let address = server.address().unwrap();
    (Running { address, resolver, stopper, task: tokio::spawn(server.run()) }, material)
}

fn short_limits() -> Limits {
    Limits { handshake: SHORT, headers: SHORT, idle: Some(4 * SHORT), ..Limits::new(16) }
}

async fn connect(
    address: SocketAddr,
    trusted: &Material,
    version: &'static SupportedProtocolVersion,
) -> io::Result<TlsStream<TcpStream>> {
    connect_as(address, trusted, version, None).await
}

/// Connects with a certificate of the client's, and its key, in PEM.
async fn connect_as(
    address: SocketAddr,
    trusted: &Material,
    version: &'static SupportedProtocolVersion,
    client: Option<[&str; 2]>,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.authority.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some([certificate, key]) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// One request on a connection that stays open, and the answer's text.
async fn ask(stream: &mut TlsStream<TcpStream>, path: &str, end: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    answer
}

/// How long it takes until the server closes the connection.
async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    // A close without a TLS farewell is one too.
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.unwrap();
    start.elapsed()
}

#[tokio::test]
async fn a_client_that_trusts_the_ca_is_answered_over_both_versions() {
    let (running, material) = start(Limits::new(16)).await;
    for (version, expected) in
        [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut stream = connect(running.address, &material, version).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        assert!(ask(&mut stream, "/", "here").await.starts_with("HTTP/1.1 200"));
    }
    let stranger = self::material();
    assert!(connect(running.address, &stranger, &TLS13).await.is_err());
}

/// A CA of clients.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of it for a client with this common name, or else this DNS name, and its key, in
/// PEM.
fn client(
    authority: &CertifiedIssuer<'static, KeyPair>,
    common: Option<&str>,
    alternative: &str,
) -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([alternative.to_owned()]).unwrap();
    if let Some(name) = common {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, authority).unwrap();
    [certificate.pem(), key.serialize_pem()]
}

/// Whether a client with this certificate is answered. By TLS 1.3 it is done before the server has
/// looked at that.
async fn is_answered(
    running: &Running,
    trusted: &Material,
    version: &'static SupportedProtocolVersion,
    client: Option<&[String; 2]>,
) -> bool {
    let pem = client.map(|pem| pem.each_ref().map(String::as_str));
    let answer = async {
        let mut stream = connect_as(running.address, trusted, version, pem).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        io::Result::Ok(head == *b"HTTP/1.1 200")
    };
    answer.await.unwrap_or(false)
}

#[tokio::test]
async fn only_clients_of_the_given_ca_with_a_given_name_are_answered_where_one_is_given() {
    let authority = authority();
    let file = std::env::temp_dir().join(format!("rich-pouch-tls-{}", std::process::id()));
    std::fs::write(&file, authority.pem()).unwrap();
    let names = ["api".to_owned(), "agent.example".to_owned()];
    let clients = Arc::new(Clients::read(file.clone(), names.into(), provider()).unwrap());
    std::fs::remove_file(file).unwrap();
    let (running, material) = start_for(Limits::new(16), Some(clients)).await;
    let by_common_name = client(&authority, Some("api"), "other.example");
    let by_dns_name = client(&authority, None, "agent.example");
    // Such as a kubelet, whose certificate is of the cluster's CA.
    let of_another_name = client(&authority, Some("system:node:n1"), "n1.agent.example");
    let of_another_ca = client(&self::authority(), Some("api"), "agent.example");
    for version in [&TLS12, &TLS13] {
        for answered in [&by_common_name, &by_dns_name] {
            assert!(is_answered(&running, &material, version, Some(answered)).await);
        }
        for refused in [None, Some(&of_another_name), Some(&of_another_ca)] {
            assert!(!is_answered(&running, &material, version, refused).await, "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut_at_the_deadline() {
    let (running, material) = start(short_limits()).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let waited = until_closed(&mut silent).await;
    assert!(waited >= SHORT / 2 && waited < 8 * SHORT, "before the handshake: {waited:?}");

    let mut stream = connect(running.address, &material, &TLS13).await.unwrap();
    let waited = until_closed(&mut stream).await;
    assert!(waited >= SHORT / 2 && waited < 3 * SHORT, "before a request: {waited:?}");

    let mut stream = connect(running.address, &material, &TLS13).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let waited = until_closed(&mut stream).await;
    assert!(waited < 3 * SHORT, "within the headers: {waited:?}");

    let mut stream = connect(running.address, &material, &TLS13).await.unwrap();
    ask(&mut stream, "/", "here").await;
    sleep(2 * SHORT).await;
    ask(&mut stream, "/", "here").await;
    let waited = until_closed(&mut stream).await;
    assert!(waited >= 2 * SHORT, "idle after an answer: {waited:?}");
}

#[tokio::test]
async fn a_new_certificate_is_seen_by_the_next_connection_only() {
    let (running, old) = start(Limits::new(16)).await;
    let mut open = connect(running.address, &old, &TLS13).await.unwrap();
    ask(&mut open, "/", "here").await;
    let new = material();
    install(&running.resolver, &new);
    assert!(connect(running.address, &old, &TLS13).await.is_err());
    let mut fresh = connect(running.address, &new, &TLS13).await.unwrap();
    ask(&mut fresh, "/", "here").await;
    ask(&mut open, "/", "here").await;
}

#[tokio::test]
async fn a_request_that_takes_long_keeps_only_its_own_thread_busy() {
    let (running, material) = start(Limits::new(16)).await;
    let mut long = connect(running.address, &material, &TLS13).await.unwrap();
    let mut other = connect(running.address, &material, &TLS13).await.unwrap();
    let long = tokio::spawn(async move { ask(&mut long, "/long", "done").await });
    tokio::task::spawn_blocking(|| LONG.begun.wait()).await.unwrap();
    ask(&mut other, "/", "here").await;
    tokio::task::spawn_blocking(|| LONG.ended.wait()).await.unwrap();
    long.await.unwrap();
}

#[tokio::test]
async fn a_connection_beyond_the_cap_takes_the_place_of_the_one_that_is_idle_for_the_longest() {
    let (running, material) = start(Limits::new(2)).await;
    let mut first = connect(running.address, &material, &TLS13).await.unwrap();
    ask(&mut first, "/", "here").await;
    let mut second = connect(running.address, &material, &TLS13).await.unwrap();
    ask(&mut second, "/", "here").await;
    ask(&mut first, "/", "here").await;
    let mut third = connect(running.address, &material, &TLS13).await.unwrap();
    until_closed(&mut second).await;
    ask(&mut third, "/", "here").await;
    ask(&mut first, "/", "here").await;
}

#[tokio::test]
async fn handshakes_that_do_not_end_keep_nobody_out() {
    let limits = Limits { handshake: Duration::from_mins(5), ..Limits::new(4) };
    let (running, material) = start(limits).await;
    let mut silent = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        // The beginning of a TLS record that says that 512 bytes will follow.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        silent.push(stream);
    }
    let good = connect(running.address, &material, &TLS13);
    let mut good = timeout(Duration::from_mins(1), good).await.unwrap().unwrap();
    ask(&mut good, "/", "here").await;
}

#[tokio::test]
async fn the_end_is_announced_and_open_requests_are_answered() {
    let (running, material) = start(Limits::new(16)).await;
    let mut early = connect(running.address, &material, &TLS13).await.unwrap();
    assert!(!ask(&mut early, "/", "here").await.contains("connection: close"));
    let mut idle = connect(running.address, &material, &TLS13).await.unwrap();
    ask(&mut idle, "/", "here").await;

    running.stopper.send_replace(Phase::Leaving);
    assert!(ask(&mut early, "/", "here").await.contains("connection: close"));
    until_closed(&mut early).await;
    let mut late = connect(running.address, &material, &TLS13).await.unwrap();
    let slow = tokio::spawn(async move { ask(&mut late, "/slow", "late").await });
    sleep(SHORT).await;

    running.stopper.send_replace(Phase::Draining);
    assert!(slow.await.unwrap().contains("connection: close"));
    until_closed(&mut idle).await;
    timeout(Duration::from_secs(5), running.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}
