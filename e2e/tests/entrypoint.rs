//! A container without a command runs what its image says, as the image's registry tells. One
//! test, since it changes the release and pays for a registry.

use e2e::{
    App, Namespace, Registry, eventually, image_itself, in_namespace, kubectl, kubectl_apply,
    with_entrypoints,
};
use serde_json::{Value, json};

/// What the API server says to a Deployment of these pods: their ServiceAccount's pull secrets are
/// not in the template, as they are in a pod.
async fn verdict(ns: &Namespace, rich: &App, spec: Value) -> Result<(), String> {
    ns.would_take(&rich.clone().spec(spec).workload("Deployment", &json!({}))).await
}

/// `pull` is the Secret with which the namespace's pods may pull.
async fn the_pull_secrets_are_the_pods_or_else_its_service_accounts(ns: &Namespace) {
    let rich = &image_itself("busybox-entrypoint").rich("mode", "dumb-init");
    let secrets = |names: &[&str]| {
        let names: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        json!({"imagePullSecrets": names})
    };
    let is_closed = |verdict: Result<(), String>| {
        verdict.is_err_and(|said| said.contains("requires credentials"))
    };
    assert_eq!(verdict(ns, rich, secrets(&["missing", "pull"])).await, Ok(()));
    // What is known by the credentials of one is not told to another.
    assert!(is_closed(verdict(ns, rich, json!({})).await));
    in_namespace(async |other| {
        assert!(is_closed(verdict(other, rich, secrets(&["pull"])).await));
    })
    .await;

    let patch = secrets(&["pull"]).to_string();
    let lets_pull = async |account: &str| {
        ns.kubectl(&["patch", "serviceaccount", account, "--patch", &patch]).await
    };
    ns.kubectl(&["create", "serviceaccount", "puller"]).await;
    lets_pull("puller").await;
    assert_eq!(verdict(ns, rich, json!({"serviceAccountName": "puller"})).await, Ok(()));
    assert!(is_closed(verdict(ns, rich, json!({"serviceAccountName": "default"})).await));
    lets_pull("default").await;
    assert_eq!(verdict(ns, rich, json!({})).await, Ok(()));
}

/// Takes a permission away that only the next installation gives back.
async fn without_the_permission_it_is_said(ns: &Namespace, rich: &App) {
    let binding = "rich-pouch-webhook-pull-secrets";
    let said = kubectl(&["delete", "clusterrolebinding", binding]).await;
    assert_eq!(said.code, 0, "{}", said.text);
    let refused = async || {
        let said = verdict(ns, rich, json!({})).await.err();
        said.filter(|it| it.contains("the pull secrets cannot be read: "))
    };
    let said = eventually("the webhook has lost the permission", refused).await;
    assert!(said.contains("is forbidden"), "{said}");
}

#[tokio::test]
async fn a_container_without_a_command_runs_what_its_image_says() {
    let rich = image_itself("busybox-entrypoint").rich("mode", "dumb-init");
    in_namespace(async |ns| ns.refuses(&rich, "write the command that the container runs").await)
        .await;

    let registry = Registry::start().await;
    registry.push("busybox-entrypoint").await;
    registry.push("debian-systemd").await;
    with_entrypoints(&registry, async || {
        in_namespace(async |ns| {
            let host = registry.host();
            let closed = format!("{host} requires credentials");
            ns.refuses(&rich, &closed).await;

            let secret = kubectl_apply(&ns.name, &registry.pull_secret("pull")).await;
            assert_eq!(secret.code, 0, "{}", secret.text);
            let pulls = json!({"imagePullSecrets": [{"name": "pull"}]});
            // The kubelet would expand $(NAME), had the image's words become a pod's.
            let name = json!({"env": [{"name": "NAME", "value": "the kubelet"}]});
            let rich = rich.clone().spec(pulls.clone()).container(name);
            let pod = ns.run(&rich).await;
            assert_eq!(pod.exit_code().await, 7);
            assert_eq!(pod.logs().await, "from the image\n");

            // The entrypoint stays, and the pod's args stand in the place of the image's cmd.
            let args = json!({"args": ["echo from the args; readlink /proc/1/exe; exit 8"]});
            let pod = ns.run(&rich.clone().container(args)).await;
            assert_eq!(pod.exit_code().await, 8);
            assert_eq!(pod.logs().await, "from the args\n/.rich/rich\n");

            // An image without an entrypoint runs the args alone.
            let systemd = image_itself("debian-systemd").rich("mode", "systemd").spec(pulls);
            let args = json!({"args": ["/bin/sh", "-c", "echo by systemd; exit 9"]});
            let pod = ns.run(&systemd.container(args)).await;
            assert_eq!(pod.exit_code().await, 9);
            assert!(pod.logs().await.contains("by systemd"));

            let mut missing = rich.workload("Deployment", &json!({}));
            missing["spec"]["template"]["spec"]["containers"][0]["image"] =
                json!("localhost/busybox-entrypoint:gone");
            let said = kubectl_apply(&ns.name, &missing).await;
            assert_eq!(said.code, 1, "{}", said.text);
            let sentence = format!(
                "spec.template.spec.containers[0].command is empty, and what the image \
                 localhost/busybox-entrypoint:gone runs cannot be found out: {host} does not have \
                 the image; write the command that the container runs"
            );
            assert!(said.text.contains(&sentence), "{}", said.text);
            missing["spec"]["template"]["spec"]["containers"][0]["image"] =
                json!("registry.example/app:1");
            let said = kubectl_apply(&ns.name, &missing).await;
            assert!(
                said.text.contains("has not listed its registry registry.example"),
                "{}",
                said.text
            );

            let tagged = |tag: &str| {
                let image = format!("localhost/busybox-entrypoint:{tag}");
                rich.clone().container(json!({"image": image}))
            };
            the_pull_secrets_are_the_pods_or_else_its_service_accounts(ns).await;
            registry.freeze().await;
            let frozen = format!("{host} did not answer in time; write the command");
            ns.refuses(&tagged("frozen"), &frozen).await;
            registry.kill().await;
            let dead = format!("{host} cannot be reached: Connection refused");
            ns.refuses(&tagged("dead"), &dead).await;
            without_the_permission_it_is_said(ns, &tagged("forbidden")).await;
        })
        .await;
    })
    .await;
}
