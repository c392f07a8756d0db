# Building the cluster's programs from the pinned Go modules in modules/, into the cache.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

modules=(kubernetes containerd runc etcd coredns cni cri-tools helm cert-manager network-policies forward)

# How each module is built, run in its folder: recipe_MODULE OUT puts its programs into OUT. A recipe's text is part
# of its module's key, so changing one builds that module anew and no other. Versions come from go.mod.
recipe_kubernetes() {
  local version major minor prefix=k8s.io/component-base/version
  version=$(module_version k8s.io/kubernetes)
  IFS=. read -r major minor _ <<<"${version#v}"
  go_build "$1/" tool "-X $prefix.gitVersion=$version -X $prefix.gitMajor=$major -X $prefix.gitMinor=$minor -X $prefix.gitTreeState=clean -X $prefix.gitCommit=$version"
}
recipe_containerd() {
  local version
  version=$(module_version github.com/containerd/containerd/v2)
  go_build "$1/" tool "-X github.com/containerd/containerd/v2/version.Version=$version"
}
recipe_runc() {
  CGO_ENABLED=1 go_build "$1/runc" tool '-linkmode external -extldflags -static' -tags seccomp,netgo,osusergo
}
recipe_etcd() { go_build "$1/etcd" tool; }
recipe_coredns() { go_build "$1/coredns" .; }
recipe_cni() {
  local version
  version=$(module_version github.com/containernetworking/plugins)
  go_build "$1/" tool "-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=$version"
}
recipe_cri-tools() {
  local version
  version=$(module_version sigs.k8s.io/cri-tools)
  go_build "$1/" tool "-X sigs.k8s.io/cri-tools/pkg/version.Version=$version"
}
recipe_helm() {
  local version
  version=$(module_version helm.sh/helm/v4)
  go_build "$1/" tool "-X helm.sh/helm/v4/internal/version.version=$version"
}
# The definitions of its kinds go beside it.
recipe_cert-manager() {
  go_build "$1/cert-manager" .
  cat "$(module_folder github.com/cert-manager/cert-manager)"/deploy/crds/cert-manager.io_*.yaml >"$1/cert-manager.yaml"
}
recipe_network-policies() { go_build "$1/kube-network-policies" .; }
recipe_forward() { go_build "$1/forward" .; }

# go_build OUT PACKAGES [LDFLAGS [FLAGS...]]: small, reproducible and, unless the recipe says otherwise, static.
go_build() {
  local out=$1 packages=$2 ldflags=${3:-}
  shift $(($# < 3 ? $# : 3))
  CGO_ENABLED=${CGO_ENABLED:-0} GOFLAGS='' GOWORK=off nice go build -trimpath -buildvcs=false \
    -ldflags "-s -w $ldflags" "$@" -o "$out" "$packages"
}

module_version() { GOFLAGS='' GOWORK=off go list -m -f '{{.Version}}' "$1"; }

module_folder() { GOFLAGS='' GOWORK=off go list -m -f '{{.Dir}}' "$1"; }

# module_key MODULE: changes with whatever changes the module's programs.
module_key() {
  local files=("$here/modules/$1"/go.*) source
  for source in "$here/modules/$1"/*.go; do [ ! -e "$source" ] || files+=("$source"); done
  { uname -m; cat "${files[@]}"; declare -f "recipe_$1" go_build; } | sha256sum | cut -c1-16
}

# The programs of all modules stand side by side, as links, in $bin; its name is the key of them all.
find_binaries() {
  local module key all=''
  [ -z "${bin:-}" ] || return 0
  module_folders=()
  for module in "${modules[@]}"; do
    key=$(module_key "$module")
    module_folders+=("$cache/programs/$module-$key")
    all+=$key
  done
  bin=$cache/programs/all-$(printf %s "$all" | sha256sum | cut -c1-16)
}

binaries_built() {
  find_binaries
  [ -d "$bin" ]
}

build_binaries() {
  binaries_built && return
  lock build-programs "the programs in $cache"
  binaries_built && return
  local missing=() at=0 folder new
  command -v go >/dev/null || fail "building the cluster needs Go (its version stands in modules/kubernetes/go.mod) and there is no \"go\" in PATH"
  rm -rf "$cache"/programs/new.* # of builds that were killed
  for folder in "${module_folders[@]}"; do [ -d "$folder" ] || missing+=("$folder"); done
  if [ ${#missing[@]} -gt 0 ]; then
    need_packages "${build_packages[@]}"
    say "building ${#missing[@]} of ${#modules[@]} modules into $cache/programs, some 10 minutes for all of them"
  fi
  for folder in "${missing[@]}"; do
    at=$((at + 1))
    build_module "$folder" "$at/${#missing[@]}"
  done
  new=$(mktemp -d "$cache/programs/new.XXXXXX")
  for folder in "${module_folders[@]}"; do ln -s "$folder"/* "$new/"; done
  chmod 755 "$new"
  mv -T "$new" "$bin"
}

# build_module FOLDER N/ALL
build_module() {
  local folder=$1 new module log
  module=${folder##*/}
  module=${module%-*}
  log=$cache/build-$module.log
  mkdir -p "$cache/programs"
  new=$(mktemp -d "$cache/programs/new.XXXXXX")
  chmod 755 "$new"
  with_progress "building $module ($2)" "$log" run_recipe "$module" "$new"
  mv -T "$new" "$folder"
}

run_recipe() {
  cd "$here/modules/$1" || exit
  "recipe_$1" "$2"
}

# with_progress WHAT LOG COMMAND...: runs the command, its output in LOG, and says every 15 seconds that it still does.
# A failure ends the script. Not to be called in a condition: there the shell would not stop at the command's first error.
with_progress() {
  local what=$1 log=$2 start next pid status=0
  shift 2
  start=$(now_ms)
  next=$((start + 15000))
  say "$what ..."
  "$@" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    [ "$(now_ms)" -ge "$next" ] || continue
    say "$what ... $((($(now_ms) - start) / 60000))m$((($(now_ms) - start) / 1000 % 60))s"
    next=$((next + 15000))
  done
  wait "$pid" || status=$?
  [ $status -eq 0 ] || fail "$what failed (exit $status): \"$(last_line "$log")\"; read $log"
  say "$what: done in $(seconds_since "$start") s"
}

verb_build() {
  local with_v2=''
  with_v2_option "$@"
  need_packages "${run_packages[@]}"
  build_binaries
  build_images
  [ -z "$with_v2" ] || build_v2_disk
}
