# Certificates, kubeconfigs and configuration files, all in $state/etc.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

etc=$state/etc
static_pods=$state/manifests
fail_cgroup_v1=false # what the machine has is what the first node gets

make_pki() {
  [ ! -d "$etc/pki" ] || return 0
  pki_new=$etc/pki.new
  rm -rf "$pki_new"
  mkdir -p "$pki_new"
  (
    cd "$pki_new" || exit
    new_key ca
    openssl req -x509 -new -key ca.key -subj /CN=kubernetes -days 3650 -out ca.crt \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature
    openssl genrsa -out service-accounts.key 2048
    openssl rsa -in service-accounts.key -pubout -out service-accounts.pub
    new_certificate apiserver /CN=kube-apiserver \
      "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$kubernetes_ip,IP:$node_ip"
    new_certificate admin /O=system:masters/CN=admin
    new_certificate kubelet "/O=system:nodes/CN=system:node:$node_name" "DNS:$node_name,IP:$node_ip"
    new_certificate kubelet-v2 "/O=system:nodes/CN=system:node:$v2_name" "DNS:$v2_name,IP:$v2_ip"
    new_certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
    new_certificate front-proxy /CN=front-proxy-client
    new_certificate controller-manager /CN=system:kube-controller-manager
    new_certificate scheduler /CN=system:kube-scheduler
    new_certificate proxy /CN=system:kube-proxy
    new_certificate dns /O=system:masters/CN=cluster-dns
    new_certificate network-policies /O=system:masters/CN=network-policies
  ) >"$state/log/openssl.log" 2>&1 & # and not as a condition: there the shell would not stop at the first error
  wait $! ||
    fail "the certificates could not be made: \"$(last_line "$state/log/openssl.log")\"; read $state/log/openssl.log"
  mv -T "$pki_new" "$etc/pki"
}

new_key() { openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"; }

# new_certificate NAME SUBJECT [ALTERNATIVE_NAMES]
new_certificate() {
  new_key "$1"
  openssl req -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 8)" -days 3650 -out "$1.crt" \
      -extfile <(printf 'extendedKeyUsage=clientAuth,serverAuth\n%s\n' "${3:+subjectAltName=$3}")
}

# make_kubeconfig USER SERVER FILE
make_kubeconfig() {
  (
    umask 077
    write "$3" <<YAML
apiVersion: v1
kind: Config
current-context: rich-pouch
clusters:
- name: rich-pouch
  cluster:
    server: $2
    certificate-authority-data: $(base64 -w0 "$etc/pki/ca.crt")
contexts:
- name: rich-pouch
  context: {cluster: rich-pouch, user: $1}
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$etc/pki/$1.crt")
    client-key-data: $(base64 -w0 "$etc/pki/$1.key")
YAML
  )
}

make_config() {
  local user
  make_pki
  for user in admin kubelet controller-manager scheduler proxy dns; do
    make_kubeconfig "$user" "https://$node_ip:6443" "$etc/$user.kubeconfig"
  done
  make_admission_config
  make_containerd_config
  make_kubelet_config
  make_proxy_config
  make_dns_config
}

# What the API server shows to webhooks that ask who it is; those of the tests' release may.
make_admission_config() {
  local plugin
  write "$etc/admission.yaml" <<YAML
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
$(for plugin in Mutating Validating; do
    printf '%s\n' "- name: ${plugin}AdmissionWebhook" \
      "  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: $etc/webhooks.kubeconfig}"
  done)
YAML
  write "$etc/webhooks.kubeconfig" <<YAML
apiVersion: v1
kind: Config
users:
- name: '*.rich-pouch.svc'
  user: {client-certificate: $etc/pki/kubelet-client.crt, client-key: $etc/pki/kubelet-client.key}
YAML
}

make_containerd_config() {
  mkdir -p "$etc/cni"
  write "$etc/containerd.toml" <<TOML
version = 3
disabled_plugins = [
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs",
]
# Nothing here has to outlive a crash of the machine, so nothing waits for the disk.
[plugins."io.containerd.metadata.v1.bolt"]
  no_sync = true
[plugins."io.containerd.snapshotter.v1.overlayfs"]
  mount_options = ["volatile"]
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "$(image_ref pause)"
[plugins."io.containerd.cri.v1.runtime"]
  # Lowering the score takes CAP_SYS_RESOURCE, which a machine that is itself contained may lack.
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["$bin"]
  conf_dir = "$etc/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    BinaryName = "$bin/runc"
TOML
  write "$etc/crictl.yaml" <<<'runtime-endpoint: unix:///run/containerd/containerd.sock'
  # Every pod hangs on a routed link of its own, so all traffic passes the node and services work between any two pods.
  write "$etc/cni/10-pods.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipMasq": false,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$node_pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": true}}
]}
JSON
}

make_kubelet_config() {
  write "$etc/resolv.conf" <<<"nameserver $node_ip"
  write "$etc/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $etc/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $etc/pki/kubelet.crt
tlsPrivateKeyFile: $etc/pki/kubelet.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: $fail_cgroup_v1
failSwapOn: false
clusterDNS: [$node_ip]
clusterDomain: cluster.local
resolvConf: $etc/resolv.conf
staticPodPath: $static_pods
registerWithTaints: [$node_taints]
volumePluginDir: /var/lib/kubelet/volume-plugins
# Many tests run side by side.
maxPods: 250
# What a fork bomb in a test may take.
podPidsLimit: 1000
serializeImagePulls: false
registryPullQPS: 0
kubeAPIQPS: 100
kubeAPIBurst: 200
eventRecordQPS: 0
# kubectl logs has a container's last log file only; here it is the first, too, so what it lacks was lost.
containerLogMaxSize: 8Gi
# The machine's disk and memory are the tests' to fill.
evictionHard: {nodefs.available: 1%, imagefs.available: 1%, memory.available: 100Mi}
imageGCHighThresholdPercent: 100
oomScoreAdj: 0
makeIPTablesUtilChains: false
YAML
}

make_proxy_config() {
  write "$etc/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $etc/proxy.kubeconfig}
clusterCIDR: $pod_range
hostnameOverride: $node_name
nftables: {minSyncPeriod: 100ms}
# What these would set is the whole machine's.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
}

# No answer is kept, so a new service is found at once; what is not the cluster's does not exist, at once too.
make_dns_config() {
  write "$etc/Corefile" <<COREFILE
. {
  bind $node_ip
  health 127.0.0.1:10255
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $etc/dns.kubeconfig
    pods insecure
    ttl 0
  }
  template ANY ANY . {
    rcode NXDOMAIN
  }
}
COREFILE
}
