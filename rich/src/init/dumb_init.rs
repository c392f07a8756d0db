//! Our own init, for any image.

use alloc::{ffi::CString, format, vec::Vec};
use core::ffi::CStr;

use contract::Mode;

use super::Error;
use crate::{
    Strings,
    exec::{self, beside_us, explain},
    poststop,
    request::Request,
    sys,
};

/// Becomes `dumb-init -- COMMAND`, the link beside us.
///
/// Signals stay blocked, so that none is lost on the way: dumb-init reads what has come meanwhile.
pub(super) fn become_init(request: &Request, env: Strings) -> Error {
    let Some(application) = request.command.first() else {
        return Error::Application(explain(c"", rustix::io::Errno::NOENT));
    };
    // dumb-init would end with 2 for every reason; here the code and the sentence tell them apart.
    if let Err(failure) = exec::find(application, env) {
        return Error::Application(failure);
    }
    let path = beside_us(c"dumb-init");
    let mut args: Vec<&CStr> = Vec::from([path.as_c_str(), c"--"]);
    args.extend(request.command);
    let handed_over = request.rich.poststop.as_ref();
    let handed_over =
        handed_over.map(|line| CString::new(format!("{}={line}", poststop::VARIABLE)));
    let handed_over = handed_over.and_then(Result::ok);
    let mut env: Vec<&CStr> = env.to_vec();
    env.extend(handed_over.as_deref());
    let failure = explain(&path, sys::execve(&path, &args, &env));
    Error::Init { mode: Mode::DumbInit, failure }
}
