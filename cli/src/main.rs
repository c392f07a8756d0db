//! `kubectl rich-pouch`: what the webhook does in the cluster, offline.
//!
//! Exit codes: 0, done; 1, an object breaks a rule or an input cannot be read, each with a
//! sentence on standard error; 2, wrong usage.
#![forbid(unsafe_code)]

mod inject;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Rich Pouch: containers that behave like machines.
#[derive(Parser)]
#[command(name = "kubectl-rich_pouch", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write manifests as the webhook would make their pods.
    ///
    /// A Pod comes out rich. The template of a workload comes out with the workload's
    /// annotations, and is checked as the webhook checks it.
    Inject(inject::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Inject(arguments) => inject::run(&arguments),
    }
}
