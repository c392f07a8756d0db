//! A registry that is away, slow, a stranger, or killed in the middle.

use serde_json::json;
use webhook::certificate::authority::Material;

use crate::{
    asking::{Asking, name},
    daemon::{Daemon, Folder},
    images::Pusher,
    wire::Wire,
};

#[tokio::test]
async fn what_the_registry_lacks_is_said_and_remembered() {
    let daemon = Daemon::open();
    let wire = Wire::to(daemon.address).await;
    let (asking, image) = (Asking::of(&wire.address), name(wire.address, "app:gone"));
    let lacks = format!("{} does not have the image", wire.address);
    for _ in 0..3 {
        assert_eq!(asking.image(&image).await.unwrap_err(), lacks);
    }
    assert_eq!(wire.connections(), 1);
    assert_eq!(asking.image(&name(wire.address, "app:too")).await.unwrap_err(), lacks);
    assert_eq!(wire.connections(), 2);
}

#[tokio::test]
async fn a_registry_that_is_away_is_said_to_be() {
    let mut daemon = Daemon::open();
    daemon.kill();
    let refused =
        Asking::of(&daemon.address).image(&name(daemon.address, "app:1")).await.unwrap_err();
    let away = format!("{} cannot be reached: Connection refused", daemon.address);
    assert!(refused.starts_with(&away), "{refused}");
    let refused =
        Asking::of(&"registry.invalid").image("registry.invalid/app:1").await.unwrap_err();
    assert!(refused.starts_with("registry.invalid cannot be reached: "), "{refused}");
}

#[tokio::test]
async fn a_registry_that_no_known_ca_vouches_for_is_not_believed() {
    let daemon = Daemon::open();
    let folder = Folder::new();
    let stranger = Material::make(&["localhost".into()], std::time::SystemTime::now()).unwrap();
    let other = folder.write("other.crt", &stranger.authority);
    let image = name(daemon.address, "app:1");
    for ca in [json!(null), json!(other)] {
        let asking = Asking::of(&daemon.address).with(&json!({"caFile": ca}));
        let refused = asking.image(&image).await.unwrap_err();
        assert!(refused.contains("cannot be reached: invalid peer certificate: "), "{refused}");
    }
    for ca in [folder.write("wrong.crt", "wrong"), "/nowhere/ca.crt".into()] {
        let asking = Asking::of(&daemon.address).with(&json!({"caFile": ca}));
        let refused = asking.image(&image).await.unwrap_err();
        assert!(refused.starts_with("the webhook's CA file cannot be used"), "{refused}");
    }
}

/// Words for a configuration of this many bytes.
fn long(bytes: usize) -> serde_json::Value {
    json!({"Cmd": ["one"], "Labels": {"long": "x".repeat(bytes)}})
}

#[tokio::test]
async fn a_registry_that_gets_stuck_at_any_point_is_given_up_in_time() {
    let daemon = Daemon::open();
    Pusher::new(daemon.address, "app", "").image(Some("1"), &long(100_000)).await;
    // Before the handshake, in it, before a manifest, and in the middle of the configuration.
    for bytes in [1, 300, 1_500, 50_000] {
        let wire = Wire::until(daemon.address, bytes).await;
        let asking = Asking::of(&wire.address).with(&json!({"timeoutMilliseconds": 900}));
        let image = name(wire.address, "app:1");
        let (first, second) = tokio::join!(asking.image(&image), asking.image(&image));
        let late = format!("{} did not answer in time", wire.address);
        assert_eq!((first.unwrap_err(), second.unwrap_err()), (late.clone(), late));
        assert_eq!(wire.connections(), 1);
    }
}

#[tokio::test]
async fn a_registry_that_is_killed_in_the_middle_ended_its_answer_early() {
    let mut daemon = Daemon::open();
    Pusher::new(daemon.address, "app", "").image(Some("1"), &long(100_000)).await;
    let wire = Wire::until(daemon.address, 50_000).await;
    let (asking, image) = (Asking::of(&wire.address), name(wire.address, "app:1"));
    let (answer, ()) = tokio::join!(asking.image(&image), async {
        wire.stuck(1).await;
        daemon.kill();
    });
    assert_eq!(answer.unwrap_err(), format!("{} ended its answer early", wire.address));
}

#[tokio::test]
async fn a_document_that_is_too_large_is_not_read_to_its_end() {
    let daemon = Daemon::open();
    let pusher = Pusher::new(daemon.address, "app", "");
    pusher.image(Some("1"), &long(1_100_000)).await;
    let image = name(daemon.address, "app:1");
    let refused = Asking::of(&daemon.address).image(&image).await.unwrap_err();
    assert_eq!(refused, format!("{} returned a document of more than 1 MiB", daemon.address));
}
