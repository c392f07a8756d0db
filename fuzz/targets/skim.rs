//! Any bytes: what is JSON is read as serde_json reads it, as a whole, member by member, and passed
//! over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};

fuzz_target!(|bytes: &[u8]| {
    let read = skim::from_slice::<Value>(bytes);
    let raw = skim::from_slice::<&RawValue>(bytes);
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        assert!(read.is_err());
        return;
    };
    assert_eq!(read.unwrap(), value);
    assert_eq!(raw.unwrap().get(), serde_json::from_slice::<&RawValue>(bytes).unwrap().get());
    let text = str::from_utf8(bytes).unwrap();
    for (name, member) in value.as_object().into_iter().flatten() {
        let found = skim::member::<Value>(text, name).unwrap().unwrap();
        // Of several members with one name, either may be the one.
        let is_single = text.matches(&format!("\"{name}\"")).count() == 1 && !text.contains('\\');
        assert!(found == *member || !is_single, "{name}");
        assert!(skim::member::<&RawValue>(text, name).unwrap().is_some());
    }
});
