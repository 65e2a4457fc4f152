#!/usr/bin/env bash
# A whole cluster on one machine, on loopback: three registries, two runners,
# monitor, gateway. Whatever dies is started again after a second; Ctrl-C ends
# everything, the programs too.
#
#   PM_BIN           folder of the programs  [this checkout's target/release or target/debug, else PATH]
#   PM_CLUSTER_DIR   where everything is kept, on a real disk  [./pm-cluster]
#   PM_CLUSTER_PORT  the gateway's port; the next fifteen are taken, too  [17480]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for folder in "${PM_BIN:-}" "$root/target/release" "$root/target/debug"; do
    if [ -n "$folder" ] && [ -x "$folder/registry-svc" ]; then
        export PATH="$folder:$PATH"
        break
    fi
done
for program in registry-svc runner-svc monitor-svc gateway pmctl; do
    command -v "$program" >/dev/null || {
        echo "$program is missing: cargo build --release, or set PM_BIN" >&2
        exit 69
    }
done

port=${PM_CLUSTER_PORT:-17480}
mkdir -p "${PM_CLUSTER_DIR:-pm-cluster}"
dir=$(cd "${PM_CLUSTER_DIR:-pm-cluster}" && pwd)
umask 077
for name in service admin; do
    [ -s "$dir/$name.token" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$dir/$name.token"
done
# What a second terminal needs.
cat >"$dir/env" <<ENV
export PM_ENDPOINT=http://127.0.0.1:$port PM_TOKEN_FILE=$dir/admin.token PATH=$PATH
ENV

keepers=()
# Keeps a service alive, as systemd would: keep NAME COMMAND…
keep() {
    local name=$1
    shift
    (
        child=
        trap 'kill "$child" 2>/dev/null; wait "$child" 2>/dev/null; exit 0' TERM
        while :; do
            "$@" >>"$dir/$name.log" 2>&1 &
            child=$!
            echo "$child" >"$dir/$name.pid"
            wait "$child" && code=0 || code=$?
            # 78 and 65: its data or configuration are refused; starting again would not help.
            case $code in 65 | 78)
                echo "$name ended for good with $code; the end of $dir/$name.log:" >&2
                tail -n 3 "$dir/$name.log" >&2
                exit "$code"
                ;;
            esac
            echo "$name ended with $code and is started again"
            sleep 1
        done
    ) &
    keepers+=($!)
}

# shellcheck disable=SC2317,SC2329 # called by the traps
end() {
    trap '' INT TERM
    printf '\nending\n'
    # Runners first: they stop their programs, which somebody has to take note of.
    for keeper in "${keepers[@]:5:2}"; do kill "$keeper" 2>/dev/null || true; done
    for keeper in "${keepers[@]:5:2}"; do wait "$keeper" 2>/dev/null || true; done
    for keeper in "${keepers[@]}"; do kill "$keeper" 2>/dev/null || true; done
    wait
    exit "${1:-0}"
}
trap end INT TERM

token=(--service-token-file "$dir/service.token")
registries=http://127.0.0.1:$((port + 1)),http://127.0.0.1:$((port + 2)),http://127.0.0.1:$((port + 3))
monitor=http://127.0.0.1:$((port + 4))

for n in 1 2 3; do
    keep "registry-$n" registry-svc "${token[@]}" --data-dir "$dir/registry-$n" \
        --listen "127.0.0.1:$((port + n))" --ops-listen "127.0.0.1:$((port + 8 + n))" \
        --advertise "http://127.0.0.1:$((port + n))" --peers "$registries" --replicas 3
done
keep monitor monitor-svc "${token[@]}" --listen "127.0.0.1:$((port + 4))" --ops-listen "127.0.0.1:$((port + 12))"
keep gateway gateway "${token[@]}" --admin-token-file "$dir/admin.token" --registry "$registries" --monitor "$monitor" \
    --listen "127.0.0.1:$port" --ops-listen "127.0.0.1:$((port + 8))"
for n in 1 2; do
    keep "runner-$n" runner-svc "${token[@]}" --registry "$registries" --monitor "$monitor" --node "node-$n" \
        --state-dir "$dir/runner-$n" --log-dir "$dir/logs-$n" --on-stop drain \
        --listen "127.0.0.1:$((port + 4 + n))" --ops-listen "127.0.0.1:$((port + 12 + n))"
done

# shellcheck source=/dev/null
. "$dir/env"
until [ "$({ pmctl nodes -o json 2>/dev/null || true; } | grep -o NODE_STATE_READY | wc -l)" -ge 2 ]; do
    # A keeper that has gone has said why.
    for keeper in "${keepers[@]}"; do kill -0 "$keeper" 2>/dev/null || end 1; done
    sleep 0.2
done
cat <<TEXT
the cluster is up; in another terminal:
  . $dir/env
  pmctl nodes                            # two runners
  pmctl cluster status                   # three registries: who leads, term, lag
  pmctl apply -f $root/examples/cluster/app.yaml && pmctl list
  $root/examples/cluster/kill-leader.sh  # kill -9 of the leader in a loop, under load
logs are in $dir; Ctrl-C ends all
TEXT
wait
