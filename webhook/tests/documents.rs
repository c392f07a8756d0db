//! What the documents of a registry cost in memory. The tests are alone in their program, and one
//! after another in it, as the allocator counts all that the program takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers panic as tests do.

// The helpers are those of the other tests of registries, which use more of them.
#[allow(dead_code)]
#[path = "registry/asking.rs"]
mod asking;
#[allow(dead_code)]
#[path = "registry/daemon.rs"]
mod daemon;
#[allow(dead_code)]
#[path = "registry/server.rs"]
mod server;

use std::alloc::System;

use axum::response::IntoResponse as _;
use hyper::body::Bytes;
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait as _};
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::{
    asking::{Asking, name},
    server::Scripted,
};

#[global_allocator]
static MEMORY: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

const MIB: usize = 1024 * 1024;

fn sha256(content: &str) -> String {
    let hash = digest(&SHA256, content.as_bytes());
    hash.as_ref().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// A registry with one image, which has this manifest and this configuration.
async fn registry(manifest: String, configuration: String) -> Scripted {
    let digest = sha256(&manifest);
    let (manifest, configuration) = (Bytes::from(manifest), Bytes::from(configuration));
    Scripted::start(move |request| {
        if request.uri().path().contains("/blobs/") {
            return configuration.clone().into_response();
        }
        ([("docker-content-digest", digest.clone())], manifest.clone()).into_response()
    })
    .await
}

/// A document of nearly a mebibyte, the most of which are these elements.
fn long(start: &str, element: &str, end: &str) -> String {
    let count = (MIB - start.len() - end.len()) / (element.len() + 1);
    format!("{start}{}{end}", vec![element; count].join(","))
}

#[tokio::test]
async fn what_a_document_costs_depends_on_its_size_and_not_on_what_is_in_it() {
    let plain = || r#"{"config":{"Cmd":["one"]}}"#.to_owned();
    let of = |configuration: &str| json!({"config": {"digest": sha256(configuration)}}).to_string();
    let history = long(r#"{"config":{"Cmd":["one"]},"history":["#, "{}", "]}");
    let words = long(r#"{"config":{"Cmd":["#, r#""""#, "]}}");
    let layers = long(r#"{"layers":["#, "{}", &format!("],{}", &of(&plain())[1..]));
    let platforms = long(r#"{"manifests":["#, r#"{"digest":""}"#, "]}");
    // What is made once, such as the pattern of names, is not the document's cost.
    let first = registry(of(&plain()), plain()).await;
    Asking::of(&first.address).image(&name(first.address, "app:1")).await.unwrap();
    for (manifest, configuration, is_image) in [
        (of(&history), history, true),
        (of(&words), words, false),
        (layers, plain(), true),
        (platforms, plain(), false),
    ] {
        let start = manifest.get(..20).unwrap().to_owned();
        let registry = registry(manifest, configuration).await;
        let asking = Asking::of(&registry.address);
        MEMORY.reset_peak_memory();
        let answer = asking.image(&name(registry.address, "app:1")).await;
        let most = MEMORY.get_peak_memory();
        assert_eq!(answer.is_ok(), is_image, "{start}: {answer:?}");
        assert!(most < 6 * MIB, "{start}: {} KiB", most / 1024);
    }
}
