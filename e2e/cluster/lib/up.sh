# Starting, repairing, and saying how the cluster is.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

# cluster_key: changes with the programs and with how they are started; a running cluster of another key is made anew.
cluster_key() {
  find_binaries
  { echo "$bin"; cat "$here"/lib/{node,node-init,config,components}.sh; } | sha256sum | cut -c1-16
}

# cluster_runs: the processes are there, and the programs that they were started from are the ones that we would start.
cluster_runs() {
  local name
  for name in "${components[@]}"; do runs "$name" || return 1; done
}

need_cluster() {
  find_binaries
  cluster_runs || fail "the cluster is not running or not whole: run \"cluster up\""
}

verb_up() {
  local with_v2=''
  with_v2_option "$@"
  need_root
  need_packages "${run_packages[@]}"
  build_binaries
  build_images
  [ -z "$with_v2" ] || build_v2_disk
  lock "cluster-$cluster_id" "the cluster in $state"
  own_state
  trap 'say "stopped; \"cluster up\" goes on, \"cluster down\" clears up"; exit 130' INT TERM
  up_cluster
  if [ -n "$with_v2" ]; then up_v2_node; else settle_v2_node; fi
}

# with_v2_option ARGUMENTS...: sets $with_v2 when the only argument of "up" and "build" is there.
with_v2_option() {
  case "$*" in
    '') ;;
    --with-v2-node) with_v2=yes ;;
    *) say "\"$verb\" takes no argument but --with-v2-node, it was given \"$*\""; exit 2 ;;
  esac
}

up_cluster() {
  local started
  started=$(now_ms)
  if [ -e "$state/key" ] && [ "$(cat "$state/key")" != "$(cluster_key)" ]; then
    say "the cluster in $state was started from other programs or another configuration: making it anew"
    clear_cluster
    own_state
  elif [ -e "$state/ready" ] && [ -z "$(first_unhealthy)" ] && node_ready "$node_name"; then
    load_images
    say "up already (KUBECONFIG=$kubeconfig)"
    return
  elif [ -e "$state/key" ] && ! runs node; then
    say "clearing what is left of a cluster whose node process has ended"
    clear_cluster
    own_state
  elif [ -e "$state/ready" ]; then
    # In a subshell, as whatever goes wrong there, a new cluster is the answer; not as a condition, as there the shell
    # would not stop at the first error.
    local repaired
    set +e
    (set -e; repair)
    repaired=$?
    set -e
    if [ $repaired -eq 0 ]; then
      say "up again after $(seconds_since "$started") s (KUBECONFIG=$kubeconfig)"
      return
    fi
    say "the repair did not help: making the cluster anew"
    clear_cluster
    own_state
  fi
  bring_up
  say "up after $(seconds_since "$started") s (KUBECONFIG=$kubeconfig)"
}

repair() {
  local name other
  rm -f "$state/ready"
  for name in "${components[@]}"; do
    if ! runs "$name"; then
      say "$name has ended: starting it again"
    elif [ "$name" != forward ] && ! healthy "$name" && ! wait_until 5 healthy "$name"; then
      say "$name does not answer: starting it again"
      end_component "$name"
    else
      continue
    fi
    case $name in
      # Their clients would wait ever longer before they try again: those that start anew are well the soonest.
      etcd | apiserver)
        for other in apiserver controller-manager scheduler kubelet proxy dns; do end_component "$other"; done
        break
        ;;
    esac
  done
  bring_up
}

# bring_up: starts whatever does not run, in the order that is the fastest on few cores, until all is well.
bring_up() {
  cluster_key | write "$state/key"
  ensure node
  make_config
  ensure etcd
  ensure containerd
  wait_healthy 20 etcd
  ensure apiserver
  ensure forward
  wait_healthy 20 containerd
  load_images &
  local loading=$!
  wait_healthy 60 apiserver
  local name
  for name in controller-manager kubelet scheduler proxy dns; do ensure "$name"; done
  wait "$loading" || exit 1
  wait_healthy 30 controller-manager kubelet scheduler proxy dns forward
  wait_for 30 "the node $node_name to be ready" kubelet node_ready "$node_name"
  wait_for 30 "the default service account" controller-manager kube get serviceaccount default
  start_pod "$node_name" 30
  touch "$state/ready"
}

