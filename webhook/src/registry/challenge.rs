//! How a registry wants to be shown that a repository may be read, and where tokens are given out
//! (<https://distribution.github.io/distribution/spec/auth/token/>).

use std::fmt::Write as _;

use http_auth::{ChallengeParser, ChallengeRef};
use hyper::{
    HeaderMap, Uri,
    header::{HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;

use super::credentials::secret;

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Credentials.
    Basic,
    /// A token from this place.
    Bearer(Realm),
}

/// Where tokens are given out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Realm {
    address: String,
    service: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Challenge {
    /// The first of those in an answer that can be met.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|it| it.to_str().ok());
        texts.flat_map(ChallengeParser::new).flatten().find_map(|challenge| Self::one(&challenge))
    }

    fn one(challenge: &ChallengeRef<'_>) -> Option<Self> {
        let parameter = |name: &str| {
            let (_, value) =
                challenge.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            Some(value.to_unescaped())
        };
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !challenge.scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(Self::Bearer(Realm { address: parameter("realm")?, service: parameter("service") }))
    }
}

impl Realm {
    /// Where to ask for a token to read a repository. Credentials go there, so it must have TLS.
    /// It may be at another host, as that of Docker Hub is: only the registry itself can say so.
    pub(super) fn uri(&self, repository: &str) -> Option<Uri> {
        let mut uri = self.address.clone();
        uri.push(if uri.contains('?') { '&' } else { '?' });
        if let Some(service) = &self.service {
            let _ = write!(uri, "service={}&", encoded(service));
        }
        let _ = write!(uri, "scope={}", encoded(&format!("repository:{repository}:pull")));
        uri.parse().ok().filter(is_plain_https)
    }
}

/// Whether this is an address with TLS, and without a name and password of its own.
pub(super) fn is_plain_https(uri: &Uri) -> bool {
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    uri.scheme_str() == Some("https") && !has_user
}

/// The authorization in a token server's answer.
pub(super) fn token(json: &[u8]) -> Option<HeaderValue> {
    let answer: Token = serde_json::from_slice(json).ok()?;
    secret(&format!("Bearer {}", answer.token.or(answer.access_token)?))
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(WWW_AUTHENTICATE, text.parse().unwrap());
        }
        Challenge::read(&headers)
    }

    #[test]
    fn the_first_challenge_that_can_be_met_counts() {
        assert_eq!(read(&[r#"Basic realm="Registry""#]), Some(Challenge::Basic));
        assert_eq!(read(&["Negotiate", r#"basic realm="a""#]), Some(Challenge::Basic));
        assert_eq!(read(&["Negotiate"]), None);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[r#"Bearer service="no realm""#]), None);
        let Some(Challenge::Bearer(realm)) =
            read(&[r#"Bearer realm="https://auth.example/token",service="registry a""#])
        else {
            panic!("a bearer challenge");
        };
        assert_eq!(
            realm.uri("team/app").unwrap(),
            "https://auth.example/token?service=registry%20a&scope=repository%3Ateam%2Fapp%3Apull"
        );
    }

    #[test]
    fn credentials_go_nowhere_without_tls() {
        for address in [
            "http://auth.example/token",
            "https://registry.example@evil.example/token",
            "/token",
            "not an address",
        ] {
            let realm = Realm { address: address.to_owned(), service: None };
            assert_eq!(realm.uri("a"), None, "{address}");
        }
        let realm = Realm { address: "https://auth.example/t?x=1".to_owned(), service: None };
        assert!(
            realm.uri("a").unwrap().to_string().starts_with("https://auth.example/t?x=1&scope")
        );
    }

    #[test]
    fn both_names_of_a_token_are_known() {
        assert_eq!(token(br#"{"token":"a","expires_in":60}"#).unwrap(), "Bearer a");
        assert_eq!(token(br#"{"access_token":"b"}"#).unwrap(), "Bearer b");
        for useless in [&b"{}"[..], b"", br#"{"token":"a\nb"}"#] {
            assert!(token(useless).is_none());
        }
    }
}
