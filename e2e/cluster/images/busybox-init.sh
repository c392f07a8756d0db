# The busybox image as a machine: /sbin/init is busybox, with a boot script, a service, and a shell on a terminal that
# no pod has.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts
fetch_package busybox-static
mkdir -p "$rootfs"/{bin,sbin,etc/init.d,root,tmp,usr/bin,var/spool/cron/crontabs}
ln -s ../tmp "$rootfs/var/tmp"
chmod 1777 "$rootfs/tmp"
cp "$scratch/busybox-static/bin/busybox" "$rootfs/bin/busybox"
for applet in $("$rootfs/bin/busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$rootfs/bin/$applet"
done
ln -s ../bin/busybox "$rootfs/sbin/init"
printf '%s\n' root:x:0:0:root:/root:/bin/sh >"$rootfs/etc/passwd"
printf '%s\n' root:x:0: >"$rootfs/etc/group"
printf '%s\n' '#!/bin/sh' 'hostname -F /etc/hostname' >"$rootfs/etc/init.d/rcS"
chmod 755 "$rootfs/etc/init.d/rcS"
printf '%s\n' 'console::sysinit:/etc/init.d/rcS' '::respawn:/bin/crond -f' 'tty1::askfirst:/bin/sh' '::ctrlaltdel:/bin/reboot' \
  >"$rootfs/etc/inittab"
config='"Cmd":["sh"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]'