ensure() { runs "$1" || start_component "$1"; }

# wait_healthy SECONDS COMPONENT...
wait_healthy() {
  local seconds=$1 name
  shift
  for name in "$@"; do wait_for "$seconds" "$name to answer" "$name" healthy "$name"; done
}

# wait_for SECONDS WHAT COMPONENT COMMAND...: a component that ends meanwhile is the end of it.
wait_for() {
  local seconds=$1 what=$2 component=$3
  shift 3
  wait_until "$seconds" done_or_dead "$@" ||
    fail "$what was waited for in vain for $seconds s: \"$(last_line "$state/log/$component.log")\"; read $state/log/$component.log"
  local name
  for name in "${!launched[@]}"; do runs "$name" || component_failed "$name"; done
}
done_or_dead() {
  local name
  for name in "${!launched[@]}"; do runs "$name" || return 0; done
  ("$@") >/dev/null 2>&1 # a subshell, so that a message of the script's own never goes the same way
}

# start_pod NODE SECONDS: the last proof is a pod that runs.
start_pod() {
  local node=$1 seconds=$2 log=$state/log/pod.log pod=cluster-check-$1-$$
  wait_for 20 "a pod to be accepted" apiserver make_pod "$pod" "$node"
  if ! kube -n kube-system wait pod "$pod" --for=jsonpath='{.status.phase}'=Succeeded --timeout="${seconds}s" --request-timeout=0 >>"$log" 2>&1; then
    kube -n kube-system describe pod "$pod" >>"$log" 2>&1 || true
    fail "a pod did not start on $node within $seconds s: \"$(last_line "$log")\"; read $log and $state/log/kubelet.log"
  fi
  kube -n kube-system delete pod "$pod" --wait=false >>"$log" 2>&1 || true
}
make_pod() {
  kube -n kube-system apply -f - >>"$state/log/pod.log" 2>&1 <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  nodeName: $2
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - {name: check, image: $(image_ref busybox), command: ["true"]}
YAML
}

# first_unhealthy: prints the first component that is not well, nothing when all are. All are asked at the same time.
first_unhealthy() {
  local name pids=() index=0
  for name in "${components[@]}"; do healthy "$name" & pids+=($!); done
  for name in "${components[@]}"; do
    if ! wait "${pids[$index]}"; then echo "$name"; return; fi
    index=$((index + 1))
  done
}

verb_status() {
  local name pid wrong='' how all nodes
  need_root
  find_binaries
  if [ ! -e "$state/.rich-pouch-cluster" ]; then
    say "there is no cluster in $state: \"cluster up\" starts one"
    return 1
  fi
  all=("${components[@]}") nodes=("$node_name")
  ! v2_known || { all+=(v2-node); nodes+=("$v2_name"); }
  for name in "${all[@]}"; do
    how=healthy
    if ! pid=$(component_pid "$name"); then
      pid=- how='not running'
    elif ! healthy "$name"; then
      how='does not answer'
    fi
    printf '%-20s %-8s %s\n' "$name" "$pid" "$how"
    [ "$how" = healthy ] || wrong=${wrong:-"$name is ${how/does/running but does}; read $state/log/$name.log"}
  done
  for name in "${nodes[@]}"; do
    how=Ready
    [ -z "$wrong" ] && node_ready "$name" || how='not Ready'
    printf '%-20s %-8s %s\n' "node $name" '' "$how"
    [ -n "$wrong" ] || [ "$how" = Ready ] || wrong="the node $name is not Ready; read $state/log/kubelet.log"
  done
  printf '%-20s %-8s %s\n' kubeconfig '' "$kubeconfig"
  [ -z "$wrong" ] || { say "$wrong"; return 1; }
}
