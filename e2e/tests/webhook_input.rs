//! Whatever is sent to the webhook gets a sentence and the right HTTP code.

use e2e::{client, webhook};
use serde_json::{Value, json};

const JSON: &str = "application/json";

fn review(kind: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "kind": {"group": "", "version": "v1", "kind": kind},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": "default",
            "userInfo": {},
            "object": object,
        },
    })
}

#[tokio::test]
async fn bad_input_gets_one_sentence_and_its_code() {
    let client = client().await;
    let pod = json!({"metadata": {}, "spec": {"containers": []}});
    let mut beta = review("Pod", &pod);
    beta["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let mut other = review("Pod", &pod);
    other["kind"] = json!("Pod");
    let big = vec![b' '; 8 << 20];
    for (body, content_type, code) in [
        (b"not JSON".to_vec(), JSON, 400),
        (Vec::new(), JSON, 400),
        (beta.to_string().into_bytes(), JSON, 400),
        (other.to_string().into_bytes(), JSON, 400),
        (json!({"kind": "AdmissionReview"}).to_string().into_bytes(), JSON, 400),
        (big, JSON, 413),
        (review("Pod", &pod).to_string().into_bytes(), "text/plain", 415),
    ] {
        for path in ["/mutate", "/validate"] {
            let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let (status, text) = webhook(&client, path, content_type, body.clone()).await;
            assert_eq!(status, code, "{path} {start}: {text}");
            assert_eq!(text.trim().lines().count(), 1, "{path} {start}: {text}");
        }
    }
    let (status, _) = webhook(&client, "/nowhere", JSON, Vec::new()).await;
    assert_eq!(status, 404);
}

/// A review of HTTP's kind but with an object that is none is answered as a refusal, since that
/// is what kubectl prints plainly.
#[tokio::test]
async fn an_object_that_cannot_be_read_is_refused_with_a_sentence() {
    let client = client().await;
    let body = review("Pod", &json!({"spec": 1})).to_string().into_bytes();
    let (status, text) = webhook(&client, "/mutate", JSON, body).await;
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["response"]["allowed"], false, "{text}");
    let message = answer["response"]["status"]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("the Pod cannot be read: "), "{text}");
}

#[tokio::test]
async fn a_good_review_is_answered_with_its_uid() {
    let client = client().await;
    let pod = json!({"metadata": {"annotations": {}}, "spec": {"containers": []}});
    let body = review("Pod", &pod).to_string().into_bytes();
    let (status, text) = webhook(&client, "/mutate", JSON, body).await;
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["response"], json!({"uid": "1", "allowed": true}));
}
