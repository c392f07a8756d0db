//! The envelope in which the API server sends an object: AdmissionReview of admission.k8s.io/v1.

use std::{borrow::Cow, str::Utf8Error};

use contract::shown;
use inject::Pod;
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};

/// The API version of the reviews that are read and answered.
pub(super) const API_VERSION: &str = "admission.k8s.io/v1";
/// The kind of the reviews that are read and answered.
pub(super) const KIND: &str = "AdmissionReview";

/// Why bytes are not a review that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Bytes that are no text.
    #[error("the body is not JSON: byte {} is not UTF-8", .0.valid_up_to())]
    NotText(#[from] Utf8Error),
    /// No JSON at all.
    #[error("the body is not JSON: {}", skim::Reason(.0))]
    NotJson(#[source] serde_json::Error),
    /// JSON, but its fields are not those of a review.
    #[error("the body is not an AdmissionReview of admission.k8s.io/v1: {}", skim::Reason(.0))]
    NotAReview(#[source] serde_json::Error),
    /// A review in another version, or no review.
    #[error(
        "the body is of kind {kind:?} in version {api_version:?}, but this webhook answers only \
         AdmissionReview of admission.k8s.io/v1: list v1 in the registration's \
         admissionReviewVersions"
    )]
    AnotherKind {
        /// The version that it says it is in.
        api_version: String,
        /// The kind that it says it is of.
        kind: String,
    },
    /// A review that asks nothing.
    #[error("the AdmissionReview has no request, and nothing else can be answered")]
    NoRequest,
}

/// An AdmissionReview as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

/// What the API server asks: may this object be written?
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// Names the request; the answer repeats it.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The kind of the object.
    #[serde(borrow)]
    pub kind: GroupVersionKind<'a>,
    /// The part of the object that is written, such as `status`; empty for the object itself.
    #[serde(borrow, default)]
    pub sub_resource: Cow<'a, str>,
    /// The object's name; empty where the API server is yet to make one.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// The object's namespace. The object itself need not say it.
    #[serde(borrow, default)]
    pub namespace: Cow<'a, str>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    #[serde(borrow)]
    pub operation: Cow<'a, str>,
    /// The object as it is to be written.
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
    /// The object as it was.
    #[serde(borrow)]
    pub old_object: Option<&'a RawValue>,
    /// Whether nothing will be written whatever is answered.
    #[serde(default)]
    pub dry_run: bool,
    /// The object, if it is a pod that is to be created. Most requests are about one, and more than
    /// one has to do with it.
    #[serde(skip)]
    pub(super) new_pod: Option<Result<Box<Pod<'a>>, inject::Error>>,
}

/// The full name of a kind.
#[derive(Debug, Default, Deserialize)]
pub struct GroupVersionKind<'a> {
    /// The API group; empty for the core group.
    #[serde(borrow, default)]
    pub group: Cow<'a, str>,
    /// The version within the group.
    #[serde(borrow, default)]
    pub version: Cow<'a, str>,
    /// The kind within the group.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
}

/// The few fields that are looked at before the rules are asked.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    generate_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    deletion_timestamp: Option<Cow<'a, str>>,
}

impl Metadata<'_> {
    /// Whether the object only waits for its finalizers.
    pub(super) fn is_being_deleted(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

impl<'a> Envelope<'a> {
    /// Reads the request out of a review's bytes, which it borrows.
    pub fn read(bytes: &'a [u8]) -> Result<Request<'a>, EnvelopeError> {
        let envelope = skim::from_str(skim::text(bytes)?).map_err(|it| match it.classify() {
            Category::Data => EnvelopeError::NotAReview(it),
            Category::Io | Category::Syntax | Category::Eof => EnvelopeError::NotJson(it),
        })?;
        let Self { api_version, kind, request } = envelope;
        if (api_version.as_ref(), kind.as_ref()) != (API_VERSION, KIND) {
            return Err(EnvelopeError::AnotherKind {
                api_version: shown(&api_version),
                kind: shown(&kind),
            });
        }
        let mut request = request.ok_or(EnvelopeError::NoRequest)?;
        if let Some(object) = request.object.filter(|_| request.is_about_a_new_pod()) {
            request.new_pod = Some(Pod::read(object.get()).map(Box::new));
        }
        Ok(request)
    }
}

impl<'a> Request<'a> {
    /// The object's name, or what it will begin with.
    #[must_use]
    pub fn display_name(&self) -> Cow<'_, str> {
        if !self.name.is_empty() {
            return Cow::Borrowed(&self.name);
        }
        match (&self.new_pod, self.object) {
            (Some(Ok(pod)), _) => pod.generate_name().unwrap_or_default().into(),
            (None, Some(text)) => {
                metadata(text).ok().and_then(|it| it.generate_name).unwrap_or_default()
            }
            (Some(Err(_)), _) | (None, None) => Cow::default(),
        }
    }

    /// The pod that is to be created.
    #[must_use]
    pub fn new_pod(&self) -> Option<&Pod<'a>> {
        self.new_pod.as_ref()?.as_deref().ok()
    }

    fn is_about_a_new_pod(&self) -> bool {
        let kind = &self.kind;
        (&*kind.group, &*kind.kind, &*self.operation) == ("", "Pod", "CREATE")
            && self.sub_resource.is_empty()
    }
}

