#!/bin/bash
# Started in a new network and mount namespace: makes them a node's and holds them.
#   node-init.sh STATE CACHE NODE_IP SERVICE_RANGE FOLDER...
set -euo pipefail
state=$1 cache=$2 node_ip=$3 service_range=$4
shift 4

mount --make-rshared /
for folder in "$@"; do
  own=$state/node$folder
  mkdir -p "$own"
  for kept in "$state" "$cache"; do # they may lie in a folder that is about to be covered
    case $kept in
      "$folder"/*)
        mkdir -p "$own${kept#"$folder"}"
        mount --rbind "$kept" "$own${kept#"$folder"}"
        ;;
    esac
  done
  mount --rbind "$own" "$folder"
done

ip link set lo up
# The node's address sits on one end of a pair that leads nowhere: a dummy link is not to be had in every kernel.
ip link add node0 type veth peer name node0peer
ip link set node0peer up
ip addr add "$node_ip/24" dev node0
ip link set node0 up
# Services are routed somewhere so that their addresses can be translated; the rest of the world is out of reach, at once.
ip route add "$service_range" dev node0
ip route add unreachable default
echo 1 >/proc/sys/net/ipv4/ip_forward

touch "$state/run/node.ready"
exec sleep infinity
