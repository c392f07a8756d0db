//! Any bytes may be sent to the webhook: they get an answer that is an AdmissionReview, or one
//! sentence.
#![no_main]

use inject::{Known, Settings};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use webhook::admission::{Decision, Envelope, mutate, response, validate};

fuzz_target!(|body: &[u8]| {
    let settings: Settings = serde_json::from_value(json!({"image": "rich-pouch:1"})).unwrap();
    match Envelope::read(body) {
        Ok(request) => {
            for judge in [mutate, validate] {
                let verdict = judge(&request, &settings, &Known::default());
                if let (Decision::Patch(_), Some(pod)) = (&verdict.decision, request.new_pod()) {
                    assert!(pod.mode().is_some(), "nobody asked for it");
                }
                let answer = response(&request.uid, &verdict).unwrap();
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                assert_eq!(answer["kind"], "AdmissionReview");
                assert_eq!(answer["response"]["uid"], *request.uid);
                for warning in answer["response"]["warnings"].as_array().into_iter().flatten() {
                    assert!(!warning.as_str().unwrap().contains(['\n', '\0']), "{warning}");
                }
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
});
