#!/usr/bin/env bash
# A whole cluster on one machine, on loopback: three registries, two runners,
# monitor, gateway. Whatever dies is started again after a second; Ctrl-C ends
# everything, the programs too.
#
#   PM_BIN           folder of the programs  [this checkout's target/release or target/debug, else PATH]
#   PM_CLUSTER_DIR   where everything is kept, on a real disk  [./pm-cluster]
#   PM_CLUSTER_PORT  the gateway's port; the next fifteen are taken, too  [17480]
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=keep.sh
. "$(dirname "${BASH_SOURCE[0]}")/keep.sh"
for name in service admin; do
    [ -s "$dir/$name.token" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$dir/$name.token"
done
# What a second terminal needs.
cat >"$dir/env" <<ENV
export PM_ENDPOINT=http://127.0.0.1:$port PM_TOKEN_FILE=$dir/admin.token PATH=$PATH
ENV

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
nodes_ready 2
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
