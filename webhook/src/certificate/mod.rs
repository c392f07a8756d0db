//! Where the serving certificate comes from, and how it stays valid.
//!
//! [`keeper`] looks after a CA and a serving certificate of our own in a Secret ([`store`]) and
//! after the API server's trust in them ([`registration`]); [`files`] looks after a certificate
//! that someone else keeps. Both put what is to be served into the [`Resolver`]. What makes and
//! judges certificates ([`authority`], [`Validity`]) is pure: the time is given to it. Of the
//! clients' certificates, [`clients`] says which are good.

pub mod authority;
pub mod clients;
mod complaint;
pub mod files;
pub mod keeper;
pub mod registration;
mod resolver;
pub mod store;
mod validity;

pub use complaint::Complaint;
pub use resolver::{Pair, PairError, Resolver};
pub use validity::{Unreadable, Validity};
