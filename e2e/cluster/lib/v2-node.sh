# The v2 node: a second node, with another kernel and control groups of version 2, in a virtual machine that is emulated
# in software. It hangs on a tap link in the first node's network namespace, so all its traffic passes there; its disk is
# the cache's with a layer of its own that qemu forgets when it ends. What breaks in it is not repaired but made anew.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

v2_name=rich-pouch-v2
v2_ip=10.250.0.2
v2_pods=10.244.128.0/17
v2_link=v2node
v2_dir=$state/v2-node
v2_etc=$v2_dir/etc # on the host and in the machine

v2_known() { [ -e "$state/run/v2-node.pid" ]; }
v2_key() { { v2_folder; cat "$here/lib/v2-node.sh" "$here"/guest/*; } | sha256sum | cut -c1-16; }

# up_v2_node: as "up" does it with the cluster: nothing on a healthy one, else a new one.
up_v2_node() {
  local started wrong=''
  started=$(now_ms)
  if v2_known; then
    wrong=$(what_is_wrong_with_v2_node)
    if [ -z "$wrong" ] && [ -e "$state/run/v2-node.ready" ]; then
      share_images
      say "the v2 node is up already"
      return
    fi
    [ -z "$wrong" ] || say "the v2 node $wrong: making it anew"
  fi
  if [ -n "$wrong" ] || ! v2_known; then # else one that another "up" left is about to be ready
    forget_v2_node
    start_v2_node
  fi
  wait_for 240 "the v2 node's containerd to answer" v2-node on_v2_node crictl version
  share_images
  wait_for 240 "the node $v2_name to be ready" v2-node v2_healthy
  start_pod "$v2_name" 120
  touch "$state/run/v2-node.ready"
  say "the v2 node is up after $(seconds_since "$started") s"
}

what_is_wrong_with_v2_node() {
  if ! runs v2-node; then
    echo "has ended"
  elif [ "$(cat "$state/run/v2-node.key" 2>/dev/null)" != "$(v2_key)" ]; then
    echo "was started from another disk or configuration"
  elif [ -e "$state/run/v2-node.ready" ] && ! wait_until 10 v2_healthy; then
    echo "does not answer"
  elif [ ! -e "$state/run/v2-node.ready" ] && [ -n "$(find "$state/run/v2-node.pid" -mmin +4)" ]; then
    echo "did not become ready"
  fi
}

# settle_v2_node: what an "up" without it does: a running one stays, a dead one leaves the cluster.
settle_v2_node() {
  v2_known || return 0
  if runs v2-node; then
    share_images
  else
    say "the v2 node has ended: taking it out of the cluster; \"cluster up --with-v2-node\" starts it again"
    forget_v2_node
  fi
}

forget_v2_node() {
  end_component v2-node
  kube delete node "$v2_name" --ignore-not-found >/dev/null
  kube delete pods --all-namespaces --field-selector "spec.nodeName=$v2_name" --force --grace-period=0 >/dev/null 2>&1 || true
  ! in_network ip link show "$v2_link" >/dev/null 2>&1 || in_network ip link delete "$v2_link"
  rm -rf "$state"/run/v2-node.* "$v2_dir"
}

start_v2_node() {
  local folder
  folder=$(v2_folder)
  make_v2_config
  make_v2_link
  cp "$folder/images" "$state/run/v2-node.images"
  v2_key | write "$state/run/v2-node.key"
  launch_in_network v2-node env TMPDIR="$v2_dir" qemu-system-x86_64 -nodefaults -no-reboot -display none -serial stdio \
    -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
    -kernel "$folder/vmlinuz" -initrd "$folder/initramfs" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off audit=0" \
    -drive "file=$folder/disk.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
    -drive "file=$v2_dir/config.tar,format=raw,if=virtio,readonly=on" \
    -netdev "tap,id=link,ifname=$v2_link,script=no,downscript=no" -device virtio-net-pci,netdev=link,romfile=
}

# make_v2_config: what the first node has, with the v2 node's own names; the machine gets it as a second disk.
make_v2_config() {
  mkdir -p "$v2_etc/pki" "$v2_dir/run/etc/rich-pouch"
  cp "$etc/pki/ca.crt" "$v2_etc/pki/"
  cp "$etc/pki/kubelet-v2.crt" "$v2_etc/pki/kubelet.crt"
  cp "$etc/pki/kubelet-v2.key" "$v2_etc/pki/kubelet.key"
  make_kubeconfig kubelet-v2 "https://$node_ip:6443" "$v2_etc/kubelet.kubeconfig"
  make_kubeconfig network-policies "https://$node_ip:6443" "$v2_etc/network-policies.kubeconfig"
  cp "$etc/proxy.kubeconfig" "$v2_etc/"
  (
    etc=$v2_etc node_name=$v2_name node_pods=$v2_pods cgroup='' fail_cgroup_v1=true
    node_taints='{key: rich-pouch.test/cgroup, value: v2, effect: NoSchedule}'
    static_pods=$v2_etc/manifests
    mkdir "$static_pods"
    make_containerd_config
    make_kubelet_config
    make_proxy_config
  )
  cp "$here"/guest/* "$v2_dir/run/etc/rich-pouch/"
  write "$v2_dir/run/etc/rich-pouch/settings" <<SETTINGS
etc=$v2_etc
bin=$bin
node_name=$v2_name
node_ip=$v2_ip
gateway=$node_ip
node_labels=rich-pouch.test/cgroup=v2
SETTINGS
  tar -cf "$v2_dir/config.tar" -C / "${v2_etc#/}" -C "$v2_dir/run" etc/rich-pouch
}

# make_v2_link: the machine's end of the network; its node's and its pods' addresses are behind it.
make_v2_link() {
  [ -c /dev/net/tun ] || fail "the v2 node needs /dev/net/tun, which this machine lacks: load the kernel's module tun"
  in_network ip tuntap add dev "$v2_link" mode tap
  in_network ip link set "$v2_link" up
  in_network ip route add "$v2_ip/32" dev "$v2_link" src "$node_ip"
  in_network ip route add "$v2_pods" via "$v2_ip" dev "$v2_link" onlink src "$node_ip"
}

v2_healthy() { healthy v2-node && node_ready "$v2_name"; }

# on_v2_node COMMAND...: runs it there; its output, of both kinds, and its exit code come back.
# on_v2_node_from FILE COMMAND...: the same with the file as its standard input.
on_v2_node() { on_v2_node_from /dev/null "$@"; }
on_v2_node_from() {
  local input=$1 size answer net pid
  shift
  size=$(stat -L -c %s "$input")
  net=$(node_namespace net) || return
  answer=$(
    # shellcheck disable=SC2016 # for the inner shell
    nsenter --net="$net" -- timeout 300 bash -c '
      exec 3<>"/dev/tcp/$1/1" || exit
      printf "%s\n%s\n" "$2" "$3" >&3
      [ "$2" -eq 0 ] || cat "$4" >&3
      cat <&3' - "$v2_ip" "$size" "$(printf '%q ' "$@")" "$input" </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do # a machine that ends does not close its connections
      runs v2-node || kill "$pid"
      sleep 0.1
    done
    wait "$pid"
  ) || return
  [[ $answer =~ $'\nexit '([0-9]+)$ ]] || { echo "the v2 node did not answer"; return 255; }
  answer=${answer%$'\nexit '*}
  [ -z "$answer" ] || printf '%s\n' "${answer%$'\n'}"
  return "${BASH_REMATCH[1]}"
}

# share_images: the v2 node gets the images that the first node has and it has not.
share_images() {
  local pair name archive=$v2_dir/archive.tar log=$state/log/images.log
  while read -r pair; do
    ! grep -qxF "$pair" "$state/run/v2-node.images" || continue
    name=${pair%@*}
    {
      # Not by way of the daemon, which now and then loses the end of what it streams.
      on_node ctr --namespace k8s.io images export --local - "$name" >"$archive" &&
        on_v2_node_from "$archive" ctr --namespace k8s.io images import - &&
        wait_until 60 kubelet_has on_v2_node "$name"
    } >>"$log" 2>&1 || fail "the image $name could not be loaded into the v2 node: \"$(last_line "$log")\"; read $log"
    rm "$archive"
    echo "$pair" >>"$state/run/v2-node.images"
  done < <(on_node ctr --namespace k8s.io images ls | image_pairs)
}

verb_v2_node() {
  [ $# -gt 0 ] || { say "v2-node takes a command: cluster v2-node COMMAND ..."; exit 2; }
  need_node
  runs v2-node || fail "the v2 node is not running: run \"cluster up --with-v2-node\""
  on_v2_node "$@"
}
