//! What the NetworkPolicies let pass and what they stop, on the node that enforces them. One test,
//! since it sets the whole release.

#![allow(clippy::expect_used, clippy::panic, reason = "these are tests")]

use e2e::{
    Node, RELEASE_NAMESPACE, Said, busybox, cluster, eventually, in_namespace, kubectl,
    with_network_policy, with_webhook_on_the_second_node,
};
use futures::future::join_all;

/// A registry that the webhook may ask. Only its port counts: what listens there is another pod.
const REGISTRY: &str = "registry.example:5000";
/// Listens on the registry's port, on one of the API server's, and on one that is nobody's.
const LISTEN: &str = "httpd -p 5000; httpd -p 6443; exec httpd -f -p 5001";
/// How long the first packet of a connection may be under way, in seconds: what is stopped is
/// dropped, and nothing says so.
const UNDER_WAY: &str = "20";

async fn kubectl_says(arguments: &[&str]) -> String {
    let said = kubectl(arguments).await;
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.text);
    said.text
}

/// A pod of the second node, as the network has it.
#[derive(Debug)]
struct Peer {
    /// Its address.
    address: String,
    /// A process in its network namespace, on the node.
    process: String,
}

impl Peer {
    /// The one pod of the namespace that has this label and runs on the second node.
    async fn with(namespace: &str, label: &str) -> Self {
        const NAME_AND_ADDRESS: &str = "--output=jsonpath={range .items[?(@.spec.nodeName==\"rich-pouch-v2\")]}\
             {.metadata.name} {.status.podIP}{\"\\n\"}{end}";
        const PROCESS: &str = "crictl inspectp --output go-template --template {{.info.pid}} \
                               $(crictl pods --quiet --state Ready --name $0)";
        eventually(&format!("one pod with the label {label} on the second node"), async || {
            let running = ["--selector", label, "--field-selector=status.phase=Running"];
            let get = ["--namespace", namespace, "get", "pods", NAME_AND_ADDRESS];
            let pods = kubectl_says(&[&get[..], &running].concat()).await;
            let [pod] = pods.lines().collect::<Vec<_>>()[..] else { return None };
            let (name, address) = pod.split_once(' ')?;
            let found = cluster(&["v2-node", "bash", "-c", PROCESS, name]).await;
            (found.code == 0).then(|| Self {
                address: address.to_owned(),
                process: found.text.trim().to_owned(),
            })
        })
        .await
    }

    /// Runs a command on the second node, in the pod's network.
    async fn runs(&self, command: &[&str]) -> Said {
        let network = format!("--net=/proc/{}/ns/net", self.process);
        let enter = ["v2-node", "timeout", UNDER_WAY, "nsenter", &network];
        cluster(&[&enter, command].concat()).await
    }

    /// Whether a connection from it to this port is let pass; else it was stopped.
    async fn reaches(&self, address: &str, port: u16) -> bool {
        let connect = format!(": </dev/tcp/{address}/{port}");
        let said = self.runs(&["bash", "-c", &connect]).await;
        match said.code {
            0 => true,
            124 => false,
            _ => panic!("{self:?} to {address}:{port} was not let pass, nor stopped: {said:?}"),
        }
    }
}

/// Who may want to reach whom.
struct Net {
    webhook: Peer,
    agent: Peer,
    stranger: Peer,
    /// The address of the API server's Service.
    api_server: String,
}

impl Net {
    /// The ways that are open.
    async fn open(&self) -> Vec<&'static str> {
        let Self { webhook, agent, stranger, api_server } = self;
        let ways = [
            ("stranger to webhook: admission", stranger, &webhook.address, 8443),
            ("stranger to webhook: metrics", stranger, &webhook.address, 8080),
            ("stranger to agent: metrics", stranger, &agent.address, 8081),
            ("agent to webhook: admission", agent, &webhook.address, 8443),
            ("agent to API server", agent, api_server, 443),
            ("agent to stranger: a registry's port", agent, &stranger.address, 5000),
            ("webhook to API server", webhook, api_server, 443),
            ("webhook to stranger: a registry's port", webhook, &stranger.address, 5000),
            ("webhook to stranger: an API server's port", webhook, &stranger.address, 6443),
            ("webhook to stranger: another port", webhook, &stranger.address, 5001),
        ];
        let open = ways.map(async |(way, from, address, port)| {
            from.reaches(address, port).await.then_some(way)
        });
        join_all(open).await.into_iter().flatten().collect()
    }

    /// Waits until these ways are open and no other, and checks that names are found.
    async fn has_open(&self, expected: &[&str]) {
        eventually(&format!("open are these alone: {expected:#?}"), async || {
            let open = self.open().await;
            println!("open: {open:#?}");
            (open == expected).then_some(())
        })
        .await;
        let named = self.webhook.runs(&["getent", "hosts", "kubernetes.default.svc.cluster.local"]);
        let named = named.await;
        assert_eq!(named.code, 0, "{}", named.text);
    }
}

#[tokio::test]
async fn the_release_is_asked_and_asks_as_its_network_policies_say_and_no_more() {
    if Node::tested() == Node::V1 {
        println!("the first node enforces no NetworkPolicy: make e2e-v2");
        return;
    }
    let address =
        ["get", "endpointslice", "kubernetes", "--output=jsonpath={.endpoints[0].addresses[0]}"];
    let api_server = kubectl_says(&address).await;
    let from_api_server = format!("apiServer[0].ipBlock.cidr={api_server}/32");
    let metrics_for_nobody = "metrics[0].podSelector.matchLabels.e2e=nobody";
    in_namespace(async |ns| {
        ns.run(&busybox(&["sh", "-c", LISTEN])).await.started().await;
        let rich = busybox(&["true"]).rich("mode", "dumb-init");
        with_webhook_on_the_second_node(REGISTRY, async || {
            let service = ["get", "service", "kubernetes", "--output=jsonpath={.spec.clusterIP}"];
            let net = Net {
                webhook: Peer::with(RELEASE_NAMESPACE, "app.kubernetes.io/component=webhook").await,
                agent: Peer::with(RELEASE_NAMESPACE, "app.kubernetes.io/component=node-agent")
                    .await,
                stranger: Peer::with(&ns.name, "app=app").await,
                api_server: kubectl_says(&service).await,
            };
            with_network_policy(&["enabled=false"], async || {
                net.has_open(&[
                    "stranger to webhook: admission",
                    "stranger to webhook: metrics",
                    "stranger to agent: metrics",
                    "agent to webhook: admission",
                    "agent to API server",
                    "agent to stranger: a registry's port",
                    "webhook to API server",
                    "webhook to stranger: a registry's port",
                    "webhook to stranger: an API server's port",
                    "webhook to stranger: another port",
                ])
                .await;
            })
            .await;
            net.has_open(&[
                "stranger to webhook: admission",
                "stranger to webhook: metrics",
                "stranger to agent: metrics",
                "agent to webhook: admission",
                "agent to API server",
                "webhook to API server",
                "webhook to stranger: a registry's port",
                "webhook to stranger: an API server's port",
            ])
            .await;
            ns.accepts(&rich).await;
            with_network_policy(&[&from_api_server, metrics_for_nobody], async || {
                net.has_open(&[
                    "agent to webhook: admission",
                    "agent to API server",
                    "webhook to API server",
                    "webhook to stranger: a registry's port",
                ])
                .await;
                ns.accepts(&rich).await;
            })
            .await;
        })
        .await;
    })
    .await;
}
