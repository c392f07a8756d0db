//! The admission webhook.
//!
//! The API server sends every annotated object here, twice: to `/mutate`, which answers with a
//! patch, and in its final state to `/validate`, which answers yes or no.
//!
//! # Data flow
//!
//! ```text
//! bytes -> server -> api -> admission::Envelope -> inject::judge -> admission::Verdict -> bytes
//!            ^        |
//!       certificate   +-> registry, metrics, log, events
//! ```
//!
//! [`server`] has the sockets, threads, deadlines and TLS; [`api`] the paths and HTTP codes;
//! [`admission`] reads the review, asks the rules and writes the answer, without HTTP. Where they
//! need an image's entrypoint, [`registry`] finds it out, and they are asked again.
//! [`events`] tells a pod's controller that it was injected.
//! [`certificate`] keeps what is served valid and trusted. [`admin`] tells the kubelet and
//! Prometheus by [`health`], to which [`turns`] says whether threads are stuck, and [`metrics`].
//! [`stop`] ends it all in phases.
//!
//! # HTTP codes of `/mutate` and `/validate`
//!
//! | code | meaning |
//! |---|---|
//! | 200 | an AdmissionReview; a denial is one too, with `allowed: false` |
//! | 400 | not JSON, or no AdmissionReview of admission.k8s.io/v1, or one without a request |
//! | 404 | another path |
//! | 405 | not POST |
//! | 408 | the body did not come in time |
//! | 413 | the body is larger than 7 MiB |
//! | 415 | not `application/json` |
//! | 431 | the headers are larger than 16 KiB |
//! | 500 | a fault of the webhook |
//! | 503 | there is no room for the body; the API server sends it again after a second |
//!
//! All but 200 and 431 have one sentence of plain text as their body.
//!
//! # Exit codes
//!
//! | code | meaning |
//! |---|---|
//! | 0 | asked to stop by SIGTERM or SIGINT, and did |
//! | 1 | cannot begin: the configuration file, an address, or an API server that is silent; the last line of the log says which |
//! | 2 | the command line is wrong; standard error says how |
//!
//! What else is missing at the start, such as the Secret or the registrations, is waited for:
//! `/readyz` says what it is.
#![forbid(unsafe_code)]

pub mod admin;
pub mod admission;
pub mod api;
pub mod arguments;
pub mod certificate;
pub mod cluster;
pub mod events;
pub mod health;
pub mod log;
pub mod metrics;
pub mod namespaces;
pub mod registry;
pub mod server;
pub mod settings;
pub mod stop;
pub mod turns;
