//! The termination message, which `kubectl describe pod` prints.

use alloc::format;
use core::ffi::CStr;

use super::{outcome::Failed, output::Tail};
use crate::file;

/// The longest message that the kubelet reads, bytes (`MaxPodTerminationMessageLogLength` and its
/// share of a container).
const LONGEST: usize = 4096;

/// Leaves the last output of the initscript and the reason of the failure at `path`. The kubelet
/// makes the file; where there is none, nobody reads it.
pub(super) fn write(path: &CStr, tail: &Tail, failed: &Failed) {
    let sentence = format!("rich: {failed}\n");
    let sentence = &sentence.as_bytes()[..sentence.len().min(LONGEST)];
    let mut message = tail.lines(LONGEST - sentence.len());
    message.extend_from_slice(sentence);
    // There is nobody else to tell.
    let _ = file::overwrite(path, &message);
}
