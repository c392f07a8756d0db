use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    thread,
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::PrivateKeyDer,
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::*;

const NAME: &str = "hook.system.svc";

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn certificate(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn server(&self, name: &str) -> Arc<ServerConfig> {
        self.server_for(name, Arc::new(NoClientAuth))
    }

    fn server_for(&self, name: &str, clients: Arc<dyn ClientCertVerifier>) -> Arc<ServerConfig> {
        let (certificate, key) = self.certificate(name);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

/// Listens, and serves the first connection with `serve`.
fn endpoint(ca: &Authority, serve: impl FnOnce(std::net::TcpStream) + Send + 'static) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    Endpoint {
        address,
        server_name: NAME.to_owned(),
        path_and_query: "/mutate?timeout=5s".to_owned(),
        ca: ca.0.pem().into_bytes(),
        identity: None,
        timeout: Duration::from_secs(5),
    }
}

/// Reads one request and answers with these bytes; gives the request's head and body.
fn answer(config: Arc<ServerConfig>, stream: std::net::TcpStream, answer: &[u8]) -> String {
    let connection = ServerConnection::new(config).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        // A client that does not trust us ends here.
        if stream.read_line(&mut request).unwrap_or(0) == 0 {
            return request;
        }
    }
    let length = request
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    stream.get_mut().write_all(answer).unwrap();
    stream.get_mut().conn.send_close_notify();
    stream.get_mut().flush().unwrap();
    request + &String::from_utf8(body).unwrap()
}

fn asked(endpoint: &Endpoint) -> Result<Answer, TransportError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(post(endpoint, "{\"a\":1}".to_owned()))
}

#[test]
fn a_question_is_posted_and_its_answer_comes_back() {
    let ca = Authority::new();
    let config = ca.server(NAME);
    let (seen, request) = std::sync::mpsc::channel();
    let endpoint = endpoint(&ca, move |stream| {
        let said = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nnot JSON";
        seen.send(answer(config, stream, said)).unwrap();
    });
    let answer = asked(&endpoint).unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"not JSON"[..]));
    let request = request.recv().unwrap();
    let port = endpoint.address.port();
    assert!(request.starts_with("POST /mutate?timeout=5s HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {NAME}:{port}\r\n")), "{request}");
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
}

#[test]
fn our_certificate_is_shown_where_it_is_asked_for() {
    let ca = Authority::new();
    let mut roots = RootCertStore::empty();
    roots.add(ca.0.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let config = ca.server_for(NAME, clients.build().unwrap());
    let endpoint = || {
        let config = Arc::clone(&config);
        endpoint(&ca, |stream| {
            answer(config, stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        })
    };
    assert!(asked(&endpoint()).is_err());

    let folder = std::env::temp_dir().join(format!("rich-pouch-identity-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let files = (folder.join("tls.crt"), folder.join("tls.key"));
    let identity = Some(files.clone());
    let error = asked(&Endpoint { identity: identity.clone(), ..endpoint() }).unwrap_err();
    assert!(error.to_string().contains("tls.crt cannot be read"), "{error}");
    let (certificate, key) = ca.certificate("agent");
    std::fs::write(files.0, certificate.pem()).unwrap();
    std::fs::write(files.1, key.serialize_pem()).unwrap();
    assert_eq!(asked(&Endpoint { identity, ..endpoint() }).unwrap().status, 200);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_answer_that_ends_with_the_connection_comes_back_too() {
    let ca = Authority::new();
    let config = ca.server(NAME);
    let endpoint = endpoint(&ca, move |stream| {
        let said = b"HTTP/1.1 500 Oh\r\nconnection: close\r\n\r\nno";
        answer(config, stream, said);
    });
    let answer = asked(&endpoint).unwrap();
    assert_eq!((answer.status, &answer.body[..]), (500, &b"no"[..]));
}

#[test]
fn a_server_of_another_ca_or_another_name_is_not_asked() {
    let ca = Authority::new();
    for config in [Authority::new().server(NAME), ca.server("other.system.svc")] {
        let endpoint = endpoint(&ca, move |stream| {
            assert_eq!(answer(config, stream, b""), "");
        });
        let error = asked(&endpoint).unwrap_err();
        assert!(matches!(error, TransportError::Handshake(_)), "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[test]
fn a_silent_server_is_given_up_at_the_deadline() {
    let ca = Authority::new();
    let mut endpoint = endpoint(&ca, |stream| {
        // Until the client hangs up.
        let _ = io::copy(&mut &stream, &mut io::sink());
    });
    endpoint.timeout = Duration::from_millis(200);
    let error = asked(&endpoint).unwrap_err();
    assert!(matches!(error, TransportError::Deadline(_)), "{error}");
}

#[test]
fn an_answer_without_end_is_cut() {
    let ca = Authority::new();
    let config = ca.server(NAME);
    let endpoint = endpoint(&ca, move |stream| {
        let mut said = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        said.resize(2 * LONGEST_ANSWER, b'x');
        let connection = ServerConnection::new(config).unwrap();
        let _ = StreamOwned::new(connection, stream).write_all(&said);
    });
    let error = asked(&endpoint).unwrap_err();
    assert!(matches!(error, TransportError::Http(_)), "{error}");
}

#[test]
fn what_does_not_speak_tls_or_is_not_there_is_told() {
    let ca = Authority::new();
    let plain = endpoint(&ca, |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let error = asked(&plain).unwrap_err();
    assert!(matches!(error, TransportError::Handshake(_)), "{error}");
    let gone = endpoint(&ca, drop);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = asked(&Endpoint { address: free, ..gone }).unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error}");
}

#[test]
fn a_ca_bundle_without_a_certificate_is_told() {
    for ca in ["", "PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let endpoint = Endpoint {
            address: "127.0.0.1:1".parse().unwrap(),
            server_name: NAME.to_owned(),
            path_and_query: String::new(),
            ca: ca.as_bytes().to_vec(),
            identity: None,
            timeout: Duration::from_secs(1),
        };
        let error = asked(&endpoint).unwrap_err();
        assert!(matches!(error, TransportError::CaBundle), "{error}");
    }
}
