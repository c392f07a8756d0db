//! The file with the administrator's settings.

use std::{fs, io, path::Path};

use serde_yaml::{Mapping, Value};

use crate::registry;

/// The section about registries.
const ENTRYPOINTS: &str = "entrypoints";
/// The field about Events.
const EVENTS: &str = "events";

/// What the administrator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// About the injection.
    pub injection: inject::Settings,
    /// About registries, where they may be asked at all.
    pub entrypoints: Option<registry::Settings>,
    /// Whether the controllers of injected pods are told of it.
    pub events: bool,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {source}; name another by --config")]
    Read {
        /// Which file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file does not hold settings.
    #[error("the configuration file {path} is not valid: {source}; correct it")]
    Parse {
        /// Which file.
        path: String,
        /// Which field, and where.
        source: serde_yaml::Error,
    },
}

/// Reads the settings.
pub fn read(path: &Path) -> Result<Settings, Error> {
    let text = fs::read_to_string(path)
        .map_err(|source| Error::Read { path: path.display().to_string(), source })?;
    parse(&text).map_err(|source| Error::Parse { path: path.display().to_string(), source })
}

fn parse(text: &str) -> Result<Settings, serde_yaml::Error> {
    let mut fields: Mapping = serde_yaml::from_str(text)?;
    let mut field = |name| fields.remove(name).unwrap_or(Value::Null);
    let (entrypoints, events) = (field(ENTRYPOINTS), field(EVENTS));
    Ok(Settings {
        injection: serde_yaml::from_value(fields.into())?,
        entrypoints: serde_yaml::from_value(entrypoints)?,
        events: serde_yaml::from_value::<Option<_>>(events)?.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_named_with_its_file() {
        let path =
            std::env::temp_dir().join(format!("rich-pouch-config-{}.yaml", std::process::id()));
        fs::write(&path, "image: registry.example/rich-pouch:1\nimages: 2\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains("unknown field `images`"), "{error}");
        fs::write(&path, "image: registry.example/rich-pouch:1\nprivileged: never\n").unwrap();
        let settings = read(&path).unwrap();
        assert_eq!(settings.injection.privileged, inject::Privileged::Never);
        assert!(settings.entrypoints.is_none());
        fs::remove_file(&path).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("--config"));
    }

    #[test]
    fn registries_are_a_section_of_their_own() {
        let text = "image: a\nentrypoints:\n  timeoutMilliseconds: 3000\n  registries:\n  \
                    - {host: docker.io, mirror: mirror.example/hub}\n";
        let entrypoints = parse(text).unwrap().entrypoints.unwrap();
        assert_eq!(entrypoints.registries[0].mirror.as_deref(), Some("mirror.example/hub"));
        assert_eq!(entrypoints.timeout().as_secs(), 3);
        let wrong = parse(&text.replace("host", "hots")).unwrap_err().to_string();
        assert!(wrong.contains("unknown field `hots`"), "{wrong}");
    }

    #[test]
    fn events_are_told_where_the_settings_say_so() {
        assert!(!parse("image: a\n").unwrap().events);
        assert!(parse("image: a\nevents: true\n").unwrap().events);
        let wrong = parse("image: a\nevents: some\n").unwrap_err().to_string();
        assert!(wrong.contains("boolean"), "{wrong}");
    }
}
