# A small image with a shell and the usual commands, all one static program.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts
fetch_package busybox-static
mkdir -p "$rootfs"/{bin,etc,root,tmp,usr/bin,var}
ln -s ../tmp "$rootfs/var/tmp"
ln -s ../../bin/env "$rootfs/usr/bin/env"
chmod 1777 "$rootfs/tmp"
cp "$scratch/busybox-static/bin/busybox" "$rootfs/bin/busybox"
for applet in $("$rootfs/bin/busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$rootfs/bin/$applet"
done
printf '%s\n' root:x:0:0:root:/root:/bin/sh daemon:x:1:1:daemon:/:/bin/false \
  nobody:x:65534:65534:nobody:/nonexistent:/bin/false >"$rootfs/etc/passwd"
printf '%s\n' root:x:0: daemon:x:1: nogroup:x:65534: >"$rootfs/etc/group"
config='"Cmd":["sh"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]'
