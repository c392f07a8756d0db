# Ending the cluster.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

verb_down() {
  local started
  started=$(now_ms)
  need_root
  lock "cluster-$cluster_id" "the cluster in $state"
  if [ ! -e "$state/.rich-pouch-cluster" ]; then
    [ -n "$(cgroup_pids)" ] || { say "there is no cluster in $state"; return; }
  fi
  clear_cluster
  say "down after $(seconds_since "$started") s"
}

# clear_cluster: every process of the cluster is in its control groups and every mount in the namespace that they share,
# so ending them all at once ends everything; then the files go.
clear_cluster() {
  local mounted
  kill_cgroups
  restore_sysctls
  mounted=$(awk -v dir="$state" '$5 == dir || index($5, dir "/") == 1 { print $5; exit }' /proc/self/mountinfo)
  [ -z "$mounted" ] || fail "$mounted is mounted on the host, which no cluster does: unmount it, then run \"cluster down\" again"
  [ ! -e "$state/.rich-pouch-cluster" ] || rm -rf --one-file-system "$state"
}
