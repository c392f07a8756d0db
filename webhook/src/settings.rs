//! The file with the administrator's settings.

use std::{fs, io, path::Path};

use inject::Settings;

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
    serde_yaml::from_str(&text)
        .map_err(|source| Error::Parse { path: path.display().to_string(), source })
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
        assert_eq!(read(&path).unwrap().privileged, inject::Privileged::Never);
        fs::remove_file(&path).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("--config"));
    }
}
