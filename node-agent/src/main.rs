//! Reads the flags, builds the parts of the agent and joins them.
#![forbid(unsafe_code)]

use std::{convert::Infallible, process::ExitCode, sync::Arc};

use clap::Parser;
use node_agent::{
    VERSION, admin, agent::Agent, args::Args, cluster, log, node::Node, probe::Probe,
    provision::Binaries, status::Status,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    // Fails only where a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = Args::parse();
    log::start(args.log_level);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start the runtime: {error}")),
    };
    let ended = runtime.block_on(run(args));
    // A copy under way is not waited for: half a file has another name and is cleaned away.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => failed(&sentence),
    }
}

fn failed(sentence: &str) -> ExitCode {
    eprintln!("rich-pouch-node-agent: {sentence}");
    ExitCode::FAILURE
}

/// Runs until a signal says to stop. The Node keeps its label then: the binaries stay where they
/// are, and a rolling update of the agent must not make nodes unready, one after the other.
async fn run(args: Args) -> Result<(), String> {
    let no_signals = |error| format!("cannot wait for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    tokio::select! {
        Err(sentence) = work(args) => Err(sentence),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

async fn work(args: Args) -> Result<Infallible, String> {
    let Args {
        host_dir,
        source,
        node_name,
        registration_name,
        client_cert_file,
        client_key_file,
        admin_listen,
        interval,
        log_level: _,
    } = args;
    let client = cluster::connect().await.map_err(|error| error.to_string())?;
    let binaries = host_dir.map(|host_dir| Binaries::read(source, host_dir, VERSION).map(Arc::new));
    let binaries = binaries.transpose().map_err(|error| error.to_string())?;
    let status = Status::new(binaries.is_some()).map_err(|error| error.to_string())?;
    let agent = Agent {
        binaries,
        node: Node::new(client.clone(), node_name),
        probe: Probe::new(client, registration_name, client_cert_file.zip(client_key_file)),
        status: Arc::new(status),
        interval,
    };
    let listener = TcpListener::bind(admin_listen)
        .await
        .map_err(|error| format!("cannot listen on {admin_listen}: {error}; see --admin-listen"))?;
    // The first provisioning may take long on a busy node, and the kubelet is answered meanwhile.
    tokio::spawn(admin::serve(listener, Arc::clone(&agent.status)));
    agent.start().await.map_err(|error| error.to_string())?;
    let (never, _) = tokio::join!(agent.keep_ready(), agent.keep_probing());
    Ok(never)
}
