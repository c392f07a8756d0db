//! Why an image's entrypoint is not known: the reason in the middle of a refusal's sentence.

use super::place::Place;
use crate::cluster;

/// Why an image's entrypoint is not known.
///
/// What a registry writes is never part of it: the author of a pod chooses the registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the name of an image.
    #[error("this is not a valid image name")]
    Name,
    /// A registry that the administrator does not list.
    #[error("the administrator has not listed its registry {0} (entrypoints.registries)")]
    NotListed(String),
    /// Nobody was asked, as there was no place.
    #[error("too many look-ups at {0} are under way; try again")]
    Busy(String),
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
    #[error("{0} ended its answer early")]
    BrokenOff(String),
    /// It is not public.
    #[error("{0} requires credentials")]
    Unauthorized(String),
    /// It is not for these credentials.
    #[error("{0} does not accept the credentials")]
    Forbidden(String),
    /// No such image.
    #[error("{0} does not have the image")]
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
    #[error("{host} returned {what}")]
    Unusable {
        /// Who.
        host: String,
        /// What it was.
        what: &'static str,
    },
    /// Any answer of a host that the administrator does not list by name.
    #[error("{0} did not provide it (the webhook's log has the reason)")]
    NotProvided(String),
    /// Any answer of a host to which a registry sends the webhook.
    #[error(
        "{0} refers to another host, which did not provide it (the webhook's log has the reason)"
    )]
    Elsewhere(String),
    /// Two platforms with different commands.
    #[error(
        "it runs different commands on {one} and {other} (choose one by a nodeSelector for \
         kubernetes.io/arch)"
    )]
    Disagreement {
        /// A platform.
        one: String,
        /// Another.
        other: String,
    },
    /// No platform of it is the pod's.
    #[error("the image has no Linux platform on which the pod may run")]
    NoPlatform,
    /// A file of the installation.
    #[error("the webhook's {what} cannot be used; the cluster's administrator must correct it")]
    Installation {
        /// Which file.
        what: &'static str,
    },
    /// The API server does not give the pull secrets.
    #[error("the pull secrets cannot be read: {0}")]
    PullSecrets(String),
}

/// What went wrong, in all detail, which is for the log.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: Error,
    /// Whether it was at another host than the registry's own.
    pub(super) is_elsewhere: bool,
}

impl Fault {
    /// What the user may know of it. Where a pod's author chose the host, or the host another one,
    /// all answers are one, or the webhook would explore the cluster's network for them.
    pub(super) fn told(self, place: &Place) -> Error {
        let registry = || place.registry().to_owned();
        match self.error {
            error if !error.is_answer() => error,
            _ if !place.is_named => Error::NotProvided(registry()),
            _ if self.is_elsewhere => Error::Elsewhere(registry()),
            error => error,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, is_elsewhere: false }
    }
}

impl Error {
    /// Whether it tells what a host answered, or that it did not.
    fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Late(_)
                | Self::Unreachable { .. }
                | Self::BrokenOff(_)
                | Self::Unauthorized(_)
                | Self::Forbidden(_)
                | Self::NotFound(_)
                | Self::Status { .. }
                | Self::Unusable { .. }
        )
    }

    /// Whether a registry was asked, and would say the same again.
    pub(super) fn has_asked(&self) -> bool {
        let is_found = matches!(self, Self::Disagreement { .. } | Self::NoPlatform);
        let is_told = matches!(self, Self::NotProvided(_) | Self::Elsewhere(_));
        self.is_answer() || is_found || is_told
    }
}

impl From<cluster::Failure> for Error {
    fn from(failure: cluster::Failure) -> Self {
        Self::PullSecrets(failure.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::settings::Source;
    use contract::rules;

    fn host() -> String {
        "registry.team.example.com:5000".to_owned()
    }

    fn answers() -> [Error; 8] {
        let cause = "Connection refused (os error 111)".to_owned();
        [
            Error::Late(host()),
            Error::Unreachable { host: host(), cause },
            Error::BrokenOff(host()),
            Error::Unauthorized(host()),
            Error::Forbidden(host()),
            Error::NotFound(host()),
            Error::Status { host: host(), code: 418 },
            Error::Unusable { host: host(), what: "too many redirects" },
        ]
    }

    fn others() -> [Error; 9] {
        [
            Error::Name,
            Error::NotListed(host()),
            Error::Busy(host()),
            Error::NotProvided(host()),
            Error::Elsewhere(host()),
            Error::Disagreement { one: "linux/arm64/v8".into(), other: "linux/amd64".into() },
            Error::NoPlatform,
            Error::Installation { what: "docker config" },
            Error::PullSecrets("the API server did not answer in time".into()),
        ]
    }

    #[test]
    fn a_reason_stands_whole_in_the_refusal() {
        for error in answers().iter().chain(&others()) {
            let violation = rules::ENTRYPOINT_UNKNOWN.broken_at("command").with("reason", error);
            assert!(violation.to_string().contains(&error.to_string()), "{violation}");
        }
    }

    #[test]
    fn only_a_registry_that_is_listed_by_name_is_quoted() {
        let place = |listed: &str| {
            let source = Source { host: listed.into(), mirror: None, private_addresses: true };
            Place::of(&format!("{}/a", host()), &[source]).unwrap()
        };
        let told = |error: &Error, listed: &str, is_elsewhere| {
            Fault { error: error.clone(), is_elsewhere }.told(&place(listed))
        };
        for error in answers() {
            assert_eq!(told(&error, &host(), false), error);
            assert_eq!(told(&error, &host(), true), Error::Elsewhere(host()));
            assert_eq!(told(&error, "*", false), Error::NotProvided(host()));
            assert_eq!(told(&error, "*", true), Error::NotProvided(host()));
        }
        for error in others() {
            assert_eq!(told(&error, "*", true), error);
        }
    }

    #[test]
    fn a_failure_that_never_asked_is_not_one_of_the_registry() {
        let asked = |error: &&Error| error.has_asked();
        assert_eq!(answers().iter().filter(asked).count(), answers().len());
        assert_eq!(
            others().into_iter().filter(Error::has_asked).collect::<Vec<_>>(),
            [
                Error::NotProvided(host()),
                Error::Elsewhere(host()),
                Error::Disagreement { one: "linux/arm64/v8".into(), other: "linux/amd64".into() },
                Error::NoPlatform
            ]
        );
    }
}
