//! What images run, asked of a real registry: Debian's docker-registry, on the loopback, with TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers panic as tests do.

mod answers;
mod asking;
mod authentication;
mod credentials;
mod daemon;
mod failures;
mod images;
mod places;
mod pull_secrets;
mod server;
mod strangers;
mod tokens;
mod wire;
