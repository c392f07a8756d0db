//! The verdict on a request, and the review that tells it to the API server.

use std::{fmt, sync::LazyLock};

use base64::{
    Engine as _,
    engine::{Simd, general_purpose::PAD},
};
use contract::{Listed, Violation, Violations};
use inject::{Lookup, Patch};
use serde::{Serialize, Serializer};

use super::review::{API_VERSION, KIND};

/// The usual alphabet, with what instructions the processor has for it.
static BASE64: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));

/// What most answers need beside the patch.
const ROOM: usize = 512;
/// Two quotes, a comma, and what must be escaped in one of ours.
const ROOM_OF_A_WARNING: usize = 16;

/// What is answered to a request.
#[derive(Debug)]
pub struct Verdict {
    /// Whether the object may be written, and how.
    pub decision: Decision,
    /// What kubectl prints in any case, a sentence each.
    pub warnings: Listed<String>,
    /// What would have to be found out for a better verdict.
    pub lookup: Lookup,
    /// Whether the injection makes a container privileged that did not say so itself.
    pub adds_privilege: bool,
}

/// Whether an object may be written, and how.
#[derive(Debug)]
pub enum Decision {
    /// As it is.
    Allow,
    /// With these changes.
    Patch(Patch),
    /// Not at all: it breaks these rules.
    Deny(Violations),
    /// Not at all: it is not an object of the kind that the request says.
    Unreadable(Unreadable),
}

/// Why an object cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A request to write something, without that something.
    #[error("the request has no object")]
    NoObject,
    /// No object of Kubernetes.
    #[error("the object's metadata cannot be read: {}", skim::Reason(.0))]
    Metadata(#[source] serde_json::Error),
    /// No object of its kind.
    #[error(transparent)]
    Object(#[from] inject::Error),
}

impl Decision {
    /// The name of the decision in logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Patch(_) => "patch",
            Self::Deny(_) => "deny",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// The codes of the rules that are broken, each once, as far as they are listed.
    #[must_use]
    pub fn rules(&self) -> Vec<&'static str> {
        let violations = match self {
            Self::Deny(violations) => violations.as_slice(),
            _ => &[],
        };
        let mut codes = Vec::new();
        for violation in violations {
            if !codes.contains(&violation.rule.code) {
                codes.push(violation.rule.code);
            }
        }
        codes
    }
}

impl Verdict {
    /// The object may be written as it is, and there is nothing to say.
    #[must_use]
    pub(super) fn allow() -> Self {
        Decision::Allow.into()
    }
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Self {
        Self { decision, warnings: Listed::new(), lookup: Lookup::default(), adds_privilege: false }
    }
}

impl From<Unreadable> for Verdict {
    fn from(unreadable: Unreadable) -> Self {
        Decision::Unreadable(unreadable).into()
    }
}

/// Writes the AdmissionReview that answers the request `uid` with `verdict`.
pub fn response(uid: &str, verdict: &Verdict) -> Result<Vec<u8>, serde_json::Error> {
    let status = match &verdict.decision {
        Decision::Allow | Decision::Patch(_) => None,
        Decision::Deny(violations) => Some(Status::denied(violations)),
        Decision::Unreadable(reason) => Some(Status::unreadable(reason)),
    };
    let patch = match &verdict.decision {
        Decision::Patch(patch) => Some(patch.as_str()),
        _ => None,
    };
    let more = verdict.warnings.and_more();
    let warnings = verdict.warnings.iter().map(String::as_str).chain(more.as_deref()).collect();
    let response = Response { uid, allowed: status.is_none(), warnings, status };
    let review = Review { api_version: API_VERSION, kind: KIND, response };
    let said: usize = review.response.warnings.iter().map(|it| it.len() + ROOM_OF_A_WARNING).sum();
    let mut answer = Vec::with_capacity(ROOM + said + patch.map_or(0, base64_length));
    serde_json::to_writer(&mut answer, &review)?;
    if let Some(patch) = patch {
        append(&mut answer, patch);
    }
    Ok(answer)
}

