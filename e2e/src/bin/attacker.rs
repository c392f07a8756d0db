//! Floods the webhook from a pod of the test cluster, for the test of what it bears.
//!
//! usage: attacker SERVICE NAME CA[,CA...] ADMIN...
//! SERVICE is the Service's IP:PORT and NAME what its certificate is for, by one of the CAs (DER in
//! base64); each ADMIN is the IP:PORT of a replica's port for probes and metrics. What is sent is in
//! `e2e::storm::Plan`. Says on stdout when it is under way, and in the end, as JSON, what it did.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use e2e::storm::{Done, Plan, Port, Report, UNDER_WAY};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

const MIB: usize = 1024 * 1024;
/// The largest body that is taken.
const CLAIMED: usize = 7 * MIB;
/// How long the attacker waits for anybody, beyond what the server gives a client.
const PATIENCE: Duration = Duration::from_secs(12);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [service, name, authorities, admin @ ..] = &arguments[..] else {
        return Err("usage: attacker SERVICE NAME CA[,CA...] ADMIN...".into());
    };
    let tls = Some((connector(authorities)?, ServerName::try_from(name.clone())?));
    let service = Target::new(vec![service.parse()?], tls);
    let admin = admin.iter().map(|it| it.parse()).collect::<Result<_, _>>()?;
    let admin = Target::new(admin, None);

    let plan = Plan::PROMISED;
    let ((), ()) = tokio::join!(service.flood(&plan), admin.flood(&plan));
    let report = Report { service: service.counted(), admin: admin.counted() };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// Trusts the webhook's CA: without it the handshake would be broken off by us.
fn connector(authorities: &str) -> Result<TlsConnector, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for authority in authorities.split(',') {
        roots.add(CertificateDer::from(STANDARD.decode(authority)?))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One of the two ports, and what was done there.
#[derive(Clone)]
struct Target(Arc<Inner>);

struct Inner {
    addresses: Vec<SocketAddr>,
    next: AtomicUsize,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    heads: Count,
    idle: Count,
    bodies: Count,
}

#[derive(Default)]
struct Count {
    connected: AtomicU64,
    sent: AtomicU64,
}

impl Count {
    fn done(&self) -> Done {
        Done { connected: self.connected.load(Relaxed), sent: self.sent.load(Relaxed) }
    }
}

impl Target {
    fn new(addresses: Vec<SocketAddr>, tls: Option<(TlsConnector, ServerName<'static>)>) -> Self {
        let [heads, idle, bodies] = Default::default();
        Self(Arc::new(Inner { addresses, next: AtomicUsize::new(0), tls, heads, idle, bodies }))
    }

    fn counted(&self) -> Port {
        let Inner { heads, idle, bodies, .. } = &*self.0;
        Port { heads: heads.done(), idle: idle.done(), bodies: bodies.done() }
    }

    /// Does all of the plan at once.
    async fn flood(&self, plan: &Plan) {
        let end = Instant::now() + plan.time;
        let heads = self.send_often(|it| &it.heads, head(CLAIMED), plan.heads, plan);
        let body = [head(MIB), review(MIB)].concat();
        let bodies = self.send_often(|it| &it.bodies, body, plan.bodies, plan);
        tokio::join!(heads, bodies, self.idle(plan, end));
    }

    /// Holds the plan's number of connections open until the end.
    async fn idle(&self, plan: &Plan, end: Instant) {
        let places = Arc::new(Semaphore::new(plan.idle as usize));
        let mut tick = interval(Duration::from_secs(1) / plan.idle_pace);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut opened = 0;
        let opening = async {
            loop {
                tick.tick().await;
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                let target = self.clone();
                tokio::spawn(async move {
                    // At the Service a client that has asked for something may be silent for longer;
                    // at the other port an answer ends the connection.
                    let request: &[u8] = match target.0.tls {
                        Some(_) => b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
                        None => b"",
                    };
                    let _ = timeout_at(end, target.hold(&target.0.idle, request)).await;
                    drop(place);
                });
                opened += 1;
                if opened == plan.idle && self.0.tls.is_some() {
                    println!("{UNDER_WAY}");
                }
            }
        };
        let _ = timeout_at(end, opening).await;
    }

    /// Sends it so often a second, each on a connection of its own, without waiting for what comes
    /// of it; then for all of it, but not for ever.
    async fn send_often(
        &self,
        count: fn(&Inner) -> &Count,
        bytes: Vec<u8>,
        a_second: u32,
        plan: &Plan,
    ) {
        let bytes: Arc<[u8]> = bytes.into();
        let mut tick = interval(Duration::from_secs(1) / a_second);
        let mut requests = JoinSet::new();
        for _ in 0..plan.total(a_second) {
            tick.tick().await;
            let (target, bytes) = (self.clone(), Arc::clone(&bytes));
            requests.spawn(async move {
                let _ = timeout(PATIENCE, target.hold(count(&target.0), &bytes)).await;
            });
            while requests.try_join_next().is_some() {}
        }
        requests.join_all().await;
    }

    /// Sends it on a connection of its own, and reads until the server has had enough.
    async fn hold(&self, count: &Count, bytes: &[u8]) -> io::Result<()> {
        let at = self.0.next.fetch_add(1, Relaxed) % self.0.addresses.len();
        let stream = TcpStream::connect(self.0.addresses[at]).await?;
        count.connected.fetch_add(1, Relaxed);
        let mut stream: Box<dyn Stream> = match &self.0.tls {
            Some((tls, name)) => Box::new(tls.connect(name.clone(), stream).await?),
            None => Box::new(stream),
        };
        stream.write_all(bytes).await?;
        stream.flush().await?;
        count.sent.fetch_add(1, Relaxed);
        let mut answer = [0; 4096];
        while stream.read(&mut answer).await? > 0 {}
        Ok(())
    }
}

/// The head of a request whose body is to have this many bytes.
fn head(length: usize) -> Vec<u8> {
    format!(
        "POST /mutate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// A review of this many bytes that is as large as it can be once it is read: three bytes are a
/// container.
fn review(length: usize) -> Vec<u8> {
    let begin = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1",
        "kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"default","operation":"CREATE",
        "object":{"metadata":{"annotations":{"rich.pouch/mode":"dumb-init"}},"spec":{"containers":["#;
    let end = "{}]}}}}";
    let count = (length - begin.len() - end.len()) / "{},".len();
    let mut review = [begin, &"{},".repeat(count), end].concat().into_bytes();
    review.resize(length, b' ');
    review
}
