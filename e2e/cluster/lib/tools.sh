# Verbs that hand over to a tool, with its arguments and its exit code.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

need_kubeconfig() {
  find_binaries
  [ -e "$kubeconfig" ] || fail "there is no cluster in $state: \"cluster up\" starts one"
}

verb_kubeconfig() {
  no_arguments "$@"
  need_kubeconfig
  echo "$kubeconfig"
}

verb_kubectl() {
  need_kubeconfig
  KUBECONFIG=$kubeconfig exec "$bin/kubectl" "$@"
}

verb_helm() {
  need_kubeconfig
  KUBECONFIG=$kubeconfig exec "$bin/helm" "$@"
}

verb_exec() {
  [ $# -gt 0 ] || { say "exec takes a command: cluster exec COMMAND ..."; exit 2; }
  need_node
  KUBECONFIG=$node_kubeconfig PATH=$bin:$PATH exec nsenter --net="$(node_namespace net)" -- "$@"
}

verb_node() {
  [ $# -gt 0 ] || { say "node takes a command: cluster node COMMAND ..."; exit 2; }
  need_node
  KUBECONFIG=$node_kubeconfig PATH=$bin:$PATH exec nsenter --net="$(node_namespace net)" --mount="$(node_namespace mnt)" -- "$@"
}

verb_ctr() { CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1 verb_node ctr --namespace k8s.io "$@"; }
verb_crictl() { verb_node crictl --config "$etc/crictl.yaml" "$@"; }

need_node() {
  need_root
  find_binaries
  runs node || fail "the cluster is not running: run \"cluster up\""
}

verb_logs() {
  local name=${1:-} log
  name=${name#kube-}
  if [ -z "$name" ]; then
    [ -d "$state/log" ] || fail "there is no cluster in $state, so there are no logs"
    ls "$state"/log/*.log
    return
  fi
  log=$state/log/$name.log
  [ -e "$log" ] || fail "there is no log of \"$name\"; there are: $(find "$state/log" -name '*.log' -printf '%f ' 2>/dev/null | sed 's/\.log / /g')"
  echo "$log"
  tail -n "${CLUSTER_LOG_LINES:-40}" "$log"
}
