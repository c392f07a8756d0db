//! What is told of hosts that the administrator has not listed by name.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use axum::{http::StatusCode, response::IntoResponse as _};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    asking::{Asking, name},
    server::{Scripted, demand, redirect},
};

const REASON_IS_IN_THE_LOG: &str = "(the webhook's log has the reason)";

/// A server that answers everything with this code.
async fn answering(code: u16) -> Scripted {
    Scripted::start(move |_| StatusCode::from_u16(code).unwrap().into_response()).await
}

/// A port where nobody listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A port where another protocol is spoken.
fn ssh() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        }
    });
    address
}

/// What all tests log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

/// The log from now on. It is one for the whole program: a subscriber of one thread misses what
/// another thread has come by before.
fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt().json().with_writer(log.clone()).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn all_that_a_host_answers_which_nobody_listed_is_one_sentence() {
    let (teapot, missing) = (answering(418).await, answering(404).await);
    let (garbage, demanding) = (answering(200).await, Scripted::start(|_| demand("Basic")).await);
    let servers = [teapot.address, missing.address, garbage.address, demanding.address];
    for host in servers.into_iter().chain([closed(), ssh()]) {
        // As a registry of its own.
        let refused = Asking::any().image(&name(host, "app:1")).await.unwrap_err();
        assert_eq!(refused, format!("{host} did not provide it {REASON_IS_IN_THE_LOG}"));
        // As one to which a registry redirects.
        let to = format!("https://{host}/admin");
        let registry = Scripted::start(move |_| redirect(&to)).await;
        let refused = Asking::any().image(&name(registry.address, "app:1")).await.unwrap_err();
        let sentence = format!("{} did not provide it {REASON_IS_IN_THE_LOG}", registry.address);
        assert_eq!(refused, sentence);
        // As one to which a listed registry redirects, or sends for a token.
        let to = format!("https://{host}/admin");
        let challenge = format!("Bearer realm=\"{to}\"");
        let redirecting = Scripted::start(move |_| redirect(&to)).await;
        let sending = Scripted::start(move |_| demand(&challenge)).await;
        for registry in [redirecting, sending] {
            let asking = Asking::of(&registry.address);
            let refused = asking.image(&name(registry.address, "app:1")).await.unwrap_err();
            let open = format!("{} requires credentials", registry.address);
            let another = format!(
                "{} refers to another host, which did not provide it {REASON_IS_IN_THE_LOG}",
                registry.address
            );
            // The token server of a listed registry may say that credentials are missing.
            let may_be_open = host == demanding.address && refused == open;
            assert!(refused == another || may_be_open, "{refused}");
        }
    }
    // A name that is not in the certificate.
    let other = format!("127.0.0.2:{}", missing.address.port());
    let refused = Asking::any().image(&format!("{other}/app:1")).await.unwrap_err();
    assert_eq!(refused, format!("{other} did not provide it {REASON_IS_IN_THE_LOG}"));
}

#[tokio::test]
async fn what_a_listed_registry_answers_is_told() {
    let (teapot, missing) = (answering(418).await, answering(404).await);
    for (host, answer) in [
        (teapot.address, "answered with HTTP 418"),
        (missing.address, "does not have the image"),
        (closed(), "cannot be reached: Connection refused (os error 111)"),
    ] {
        let refused = Asking::of(&host).image(&name(host, "app:1")).await.unwrap_err();
        assert_eq!(refused, format!("{host} {answer}"));
    }
}

#[tokio::test]
async fn the_log_has_the_reason_and_no_address_that_is_a_secret() {
    let log = log();
    let inner = answering(418).await;
    let to = format!("https://{}/blob?signature=secret", inner.address);
    let registry = Scripted::start(move |_| redirect(&to)).await;
    Asking::any().image(&name(registry.address, "app:1")).await.unwrap_err();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let reason = format!(r#""reason":"{} answered with HTTP 418""#, inner.address);
    let lines: Vec<_> = log.lines().filter(|line| line.contains(&reason)).collect();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.contains(&format!(r#""registry":"{}""#, registry.address)), "{line}");
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test]
async fn no_inner_address_is_connected_to_for_a_name_that_nobody_listed() {
    let registry = answering(404).await;
    let asking = Asking::listing(&json!([{"host": "*"}]));
    let port = registry.address.port();
    // As an address, as a name that resolves to one, and in a form that only resolvers know.
    for host in ["127.0.0.1", "localhost", "127.1"] {
        let host = format!("{host}:{port}");
        let refused = asking.image(&format!("{host}/app:1")).await.unwrap_err();
        assert_eq!(refused, format!("{host} did not provide it {REASON_IS_IN_THE_LOG}"));
    }
    assert_eq!(registry.seen(), []);
    let asking = Asking::of(&registry.address);
    let refused = asking.image(&name(registry.address, "app:1")).await.unwrap_err();
    assert!(refused.ends_with("does not have the image"), "{refused}");
}
