# Debian 12 with systemd as its /sbin/init, as its packages are: nothing masked, nothing configured.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts
debian bookworm systemd,systemd-sysv,dbus,procps
config='"Cmd":["/bin/bash"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]'
