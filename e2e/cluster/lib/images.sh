# The test images: built by the scripts in images/ from Debian's packages, kept in the cache as OCI archives.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

images=(pause busybox debian-systemd debian-services debian-sysv debian-openrc busybox-init busybox-entrypoint)

image_ref() { printf 'localhost/%s:test' "$1"; }

# image_archive NAME: its path in the cache; changes with whatever changes the image.
image_archive() {
  local key
  key=$({
    uname -m
    cat "$here/images/$1".*
    declare -f make_image pack_image blob fetch_package debian
  } | sha256sum | cut -c1-16)
  printf '%s/images/%s-%s.tar' "$cache" "$1" "$key"
}

build_images() {
  local name log missing=() at=0
  for name in "${images[@]}"; do [ -e "$(image_archive "$name")" ] || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  lock build-images "the images in $cache"
  rm -rf "$cache"/images/new.* # of builds that were killed
  for name in "${missing[@]}"; do
    at=$((at + 1))
    [ ! -e "$(image_archive "$name")" ] || continue
    need_root
    need_packages "${image_packages[@]}"
    log=$cache/build-image-$name.log
    with_progress "building the image $(image_ref "$name") ($at/${#missing[@]})" "$log" make_image "$name"
  done
}

# make_image NAME: sources images/NAME.sh, which fills $rootfs (or writes $layer itself) and sets $config.
make_image() {
  local scratch rootfs layer config='' archive
  archive=$(image_archive "$1")
  mkdir -p "$cache/images"
  scratch=$(mktemp -d "$cache/images/new.XXXXXX")
  chmod 755 "$scratch"
  rootfs=$scratch/rootfs
  layer=$scratch/layer.tar
  mkdir "$rootfs"
  # shellcheck source=/dev/null
  . "$here/images/$1.sh"
  [ -e "$layer" ] || tar -C "$rootfs" --sort=name --owner=0 --group=0 --numeric-owner -cf "$layer" .
  pack_image "$scratch/archive.tar" "$(image_ref "$1")" "$layer" "$config"
  mv "$scratch/archive.tar" "$archive"
  rm -rf "$scratch"
}

# pack_image ARCHIVE REF LAYER CONFIG: an OCI archive of one layer, not compressed so that it loads fast.
pack_image() {
  local archive=$1 ref=$2 layer=$3 config=$4 layout=$scratch/layout arch digest size
  case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
  mkdir -p "$layout/blobs/sha256"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  read -r digest size < <(blob "$layer")
  local layer_digest=$digest layer_size=$size
  printf '{"architecture":"%s","os":"linux","config":{%s},"rootfs":{"type":"layers","diff_ids":["%s"]}}' \
    "$arch" "$config" "$digest" >"$scratch/config"
  read -r digest size < <(blob "$scratch/config")
  printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s","digest":"%s","size":%d},"layers":[{"mediaType":"%s","digest":"%s","size":%d}]}' \
    application/vnd.oci.image.manifest.v1+json application/vnd.oci.image.config.v1+json "$digest" "$size" \
    application/vnd.oci.image.layer.v1.tar "$layer_digest" "$layer_size" >"$scratch/manifest"
  read -r digest size < <(blob "$scratch/manifest")
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"%s","size":%d,"platform":{"os":"linux","architecture":"%s"},"annotations":{"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"%s"}}]}' \
    application/vnd.oci.image.manifest.v1+json "$digest" "$size" "$arch" "$ref" "$ref" >"$layout/index.json"
  tar -C "$layout" -cf "$archive" oci-layout index.json blobs
}

# blob FILE: moves the file among the layout's blobs and prints its digest and size.
blob() {
  local sum size
  sum=$(sha256sum <"$1" | cut -d' ' -f1)
  size=$(stat -c %s "$1")
  mv "$1" "$layout/blobs/sha256/$sum"
  printf 'sha256:%s %s\n' "$sum" "$size"
}

# fetch_package NAME: unpacks a Debian package into $scratch/NAME; the machine itself gets nothing installed.
fetch_package() {
  mkdir "$scratch/$1"
  (
    cd "$scratch" || return
    apt-get -o APT::Sandbox::User=root download "$1" ||
      { apt-get update && apt-get -o APT::Sandbox::User=root download "$1"; }
    dpkg-deb -x "$1"_*.deb "$scratch/$1"
  )
}

# debian SUITE PACKAGES: $layer becomes a minimal Debian with the packages, from where this machine's apt gets its own.
debian() {
  local sources=() file options=() line
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ ! -s "$file" ] || sources+=("$file")
  done
  while read -r line; do options+=("--aptopt=$line"); done < <(apt-config dump | grep -E '^Acquire::(http|https)::' || true)
  # shellcheck disable=SC2016 # the hooks are for mmdebstrap's shell
  mmdebstrap --mode=root --variant=minbase --format=tar --include="$2" "${options[@]}" \
    --customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
    "$1" "$layer" "${sources[@]}"
}

