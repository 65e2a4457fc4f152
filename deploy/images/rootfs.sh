#!/bin/sh
# Puts together all that an image has: its programs, the libraries that they need, certificates, time zones, a user. Neither
# shell nor package manager. Runs in the stage of an image's build that has a distribution.
#
#   rootfs.sh DIST OUT PROGRAM…
set -eu

dist=$1 out=$2
shift 2

if [ ! -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -d /usr/share/zoneinfo ]; then
    apt-get update
    apt-get install -y --no-install-recommends ca-certificates tzdata
fi

# What several services share a place for belongs to whom they run as.
for folder in var/lib/pm var/log/pm run/pm etc/pm; do
    install -d -m 750 -o 65532 -g 65532 "$out/$folder"
done
install -d -m 1777 "$out/tmp"
install -d "$out/proc" "$out/sys" "$out/dev" "$out/usr/bin" "$out/usr/share/zoneinfo" "$out/usr/share/sbom" "$out/etc/ssl/certs"
for program in "$@"; do
    install -m 755 "$dist/bin/$program" "$out/usr/bin/"
    install -m 644 "$dist/share/sbom/$program.cdx.json" "$out/usr/share/sbom/"
    # The libraries, under the names by which the program asks for them.
    ldd "$dist/bin/$program" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p' |
        while read -r library; do
            install -D -m 755 "$(readlink -f "$library")" "$out$library"
        done
done

install -m 644 /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/"
cp -r /usr/share/zoneinfo/. "$out/usr/share/zoneinfo/"
printf 'root:x:0:0:root:/:/sbin/nologin\npm:x:65532:65532:Process manager:/var/lib/pm:/sbin/nologin\n' >"$out/etc/passwd"
printf 'root:x:0:\npm:x:65532:\n' >"$out/etc/group"
printf 'hosts: files dns\n' >"$out/etc/nsswitch.conf"