/// Reads the few fields that are looked at before the rules are asked.
pub(super) fn metadata(object: &RawValue) -> Result<Metadata<'_>, serde_json::Error> {
    Ok(skim::member(object.get(), "metadata")?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        Envelope::read(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_review_of_v1_is_said_in_one_sentence() {
        assert!(error("").starts_with("the body is not JSON"), "{}", error(""));
        assert!(error("{").starts_with("the body is not JSON"));
        assert!(error("[]").starts_with("the body is not an AdmissionReview"), "{}", error("[]"));
        assert!(error("{}").contains("answers only AdmissionReview of admission.k8s.io/v1"));
        let beta = r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#;
        assert!(error(beta).contains("admission.k8s.io/v1beta1"), "{}", error(beta));
        let empty = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#;
        assert!(error(empty).contains("has no request"));
    }

    #[test]
    fn bytes_that_are_no_text_are_told_by_the_first() {
        let error = Envelope::read(b"{\"kind\":\"\xff\"}").unwrap_err().to_string();
        assert_eq!(error, "the body is not JSON: byte 9 is not UTF-8");
    }

    #[test]
    fn a_name_that_is_yet_to_be_made_is_shown_by_its_beginning() {
        let body = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{
            "uid":"1","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE",
            "object":{"metadata":{"generateName":"app-"}},"oldObject":null,"new":"field"}}"#;
        let request = Envelope::read(body.as_bytes()).unwrap();
        assert_eq!(request.display_name(), "app-");
        assert!(request.old_object.is_none());
    }

    const KIND_OF_A_POD: &str = r#""kind":{"group":"","version":"v1","kind":"Pod"}"#;
    const POD: &str = r#""object":{"metadata":{"generateName":"app-"},"spec":{"containers":[]}}"#;
    const CREATE: &str = r#""operation":"CREATE""#;
    const UPDATE: &str = r#""operation":"UPDATE""#;

    fn body(members: &[&str]) -> String {
        let members = members.join(",");
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",
                "request":{{"uid":"1",{members},"dryRun":true}}}}"#
        )
    }

    #[test]
    fn a_new_pod_is_read_with_its_request() {
        let deployment = r#""kind":{"group":"apps","version":"v1","kind":"Deployment"}"#;
        for (members, is_read) in [
            (&[KIND_OF_A_POD, CREATE, POD][..], true),
            (&[POD, KIND_OF_A_POD, CREATE], true),
            (&[KIND_OF_A_POD, UPDATE, POD], false),
            (&[deployment, CREATE, POD], false),
            (&[KIND_OF_A_POD, CREATE, r#""subResource":"binding""#, POD], false),
            (&[KIND_OF_A_POD, CREATE, r#""object":{"spec":{"containers":5}}"#], false),
        ] {
            let body = body(members);
            let request = Envelope::read(body.as_bytes()).unwrap();
            assert_eq!((&*request.uid, request.dry_run), ("1", true));
            assert_eq!(request.new_pod().is_some(), is_read, "{members:?}");
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_refused() {
        for (members, twice) in [
            (&[KIND_OF_A_POD, CREATE, POD, UPDATE][..], "operation"),
            (&[KIND_OF_A_POD, CREATE, POD, KIND_OF_A_POD], "kind"),
            (&[KIND_OF_A_POD, CREATE, POD, r#""obj\u0065ct":null"#], "object"),
            (&[KIND_OF_A_POD, CREATE, POD, r#""uid":"1""#], "uid"),
        ] {
            let error = error(&body(members));
            assert!(error.contains(&format!("duplicate field `{twice}`")), "{error}");
        }
    }

    #[test]
    fn what_a_request_needs_is_named() {
        for (members, missing) in
            [(&[KIND_OF_A_POD, POD][..], "operation"), (&[CREATE, POD], "kind")]
        {
            let error = error(&body(members));
            assert!(error.contains(&format!("missing field `{missing}`")), "{error}");
        }
    }
}
