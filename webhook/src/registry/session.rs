//! Questions to one registry about one repository.

use std::{error::Error as _, net::IpAddr, ops::Deref, sync::Arc};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Body as _, Incoming},
    header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, USER_AGENT},
};
use hyper_util::client::legacy;
use rustls::ClientConfig;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::{
    challenge::{Challenge, is_plain_https, token},
    client::{Client, client, not_public},
    credentials::Credentials,
    error::{Error, Fault},
    image::is_digest,
    place::Place,
    places::Taken,
};

/// No document that is read is larger, and all that one look-up has in memory are together no
/// larger either. The largest configurations have some 50 KB.
const LIMIT: usize = 1024 * 1024;
/// Memory is counted by these, as a semaphore's number is small.
const UNIT: usize = 1024;
/// How many documents are asked for at once, for an index with many platforms.
const AT_ONCE: usize = 4;
/// A blob is often elsewhere, and rarely behind a second door.
const REDIRECTS: usize = 3;
/// The most that is told of a failed connection, in bytes: some of it the host has written.
const CAUSE: usize = 256;
const DIGEST: &str = "docker-content-digest";
const AGENT: &str = concat!("rich-pouch/", env!("CARGO_PKG_VERSION"));
/// The documents that have images or lead to them.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// What asks a registry. Every look-up has its own: credentials and connections of one are never
/// another's.
pub(super) struct Session {
    client: Client,
    place: Arc<Place>,
    credentials: Option<Credentials>,
    authorization: OnceCell<HeaderValue>,
    at_once: Semaphore,
    memory: Semaphore,
}

/// Who answers.
struct Host {
    name: String,
    /// Whether it is another one than the registry.
    is_elsewhere: bool,
}

struct Answer {
    response: Response<Incoming>,
    from: Host,
}

/// A document, whose memory is counted as long as it is there.
pub(super) struct Document<'a> {
    bytes: Vec<u8>,
    from: Host,
    _memory: SemaphorePermit<'a>,
}

impl Document<'_> {
    /// What came is no use.
    pub(super) fn unusable(&self, what: &'static str) -> Fault {
        self.from.unusable(what)
    }
}

impl Deref for Document<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Session {
    /// A session, for who has taken a place.
    pub(super) fn new(
        place: Arc<Place>,
        credentials: Option<Credentials>,
        tls: ClientConfig,
        taken: Taken,
    ) -> Self {
        Self {
            client: client(tls, place.reach, Arc::new(taken)),
            place,
            credentials,
            authorization: OnceCell::new(),
            at_once: Semaphore::new(AT_ONCE),
            memory: Semaphore::new(LIMIT / UNIT),
        }
    }

    /// The digest of what a tag points to, where the registry says it. It costs no pull, of which
    /// some registries give only a few.
    pub(super) async fn digest(&self, tag: &str) -> Result<Option<String>, Fault> {
        let answer = self.send(&Method::HEAD, "manifests", tag).await?;
        let digest = answer.response.headers().get(DIGEST).and_then(|it| it.to_str().ok());
        Ok(digest.filter(|digest| is_digest(digest)).map(str::to_owned))
    }

