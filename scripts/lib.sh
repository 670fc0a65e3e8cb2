# What the scripts in this folder share: messages, packages, the build. To be sourced by bash.

set -euo pipefail

# Debian's own programs, whatever else the caller's PATH and environment put first: the build and the
# tests are to mean the same on every machine.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PATH LC_ALL=C.UTF-8

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '== %s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    warn "$@"
    exit 1
}

# Runs a command and shows what it printed only when it failed.
quietly() {
    local log rc=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || rc=$?
    if [ "$rc" -ne 0 ]; then
        cat "$log" >&2
        warn "failed ($rc): $*"
    fi
    rm -f "$log"
    return "$rc"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -- "$@"; fi
}

# The packages of the given lists (build, test, bench) that are not installed, one a line.
packages_missing() {
    local name
    for name in "$@"; do sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$root/scripts/packages.$name"; done |
        sort -u | while read -r name; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
            printf '%s\n' "$name"
    done
}

# Installs what is missing of the given lists, and nothing else. A server that comes with them (nginx)
# is only wanted as a program: it is neither started now nor at the next boot.
packages_install() {
    local missing
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        die "no apt-get here (this wants Debian 12); please install: ${missing[*]}"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        die "neither root nor sudo; as root: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    # The lists may be absent, or so old that the servers no longer have what they name.
    quietly as_root apt-get -q update || die "apt-get update failed"
    quietly as_root env DEBIAN_FRONTEND=noninteractive bash -euc '
        policy=/usr/sbin/policy-rc.d units=/lib/systemd/system
        [ -e "$policy" ] || {
            trap "rm -f $policy" EXIT
            printf "#!/bin/sh\nexit 101\n" >"$policy"
            chmod 755 "$policy"
        }
        before=$(ls "$units" 2>/dev/null || true)
        apt-get -q -y --no-install-recommends install "$@"
        [ -d /run/systemd/system ] || exit 0
        for unit in nginx.service nghttpx.service apache2.service; do
            [ -e "$units/$unit" ] || continue
            grep -qxF "$unit" <<<"$before" || systemctl -q disable "$unit"
        done' install "${missing[@]}" || die "apt-get install failed"
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" -eq 0 ] || die "still not installed: ${missing[*]}"
}

# configure FOLDER COMPILER OPTION…: makes the build folder, or brings the options of an old one up to date.
configure() {
    local dir=$1 cc=$2
    shift 2
    if [ -f "$dir/build.ninja" ]; then
        quietly meson configure "$dir" "$@" && quietly ninja -C "$dir" build.ninja && return
        rm -rf "$dir" # made by another meson, or half made
    fi
    quietly env CC="$cc" meson setup "$dir" "$root" "$@"
}

# compile FOLDER [TARGET]…: quiet but for what goes wrong.
compile() { quietly ninja --quiet -C "$@"; }

# A TCP port of 127.0.0.1 that nobody has: the first free one from $1 upwards.
free_port() {
    /usr/bin/python3 - "$1" <<'PY'
import socket, sys
for port in range(int(sys.argv[1]), int(sys.argv[1]) + 200):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
            s.listen(1)
        except OSError:
            continue
    print(port)
    sys.exit()
sys.exit("no free port")
PY
}
