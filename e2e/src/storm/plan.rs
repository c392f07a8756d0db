//! What the attacker does, and what it says that it did.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the attacker says once all its idle connections were opened.
pub const UNDER_WAY: &str = "under way";

/// What the attacker does at each of its two ports, the Service's and the replicas' own for probes
/// and metrics, which take turns.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long it goes on.
    pub time: Duration,
    /// Heads of requests a second, whose bodies never come.
    pub heads: u32,
    /// Connections that are held open and say nothing. One that the server closes is replaced.
    pub idle: u32,
    /// How many of these are opened in a second.
    pub idle_pace: u32,
    /// Bodies of 1 MiB a second.
    pub bodies: u32,
}

impl Plan {
    /// What the webhook is promised to bear.
    pub const PROMISED: Self =
        Self { time: Duration::from_mins(2), heads: 100, idle: 2000, idle_pace: 50, bodies: 20 };

    /// How many there are in all of what is sent so often a second.
    #[must_use]
    pub fn total(&self, a_second: u32) -> u64 {
        u64::from(a_second) * self.time.as_secs()
    }

    /// Fails the test if the attack fell short of the plan: its outcome would show nothing.
    pub fn was_carried_out(&self, report: &Report) {
        for (name, port) in [("Service", &report.service), ("admin port", &report.admin)] {
            let said = format!("{name}: {port:?}");
            assert!(port.heads.connected >= self.total(self.heads), "heads, {said}");
            assert!(port.bodies.connected >= self.total(self.bodies), "bodies, {said}");
            assert!(port.idle.connected >= u64::from(self.idle), "idle connections, {said}");
            for done in [port.heads, port.idle] {
                assert_ne!(done.sent, 0, "{said}");
            }
        }
        // The admin port has answered before such a body is there, and closes the connection.
        assert_ne!(report.service.bodies.sent, 0, "{:?}", report.service);
    }
}

/// What came of one kind of thing that the attacker does.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// The kernel of the other side took the connection.
    pub connected: u64,
    /// All that was to be sent was sent before the other side closed it.
    pub sent: u64,
}

/// What was done at one port.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Port {
    /// Heads without a body.
    pub heads: Done,
    /// Connections that then say nothing.
    pub idle: Done,
    /// Bodies of 1 MiB.
    pub bodies: Done,
}

/// What the attacker did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Report {
    /// At the Service, by TLS.
    pub service: Port,
    /// At the replicas' port for probes and metrics.
    pub admin: Port,
}
