//! Why there is no application, said where a user looks: in the container's log, and in the
//! termination message that `kubectl describe pod` prints.

use alloc::{ffi::CString, format};
use core::fmt;

use super::Spec;
use crate::file;

/// Says one sentence.
pub(super) fn say(sentence: fmt::Arguments<'_>) {
    crate::say!("rich: {sentence}");
    let Ok(spec) = Spec::read() else { return };
    // The kubelet makes the file; where there is none, nobody reads it.
    if let Ok(path) = CString::new(spec.termination_log) {
        let _ = file::overwrite(&path, format!("rich: {sentence}\n").as_bytes());
    }
}
