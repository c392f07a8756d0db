//! What the webhook has to bear: good pods at a steady pace, while a tenant sends the most
//! expensive pods that are known, and a pod in the network floods both ports of each replica.
//!
//! All of it is bounded in number and in time, and goes to the test cluster alone.

mod attacker;
mod good;
mod inputs;
mod plan;
mod tenant;

pub use attacker::Attacker;
pub use good::{Admissions, good_pods};
pub use inputs::{Input, inputs};
pub use plan::{Done, Plan, Port, Report, UNDER_WAY};
pub use tenant::{Answers, Tenant, came_to_the_webhook};
