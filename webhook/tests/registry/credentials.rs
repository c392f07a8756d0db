//! Whom credentials are shown to: the host that they are for, and no other.

use std::{fs, io::ErrorKind, net::TcpListener};

use axum::{
    extract::Request,
    http::{
        StatusCode,
        header::{AUTHORIZATION, HOST},
    },
    response::{IntoResponse as _, Response},
};

use crate::{
    asking::{Asking, name},
    authentication::{basic, docker_config},
    daemon::{Daemon, Folder, PASSWORD},
    images::Pusher,
    server::{Scripted, demand, redirect},
};
use serde_json::json;

/// Asks a registry for an image with the credentials that are for it.
async fn ask(registry: &Scripted) -> Result<Vec<String>, String> {
    let config = docker_config(&registry.address, PASSWORD);
    let asking = Asking::of(&registry.address).with_docker_config(&config);
    asking.image(&name(registry.address, "app:1")).await
}

/// Whether an authorization comes with a request.
fn is_authorized(request: &Request) -> bool {
    request.headers().contains_key(AUTHORIZATION)
}

fn not_found() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

#[tokio::test]
async fn a_host_that_a_registry_redirects_to_cannot_demand_them() {
    for challenge in [r#"Bearer realm="https://HOST/steal",service="s""#, r#"Basic realm="a""#] {
        let stranger = Scripted::start(move |request| {
            let own = request.headers()[HOST].to_str().unwrap();
            demand(&challenge.replace("HOST", own))
        });
        let stranger = stranger.await;
        let to = format!("https://{}/blob", stranger.address);
        let registry = Scripted::start(move |_| redirect(&to)).await;
        ask(&registry).await.unwrap_err();
        assert_eq!(stranger.seen(), [("/blob".to_owned(), None)]);
        assert!(registry.seen().iter().all(|(_, shown)| shown.is_none()));
    }
}

#[tokio::test]
async fn a_blob_at_another_host_is_asked_for_without_them() {
    let folder = Folder::new();
    let data = folder.data();
    let blobs = Scripted::start(move |request| {
        fs::read(data.join(request.uri().path().trim_start_matches('/'))).unwrap().into_response()
    });
    let blobs = blobs.await;
    let address = format!("https://{}/", blobs.address);
    let daemon = Daemon::with_passwords_and_blobs_at(folder, &address);
    Pusher::new(daemon.address, "app", basic()).image(Some("1"), &json!({"Cmd": ["one"]})).await;
    let config = docker_config(&daemon.address, PASSWORD);
    let asking = Asking::of(&daemon.address).with_docker_config(&config);
    assert_eq!(asking.image(&name(daemon.address, "app:1")).await.unwrap(), ["one"]);
    assert_eq!(blobs.seen().into_iter().map(|(_, shown)| shown).collect::<Vec<_>>(), [None]);
}

#[tokio::test]
async fn the_registry_gets_them_after_a_redirect_of_its_own() {
    let registry = Scripted::start(|request| match request.uri().path() {
        "/other" => not_found(),
        _ if is_authorized(request) => redirect("/other"),
        _ => demand("Basic realm=\"a\""),
    });
    let registry = registry.await;
    ask(&registry).await.unwrap_err();
    assert_eq!(registry.shown("/other"), [Some(basic())]);
}

#[tokio::test]
async fn another_name_or_port_of_the_registrys_machine_is_another_host() {
    let registry = Scripted::start(|request| {
        let own = request.headers()[HOST].to_str().unwrap();
        let port = own.rsplit(':').next().unwrap();
        match request.uri().path() {
            "/other" => not_found(),
            _ if is_authorized(request) => redirect(&format!("https://localhost:{port}/other")),
            _ => demand("Basic realm=\"a\""),
        }
    });
    let registry = registry.await;
    ask(&registry).await.unwrap_err();
    assert_eq!(registry.shown("/other"), [None]);

    let other_port = Scripted::start(|_| not_found()).await;
    let to = format!("https://{}/other", other_port.address);
    let registry = Scripted::start(move |request| {
        if is_authorized(request) { redirect(&to) } else { demand("Basic realm=\"a\"") }
    });
    ask(&registry.await).await.unwrap_err();
    assert_eq!(other_port.seen(), [("/other".to_owned(), None)]);
}

#[tokio::test]
async fn another_host_that_sends_back_to_the_registry_makes_no_use_of_them() {
    let stranger = Scripted::start(|request| {
        redirect(&format!("https://{}/private", request.uri().query().unwrap()))
    });
    let stranger = stranger.await;
    let to = stranger.address;
    let registry = Scripted::start(move |request| match request.uri().path() {
        "/private" => not_found(),
        _ if is_authorized(request) => {
            let own = request.headers()[HOST].to_str().unwrap();
            redirect(&format!("https://{to}/?{own}"))
        }
        _ => demand("Basic realm=\"a\""),
    });
    let registry = registry.await;
    ask(&registry).await.unwrap_err();
    assert_eq!(registry.shown("/private"), [None]);
}

#[tokio::test]
async fn a_token_server_that_redirects_is_not_followed() {
    let stranger = Scripted::start(|_| json!({"token": "x"}).to_string().into_response()).await;
    let to = format!("https://{}/steal", stranger.address);
    let realm = Scripted::start(move |_| redirect(&to)).await;
    let challenge = format!("Bearer realm=\"https://{}/token\"", realm.address);
    let registry = Scripted::start(move |_| demand(&challenge)).await;
    ask(&registry).await.unwrap_err();
    assert_eq!(realm.seen(), [("/token".to_owned(), Some(basic()))]);
    assert_eq!(stranger.seen(), []);
}

#[tokio::test]
async fn nothing_is_asked_without_tls() {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    plain.set_nonblocking(true).unwrap();
    let to = format!("http://{}/", plain.local_addr().unwrap());
    let challenge = format!("Bearer realm=\"{to}\"");
    let demanding = Scripted::start(move |_| demand(&challenge)).await;
    let redirecting = Scripted::start(move |_| redirect(&to)).await;
    for (registry, what) in [(demanding, "realm"), (redirecting, "redirect")] {
        let refused = ask(&registry).await.unwrap_err();
        assert_eq!(refused, format!("{} returned an invalid {what}", registry.address));
    }
    assert_eq!(plain.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_mirror_does_not_get_those_of_the_registry_that_it_stands_for() {
    let mirror = Scripted::start(|_| demand("Basic realm=\"a\"")).await;
    let config = docker_config(&"registry.example", PASSWORD);
    let registries = json!([{"host": "registry.example", "mirror": mirror.address.to_string()}]);
    let asking = Asking::listing(&registries).with_docker_config(&config);
    asking.image("registry.example/app:1").await.unwrap_err();
    assert!(mirror.seen().iter().all(|(_, shown)| shown.is_none()), "{:?}", mirror.seen());
}
