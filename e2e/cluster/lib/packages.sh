# Debian packages that the machine lacks.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts

# What running the cluster takes, as COMMAND=PACKAGE.
run_packages=(nft=nftables ip=iproute2 nsenter=util-linux mount=mount openssl=openssl curl=curl)
# What building takes besides Go; a path stands for a file.
build_packages=(gcc=gcc /usr/include/stdlib.h=libc6-dev pkg-config=pkg-config /usr/include/seccomp.h=libseccomp-dev)
image_packages=(mmdebstrap=mmdebstrap gcc=gcc /usr/include/stdlib.h=libc6-dev)

# need_packages COMMAND=PACKAGE...: installs those whose command or file is missing.
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    case $pair in
      /*) [ -e "${pair%%=*}" ] ;;
      *) command -v "${pair%%=*}" >/dev/null ;;
    esac || missing+=("${pair##*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "these are missing and there is no apt-get to install them: ${missing[*]}"
  [ "$(id -u)" -eq 0 ] || fail "these packages are missing and installing them needs root: ${missing[*]}"
  say "installing the packages ${missing[*]}"
  mkdir -p "$cache"
  local log=$cache/apt.log
  install_packages "${missing[@]}" >"$log" 2>&1 ||
    fail "apt-get could not install ${missing[*]}: \"$(last_line "$log")\"; read $log"
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends "$@" ||
    { apt-get update && apt-get install -y --no-install-recommends "$@"; }
}
