# Debian 12 with OpenRC behind System V init, as its packages are, and cron as a service of its own.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts
debian bookworm sysvinit-core,openrc,cron,procps
config='"Cmd":["/bin/bash"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]'
