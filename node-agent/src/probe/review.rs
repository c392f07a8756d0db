//! The question to the webhook, and the judgement of its answer.

use std::time::SystemTime;

use contract::Key;
use serde::Deserialize;
use serde_json::{Value, json};

/// A pod with this and no mode must be refused.
const ANNOTATION: (&str, &str) = (Key::Initscript.name(), "/rich-pouch-admission-probe");

/// One question.
pub(super) struct Review {
    uid: String,
}

/// What an answer is worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Refused,
    Admitted,
    /// Neither; why not.
    Unexpected(String),
}

#[derive(Deserialize)]
struct Answer {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    message: String,
}

impl Review {
    pub(super) fn new() -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        // The form of a UUID, and another one each time: all that is asked of it.
        let uid = format!(
            "{:08x}-0000-4000-8000-{:012x}",
            std::process::id(),
            now.as_nanos() & 0xffff_ffff_ffff
        );
        Self { uid }
    }

    /// The AdmissionReview, as the API server writes it for a dry run: nothing is to be counted,
    /// written or told because of it.
    pub(super) fn body(&self) -> String {
        let (kind, resource) = (
            json!({"group": "", "version": "v1", "kind": "Pod"}),
            json!({"group": "", "version": "v1", "resource": "pods"}),
        );
        let name = "rich-pouch-admission-probe";
        let review = json!({
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": self.uid,
                "kind": kind,
                "resource": resource,
                "requestKind": kind,
                "requestResource": resource,
                "name": name,
                "namespace": "default",
                "operation": "CREATE",
                "userInfo": {"username": "rich-pouch-node-agent", "groups": []},
                "object": {
                    "kind": "Pod",
                    "apiVersion": "v1",
                    "metadata": {
                        "name": name,
                        "namespace": "default",
                        "annotations": {ANNOTATION.0: ANNOTATION.1},
                    },
                    "spec": {"containers": [
                        {"name": "probe", "image": "probe", "command": ["/probe"]},
                    ]},
                },
                "oldObject": Value::Null,
                "dryRun": true,
                "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
            },
        });
        review.to_string()
    }

    /// Judges an answer to this question.
    pub(super) fn judge(&self, http_status: u16, body: &[u8]) -> Verdict {
        if http_status != 200 {
            return Verdict::Unexpected(format!("HTTP status {http_status}"));
        }
        let Answer { response } = match serde_json::from_slice(body) {
            Ok(answer) => answer,
            Err(error) => return Verdict::Unexpected(format!("no AdmissionReview: {error}")),
        };
        if response.uid != self.uid {
            return Verdict::Unexpected("the answer to another request".to_owned());
        }
        if response.allowed {
            return Verdict::Admitted;
        }
        let missing = contract::read([ANNOTATION])
            .violations
            .into_iter()
            .map(|violation| violation.to_string())
            .find(|sentence| !response.status.message.contains(sentence));
        match missing {
            None => Verdict::Refused,
            Some(sentence) => {
                Verdict::Unexpected(format!("a refusal that does not say {sentence:?}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::rules::NEEDS_RICH;

    fn judged(change: impl FnOnce(&mut Value)) -> Verdict {
        let review = Review::new();
        let mut answer = json!({"kind": "AdmissionReview", "response": {
            "uid": review.uid,
            "allowed": false,
            "status": {"code": 403, "message":
                "2 mistakes: rich.pouch/initscript can only be used along with rich mode: \
                 set rich.pouch/mode to dumb-init, systemd or sbin-init; and more"},
        }});
        change(&mut answer);
        review.judge(200, answer.to_string().as_bytes())
    }

    fn unexpected(change: impl FnOnce(&mut Value)) -> bool {
        matches!(judged(change), Verdict::Unexpected(_))
    }

    #[test]
    fn the_pod_breaks_one_rule() {
        let violations = contract::read([ANNOTATION]).violations;
        assert!(violations.into_iter().map(|it| it.rule).eq([&NEEDS_RICH]));
        let body: Value = serde_json::from_str(&Review::new().body()).unwrap();
        assert_eq!(
            body.pointer("/request/object/metadata/annotations"),
            Some(&json!({"rich.pouch/initscript": "/rich-pouch-admission-probe"}))
        );
        assert_eq!(body.pointer("/request/dryRun"), Some(&json!(true)));
    }

    #[test]
    fn a_refusal_in_the_words_of_the_contract_is_well() {
        assert_eq!(judged(|_| ()), Verdict::Refused);
    }

    #[test]
    fn an_admission_is_an_alarm_whatever_it_says() {
        assert_eq!(judged(|answer| answer["response"]["allowed"] = json!(true)), Verdict::Admitted);
    }

    #[test]
    fn every_other_answer_is_unexpected() {
        assert!(unexpected(|answer| answer["response"]["uid"] = json!("1")));
        assert!(unexpected(|answer| answer["response"] = Value::Null));
        assert!(unexpected(|answer| {
            answer["response"]["allowed"] = json!("no");
        }));
        assert!(unexpected(|answer| {
            answer["response"]["status"]["message"] = json!("no webhook today");
        }));
        assert!(unexpected(|answer| {
            answer["response"].as_object_mut().unwrap().remove("status");
        }));
        let review = Review::new();
        for (status, body) in [(200, "<html>"), (200, ""), (500, "{}"), (302, "")] {
            assert!(
                matches!(review.judge(status, body.as_bytes()), Verdict::Unexpected(_)),
                "{status} {body}"
            );
        }
    }
}
