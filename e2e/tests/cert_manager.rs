//! A certificate that cert-manager keeps. One test, since it sets the whole release.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::time::Duration;

use e2e::{
    CertManager, Namespace, RELEASE_NAMESPACE, busybox, client, eventually, in_namespace, served,
    trusted, with_cert_manager,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::DeleteParams};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// How long after each other it is asked whether a rich pod is taken.
const PACE: Duration = Duration::from_millis(100);
/// Where the chart has cert-manager put the certificate.
const SECRET: &str = "rich-pouch-webhook-tls";

/// Asks for rich pods until it is told to stop, and gives how many were taken, and what was said of
/// the others.
async fn ask(ns: &Namespace, stop: watch::Receiver<bool>) -> (usize, Vec<String>) {
    let pod = busybox(&["true"]).rich("mode", "dumb-init").pod();
    let mut tick = interval(PACE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut taken, mut refused) = (0, Vec::new());
    while !*stop.borrow() {
        tick.tick().await;
        match ns.would_take(&pod).await {
            Ok(()) => taken += 1,
            Err(said) => refused.push(said),
        }
    }
    (taken, refused)
}

async fn secrets() -> Api<Secret> {
    Api::namespaced(client().await, RELEASE_NAMESPACE)
}

/// The certificate that was issued, and that of its CA.
async fn issued() -> Option<[CertificateDer<'static>; 2]> {
    let data = secrets().await.get_opt(SECRET).await.expect("an answer")?.data?;
    let der = |name: &str| CertificateDer::from_pem_slice(&data.get(name)?.0).ok();
    Some([der("tls.crt")?, der("ca.crt")?])
}

async fn both_replicas_serve(certificate: &CertificateDer<'_>) {
    let trusted = trusted().await;
    eventually("both replicas serve what was issued", async || {
        let served = served(&trusted[0]).await;
        (served.len() == 2 && served.iter().all(|it| it == certificate)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn cert_manager_keeps_the_certificate_and_no_pod_is_refused_meanwhile() {
    let manager = CertManager::start().await;
    in_namespace(async |ns| {
        let (done, stop) = watch::channel(false);
        let changes = async {
            let before = trusted().await;
            with_cert_manager(manager.issuer(), async || {
                let [first, authority] = issued().await.expect("a certificate");
                both_replicas_serve(&first).await;
                for (now, before) in trusted().await.iter().zip(&before) {
                    assert!(now.contains(&authority), "its CA is trusted");
                    assert!(before.iter().all(|it| now.contains(it)), "and ours still are");
                }
                secrets().await.delete(SECRET, &DeleteParams::default()).await.expect("a Secret");
                let [second, _] = eventually("another certificate", issued).await;
                assert_ne!(first, second);
                both_replicas_serve(&second).await;
            })
            .await;
            let [last, _] = issued().await.expect("a certificate");
            let served = served(&trusted().await[0]).await;
            assert!(!served.contains(&last), "the webhook's own is served again");
            done.send_replace(true);
        };
        let ((taken, refused), ()) = futures::future::join(ask(ns, stop), changes).await;
        assert_eq!(refused, [""; 0], "beside {taken} that were taken");
    })
    .await;
    secrets().await.delete(SECRET, &DeleteParams::default()).await.expect("a Secret");
    manager.remove().await;
}
