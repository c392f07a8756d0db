//! How a request is read: the object in one pass with what is around it, where it is a new pod.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use super::review::{Object, Request};

/// A request whose object stays text in any case.
#[derive(Debug)]
pub(super) struct Unread<'a>(pub(super) Request<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Request<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader { reads_pods: true, request: PhantomData })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Unread<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader { reads_pods: false, request: PhantomData }).map(Self)
    }
}

/// Borrowed, unless it was written with escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Uid,
    Kind,
    SubResource,
    Name,
    Namespace,
    Operation,
    Object,
    OldObject,
    DryRun,
    #[serde(other)]
    Other,
}

impl Field {
    /// The name of a member that is read.
    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Uid => "uid",
            Self::Kind => "kind",
            Self::SubResource => "subResource",
            Self::Name => "name",
            Self::Namespace => "namespace",
            Self::Operation => "operation",
            Self::Object => "object",
            Self::OldObject => "oldObject",
            Self::DryRun => "dryRun",
            Self::Other => return None,
        })
    }
}

struct Reader<'a> {
    reads_pods: bool,
    request: PhantomData<Request<'a>>,
}

impl<'de: 'a, 'a> Visitor<'de> for Reader<'a> {
    type Value = Request<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a request")
    }

    /// A member that stands twice is an error, as in everything that serde derives.
    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Request<'a>, M::Error> {
        let mut request = Request::default();
        let mut seen = 0_u16;
        while let Some(field) = members.next_key::<Field>()? {
            if let Some(name) = field.name() {
                let place = 1 << field as u16;
                if seen & place != 0 {
                    return Err(M::Error::duplicate_field(name));
                }
                seen |= place;
            }
            match field {
                Field::Uid => request.uid = members.next_value::<Text<'a>>()?.0,
                Field::Kind => request.kind = members.next_value()?,
                Field::SubResource => request.sub_resource = members.next_value::<Text<'a>>()?.0,
                Field::Name => request.name = members.next_value::<Text<'a>>()?.0,
                Field::Namespace => request.namespace = members.next_value::<Text<'a>>()?.0,
                Field::Operation => request.operation = members.next_value::<Text<'a>>()?.0,
                Field::Object if self.reads_pods && request.is_about_a_new_pod() => {
                    request.object = members.next_value::<Option<_>>()?.map(Object::NewPod);
                }
                Field::Object => {
                    request.object = members.next_value::<Option<_>>()?.map(Object::Text);
                }
                Field::OldObject => request.old_object = members.next_value()?,
                Field::DryRun => request.dry_run = members.next_value()?,
                Field::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        let required = [
            ("uid", &request.uid),
            ("kind", &request.kind.kind),
            ("operation", &request.operation),
        ];
        if let Some((name, _)) = required.into_iter().find(|(_, value)| value.is_empty()) {
            return Err(M::Error::missing_field(name));
        }
        if matches!(request.object, Some(Object::NewPod(_))) && !request.is_about_a_new_pod() {
            return Err(M::Error::custom("what the object is stands behind it once more"));
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Envelope;

    const KIND: &str = r#""kind":{"group":"","version":"v1","kind":"Pod"}"#;
    const POD: &str = r#""object":{"metadata":{"generateName":"app-"},"spec":{"containers":[]}}"#;

    fn body(members: &[&str]) -> String {
        let members = members.join(",");
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",
                "request":{{"uid":"1",{members},"dryRun":true}}}}"#
        )
    }

    fn is_read_on_the_way(members: &[&str]) -> bool {
        let body = body(members);
        let request = Envelope::read(body.as_bytes()).unwrap();
        assert_eq!((&*request.uid, request.dry_run), ("1", true));
        match request.object.unwrap() {
            Object::NewPod(pod) => {
                assert_eq!(pod.generate_name(), Some("app-"));
                true
            }
            Object::Text(_) => false,
        }
    }

    #[test]
    fn a_new_pod_is_read_on_the_way() {
        assert!(is_read_on_the_way(&[KIND, r#""operation":"CREATE""#, POD]));
    }

    #[test]
    fn everything_else_stays_text() {
        let deployment = r#""kind":{"group":"apps","version":"v1","kind":"Deployment"}"#;
        let (create, update) = (r#""operation":"CREATE""#, r#""operation":"UPDATE""#);
        for members in [
            &[KIND, update, POD][..],
            &[deployment, create, POD],
            &[KIND, create, r#""subResource":"binding""#, POD],
            &[KIND, create, r#""object":{"spec":{"containers":5}}"#],
            &[POD, KIND, create],
            &[KIND, create, POD, r#""subResource":"binding""#],
        ] {
            assert!(!is_read_on_the_way(members), "{members:?}");
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_refused() {
        let (create, other) = (r#""operation":"CREATE""#, r#""operation":"UPDATE""#);
        for (members, twice) in [
            (&[KIND, create, POD, other][..], "operation"),
            (&[KIND, create, POD, KIND], "kind"),
            (&[KIND, create, POD, r#""obj\u0065ct":null"#], "object"),
            (&[KIND, create, POD, r#""uid":"1""#], "uid"),
        ] {
            let error = Envelope::read(body(members).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&format!("duplicate field `{twice}`")), "{error}");
        }
    }

    #[test]
    fn what_a_request_needs_is_named() {
        for (members, missing) in
            [(&[KIND, POD][..], "operation"), (&[r#""operation":"CREATE""#, POD], "kind")]
        {
            let error = Envelope::read(body(members).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&format!("missing field `{missing}`")), "{error}");
        }
    }
}
