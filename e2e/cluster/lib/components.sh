# The components: how each is started and how each says that it is well.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

components=(node etcd apiserver forward containerd controller-manager scheduler kubelet proxy dns)
host_port=6443

start_component() { "start_${1//-/_}"; }

# launch_in_network NAME COMMAND..., launch_on_node NAME COMMAND...
launch_in_network() {
  local name=$1
  shift
  launch "$name" nsenter --net="$(node_namespace net)" -- "$@"
}
launch_on_node() {
  local name=$1
  shift
  launch "$name" nsenter --net="$(node_namespace net)" --mount="$(node_namespace mnt)" -- env PATH="$bin:$PATH" "$@"
}

start_etcd() {
  launch_in_network etcd "$bin/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
}

start_apiserver() {
  launch_in_network apiserver "$bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --secure-port=6443 --advertise-address="$node_ip" --service-cluster-ip-range="$service_range" \
    --tls-cert-file="$etc/pki/apiserver.crt" --tls-private-key-file="$etc/pki/apiserver.key" \
    --client-ca-file="$etc/pki/ca.crt" --authorization-mode=Node,RBAC --allow-privileged \
    --enable-admission-plugins=NodeRestriction --admission-control-config-file="$etc/admission.yaml" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$etc/pki/service-accounts.pub" \
    --service-account-signing-key-file="$etc/pki/service-accounts.key" \
    --requestheader-client-ca-file="$etc/pki/ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$etc/pki/front-proxy.crt" --proxy-client-key-file="$etc/pki/front-proxy.key" \
    --kubelet-certificate-authority="$etc/pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$etc/pki/kubelet-client.crt" --kubelet-client-key="$etc/pki/kubelet-client.key" \
    --enable-aggregator-routing=true --profiling=false
}

# The port is the one that it had before, so that a kubeconfig in use stays good; else the usual one, else any.
start_forward() {
  local port
  port=$(cat "$etc/port" 2>/dev/null || echo $host_port)
  rm -f "$etc/port"
  launch forward "$bin/forward" "$(node_namespace net)" "$port" "$node_ip:6443" "$etc/port"
  wait_until 5 forward_listens || component_failed forward
  make_kubeconfig admin "https://127.0.0.1:$(cat "$etc/port")" "$kubeconfig"
}
forward_listens() { [ -e "$etc/port" ]; }

start_containerd() { launch_on_node containerd "$bin/containerd" --config "$etc/containerd.toml"; }

start_controller_manager() {
  launch_in_network controller-manager "$bin/kube-controller-manager" --kubeconfig="$etc/controller-manager.kubeconfig" \
    --authentication-kubeconfig="$etc/controller-manager.kubeconfig" \
    --authorization-kubeconfig="$etc/controller-manager.kubeconfig" \
    --service-account-private-key-file="$etc/pki/service-accounts.key" --root-ca-file="$etc/pki/ca.crt" \
    --cluster-signing-cert-file="$etc/pki/ca.crt" --cluster-signing-key-file="$etc/pki/ca.key" \
    --use-service-account-credentials --leader-elect=false --profiling=false \
    --kube-api-qps=200 --kube-api-burst=400 --node-monitor-period=1s \
    --concurrent-namespace-syncs=20 --concurrent-gc-syncs=40 --terminated-pod-gc-threshold=500
}

start_scheduler() {
  launch_in_network scheduler "$bin/kube-scheduler" --kubeconfig="$etc/scheduler.kubeconfig" \
    --authentication-kubeconfig="$etc/scheduler.kubeconfig" --authorization-kubeconfig="$etc/scheduler.kubeconfig" \
    --leader-elect=false --profiling=false --kube-api-qps=200 --kube-api-burst=400
}

# At its start the kubelet sets a few settings of the kernel that are the whole machine's; "down" sets them back.
kubelet_sysctls=(vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops
  kernel/keys/root_maxkeys kernel/keys/root_maxbytes)
start_kubelet() {
  local name
  if [ ! -e "$state/sysctls" ]; then
    for name in "${kubelet_sysctls[@]}"; do echo "$name $(cat "/proc/sys/$name")"; done | write "$state/sysctls"
  fi
  launch_on_node kubelet "$bin/kubelet" --config="$etc/kubelet.yaml" --kubeconfig="$etc/kubelet.kubeconfig" \
    --hostname-override="$node_name" --node-ip="$node_ip" --node-labels=rich-pouch.test/cgroup=v1
}
restore_sysctls() {
  local name value
  [ -e "$state/sysctls" ] || return 0
  while read -r name value; do
    [ "$(cat "/proc/sys/$name")" = "$value" ] || echo "$value" >"/proc/sys/$name" || true
  done <"$state/sysctls"
}

start_proxy() { launch_on_node proxy "$bin/kube-proxy" --config="$etc/proxy.yaml"; }

start_dns() { launch_in_network dns "$bin/coredns" -conf "$etc/Corefile"; }

# healthy COMPONENT: asks the component itself.
healthy() {
  runs "$1" || return 1
  case $1 in
    node) [ -e "$state/run/node.ready" ] ;;
    etcd) answers http://127.0.0.1:2379/health ;;
    apiserver) answers "https://$node_ip:6443/readyz" ;;
    forward) curl -fsSk --max-time 3 "https://127.0.0.1:$(cat "$etc/port")/livez" ;;
    containerd) on_node ctr --timeout 3s version ;;
    controller-manager) answers https://127.0.0.1:10257/healthz ;;
    scheduler) answers https://127.0.0.1:10259/healthz ;;
    kubelet) answers http://127.0.0.1:10248/healthz ;;
    proxy) answers http://127.0.0.1:10256/healthz ;;
    dns) answers http://127.0.0.1:10255/health ;;
    v2-node) # its kubelet
      answers "https://$v2_ip:10250/healthz" --cert "$etc/pki/kubelet-client.crt" --key "$etc/pki/kubelet-client.key"
      ;;
  esac >/dev/null 2>&1
}
answers() { in_network curl -fsSk --max-time 3 "$@"; }

# kube ARGUMENTS...: kubectl from the host, as a user has it.
kube() { "$bin/kubectl" --kubeconfig="$kubeconfig" --request-timeout=10s "$@"; }

# node_ready NAME
node_ready() {
  [ "$(kube get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = True ]
}
