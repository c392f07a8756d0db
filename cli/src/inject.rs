//! `inject`: manifests in, injected manifests out.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use ::inject::{Known, Outcome, Privileged, Settings, Target};
use clap::ValueEnum;
use serde::Deserialize as _;
use serde_json::Value;

/// The flags of `inject`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A file of manifests, YAML or JSON; - is standard input.
    #[arg(short, long, value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,
    /// The project's image, as the cluster's Rich Pouch is set to.
    #[arg(long, value_name = "IMAGE", default_value = concat!("rich-pouch:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// Whether an annotation may make a container privileged.
    #[arg(long, value_enum, default_value = "allow")]
    privileged: Policy,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    Allow,
    Never,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: document {document} is no YAML: {source}", path.display())]
    NoYaml { path: PathBuf, document: usize, source: serde_yaml::Error },
    #[error("{at}: {source}")]
    NoSuchObject { at: String, source: ::inject::Error },
    #[error("{at}: the patch does not apply: {source}")]
    Patch { at: String, source: Box<dyn std::error::Error> },
    #[error("{at}: cannot be written as YAML: {source}")]
    Unwritable { at: String, source: serde_yaml::Error },
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let settings = Settings {
        privileged: match arguments.privileged {
            Policy::Allow => Privileged::Allow,
            Policy::Never => Privileged::Never,
        },
        // Nobody knows the namespaces here.
        pod_security: false,
        ..Settings::new(&arguments.image)
    };
    let mut good = true;
    for path in &arguments.filename {
        match file(path, &settings) {
            Ok(all) => good &= all,
            Err(error) => {
                eprintln!("error: {error}");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Injects the objects of a file; says whether none of them breaks a rule.
fn file(path: &Path, settings: &Settings) -> Result<bool, Error> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    }
    .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;

    let mut good = true;
    for (index, document) in serde_yaml::Deserializer::from_str(&text).enumerate() {
        let object = Value::deserialize(document).map_err(|source| Error::NoYaml {
            path: path.to_owned(),
            document: index + 1,
            source,
        })?;
        if !object.is_null() {
            good &= document_of(path, object, settings)?;
        }
    }
    Ok(good)
}

fn document_of(path: &Path, mut object: Value, settings: &Settings) -> Result<bool, Error> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let at = format!("{}: {} {}", path.display(), text("/kind"), text("/metadata/name"));
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let outcome = match Target::find(group, text("/kind"), settings) {
        Some(target) => {
            let text = object.to_string();
            let known = Known { as_written: true, ..Known::default() };
            ::inject::judge(target, &text, None, settings, &known)
                .map_err(|source| Error::NoSuchObject { at: at.clone(), source })?
        }
        None => Outcome::default(),
    };
    for warning in outcome.warnings.iter().chain(&outcome.warnings.and_more()) {
        eprintln!("{at}: warning: {warning}");
    }
    for violation in &outcome.violations {
        eprintln!("{at}: error: {violation}");
    }
    if let Some(more) = outcome.violations.and_more() {
        eprintln!("{at}: error: {more}");
    }
    if !outcome.violations.is_empty() {
        return Ok(false);
    }
    apply(&mut object, &outcome).map_err(|source| Error::Patch { at: at.clone(), source })?;
    let yaml = serde_yaml::to_string(&object).map_err(|source| Error::Unwritable { at, source })?;
    write!(io::stdout(), "---\n{yaml}")?;
    Ok(true)
}

fn apply(object: &mut Value, outcome: &Outcome) -> Result<(), Box<dyn std::error::Error>> {
    let patch: json_patch::Patch = serde_json::from_str(outcome.patch.as_str())?;
    Ok(json_patch::patch(object, &patch)?)
}
