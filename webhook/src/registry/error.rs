//! Why an image's entrypoint is not known: the reason in the middle of a refusal's sentence.

use crate::cluster::Failure;

/// Why an image's entrypoint is not known.
///
/// What a registry writes is never part of it: whoever names an image chooses the registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the name of an image.
    #[error("no registry could be asked for such a name")]
    Name,
    /// A registry that the administrator does not list.
    #[error("Rich Pouch may not ask its registry {0} in this cluster")]
    NotListed(String),
    /// No answer, or not all of it, within the time.
    #[error("{0} did not answer in time")]
    Late(String),
    /// No connection.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// Who.
        host: String,
        /// What the network says.
        cause: String,
    },
    /// A connection that ended in the middle.
    #[error("{0} broke off its answer")]
    BrokenOff(String),
    /// It is not public.
    #[error("{0} gives it out for credentials only")]
    Unauthorized(String),
    /// It is not for these credentials.
    #[error("{0} does not accept the credentials for it")]
    Forbidden(String),
    /// No such image.
    #[error("{0} does not have it")]
    NotFound(String),
    /// An answer that is no help.
    #[error("{host} answered with HTTP {code}")]
    Status {
        /// Who.
        host: String,
        /// With what.
        code: u16,
    },
    /// An answer that is no document of an image.
    #[error("{host} gave {what} that cannot be used")]
    Unusable {
        /// Who.
        host: String,
        /// What it should have been.
        what: &'static str,
    },
    /// Two platforms with different commands.
    #[error(
        "on {one} it runs another command than on {other} (a nodeSelector with kubernetes.io/arch \
         chooses one)"
    )]
    Disagreement {
        /// A platform.
        one: String,
        /// Another.
        other: String,
    },
    /// No platform of it is the pod's.
    #[error("it has no Linux platform on which the pod may run")]
    NoPlatform,
    /// A file of the installation.
    #[error("the webhook's {what} cannot be used, which the cluster's administrator must correct")]
    Installation {
        /// Which file.
        what: &'static str,
    },
    /// The API server does not give the pull secrets.
    #[error("the pull secrets cannot be read: {0}")]
    PullSecrets(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::PullSecrets(failure.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::rules;

    #[test]
    fn a_reason_stands_whole_in_the_refusal() {
        let host = || "registry.team.example.com:5000".to_owned();
        for error in [
            Error::Name,
            Error::NotListed(host()),
            Error::Unreachable { host: host(), cause: "Connection refused (os error 111)".into() },
            Error::Forbidden(host()),
            Error::Unusable { host: host(), what: "too many redirections" },
            Error::Disagreement { one: "linux/arm64/v8".into(), other: "linux/amd64".into() },
            Error::Installation { what: "docker config" },
        ] {
            let violation = rules::ENTRYPOINT_UNKNOWN.broken_at("command").with("reason", &error);
            assert!(violation.to_string().contains(&error.to_string()), "{violation}");
        }
    }
}
