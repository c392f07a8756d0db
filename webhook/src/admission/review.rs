//! The envelope in which the API server sends an object: AdmissionReview of admission.k8s.io/v1.

use std::borrow::Cow;

use contract::shown;
use inject::Pod;
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};

use super::request::Unread;

/// The API version of the reviews that are read and answered.
pub(super) const API_VERSION: &str = "admission.k8s.io/v1";
/// The kind of the reviews that are read and answered.
pub(super) const KIND: &str = "AdmissionReview";

/// Why bytes are not a review that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
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
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a, R: Deserialize<'de>"))]
pub struct Envelope<'a, R = Request<'a>> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    request: Option<R>,
}

/// What the API server asks: may this object be written?
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// Names the request; the answer repeats it.
    pub uid: Cow<'a, str>,
    /// The kind of the object.
    pub kind: GroupVersionKind<'a>,
    /// The part of the object that is written, such as `status`; empty for the object itself.
    pub sub_resource: Cow<'a, str>,
    /// The object's name; empty where the API server is yet to make one.
    pub name: Cow<'a, str>,
    /// The object's namespace. The object itself need not say it.
    pub namespace: Cow<'a, str>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: Cow<'a, str>,
    /// The object as it is to be written.
    pub object: Option<Object<'a>>,
    /// The object as it was.
    pub old_object: Option<&'a RawValue>,
    /// Whether nothing will be written whatever is answered.
    pub dry_run: bool,
}

/// An object, as far as it has been read.
#[derive(Debug)]
pub enum Object<'a> {
    /// A pod that is to be created: most requests are about one, and it is read on the way.
    NewPod(Box<Pod<'a>>),
    /// Another, or one that cannot be read.
    Text(&'a RawValue),
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
        let usual = skim::text(bytes).and_then(skim::usual::<Self>);
        let Envelope { api_version, kind, request } = match usual {
            Some(envelope) => envelope,
            None => Envelope::<Unread<'a>>::read_whole(bytes)?,
        };
        if (api_version.as_ref(), kind.as_ref()) != (API_VERSION, KIND) {
            return Err(EnvelopeError::AnotherKind {
                api_version: shown(&api_version),
                kind: shown(&kind),
            });
        }
        request.ok_or(EnvelopeError::NoRequest)
    }
}

impl<'a> Envelope<'a, Unread<'a>> {
    /// Reads it as it is. A pod that cannot be read is no fault of the envelope.
    fn read_whole(bytes: &'a [u8]) -> Result<Envelope<'a>, EnvelopeError> {
        let envelope: Self = skim::from_slice(bytes).map_err(|error| match error.classify() {
            Category::Data => EnvelopeError::NotAReview(error),
            Category::Io | Category::Syntax | Category::Eof => EnvelopeError::NotJson(error),
        })?;
        let Self { api_version, kind, request } = envelope;
        Ok(Envelope { api_version, kind, request: request.map(|Unread(request)| request) })
    }
}

impl Request<'_> {
    /// The object's name, or what it will begin with.
    #[must_use]
    pub fn display_name(&self) -> Cow<'_, str> {
        if !self.name.is_empty() {
            return Cow::Borrowed(&self.name);
        }
        match &self.object {
            Some(Object::NewPod(pod)) => pod.generate_name().unwrap_or_default().into(),
            Some(Object::Text(text)) => {
                metadata(text).ok().and_then(|it| it.generate_name).unwrap_or_default()
            }
            None => Cow::default(),
        }
    }

    /// The pod that is to be created. The API server writes what an object is before the object,
    /// so that it has been read.
    #[must_use]
    pub fn new_pod(&self) -> Option<&Pod<'_>> {
        match &self.object {
            Some(Object::NewPod(pod)) => Some(pod),
            Some(Object::Text(_)) | None => None,
        }
    }

    /// As far as it has been read.
    pub(super) fn is_about_a_new_pod(&self) -> bool {
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
    fn a_name_that_is_yet_to_be_made_is_shown_by_its_beginning() {
        let body = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{
            "uid":"1","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE",
            "object":{"metadata":{"generateName":"app-"}},"oldObject":null,"new":"field"}}"#;
        let request = Envelope::read(body.as_bytes()).unwrap();
        assert_eq!(request.display_name(), "app-");
        assert!(request.old_object.is_none());
    }
}
