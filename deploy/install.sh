#!/bin/sh
# Installs pmctl for one user, without root: which holds every service, too (`pmctl up`). Servers take the packages.
#
#   install.sh [--from DIR|URL] [--version VERSION] [--dir DIR] [--all]
#
#   --from     where SHA256SUMS and the tarball are; without it, where this script is
#   --version  which one, where there are several
#   --dir      where the programs go: ~/.local/bin
#   --all      the services as programs of their own, too
set -eu

say() { printf '%s\n' "install.sh: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

from='' version='' dir=${HOME:+$HOME/.local/bin} all=''
while [ $# -gt 0 ]; do
    case $1 in
    --from | --version | --dir)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --from) from=$2 ;;
        --version) version=$2 ;;
        --dir) dir=$2 ;;
        esac
        shift 2
        ;;
    --all)
        all=yes
        shift
        ;;
    -h | --help)
        echo 'usage: install.sh [--from DIR|URL] [--version VERSION] [--dir DIR] [--all]'
        exit 0
        ;;
    *) fail "unknown argument $1; usage: install.sh [--from DIR|URL] [--version VERSION] [--dir DIR] [--all]" ;;
    esac
done
[ -n "$dir" ] || fail 'HOME is not set; say where the programs go with --dir DIR'
if [ -z "$from" ]; then
    from=$(dirname "$0")
    [ -e "$from/SHA256SUMS" ] || fail 'there is no SHA256SUMS beside this script; say where it is with --from DIR or URL'
fi
[ "$(uname -s)" = Linux ] || fail "there are programs for Linux alone, not for $(uname -s)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# fetch NAME: from the folder or the address.
fetch() {
    case $from in
    *://*)
        if command -v curl >/dev/null; then
            curl --fail --silent --show-error --location --output "$work/$1" "${from%/}/$1"
        elif command -v wget >/dev/null; then
            wget --quiet --output-document "$work/$1" "${from%/}/$1"
        else
            fail 'neither curl nor wget is here to download with'
        fi
        ;;
    *) cp "$from/$1" "$work/$1" ;;
    esac || fail "cannot get $1 from $from"
}

fetch SHA256SUMS
machine=$(uname -m)
names=$(sed -n "s/^[0-9a-f]\{64\}  \(pm-${version:-.*}-$machine-linux-gnu\.tar\.gz\)\$/\1/p" "$work/SHA256SUMS")
case $names in
'') fail "$from has no tarball of ${version:-any version} for $machine" ;;
*'
'*) fail "$from has several versions; choose one with --version" ;;
esac
fetch "$names"
(cd "$work" && grep -F "  $names" SHA256SUMS | sha256sum --check --status -) ||
    fail "$names is not what SHA256SUMS says: its checksum differs; nothing was installed"

tar -xzf "$work/$names" -C "$work" --no-same-owner
programs=pmctl
[ -z "$all" ] || programs='registry-svc monitor-svc gateway runner-svc pmctl'
"$work/${names%.tar.gz}/bin/pmctl" --version >/dev/null ||
    fail 'pmctl does not run here; it needs glibc 2.34 or newer (ldd --version says which this is)'
mkdir -p "$dir"
installed=''
for program in $programs; do
    # In one step: whoever starts it meanwhile has the old one or the new one.
    cp "$work/${names%.tar.gz}/bin/$program" "$dir/.$program.new"
    chmod 755 "$dir/.$program.new"
    mv "$dir/.$program.new" "$dir/$program"
    installed="$installed $dir/$program"
done
echo "installed:$installed"
case :$PATH: in
*":$dir:"*) ;;
*) echo "add it to your PATH: export PATH=\"$dir:\$PATH\"" ;;
esac
echo "to uninstall: rm$installed"
