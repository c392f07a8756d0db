//! Questions to one registry about one repository.

use std::error::Error as _;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::ClientConfig;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::{
    challenge::{Challenge, token},
    credentials::Credentials,
    error::Error,
    place::Place,
};

/// No document that is read is larger: the largest configurations have some 50 KB.
const LIMIT: usize = 1024 * 1024;
/// How many of them are read at once, for an index with many platforms.
const AT_ONCE: usize = 4;
/// A blob is often elsewhere, and rarely behind a second door.
const REDIRECTS: usize = 3;
const DIGEST: &str = "docker-content-digest";
const AGENT: &str = concat!("rich-pouch/", env!("CARGO_PKG_VERSION"));
/// The documents that have images or lead to them.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

type Answer = Response<Incoming>;

/// What asks a registry. Every look-up has its own: credentials and connections of one are never
/// another's.
pub(super) struct Session<'a> {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    place: &'a Place,
    credentials: Option<&'a Credentials>,
    authorization: OnceCell<HeaderValue>,
    at_once: Semaphore,
    _place_in_line: SemaphorePermit<'a>,
}

impl<'a> Session<'a> {
    /// A session, for who has waited until there is room for one more.
    pub(super) fn new(
        place: &'a Place,
        credentials: Option<&'a Credentials>,
        tls: ClientConfig,
        place_in_line: SemaphorePermit<'a>,
    ) -> Self {
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self {
            client,
            place,
            credentials,
            authorization: OnceCell::new(),
            at_once: Semaphore::new(AT_ONCE),
            _place_in_line: place_in_line,
        }
    }

    /// The digest of what a tag points to, where the registry says it. It costs no pull, of which
    /// some registries give only a few.
    pub(super) async fn digest(&self, tag: &str) -> Result<Option<String>, Error> {
        let answer = self.send(&Method::HEAD, "manifests", tag).await?;
        let digest = answer.headers().get(DIGEST).and_then(|digest| digest.to_str().ok());
        Ok(digest.map(str::to_owned))
    }

    /// A manifest or an index, by tag or digest.
    pub(super) async fn manifest(&self, reference: &str) -> Result<Bytes, Error> {
        self.document("manifests", reference).await
    }

    /// A blob, by digest.
    pub(super) async fn blob(&self, digest: &str) -> Result<Bytes, Error> {
        self.document("blobs", digest).await
    }

    async fn document(&self, kind: &str, reference: &str) -> Result<Bytes, Error> {
        // Of who holds the semaphore, none closes it.
        let _turn = self.at_once.acquire().await.map_err(|_| self.late())?;
        let answer = self.send(&Method::GET, kind, reference).await?;
        self.body(answer).await
    }

    /// Asks, with an authorization if need be, until there is what was asked for.
    async fn send(&self, method: &Method, kind: &str, reference: &str) -> Result<Answer, Error> {
        let Place { host, repository, .. } = self.place;
        let uri: Uri = format!("https://{host}/v2/{repository}/{kind}/{reference}")
            .parse()
            .map_err(|_| Error::Name)?;
        // Of several who ask at once, the first authorizes all.
        let was_authorized = self.authorization.initialized();
        let mut answer = self.follow(method, &uri).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && !was_authorized {
            let challenge = Challenge::read(answer.headers())
                .ok_or_else(|| Error::Unauthorized(self.name()))?;
            self.authorization.get_or_try_init(|| self.authorize(&challenge)).await?;
            answer = self.follow(method, &uri).await?;
        }
        self.refused(answer.status())?;
        Ok(answer)
    }

    /// What shows the registry that the repository may be read.
    async fn authorize(&self, challenge: &Challenge) -> Result<HeaderValue, Error> {
        let basic = self.credentials.and_then(Credentials::header);
        match challenge {
            Challenge::Basic => basic.ok_or_else(|| Error::Unauthorized(self.name())),
            Challenge::Bearer(realm) => {
                let uri =
                    realm.uri(&self.place.repository).ok_or_else(|| self.unusable("a realm"))?;
                let answer = self.ask(&Method::GET, &uri, basic.as_ref()).await?;
                self.refused(answer.status())?;
                token(&self.body(answer).await?).ok_or_else(|| self.unusable("a token"))
            }
        }
    }

    /// Asks, and goes where the answer sends us; our authorization goes to the registry only.
    async fn follow(&self, method: &Method, uri: &Uri) -> Result<Answer, Error> {
        let mut uri = uri.clone();
        for _ in 0..=REDIRECTS {
            let is_registry = uri.authority().is_some_and(|it| it.as_str() == self.place.host);
            let authorization = self.authorization.get().filter(|_| is_registry);
            let answer = self.ask(method, &uri, authorization).await?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            uri = location(&uri, answer.headers()).ok_or_else(|| self.unusable("a redirection"))?;
        }
        Err(self.unusable("too many redirections"))
    }

    async fn ask(
        &self,
        method: &Method,
        uri: &Uri,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, MANIFESTS);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new()).map_err(|_| Error::Name)?;
        self.client.request(request).await.map_err(|error| {
            let host = uri.authority().map(ToString::to_string).unwrap_or_default();
            if error.is_connect() {
                return Error::Unreachable { host, cause: root(&error) };
            }
            Error::BrokenOff(host)
        })
    }

    async fn body(&self, answer: Answer) -> Result<Bytes, Error> {
        match Limited::new(answer.into_body(), LIMIT).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(self.unusable("a document")),
            Err(_) => Err(Error::BrokenOff(self.name())),
        }
    }

    fn refused(&self, status: StatusCode) -> Result<(), Error> {
        match status.as_u16() {
            200 => Ok(()),
            401 | 403 if self.credentials.is_some() => Err(Error::Forbidden(self.name())),
            401 | 403 => Err(Error::Unauthorized(self.name())),
            404 => Err(Error::NotFound(self.name())),
            code => Err(Error::Status { host: self.name(), code }),
        }
    }

    /// The registry gave something that is no use.
    pub(super) fn unusable(&self, what: &'static str) -> Error {
        Error::Unusable { host: self.name(), what }
    }

    fn late(&self) -> Error {
        Error::Late(self.name())
    }

    fn name(&self) -> String {
        self.place.registry().to_owned()
    }
}

/// Where an answer sends us: an address of its own, or a path at the same host.
fn location(from: &Uri, headers: &HeaderMap) -> Option<Uri> {
    let to: Uri = headers.get(LOCATION)?.to_str().ok()?.parse().ok()?;
    if to.authority().is_some() {
        return (to.scheme_str() == Some("https")).then_some(to);
    }
    let mut parts = to.into_parts();
    parts.scheme = from.scheme().cloned();
    parts.authority = from.authority().cloned();
    Uri::from_parts(parts).ok()
}

/// What is behind a failed connection, in the words of the system or the TLS library.
fn root(error: &hyper_util::client::legacy::Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}
