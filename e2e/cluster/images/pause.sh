# The sandbox image: one static program.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared by the parts
gcc -static -Os -s -Wall -Werror -o "$rootfs/pause" "$here/images/pause.c"
config='"Entrypoint":["/pause"]'
