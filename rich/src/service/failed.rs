//! What systemd calls where the application's unit has failed, and where it gives the boot up
//! (`OnFailure=`, emergency.service).

use alloc::format;

use super::{Spec, UNIT, exec::NOT_TRIED, exit_code, last_words, streams, systemctl};
use crate::{Strings, say, sys};

/// Ends the container, unless systemd starts the application again.
pub(super) fn main(env: Strings) -> u8 {
    sys::block_all();
    sys::default_all();
    let state = systemctl::read(&["show", "--property=ActiveState", "--value", UNIT], env);
    if !matches!(state.trim(), "inactive" | "failed") {
        return 0;
    }
    // `rich ended` has done so, unless it was killed.
    if let Some(code) = exit_code() {
        return end(code, env);
    }
    match Spec::read() {
        Ok(spec) => streams::take(&spec),
        Err(error) => say!("rich: {error}"),
    }
    let failed = systemctl::failed(env);
    let failed = if failed.is_empty() { "nothing by name" } else { &failed };
    last_words::say(format_args!(
        "systemd has not come as far as the application; what failed: {failed} (their reasons \
         stand above, or in the journal)"
    ));
    end(NOT_TRIED, env)
}

/// Also where what failed has queued a job that no other may replace.
fn end(code: u8, env: Strings) -> u8 {
    match systemctl::exit(code, env) {
        0 => 0,
        _ => systemctl::run(&["--force", "exit", &format!("{code}")], env),
    }
}
