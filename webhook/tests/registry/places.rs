//! Who waits for whom.

use std::{
    net::SocketAddr,
    sync::{Arc, Barrier},
    thread,
};

use axum::{Router, extract::Request, http::StatusCode, response::IntoResponse as _};
use futures_util::{FutureExt as _, future::join_all, poll};
use serde_json::{Value, json};
use tokio::{runtime, sync::Semaphore};

use crate::{
    asking::{Asking, name},
    daemon::Daemon,
    images::Pusher,
    server::TlsServer,
    wire::Wire,
};

/// The look-ups that ask one host at once.
const OF_ONE_HOST: u32 = 4;

/// A pod with so many images of this repository.
fn pod(address: SocketAddr, repository: &str, images: usize) -> Value {
    let container = |tag: usize| {
        let image = name(address, &format!("{repository}:{tag}"));
        json!({"name": format!("app-{tag}"), "image": image})
    };
    json!({"containers": (0..images).map(container).collect::<Vec<_>>()})
}

/// A registry that has nothing, and says so of the repository `slow` only when it is let.
struct Slow {
    server: TlsServer,
    open: Arc<Semaphore>,
    asked: Arc<Semaphore>,
}

impl Slow {
    async fn start() -> Self {
        let (open, asked) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (gate, count) = (Arc::clone(&open), Arc::clone(&asked));
        let router = Router::new().fallback(async move |request: Request| {
            if request.uri().path().contains("/slow/") {
                count.add_permits(1);
                let _ = gate.acquire().await;
            }
            StatusCode::NOT_FOUND.into_response()
        });
        Self { server: TlsServer::start(router).await, open, asked }
    }

    fn host(&self) -> SocketAddr {
        self.server.address
    }

    /// Waits until it was asked so often for what is slow.
    async fn asked(&self, count: u32) {
        self.asked.acquire_many(count).await.unwrap().forget();
    }

    /// Lets it answer.
    fn open(&self) {
        self.open.close();
    }
}

#[tokio::test]
async fn a_silent_registry_takes_only_its_own_places() {
    let daemon = Daemon::open();
    Pusher::new(daemon.address, "app", "").image(Some("1"), &json!({"Cmd": ["one"]})).await;
    let wire = Wire::until(daemon.address, 1).await;
    for registries in [
        json!([{"host": wire.address.to_string()}, {"host": daemon.address.to_string()}]),
        json!([{"host": "*", "privateAddresses": true}]),
    ] {
        let asking = Asking::listing(&registries);
        let (before, silent) =
            (wire.connections(), pod(wire.address, "app", 2 * OF_ONE_HOST as usize));
        tokio::select! {
            _ = asking.answers(&silent) => panic!("a registry that is stuck answered"),
            () = wire.stuck(OF_ONE_HOST) => {}
        }
        // Those look-ups go on: what was given up may be what others wait for.
        assert_eq!(wire.connections(), before + OF_ONE_HOST as usize);
        let image = json!({"containers": [{"name": "a", "image": name(daemon.address, "app:1")}]});
        let answers = asking.answers_in("other", &image).await;
        assert!(answers.into_values().all(|answer| answer.is_ok()));
    }
}

#[tokio::test]
async fn a_failure_that_never_asked_is_not_remembered() {
    let registry = Slow::start().await;
    let host = registry.host();
    let asking = Asking::of(&host).with(&json!({"timeoutMilliseconds": 3_000}));
    let (slow, image) = (pod(host, "slow", OF_ONE_HOST as usize), name(host, "app:1"));
    let (slow, late) = tokio::join!(asking.answers(&slow), async {
        registry.asked(OF_ONE_HOST).await;
        asking.image(&image).await
    });
    let late_host = Err(format!("{host} did not answer in time"));
    assert!(slow.into_values().all(|answer| answer == late_host));
    let busy = format!("too many look-ups at {host} are under way; try again");
    assert_eq!(late.unwrap_err(), busy);
    let again = asking.image(&image).await.unwrap_err();
    assert_eq!(again, format!("{host} does not have the image"));
}

#[tokio::test]
async fn what_waits_for_a_place_is_answered_when_there_is_one() {
    let registry = Slow::start().await;
    let (host, asking) = (registry.host(), Asking::of(&registry.host()));
    let (slow, image) = (pod(host, "slow", OF_ONE_HOST as usize), name(host, "app:1"));
    let (_, late) = tokio::join!(asking.answers(&slow), async {
        registry.asked(OF_ONE_HOST).await;
        let mut late = asking.image(&image).boxed_local();
        assert!(poll!(&mut late).is_pending());
        registry.open();
        late.await
    });
    assert_eq!(late.unwrap_err(), format!("{host} does not have the image"));
}

#[tokio::test]
async fn who_is_given_up_leaves_the_answer_to_those_who_wait_for_the_same() {
    // More than moka hands a look-up on to, and fewer than one namespace may have open.
    const GIVEN_UP: usize = 250;
    let registry = Slow::start().await;
    let (asking, image) = (Asking::of(&registry.host()), name(registry.host(), "slow:1"));
    let ask = || asking.image(&image).boxed_local();
    let mut given_up: Vec<_> = (0..GIVEN_UP).map(|_| ask()).collect();
    let mut last = ask();
    for waiting in given_up.iter_mut().chain([&mut last]) {
        assert!(poll!(waiting).is_pending());
    }
    registry.asked(1).await;
    while !given_up.is_empty() {
        drop(given_up.remove(0));
        for waiting in given_up.first_mut().into_iter().chain([&mut last]) {
            assert!(poll!(waiting).is_pending());
        }
    }
    registry.open();
    assert_eq!(last.await.unwrap_err(), format!("{} does not have the image", registry.host()));
}

#[test]
fn event_loops_of_several_threads_share_a_look_up() {
    const THREADS: usize = 4;
    let runtime = || runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let daemon = Daemon::open();
    let (main, pusher) = (runtime(), Pusher::new(daemon.address, "app", ""));
    main.block_on(pusher.image(Some("1"), &json!({"Cmd": ["one"]})));
    let registry = main.block_on(Wire::to(daemon.address));
    let (address, asking) = (registry.address, Asking::of(&registry.address));
    let together = Barrier::new(THREADS);
    // The wire passes on what comes while its own event loop runs.
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let wire = thread::spawn(move || main.block_on(ended));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                let image = name(address, "app:1");
                let answers = runtime().block_on(join_all((0..10).map(|_| asking.image(&image))));
                assert!(answers.into_iter().all(|answer| answer.unwrap() == ["one"]));
            });
        }
    });
    drop(end);
    let _ = wire.join();
    assert_eq!(registry.connections(), 1);
}
