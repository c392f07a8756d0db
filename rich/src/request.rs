//! The flags of `rich run`: the annotations, judged by the rules that judge annotations.

use alloc::{ffi::CString, format, string::String, vec::Vec};
use core::{ffi::CStr, fmt, str, time::Duration};

use contract::{Key, PREFIX, Rich, Violations, parse_duration};

use crate::Strings;

/// Where Kubernetes looks for a container's last words unless told otherwise
/// (`terminationMessagePath`).
const TERMINATION_LOG: &CStr = c"/dev/termination-log";

/// How long Kubernetes gives a container to stop unless the pod says otherwise
/// (`terminationGracePeriodSeconds`).
const GRACE: Duration = Duration::from_secs(30);

/// What `rich run` is to do.
pub(crate) struct Request<'a> {
    /// What the annotations ask for.
    pub(crate) rich: Rich,
    /// Where the reason of a failure is left.
    pub(crate) termination_log: CString,
    /// How long the pod gives the container to stop.
    pub(crate) grace: Duration,
    /// The application.
    pub(crate) command: Strings<'a>,
}

/// What is wrong with a command line.
pub(crate) enum Error {
    Unknown(String),
    NoValue(&'static str),
    Twice(&'static str),
    NotText,
    Grace(String),
    Rules(Violations),
    NoMode,
    NoCommand,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(flag) => {
                write!(f, "rich run: \"{flag}\" is not known: see rich run --help")
            }
            Self::NoValue(name) => write!(f, "rich run: --{name} needs a value: --{name}=VALUE"),
            Self::Twice(name) => write!(f, "rich run: --{name} is given twice: keep one"),
            Self::Grace(value) => {
                write!(f, "rich run: --grace={value} is no duration: write it as 45s or 5m")
            }
            Self::NotText => f.write_str("rich run: a flag is not UTF-8 text"),
            Self::NoMode => f.write_str(
                "rich run: --mode is missing: give --mode=dumb-init, systemd or sbin-init",
            ),
            Self::NoCommand => {
                f.write_str("rich run: the application is missing: give its command after --")
            }
            Self::Rules(violations) => {
                for (index, violation) in violations.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    write!(f, "{separator}rich run: {violation}")?;
                }
                Ok(())
            }
        }
    }
}

/// The flags that are annotations: those that concern the container, not the pod.
const KEYS: [Key; 7] = [
    Key::Mode,
    Key::Initscript,
    Key::Initcmd,
    Key::InitscriptTimeout,
    Key::Poststop,
    Key::Restart,
    Key::Profile,
];

impl<'a> Request<'a> {
    /// Reads the arguments of `rich run`.
    pub(crate) fn read(args: Strings<'a>) -> Result<Self, Error> {
        let mut values: Vec<(&'static str, &str)> = Vec::new();
        let mut rest = args;
        while let Some((&argument, after)) = rest.split_first() {
            rest = after;
            let text = argument.to_str().map_err(|_| Error::NotText)?;
            if text == "--" {
                break;
            }
            let (flag, value) = match text.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (text, None),
            };
            let name = name(flag).ok_or_else(|| Error::Unknown(flag.into()))?;
            let value = match (value, rest.split_first()) {
                (Some(value), _) => value,
                (None, Some((next, after))) if next.to_bytes() != b"--" => {
                    rest = after;
                    next.to_str().map_err(|_| Error::NotText)?
                }
                _ => return Err(Error::NoValue(name)),
            };
            if values.iter().any(|(known, _)| *known == name) {
                return Err(Error::Twice(name));
            }
            values.push((name, value));
        }
        Self::judge(&values, rest)
    }

    fn judge(values: &[(&'static str, &str)], command: Strings<'a>) -> Result<Self, Error> {
        let own = |flag| values.iter().find(|(name, _)| *name == flag).map(|(_, value)| *value);
        let annotations: Vec<(String, &str)> = values
            .iter()
            .filter(|(name, _)| !OWN.contains(name))
            .map(|(name, value)| (format!("{PREFIX}{name}"), *value))
            .collect();
        let reading = contract::read(annotations.iter().map(|(key, value)| (&**key, *value)));
        if !reading.violations.is_empty() {
            return Err(Error::Rules(reading.violations));
        }
        let rich = reading.rich.ok_or(Error::NoMode)?;
        if command.is_empty() {
            return Err(Error::NoCommand);
        }
        let termination_log = match own(LOG) {
            Some(path) => CString::new(path).map_err(|_| Error::NotText)?,
            None => TERMINATION_LOG.into(),
        };
        let grace = own(GRACE_FLAG).map_or(Ok(GRACE), |value| {
            parse_duration(value).ok_or_else(|| Error::Grace(value.into()))
        })?;
        Ok(Self { rich, termination_log, grace, command })
    }
}

const LOG: &str = "termination-log";
const GRACE_FLAG: &str = "grace";
/// The flags that are no annotations: what the pod says elsewhere.
const OWN: [&str; 2] = [LOG, GRACE_FLAG];

fn name(flag: &str) -> Option<&'static str> {
    let name = flag.strip_prefix("--")?;
    let known = KEYS.iter().map(|key| key.short());
    known.chain(OWN).find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use contract::Mode;

    fn refused(args: &[&'static CStr]) -> String {
        match Request::read(args) {
            Ok(_) => panic!("not refused"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_the_webhook_writes_is_read() {
        let request = Request::read(&[
            c"--mode=systemd",
            c"--initscript",
            c"/a b",
            c"--termination-log=/x=y",
            c"--grace=45s",
            c"--",
            c"--",
            c"--mode",
        ])
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(request.rich.mode, Mode::Systemd);
        assert_eq!(request.termination_log.as_c_str(), c"/x=y");
        assert_eq!(request.grace, Duration::from_secs(45));
        assert_eq!(request.command, [c"--", c"--mode"]);
    }

    #[test]
    fn the_rules_of_the_annotations_hold() {
        let said = refused(&[c"--initscript=/a", c"--", c"x"]);
        assert!(said.contains("can only be used along with rich mode"), "{said}");
        let said = refused(&[c"--mode=upstart", c"--initscript=a", c"--", c"x"]);
        assert!(said.contains("not supported rich mode: upstart"), "{said}");
        assert!(said.contains("absolute path") && said.lines().count() == 2, "{said}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (args, expected) in [
            (&[c"--mod=x", c"--", c"x"][..], "\"--mod\" is not known"),
            (&[c"sleep"], "\"sleep\" is not known"),
            (&[c"--mode", c"--", c"x"], "--mode needs a value"),
            (&[c"--mode"], "--mode needs a value"),
            (&[c"--mode=systemd", c"--mode=systemd", c"--", c"x"], "given twice"),
            (&[c"--mode=systemd", c"--"], "the application is missing"),
            (&[c"--mode=systemd"], "the application is missing"),
            (&[c"--", c"x"], "--mode is missing"),
            (&[c"--mode=systemd", c"--grace=x", c"--", c"x"], "--grace=x is no duration"),
            (&[c"--mode=\xff", c"--", c"x"], "not UTF-8"),
            (&[c"--privileged=true", c"--", c"x"], "is not known"),
        ] {
            let said = refused(args);
            assert!(said.contains(expected), "{said}");
        }
    }
}
