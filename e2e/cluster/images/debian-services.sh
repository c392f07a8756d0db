# debian-systemd with services that Debian enables: cron and the SSH server.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts
debian bookworm systemd,systemd-sysv,dbus,procps,cron,openssh-server,openssh-client
config='"Cmd":["/bin/bash"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]'
