//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, ValueEnum, builder::NonEmptyStringValueParser};
use contract::parse_duration;
use tracing::level_filters::LevelFilter;

/// The admission webhook of Rich Pouch: makes annotated pods run like a machine, and refuses
/// annotations that cannot be followed.
#[derive(Debug, Parser)]
#[command(name = "rich-pouch-webhook", version)]
pub struct Arguments {
    /// The file with the administrator's settings
    #[arg(
        long,
        env = "RICH_POUCH_CONFIG",
        value_name = "FILE",
        default_value = "/etc/rich-pouch/config.yaml"
    )]
    pub config: PathBuf,

    /// Sockets.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Certificates.
    #[command(flatten)]
    pub certificate: CertificateArguments,

    /// Logs.
    #[command(flatten)]
    pub log: LogArguments,
}

/// Where and how it is served.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArguments {
    /// Where admission reviews are answered, over TLS
    #[arg(long, env = "RICH_POUCH_LISTEN", value_name = "ADDRESS", default_value = "[::]:8443")]
    pub listen: SocketAddr,

    /// Where /livez, /readyz and /metrics are, over plain HTTP
    #[arg(
        long,
        env = "RICH_POUCH_ADMIN_LISTEN",
        value_name = "ADDRESS",
        default_value = "[::]:8080"
    )]
    pub admin_listen: SocketAddr,

    /// Answer only clients with a certificate of a CA in this file, in PEM, and with one of the
    /// names in --client-name; the API server then needs one
    #[arg(long, env = "RICH_POUCH_CLIENT_CA_FILE", value_name = "FILE", requires = "client_names")]
    pub client_ca_file: Option<PathBuf>,

    /// A client that is answered, by the common name or a DNS name of its certificate; once for
    /// each, or with commas between them
    #[arg(
        long = "client-name",
        env = "RICH_POUCH_CLIENT_NAMES",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "client_ca_file",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub client_names: Vec<String>,

    /// Connections at once; one more closes the one that is idle for the longest
    #[arg(
        long,
        env = "RICH_POUCH_MAX_CONNECTIONS",
        value_name = "NUMBER",
        default_value = "512",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub max_connections: u32,

    /// How long requests are still answered after SIGTERM, for clients that have not yet heard
    #[arg(
        long,
        env = "RICH_POUCH_SHUTDOWN_DELAY",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration
    )]
    pub shutdown_delay: Duration,
}

/// Where the serving certificate comes from: our own CA in a Secret, or two files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Certificate")]
pub struct CertificateArguments {
    /// The namespace of the Service and the Secret
    #[arg(
        long,
        env = "POD_NAMESPACE",
        value_name = "NAME",
        required_unless_present = "tls_cert_file"
    )]
    pub namespace: Option<String>,

    /// The Service by which the API server calls
    #[arg(
        long,
        env = "RICH_POUCH_SERVICE_NAME",
        value_name = "NAME",
        default_value = "rich-pouch-webhook"
    )]
    pub service_name: String,

    /// The Secret that holds our CA and the serving certificate; it must exist, and may be empty
    #[arg(
        long,
        env = "RICH_POUCH_SECRET_NAME",
        value_name = "NAME",
        default_value = "rich-pouch-webhook-tls"
    )]
    pub secret_name: String,

    /// The name of both the mutating and the validating webhook configuration
    #[arg(
        long,
        env = "RICH_POUCH_REGISTRATION_NAME",
        value_name = "NAME",
        default_value = "rich-pouch"
    )]
    pub registration_name: String,

    /// A certificate chain that someone else keeps, in PEM, instead of our own
    #[arg(long, env = "RICH_POUCH_TLS_CERT_FILE", value_name = "FILE", requires = "tls_key_file")]
    pub tls_cert_file: Option<PathBuf>,

    /// The key of --tls-cert-file, in PEM
    #[arg(long, env = "RICH_POUCH_TLS_KEY_FILE", value_name = "FILE", requires = "tls_cert_file")]
    pub tls_key_file: Option<PathBuf>,
}

/// What is logged to standard output.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct LogArguments {
    /// The least important that is logged: error, warn, info, debug, trace or off
    #[arg(long, env = "RICH_POUCH_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: LevelFilter,

    /// One JSON object a line, or text to read
    #[arg(long, env = "RICH_POUCH_LOG_FORMAT", value_name = "FORMAT", default_value = "json")]
    pub log_format: LogFormat,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text to read.
    Text,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        _ => parse_duration(text).ok_or("write a duration such as 10s or 1m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn files_need_each_other_and_no_namespace() {
        let parse = |arguments: &[&str]| {
            Arguments::try_parse_from([&["rich-pouch-webhook"], arguments].concat())
        };
        assert!(parse(&["--namespace=rich"]).is_ok());
        assert!(parse(&["--tls-cert-file=a", "--tls-key-file=b"]).is_ok());
        assert_eq!(parse(&["--tls-cert-file=a"]).unwrap_err().exit_code(), 2);
        assert!(parse(&["--namespace=rich", "--tls-key-file=a"]).is_err());
        assert!(parse(&["--namespace=rich", "--shutdown-delay=10"]).is_err());
        assert!(parse(&["--namespace=rich", "--shutdown-delay=0s"]).is_ok());
    }

    #[test]
    fn a_client_is_known_by_its_ca_and_its_name() {
        let parse = |arguments: &[&str]| {
            let all = [&["rich-pouch-webhook", "--namespace=rich"], arguments].concat();
            Arguments::try_parse_from(all).map(|it| it.server.client_names)
        };
        let both = ["--client-ca-file=a", "--client-name=api", "--client-name=agent"];
        assert_eq!(parse(&both).unwrap(), ["api", "agent"]);
        for incomplete in [&["--client-ca-file=a"][..], &["--client-name=api"]] {
            assert_eq!(parse(incomplete).unwrap_err().exit_code(), 2, "{incomplete:?}");
        }
        assert!(parse(&["--client-ca-file=a", "--client-name="]).is_err());
    }
}