/// Writes the patch as the response's last members, in base64 as every `[]byte` of Kubernetes.
/// There is nothing in base64 that serde_json would find to escape, however long it looks.
fn append(answer: &mut Vec<u8>, patch: &str) {
    const END: &[u8] = b"}}";
    answer.truncate(answer.len() - END.len());
    answer.extend_from_slice(br#","patchType":"JSONPatch","patch":""#);
    let start = answer.len();
    answer.resize(start + base64_length(patch), b'=');
    // The room is what base64 needs, which is all that it could find missing.
    let written = BASE64.encode_slice(patch, &mut answer[start..]);
    debug_assert!(written.is_ok());
    answer.push(b'"');
    answer.extend_from_slice(END);
}

fn base64_length(text: &str) -> usize {
    text.len().div_ceil(3) * 4
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
}

/// Says why not.
///
/// The code is 400 and there is no reason: with reason Invalid, kubectl prints the causes in a
/// form of its own and leaves out which webhook spoke; Forbidden reads as if a permission were
/// missing; and with code 422, `kubectl apply --force` deletes the object to create it anew.
#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    message: Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(serialize_with = "causes")]
    causes: &'a Violations,
}

#[derive(Serialize)]
struct Cause<'a> {
    reason: &'static str,
    message: Message<'a>,
    field: &'a str,
}

/// A text that is written where it is sent, and kept nowhere before: a refusal has each sentence
/// twice, and may have many.
enum Message<'a> {
    All(&'a Violations),
    One(&'a Violation),
    Unreadable(&'a Unreadable),
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => reason.fmt(formatter),
            Self::One(violation) => violation.fmt(formatter),
            Self::All(all) => match all.as_slice() {
                [one] if all.count() == 1 => one.fmt(formatter),
                listed => {
                    write!(formatter, "{} rules are broken:", all.count())?;
                    listed.iter().try_for_each(|one| write!(formatter, "\n- {one}"))?;
                    all.and_more().map_or(Ok(()), |more| write!(formatter, "\n- {more}"))
                }
            },
        }
    }
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn causes<S: Serializer>(violations: &Violations, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(violations.iter().map(|violation| Cause {
        reason: violation.rule.code,
        message: Message::One(violation),
        field: &violation.field,
    }))
}

impl<'a> Status<'a> {
    fn denied(violations: &'a Violations) -> Self {
        let details = Some(Details { causes: violations });
        Self { code: 400, message: Message::All(violations), details }
    }

    fn unreadable(reason: &'a Unreadable) -> Self {
        Self { code: 400, message: Message::Unreadable(reason), details: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::rules;
    use serde_json::{Value, json};

    fn answer(decision: Decision) -> Value {
        let warnings = ["mind this".to_owned()].into_iter().collect();
        let verdict = Verdict { warnings, ..decision.into() };
        serde_json::from_slice(&response("7", &verdict).unwrap()).unwrap()
    }

    #[test]
    fn an_allowed_object_has_no_patch() {
        assert_eq!(
            answer(Decision::Allow),
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
                "uid": "7", "allowed": true, "warnings": ["mind this"]}})
        );
    }

    #[test]
    fn a_patch_is_base64() {
        let answer = answer(Decision::Patch(Patch::default()));
        assert_eq!(answer["response"]["patchType"], "JSONPatch");
        assert_eq!(answer["response"]["patch"], "W10=");
    }

    #[test]
    fn one_violation_is_its_sentence_and_warnings_are_kept() {
        let violation = rules::HOST_PID.broken_at("spec.hostPID");
        let sentence = violation.to_string();
        let answer = answer(Decision::Deny([violation].into_iter().collect()));
        assert_eq!(answer["response"]["allowed"], false);
        assert_eq!(answer["response"]["warnings"], json!(["mind this"]));
        assert_eq!(
            answer["response"]["status"],
            json!({"code": 400, "message": sentence, "details": {"causes": [
                {"reason": "host-pid", "message": sentence, "field": "spec.hostPID"}]}})
        );
    }

    #[test]
    fn several_violations_are_counted_and_listed() {
        let violations =
            [rules::HOST_PID.broken_at("spec.hostPID"), rules::WINDOWS.broken_at("spec.os.name")];
        let answer = answer(Decision::Deny(violations.into_iter().collect()));
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        let lines: Vec<_> = message.lines().collect();
        assert_eq!(lines.len(), 3, "{message}");
        assert_eq!(lines[0], "2 rules are broken:");
        assert!(lines[2].starts_with("- spec.os.name"), "{message}");
    }
}
