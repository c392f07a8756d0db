# What the v2 node boots from, built once into the cache: Debian's kernel, an initramfs with the drivers of its disks, and
# a disk with a minimal Debian, the node's programs and the test images, these unpacked in containerd's store already,
# since in the virtual machine that would take minutes.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

v2_packages=(qemu-system-x86_64=qemu-system-x86 mke2fs=e2fsprogs mmdebstrap=mmdebstrap setpriv=util-linux)
v2_programs=(containerd containerd-shim-runc-v2 ctr crictl runc kubelet kube-proxy kube-network-policies
  host-local loopback portmap ptp)
v2_drivers=(virtio_pci virtio_blk virtio_net ext4)

# v2_folder: its path in the cache; changes with whatever changes what is in it.
v2_folder() {
  local name key
  find_binaries
  key=$({
    echo "$bin"
    for name in "${images[@]}"; do image_archive "$name"; done
    cat "$here/lib/v2-disk.sh" "$here/guest/initramfs"
    declare -f fetch_package debian
  } | sha256sum | cut -c1-16)
  printf '%s/v2-node/%s' "$cache" "$key"
}

build_v2_disk() {
  [ "$(uname -m)" = x86_64 ] || fail "the v2 node is a virtual machine for x86_64 only, this machine is $(uname -m)"
  need_packages "${v2_packages[@]}"
  [ ! -d "$(v2_folder)" ] || return 0
  need_root
  lock build-v2-node "the disk of the v2 node in $cache"
  [ ! -d "$(v2_folder)" ] || return 0
  rm -rf "$cache"/v2-node/new.* # of builds that were killed
  with_progress "building the disk of the v2 node" "$cache/build-v2-node.log" make_v2_disk
}

make_v2_disk() {
  local scratch rootfs layer new
  mkdir -p "$cache/v2-node"
  scratch=$(mktemp -d "$cache/v2-node/new.XXXXXX")
  chmod 755 "$scratch"
  rootfs=$scratch/rootfs layer=$scratch/layer.tar new=$scratch/new
  mkdir "$rootfs" "$new"
  debian bookworm nftables,kmod,iproute2,socat
  tar -C "$rootfs" --numeric-owner -xpf "$layer"
  add_v2_kernel
  add_v2_programs
  add_v2_images
  # Nothing is kept across a crash, so there is no journal.
  mke2fs -q -F -t ext4 -O ^has_journal -E lazy_itable_init=1 -m 0 -d "$rootfs" "$new/disk.img" 16G
  mv -T "$new" "$(v2_folder)"
  rm -rf "$scratch"
}

# add_v2_kernel: the kernel and the initramfs beside the disk, all modules on it.
add_v2_kernel() {
  local kernel version driver module initramfs=$scratch/initramfs modules=() number=10
  fetch_package linux-image-cloud-amd64 # says which version it is
  kernel=$(dpkg-deb -f "$scratch"/linux-image-cloud-amd64_*.deb Depends | grep -oE 'linux-image-[^ ,]+' | head -n 1)
  fetch_package "$kernel"
  fetch_package busybox-static
  version=${kernel#linux-image-}
  cp "$scratch/$kernel/boot/vmlinuz-$version" "$new/vmlinuz"
  cp -a "$scratch/$kernel/lib/modules" "$rootfs/usr/lib/"
  chroot "$rootfs" depmod "$version"

  mkdir -p "$initramfs"/{bin,dev,modules,proc,root,sys}
  cp "$scratch/busybox-static/bin/busybox" "$initramfs/bin/"
  install -m 755 "$here/guest/initramfs" "$initramfs/init"
  for driver in "${v2_drivers[@]}"; do
    while read -r module; do
      [[ " ${modules[*]} " != *" $module "* ]] || continue
      modules+=("$module")
      cp "$rootfs$module" "$initramfs/modules/$number-${module##*/}" # in this order
      number=$((number + 1))
    done < <(chroot "$rootfs" modprobe --show-depends --set-version "$version" "$driver" | awk '$1 == "insmod" { print $2 }')
  done
  (cd "$initramfs" && find . | bin/busybox cpio -o -H newc) | gzip -1 >"$new/initramfs"
}

# add_v2_programs: where the host has them, so that one configuration fits both.
add_v2_programs() {
  local name
  mkdir -p "$rootfs$bin"
  for name in "${v2_programs[@]}"; do cp -L "$bin/$name" "$rootfs$bin/"; done
}

# add_v2_images: by a containerd of this machine that works in the disk's folder for as long as it takes.
add_v2_images() {
  local name pid ctr=("$bin/ctr" --address "$scratch/containerd.sock" --namespace k8s.io)
  write "$scratch/containerd.toml" <<TOML
version = 3
root = "$rootfs/var/lib/containerd"
state = "$scratch/containerd"
disabled_plugins = [
  "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "$scratch/containerd.sock"
TOML
  unshare --mount setpriv --pdeathsig KILL "$bin/containerd" --config "$scratch/containerd.toml" &
  pid=$!
  wait_until 30 "${ctr[@]}" version >/dev/null 2>&1
  for name in "${images[@]}"; do "${ctr[@]}" images import "$(image_archive "$name")"; done
  "${ctr[@]}" images ls | image_pairs >"$new/images"
  kill "$pid"
  wait "$pid" || true
}
