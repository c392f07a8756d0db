# The node: a network namespace and a mount namespace, held by one process that does nothing else.
#
# In its mount namespace the folders that a node's software writes to (/run, /opt, /var/lib, /var/log) are the state
# directory's own, so pods with hostPath volumes find them where every node has them and the host's stay as they are.
# All mounts of the cluster are made there and vanish with its last process.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

node_name=rich-pouch
node_ip=10.250.0.1
pod_range=10.244.0.0/16
node_pods=10.244.0.0/17 # the first half, the second is the v2 node's
node_taints=''
service_range=10.96.0.0/16
kubernetes_ip=10.96.0.1
node_folders=(/run /opt /var/lib /var/log)

start_node() {
  make_cgroups
  rm -f "$state/run/node.ready"
  launch node unshare --net --mount --propagation slave \
    bash "$here/lib/node-init.sh" "$state" "$cache" "$node_ip" "$service_range" "${node_folders[@]}"
  wait_until 10 node_up_or_dead || true
  runs node || component_failed node
}
node_up_or_dead() { [ -e "$state/run/node.ready" ] || ! runs node; }

# node_namespace KIND: the path of the node's network ("net") or mount ("mnt") namespace.
node_namespace() {
  local pid
  pid=$(component_pid node) || return 1
  echo "/proc/$pid/ns/$1"
}

# in_network COMMAND...: the host's files, the node's network. on_node COMMAND...: both the node's.
in_network() {
  local net
  net=$(node_namespace net) || return 1
  nsenter --net="$net" -- "$@"
}
on_node() {
  local net mnt
  net=$(node_namespace net) || return 1
  mnt=$(node_namespace mnt)
  CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1 CRI_CONFIG_FILE=$etc/crictl.yaml PATH=$bin:$PATH \
    nsenter --net="$net" --mount="$mnt" -- "$@"
}
