//! What a review costs in processor time and memory, from its bytes to those of its answer.
//!
//! The benchmark, a test and the fuzz target `cost` share it; who uses it has
//! `peakmem_alloc::INSTRUMENTED_SYSTEM` as its global allocator.
#![allow(dead_code, reason = "each of them uses its own part")]

pub(crate) mod expand;
pub(crate) mod measure;
pub(crate) mod usual;

use std::{fs, path::Path};

/// No input is expanded to more.
const MOST: usize = 5 << 18;

/// The reviews that an input is about: one where it is one, else those of the pod that it is, alone
/// and as the template of a Deployment that is created and that is updated.
pub(crate) fn reviews(input: &[u8]) -> Vec<Vec<u8>> {
    let object = expand::expand(input, MOST);
    if memchr::memmem::find(&object, b"AdmissionReview").is_some() {
        return vec![object];
    }
    let annotated =
        br#"{"metadata":{"annotations":{"rich.pouch/mode":"systemd"}},"spec":{"template":"#;
    let deployment = [&annotated[..], &object, b"}}"].concat();
    vec![
        review("", "Pod", "CREATE", &object, b"null"),
        review("apps", "Deployment", "CREATE", &deployment, b"null"),
        review("apps", "Deployment", "UPDATE", &deployment, &deployment),
    ]
}

fn review(group: &str, kind: &str, operation: &str, object: &[u8], old: &[u8]) -> Vec<u8> {
    let head = [
        r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","#,
        &format!(r#""kind":{{"group":"{group}","version":"v1","kind":"{kind}"}},"#),
        &format!(r#""operation":"{operation}","object":"#),
    ];
    [head.concat().as_bytes(), object, br#","oldObject":"#, old, b"}}"].concat()
}

/// The inputs that the fuzz target begins with, by name.
pub(crate) fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/cost"));
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut inputs: Vec<_> = files.map(|path| (name(&path), fs::read(&path).unwrap())).collect();
    inputs.sort();
    inputs
}
