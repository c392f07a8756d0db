//! The flags, each of which an environment variable can give as well.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use tracing::level_filters::LevelFilter;

/// Checks from this node that the webhook of Rich Pouch refuses what it must. With --host-dir it
/// also provisions the binaries on the node, and labels the node when they are there.
#[derive(Debug, Parser)]
#[command(name = "rich-pouch-node-agent", version)]
pub struct Args {
    /// Provision the binaries here, where the host's folder for them is mounted, and label the
    /// node; without it the agent does neither, and needs no right over nodes.
    #[arg(long, env = "RICH_POUCH_HOST_DIR", value_name = "FOLDER")]
    pub host_dir: Option<PathBuf>,

    /// The binary that is installed with --host-dir.
    #[arg(
        long,
        env = "RICH_POUCH_SOURCE",
        value_name = "FILE",
        default_value = contract::names::LAUNCHER_IN_IMAGE
    )]
    pub source: PathBuf,

    /// The name of the Node that this agent runs on.
    #[arg(
        long,
        env = "NODE_NAME",
        value_name = "NAME",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub node_name: String,

    /// The name of the webhook's MutatingWebhookConfiguration and ValidatingWebhookConfiguration.
    #[arg(
        long,
        env = "RICH_POUCH_REGISTRATION_NAME",
        value_name = "NAME",
        default_value = "rich-pouch",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub registration_name: String,

    /// A certificate to show to the webhook, in PEM, where it answers only clients that have one.
    #[arg(
        long,
        env = "RICH_POUCH_CLIENT_CERT_FILE",
        value_name = "FILE",
        requires = "client_key_file"
    )]
    pub client_cert_file: Option<PathBuf>,

    /// The key of --client-cert-file, in PEM.
    #[arg(
        long,
        env = "RICH_POUCH_CLIENT_KEY_FILE",
        value_name = "FILE",
        requires = "client_cert_file"
    )]
    pub client_key_file: Option<PathBuf>,

    /// Where /livez, /readyz and /metrics are served.
    #[arg(
        long,
        env = "RICH_POUCH_ADMIN_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8081"
    )]
    pub admin_listen: SocketAddr,

    /// How often the binaries and the webhook are checked, at least 1s.
    #[arg(
        long,
        env = "RICH_POUCH_INTERVAL",
        value_name = "DURATION",
        default_value = "60s",
        value_parser = interval
    )]
    pub interval: Duration,

    /// The least important that is logged: error, warn, info, debug, trace or off.
    #[arg(long, env = "RICH_POUCH_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: LevelFilter,
}

fn interval(text: &str) -> Result<Duration, &'static str> {
    contract::parse_duration(text)
        .filter(|interval| *interval >= Duration::from_secs(1))
        .ok_or("write a duration of at least 1s, such as 60s or 5m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let args = Args::try_parse_from(["agent", "--node-name=n1"]).unwrap();
        assert_eq!(args.host_dir, None);
        assert_eq!(args.source, PathBuf::from("/rich"));
        assert_eq!(args.registration_name, "rich-pouch");
        assert_eq!(args.admin_listen, "0.0.0.0:8081".parse().unwrap());
        assert_eq!(args.interval, Duration::from_mins(1));
    }

    #[test]
    fn a_wrong_flag_is_refused() {
        for flag in [
            "--interval=0s",
            "--interval=60",
            "--interval=500ms",
            "--node-name=",
            "--admin-listen=8081",
            "--log-level=loud",
            "--no-such-flag",
            "--client-cert-file=a",
            "--client-key-file=a",
        ] {
            let args = ["agent", "--node-name=n1", flag];
            let refusal = Args::try_parse_from(args).unwrap_err();
            assert_eq!(refusal.exit_code(), 2, "{flag}");
        }
    }
}
