//! What is answered to an admission review: no HTTP, no clock, no file.
//!
//! An [`Envelope`] is read from bytes, [`mutate`] and [`validate`] judge its request, and
//! [`response`] writes the verdict as bytes.

mod evaluation;
mod review;
mod verdict;

pub use evaluation::{mutate, validate};
pub use review::{Envelope, EnvelopeError, GroupVersionKind, Request};
pub use verdict::{Decision, Unreadable, Verdict, response};
