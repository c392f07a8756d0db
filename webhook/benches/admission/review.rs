//! Whether the answer is an injection.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// The answer has a patch, and it is the one that makes the container a machine.
pub(crate) fn assert_injection(answer: &[u8]) {
    let review: Value = serde_json::from_slice(answer).unwrap();
    let response = &review["response"];
    assert_eq!(response["allowed"], true, "{review}");
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let operations: Vec<Value> = serde_json::from_slice(&patch).unwrap();
    let command = operations.iter().find(|it| it["path"] == "/spec/containers/0/command");
    assert_eq!(command.unwrap()["value"][0], contract::names::LAUNCHER, "{operations:?}");
}