# archive_names FILE: the names of the images in an OCI or docker archive, written in full.
archive_names() {
  local json
  json=$({ tar -xOf "$1" --wildcards --no-anchored index.json manifest.json 2>/dev/null || true; } | tr -d '[:space:]')
  {
    grep -oE '"RepoTags":\[[^]]*\]' <<<"$json" | sed 's/^"RepoTags"://' | grep -oE '"[^"]+"' || true
    grep -oE '"(io\.containerd\.image\.name|org\.opencontainers\.image\.ref\.name)":"[^"]+"' <<<"$json" |
      sed 's/^"[^"]*"://' | grep / || true
  } | tr -d '"' | sed -E 's#^[^/]+$#docker.io/library/&#; t; /^(localhost|[^/]*[.:][^/]*)\//!s#^#docker.io/#' | sort -u
}

# load_archive FILE: into the cluster's containerd, until the kubelet's side of it knows the images too.
load_archive() {
  local name
  on_node ctr --namespace k8s.io images import - <"$1" || return
  for name in $(archive_names "$1"); do
    wait_until 10 kubelet_has on_node "$name" || return
  done
}
# kubelet_has RUNNER NAME: whether the image of that name is, for the kubelet of the node on which RUNNER runs commands,
# the one that containerd has.
kubelet_has() {
  local id digest
  id=$("$1" crictl inspecti --output go-template --template "{{.status.id}}" "$2" 2>/dev/null) || return
  digest=$(image_digest "$1" "$2")
  [ -n "$id" ] && [ -n "$digest" ] && [ "$(image_digest "$1" "$id")" = "$digest" ]
}
image_digest() { "$1" ctr --namespace k8s.io images ls "name==\"$2\"" | awk 'NR == 2 { print $3 }'; }

# image_pairs: of containerd's list, each name with its digest, as NAME@DIGEST.
image_pairs() { awk 'NR > 1 && $1 !~ /^sha256:/ { print $1 "@" $3 }'; }

# load_images: those test images that the running cluster does not have yet.
load_images() {
  local name archive loaded=$state/run/images log=$state/log/images.log
  touch "$loaded"
  for name in "${images[@]}"; do
    archive=$(image_archive "$name")
    ! grep -qxF "$archive" "$loaded" || continue
    load_archive "$archive" >>"$log" 2>&1 ||
      fail "the image $(image_ref "$name") could not be loaded: \"$(last_line "$log")\"; read $log"
    echo "$archive" >>"$loaded"
  done
}

verb_images() {
  need_root
  build_images
  find_binaries
  lock "cluster-$cluster_id" "the cluster in $state"
  cluster_runs || fail "the images are built, but there is no cluster to load them into: run \"cluster up\", which loads them"
  load_images
  ! runs v2-node || share_images
  on_node ctr --namespace k8s.io images ls -q | grep ^localhost/
}

verb_image_archive() {
  [ $# -eq 1 ] || { say "image-archive takes one name, of ${images[*]}: cluster image-archive NAME"; exit 2; }
  [ -e "$here/images/$1.sh" ] || fail "there is no test image \"$1\", but ${images[*]}"
  build_images
  image_archive "$1"
}

verb_load_image() {
  [ $# -eq 1 ] || { say "load-image takes one archive: cluster load-image FILE"; exit 2; }
  need_root
  need_cluster
  local archive=$1 names log
  if [ "$archive" = - ]; then
    spool=$(mktemp "$state/archive.XXXXXX")
    trap 'rm -f "$spool"' EXIT
    cat >"$spool"
    archive=$spool
  fi
  [ -r "$archive" ] || fail "there is no archive \"$1\" to load"
  # One without a full name would be given one that the kubelet cannot use, and spoil the image under its other names.
  names=$(archive_names "$archive")
  [ -n "$names" ] || fail "the archive \"$1\" has no image with a full name: docker archives have it in RepoTags, OCI archives in the annotation org.opencontainers.image.ref.name (localhost/app:test, not just test)"
  log=$state/log/images.log
  load_archive "$archive" >>"$log" 2>&1 || fail "the archive \"$1\" could not be loaded: \"$(last_line "$log")\"; read $log"
  ! runs v2-node || share_images
  printf 'loaded %s\n' "${names//$'\n'/ }"
}
