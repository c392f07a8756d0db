//! The environment: names and values as the kernel handed them over.

use alloc::vec::Vec;
use core::ffi::CStr;

use crate::Strings;

/// The value of the first variable with this name, as getenv(3) finds it.
pub(crate) fn get(env: Strings, name: &str) -> Option<&'static [u8]> {
    env.iter().map(|&entry| split(entry)).find(|(key, _)| *key == name.as_bytes())?.1
}

/// All but the variables with this name.
pub(crate) fn without(env: Strings, name: &str) -> Vec<&'static CStr> {
    env.iter().copied().filter(|entry| split(entry).0 != name.as_bytes()).collect()
}

/// Name and value; an entry without `=` has no value.
pub(crate) fn split(entry: &CStr) -> (&[u8], Option<&[u8]>) {
    let bytes = entry.to_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (&bytes[..at], bytes.get(at + 1..)),
        None => (bytes, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_equals_signs() {
        let env = [c"A=1", c"B=x=y", c"C", c"A=2"];
        assert_eq!(get(&env, "B"), Some(&b"x=y"[..]));
        assert_eq!(get(&env, "A"), Some(&b"1"[..]));
        assert_eq!(get(&env, "C"), None);
        assert_eq!(get(&env, "D"), None);
        assert_eq!(without(&env, "A"), [c"B=x=y", c"C"]);
    }
}