    /// A manifest or an index, by tag or digest.
    pub(super) async fn manifest(&self, reference: &str) -> Result<Document<'_>, Fault> {
        self.document("manifests", reference).await
    }

    /// A blob, by digest.
    pub(super) async fn blob(&self, digest: &str) -> Result<Document<'_>, Fault> {
        self.document("blobs", digest).await
    }

    async fn document(&self, kind: &str, reference: &str) -> Result<Document<'_>, Fault> {
        // The semaphore is never closed.
        let _turn = self.at_once.acquire().await.map_err(|_| self.place.late())?;
        let answer = self.send(&Method::GET, kind, reference).await?;
        self.body(answer).await
    }

    /// Asks, with an authorization if need be, until there is what was asked for. Only the registry
    /// itself can demand one: another host would get what is the registry's.
    async fn send(&self, method: &Method, kind: &str, reference: &str) -> Result<Answer, Fault> {
        let Place { host, repository, .. } = &*self.place;
        let uri: Uri = format!("https://{host}/v2/{repository}/{kind}/{reference}")
            .parse()
            .map_err(|_| Error::Name)?;
        // Of several who ask at once, the first authorizes all.
        let was_authorized = self.authorization.initialized();
        let mut answer = self.follow(method, &uri).await?;
        let is_demand = answer.response.status() == StatusCode::UNAUTHORIZED;
        if is_demand && !answer.from.is_elsewhere && !was_authorized {
            let challenge = Challenge::read(answer.response.headers())
                .ok_or_else(|| Error::Unauthorized(self.name()))?;
            self.authorization.get_or_try_init(|| self.authorize(&challenge)).await?;
            answer = self.follow(method, &uri).await?;
        }
        match answer.response.status() {
            StatusCode::OK => Ok(answer),
            status => Err(self.refused(status, &answer.from)),
        }
    }

    /// What shows the registry that the repository may be read.
    async fn authorize(&self, challenge: &Challenge) -> Result<HeaderValue, Fault> {
        let basic = self.credentials.as_ref().and_then(Credentials::header);
        match challenge {
            Challenge::Basic => Ok(basic.ok_or_else(|| Error::Unauthorized(self.name()))?),
            Challenge::Bearer(realm) => {
                let uri = realm.uri(&self.place.repository);
                let uri = uri.ok_or_else(|| self.unusable("an invalid realm"))?;
                let from = self.host(&uri);
                // Not followed to yet another host: credentials are in it.
                let response = self.ask(&Method::GET, &uri, &from, basic.as_ref()).await?;
                match response.status() {
                    StatusCode::OK => {}
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                        return Err(self.closed().into());
                    }
                    status => return Err(from.status(status)),
                }
                let body = self.body(Answer { response, from }).await?;
                token(&body).ok_or_else(|| body.unusable("an invalid token"))
            }
        }
    }

    /// Asks, and goes where the answer sends us; our authorization goes to the registry only, and
    /// not to it either when another host sends us back.
    async fn follow(&self, method: &Method, uri: &Uri) -> Result<Answer, Fault> {
        let mut uri = uri.clone();
        let mut from = self.host(&uri);
        for _ in 0..=REDIRECTS {
            let authorization = self.authorization.get().filter(|_| !from.is_elsewhere);
            let response = self.ask(method, &uri, &from, authorization).await?;
            if !response.status().is_redirection() {
                return Ok(Answer { response, from });
            }
            uri = location(&uri, response.headers())
                .ok_or_else(|| from.unusable("an invalid redirect"))?;
            let next = self.host(&uri);
            from = Host { is_elsewhere: from.is_elsewhere || next.is_elsewhere, ..next };
        }
        Err(from.unusable("too many redirects"))
    }

    async fn ask(
        &self,
        method: &Method,
        uri: &Uri,
        to: &Host,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, Fault> {
        // The resolver sees names only.
        let host = uri.host().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if address.is_some_and(|address| !self.place.reach.includes(address)) {
            return Err(to.unreachable(not_public().to_string()));
        }
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
            if error.is_connect() { to.unreachable(root(&error)) } else { to.broken_off() }
        })
    }

    async fn body(&self, answer: Answer) -> Result<Document<'_>, Fault> {
        let Answer { response, from } = answer;
        let mut body = response.into_body();
        let too_large = || from.unusable("a document of more than 1 MiB");
        let announced =
            body.size_hint().upper().map(|bytes| bytes.try_into().unwrap_or(usize::MAX));
        let most = announced.unwrap_or(LIMIT);
        if most > LIMIT {
            return Err(too_large());
        }
        let units = most.div_ceil(UNIT).try_into().unwrap_or(u32::MAX);
        // The semaphore is never closed, and never asked for more than it has.
        let memory = self.memory.acquire_many(units).await.map_err(|_| self.place.late())?;
        let mut bytes = Vec::with_capacity(announced.unwrap_or_default());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| from.broken_off())?;
            let data = frame.into_data().unwrap_or_default();
            if bytes.len() + data.len() > most {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Document { bytes, from, _memory: memory })
    }

    fn refused(&self, status: StatusCode, from: &Host) -> Fault {
        match status {
            _ if from.is_elsewhere => from.status(status),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.closed().into(),
            StatusCode::NOT_FOUND => Error::NotFound(self.name()).into(),
            status => from.status(status),
        }
    }

    /// Credentials are missing, or others are needed.
    fn closed(&self) -> Error {
        match self.credentials {
            Some(_) => Error::Forbidden(self.name()),
            None => Error::Unauthorized(self.name()),
        }
    }

    /// The registry gave something that is no use.
    pub(super) fn unusable(&self, what: &'static str) -> Fault {
        Error::Unusable { host: self.name(), what }.into()
    }

    fn name(&self) -> String {
        self.place.registry().to_owned()
    }

    /// Who answers at an address.
    fn host(&self, uri: &Uri) -> Host {
        let port = uri.port_u16().filter(|port| *port != 443);
        let name = uri.host().unwrap_or_default().to_ascii_lowercase();
        let name = port.map_or(name.clone(), |port| format!("{name}:{port}"));
        let own = self.place.host.strip_suffix(":443").unwrap_or(&self.place.host);
        if name == own {
            Host { name: self.name(), is_elsewhere: false }
        } else {
            Host { name, is_elsewhere: true }
        }
    }
}

impl Host {
    fn status(&self, status: StatusCode) -> Fault {
        self.fault(|host| Error::Status { host, code: status.as_u16() })
    }

    fn unusable(&self, what: &'static str) -> Fault {
        self.fault(|host| Error::Unusable { host, what })
    }

    fn unreachable(&self, cause: String) -> Fault {
        self.fault(|host| Error::Unreachable { host, cause })
    }

    fn broken_off(&self) -> Fault {
        self.fault(Error::BrokenOff)
    }

    fn fault(&self, error: impl FnOnce(String) -> Error) -> Fault {
        Fault { error: error(self.name.clone()), is_elsewhere: self.is_elsewhere }
    }
}

/// Where an answer sends us: an address of its own, or a path at the same host.
fn location(from: &Uri, headers: &HeaderMap) -> Option<Uri> {
    let to: Uri = headers.get(LOCATION)?.to_str().ok()?.parse().ok()?;
    if to.authority().is_some() {
        return Some(to).filter(is_plain_https);
    }
    let mut parts = to.into_parts();
    parts.scheme = from.scheme().cloned();
    parts.authority = from.authority().cloned();
    Uri::from_parts(parts).ok()
}

/// What is behind a failed connection, in the words of the system or the TLS library.
fn root(error: &legacy::Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    let mut text = cause.map_or_else(|| error.to_string(), ToString::to_string);
    text.truncate(text.floor_char_boundary(CAUSE));
    text
}
