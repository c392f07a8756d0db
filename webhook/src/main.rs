//! The program: parses arguments, builds the parts and joins them.
#![forbid(unsafe_code)]

use std::{error::Error, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;
use rustls::{
    crypto::{CryptoProvider, ring},
    server::danger::ClientCertVerifier,
};
use tokio::{runtime, task};
use webhook::{
    admin,
    api::Api,
    arguments::{Arguments, CertificateArguments},
    certificate::{
        Complaint, Resolver,
        clients::{self, Clients},
        files::Files,
        keeper::Keeper,
        registration::Registration,
        store::Store,
    },
    cluster::{self, ConnectError},
    events::Events,
    health::Health,
    log,
    metrics::Metrics,
    namespaces::Namespaces,
    registry::{self, PullSecrets, Registry},
    server::{Limits, Server, Threads, acceptor},
    settings,
    stop::{Stop, on_signal},
    turns::{self, Turns},
};

/// One more than the processors that it is made for: of two, the kernel leaves both on one
/// processor for milliseconds. Few enough that memory stays small.
const THREADS: usize = 3;

fn main() -> ExitCode {
    // The client of the API server asks for the process's default; whatever else uses TLS is
    // given its provider.
    let _ = ring::default_provider().install_default();
    let arguments = Arguments::parse();
    // Dropped last: what was logged is written before the program ends.
    let _log = log::start(&arguments.log);
    let result = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { config, server, certificate, log: _ } = arguments;
    let settings = settings::read(&config)?;
    let provider = Arc::new(ring::default_provider());
    let limits = Limits::new(server.max_connections as usize);
    let metrics = Arc::new(Metrics::new()?);
    let resolver = Arc::new(Resolver::default());
    let (stopper, stop) = Stop::new();
    // From the first moment on: PID 1 gets no signal that it does not listen for.
    let end = task::spawn(on_signal(stopper, server.shutdown_delay));
    let threads = Threads::start(THREADS)?;
    let turns = Turns::watch(threads.loops(), turns::Limits::default());
    let health = Health::new(Arc::clone(&resolver), stop.clone()).watching(turns);
    let health = Arc::new(health);

    let admin = admin::router(Arc::clone(&health), Arc::clone(&metrics), Arc::clone(&resolver));
    let admin_limits = Limits::of_the_admin_port();
    let admin = Server::bind(server.admin_listen, None, admin, admin_limits, stop.clone()).await?;
    let admin_address = admin.address()?;
    // While the rest begins, which may take long on a busy node, the kubelet is answered.
    let admin = task::spawn(admin.counting(metrics.evictions("admin")).run());
    let complaint = Complaint::new(metrics.certificate_failing());
    let client_complaint = Complaint::new(metrics.client_ca_failing());
    let registry = match settings.entrypoints {
        Some(settings) => Some(registry(settings, &provider, &metrics).await?),
        None => None,
    };
    let namespaces =
        if settings.injection.asks_for_namespaces() { Some(namespaces().await?) } else { None };
    let events = if settings.events { Some(events(&metrics).await?) } else { None };
    let evictions = metrics.evictions("https");
    let mut api = Api::new(settings.injection, namespaces, registry, metrics, limits.body);
    if let Some(events) = events {
        api = api.telling(events);
    }
    let api = api.router();
    let clients = match server.client_ca_file {
        Some(file) => Some(clients(file, server.client_names, &provider, client_complaint)?),
        None => None,
    };
    let tls = acceptor(Arc::clone(&provider), Arc::<Resolver>::clone(&resolver), clients)?;
    let api = Server::bind(server.listen, Some(tls), api, limits, stop).await?;
    let api = api.counting(evictions).on(threads);

    keep_certificate(certificate, resolver, health, provider, complaint).await?;
    tracing::info!(listen = %api.address()?, admin = %admin_address, "answering");
    let servers = [admin, task::spawn(api.run())];
    end.await??;
    for server in servers {
        server.await?;
    }
    tracing::info!("stopped");
    Ok(())
}

fn clients(
    file: PathBuf,
    names: Vec<String>,
    provider: &Arc<CryptoProvider>,
    complaint: Complaint,
) -> Result<Arc<dyn ClientCertVerifier>, clients::Error> {
    let clients = Arc::new(Clients::read(file, names, Arc::clone(provider))?);
    task::spawn(Arc::clone(&clients).run(complaint));
    Ok(clients)
}

async fn namespaces() -> Result<Arc<Namespaces>, Box<dyn Error>> {
    let namespaces = Namespaces::new(cluster::connect_to_watch().await?);
    task::spawn(Arc::clone(&namespaces).watch());
    Ok(namespaces)
}

async fn registry(
    settings: registry::Settings,
    provider: &Arc<CryptoProvider>,
    metrics: &Arc<Metrics>,
) -> Result<Registry, Box<dyn Error>> {
    let mut pull_secrets = None;
    if settings.pull_secrets {
        pull_secrets = Some(PullSecrets::new(cluster::connect().await?));
    }
    Ok(Registry::new(settings, Arc::clone(provider), pull_secrets, Arc::clone(metrics)))
}

async fn events(metrics: &Arc<Metrics>) -> Result<Events, ConnectError> {
    let (events, writer) = Events::new(Arc::clone(metrics));
    task::spawn(writer.run(cluster::connect().await?));
    Ok(events)
}

async fn keep_certificate(
    arguments: CertificateArguments,
    resolver: Arc<Resolver>,
    health: Arc<Health>,
    provider: Arc<CryptoProvider>,
    complaint: Complaint,
) -> Result<(), Box<dyn Error>> {
    let CertificateArguments {
        namespace,
        service_name,
        secret_name,
        registration_name,
        tls_cert_file,
        tls_key_file,
    } = arguments;
    if let (Some(certificate), Some(key)) = (tls_cert_file, tls_key_file) {
        let files = Files::new(certificate, key, resolver, health, provider, complaint);
        task::spawn(files.run());
        return Ok(());
    }
    let namespace = namespace.unwrap_or_default();
    let client = cluster::connect().await?;
    let store = Store::new(client.clone(), &namespace, &secret_name, &service_name, provider);
    let registration = Registration::new(client, &registration_name);
    let mut keeper = Keeper::new(store, registration, resolver, health, complaint);
    keeper.start().await?;
    task::spawn(keeper.run());
    Ok(())
}
