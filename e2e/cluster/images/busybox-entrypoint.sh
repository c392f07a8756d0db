# The busybox image with an entrypoint and a cmd, which a kubelet would expand if it stood in a pod.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts
# shellcheck source=/dev/null
. "$here/images/busybox.sh"
# shellcheck disable=SC2016 # the shell of the container expands it
config='"Entrypoint":["/bin/sh","-c"],"Cmd":["NAME() { echo image; }; echo from the $(NAME); exit 7"],'${config#*,}
