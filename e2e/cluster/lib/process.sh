# The cluster's processes: each is started detached, in the cluster's own control groups, and known by its pid and
# start time, so that no other process is ever taken for it.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

cgroup=rich-pouch-$cluster_id

# The hierarchies of control groups: one of version 2, or several of version 1, or both.
hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts | sort -u; }

# make_cgroups: $cgroup for the pods (the kubelet makes its groups below) and $cgroup/components for what runs them.
make_cgroups() {
  local hierarchy group file controller controllers
  while read -r hierarchy; do
    for group in "$cgroup" "$cgroup/components"; do
      mkdir -p "$hierarchy/$group"
      for file in cpuset.cpus cpuset.mems; do # version 1 starts them empty and then takes no process
        [ -e "$hierarchy/cgroup.subtree_control" ] || [ ! -e "$hierarchy/$group/$file" ] ||
          cat "$hierarchy/$group/../$file" >"$hierarchy/$group/$file"
      done
    done
    [ -e "$hierarchy/cgroup.subtree_control" ] || continue
    for group in . "$cgroup"; do
      read -ra controllers <"$hierarchy/$group/cgroup.controllers" || true
      for controller in "${controllers[@]}"; do
        echo "+$controller" 2>/dev/null >"$hierarchy/$group/cgroup.subtree_control" || true
      done
    done
  done < <(hierarchies)
}

# cgroup_pids: every process of the cluster, the pods' included.
cgroup_pids() {
  local hierarchy
  while read -r hierarchy; do
    [ ! -d "$hierarchy/$cgroup" ] || find "$hierarchy/$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null || true
  done < <(hierarchies) | sort -u | grep -vx 0 || true
}

# kill_cgroups: ends every process of the cluster and removes its control groups.
kill_cgroups() {
  local hierarchy
  wait_until 20 cgroups_empty || fail "these processes of the cluster do not end, even by SIGKILL: $(cgroup_pids | tr '\n' ' ')"
  while read -r hierarchy; do
    wait_until 10 cgroup_removed "$hierarchy/$cgroup" || fail "the control group $hierarchy/$cgroup cannot be removed"
  done < <(hierarchies)
}
cgroups_empty() {
  local pids
  mapfile -t pids < <(cgroup_pids)
  [ ${#pids[@]} -gt 0 ] || return 0
  kill -KILL "${pids[@]}" 2>/dev/null || true
  return 1
}
cgroup_removed() {
  [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
  [ ! -d "$1" ]
}

# start_time PID: when it started, in the kernel's ticks; nothing when it has ended, as a zombie too.
start_time() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  stat=${stat##*) }
  # shellcheck disable=SC2086 # split at blanks on purpose
  set -- $stat
  case $1 in Z | X) ;; *) echo "${20}" ;; esac
}

# component_pid NAME: prints it when the component runs, else fails.
component_pid() {
  local pid='' started=''
  { read -r pid started <"$state/run/$1.pid"; } 2>/dev/null || return 1
  [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] || return 1
  echo "$pid"
}
runs() { component_pid "$1" >/dev/null; }

# launch NAME COMMAND...: starts it, its output at the end of log/NAME.log. The child itself writes down who it is, and
# until then it holds the script's locks, so that a script killed at any moment leaves no process unknown.
declare -A launched=()
launch() {
  local name=$1 pid descriptor
  shift
  (
    pid=$BASHPID
    join_cgroups
    write "$state/run/$name.pid" <<<"$pid $(start_time "$pid")"
    for descriptor in "/proc/$pid/fd"/*; do # the locks, and whatever the script's caller left open
      descriptor=${descriptor##*/}
      [ "$descriptor" -le 2 ] || exec {descriptor}>&-
    done
    exec setsid "$@"
  ) </dev/null >>"$state/log/$name.log" 2>&1 &
  launched[$name]=$!
  wait_until 5 launched_or_dead "$name" || true
  runs "$name" || component_failed "$name"
}
launched_or_dead() { runs "$1" || [ -z "$(start_time "${launched[$1]}")" ]; }
join_cgroups() {
  local hierarchy pid=$BASHPID
  while read -r hierarchy; do echo "$pid" >"$hierarchy/$cgroup/components/cgroup.procs"; done < <(hierarchies)
}

# component_failed NAME: says how a component that this script launched has ended.
component_failed() {
  local name=$1 log=$state/log/$1.log how=''
  if [ -n "${launched[$name]:-}" ]; then
    local status=0
    wait "${launched[$name]}" || status=$?
    how=" (exit $status)"
  fi
  fail "$name ended while starting$how: \"$(last_line "$log")\"; read $log"
}

# end_component NAME: ends one component at once.
end_component() {
  local pid
  pid=$(component_pid "$1") || return 0
  kill -KILL "$pid" 2>/dev/null || true
  wait_until 10 ended "$1" || fail "$1 does not end, even by SIGKILL"
}
ended() { ! runs "$1"; }
