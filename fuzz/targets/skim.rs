//! Any text: what is JSON is read as serde_json reads it, as a whole, passed over, and member by
//! member, where each of them stands once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = skim::text(bytes) else {
        assert!(str::from_utf8(bytes).is_err());
        return;
    };
    let read = skim::from_str::<Value>(text);
    let raw = skim::from_str::<&RawValue>(text);
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        assert!(read.is_err());
        return;
    };
    assert_eq!(read.unwrap(), value);
    assert_eq!(raw.unwrap().get(), serde_json::from_str::<&RawValue>(text).unwrap().get());
    for (name, member) in value.as_object().into_iter().flatten() {
        match skim::member::<Value>(text, name) {
            Ok(found) => assert_eq!(found.unwrap(), *member, "{name}"),
            // One that stands twice has one value nowhere.
            Err(error) => assert!(error.to_string().starts_with("duplicate field"), "{error}"),
        }
    }
});
