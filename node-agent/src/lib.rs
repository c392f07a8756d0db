//! The node agent of Rich Pouch: one per node, run by a DaemonSet. It runs as nobody, or as root
//! without any capability where it provisions.
//!
//! In this order:
//!
//! 1. With `--host-dir` it provisions `rich` and the link `dumb-init` in a versioned folder of the
//!    host and verifies them by digest ([`provision`]); every interval again, and heals what was
//!    changed or deleted.
//! 2. With `--host-dir` it labels its own Node `rich.pouch/ready=<version>` ([`node`]), and takes
//!    the label off when the binaries cannot be healed.
//! 3. It asks the webhook, reached as the API server reaches it, to admit a pod that must be
//!    refused ([`probe`]): at the start and every interval. The outcome is a metric, a log line
//!    and an Event on the Node when it changes. The agent's readiness does not depend on it: an
//!    agent must be able to start, and be rolled out, while the webhook is away.
//! 4. It serves `/livez`, `/readyz` and `/metrics` by plain HTTP ([`admin`]).
//!
//! # Exit codes
//!
//! | code | why |
//! |---|---|
//! | 0 | SIGTERM or SIGINT: it stops at once and leaves the label on the Node |
//! | 1 | it could not start or the first provisioning failed; one sentence on stderr says why |
//! | 2 | a flag or environment variable is wrong |
#![forbid(unsafe_code)]

pub mod admin;
pub mod agent;
pub mod args;
mod backoff;
pub mod cluster;
pub mod log;
pub mod node;
pub mod probe;
pub mod provision;
pub mod status;

/// The version of this agent and of the binaries in its image: the name of their folder on the
/// host and the value of the node label.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
