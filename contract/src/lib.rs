//! What Rich Pouch promises: the annotations, what they may say, and what is refused.
//!
//! Every program judges by this crate, so that the webhook, the offline `inject`, the node
//! agent and `rich run` in the container refuse the same mistakes in the same words. It has no
//! dependencies and knows no JSON, network, clock or file.
//!
//! ```
//! let reading = contract::read([
//!     ("rich.pouch/mode", "systemd"),
//!     ("rich.pouch/initscript", "/opt/prepare.sh --quick"),
//! ]);
//! assert!(reading.violations.is_empty());
//! assert!(reading.rich.is_some_and(|rich| rich.mode == contract::Mode::Systemd));
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod flags;
mod key;
pub mod limits;
mod listed;
mod mode;
pub mod names;
mod reading;
mod rich;
mod rule;
pub mod rules;
mod shown;
mod value;

pub use key::{Key, PREFIX};
pub use limits::Limit;
pub use listed::{Listed, Violations};
pub use mode::Mode;
pub use reading::{Reading, read};
pub use rich::{Containers, Init, Restart, Rich};
pub use rule::{Rule, Violation};
pub use shown::{shown, shown_names};
pub use value::{CommandLine, format_duration, parse_duration};
