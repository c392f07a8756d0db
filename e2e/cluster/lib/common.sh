# Paths, messages, locks and waiting: what every other part uses.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

say() { printf 'cluster: %s\n' "$*" >&2; }

# Says what is wrong in one sentence and ends the script.
fail() { say "$*"; exit 1; }

no_arguments() {
  [ $# -eq 0 ] || { say "\"$verb\" takes no arguments, it was given \"$*\""; exit 2; }
}

need_root() {
  [ "$(id -u)" -eq 0 ] || fail "\"$verb\" needs root: run it with sudo"
}

state=$(realpath -m -- "${RICH_POUCH_CLUSTER_DIR:-/var/lib/rich-pouch-cluster}")
cache=$(realpath -m -- "${RICH_POUCH_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rich-pouch}")
for path in "$state" "$cache"; do
  # The paths stand unquoted in configuration files of several formats.
  [[ $path =~ ^/[A-Za-z0-9._/@+-]+$ ]] ||
    fail "the path \"$path\" is not fit for a cluster: letters, digits and . _ @ + - only, and not the root"
done

# Two clusters with different state directories are apart in everything, their cgroups included.
cluster_id=$(printf %s "$state" | sha256sum | cut -c1-8)
kubeconfig=$state/kubeconfig
node_kubeconfig=$state/etc/admin.kubeconfig

# The state directory is deleted as a whole by "down", so it must be ours beyond doubt.
own_state() {
  if [ -e "$state" ] && [ ! -e "$state/.rich-pouch-cluster" ] && [ -n "$(ls -A "$state")" ]; then
    fail "$state holds files that no cluster made: set RICH_POUCH_CLUSTER_DIR to an empty or a new directory"
  fi
  mkdir -p "$state"/{etc,log,run,manifests,node}
  touch "$state/.rich-pouch-cluster"
}

# lock NAME WHAT: one holder at a time; held until the script ends, and its children: those that stay close the descriptor.
lock() {
  local descriptor
  mkdir -p "$cache"
  exec {descriptor}>"$cache/$1.lock"
  if ! flock -n "$descriptor"; then
    say "waiting: another \"cluster\" is at work on $2"
    flock "$descriptor"
  fi
}

# now_ms: milliseconds since some fixed time.
now_ms() { printf '%s' "$((${EPOCHREALTIME/./} / 1000))"; }

# seconds_since MS: as "12.3".
seconds_since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# wait_until SECONDS COMMAND...: polls until the command succeeds; 1 when it does not in time.
wait_until() {
  local deadline=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(now_ms)" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# last_line FILE: the last line that says something, cut to a length that fits a sentence. A virtual machine's console
# has carriage returns, and at its end the kernel's word that it ends.
last_line() {
  { grep -vE '^[[:space:]]*$|(sysrq|reboot): ' "$1" 2>/dev/null || true; } | tail -n 1 | tr -d '\r' | cut -c1-300
}

# write FILE: standard input into it, whole or not at all.
write() {
  cat >"$1.new"
  mv "$1.new" "$1"
}
