#!/usr/bin/env bash
# Three machines in small: each is a network namespace with a registry and a
# runner of its own, joined by a bridge; monitor and gateway are on the host.
# Certificates everywhere, and each node joins by its token. Ctrl-C ends
# everything, the programs and the network too.
# usage: sudo examples/cluster/fleet.sh     needs: root, ip
#
#   PM_BIN, PM_CLUSTER_DIR, PM_CLUSTER_PORT  as of run.sh  [./pm-fleet, 17480]
#   PM_FLEET_NET     the first three numbers of the network's addresses  [10.213.77]
#   PM_FLEET_NAME    what the namespaces and the bridge are called, at most 8 letters  [pmfleet]
set -euo pipefail

PM_CLUSTER_DIR=${PM_CLUSTER_DIR:-pm-fleet}
# shellcheck source-path=SCRIPTDIR source=keep.sh
. "$(dirname "${BASH_SOURCE[0]}")/keep.sh"
net=${PM_FLEET_NET:-10.213.77}
fleet=${PM_FLEET_NAME:-pmfleet}
[ "$(id -u)" -eq 0 ] || { echo "a network of its own needs root: sudo $0" >&2; exit 77; }

cat >"$dir/env" <<ENV
export PM_ENDPOINT=https://127.0.0.1:$port PM_OPERATOR_TLS_DIR=$dir/pki/operator PATH=$PATH
export PM_FLEET_NAME=$fleet PM_FLEET_DIR=$dir
ENV

network_gone() {
    for n in 1 2 3; do ip netns del "$fleet-$n" 2>/dev/null || true; done
    ip link del "$fleet" 2>/dev/null || true
}

# shellcheck disable=SC2317,SC2329 # called by the traps
end() {
    trap '' INT TERM
    printf '\nending\n'
    rm -f "$dir"/*.down
    # Runners first: they stop their programs, which somebody has to take note of.
    for keeper in "${keepers[@]:5}"; do kill "$keeper" 2>/dev/null || true; done
    for keeper in "${keepers[@]:5}"; do wait "$keeper" 2>/dev/null || true; done
    for keeper in "${keepers[@]}"; do kill "$keeper" 2>/dev/null || true; done
    wait
    network_gone
    exit "${1:-0}"
}
trap end INT TERM

network_gone
ip link add "$fleet" type bridge
ip addr add "$net.1/24" dev "$fleet"
ip link set "$fleet" up
for n in 1 2 3; do
    ip netns add "$fleet-$n"
    ip link add "$fleet$n" type veth peer name eth0 netns "$fleet-$n"
    ip link set "$fleet$n" master "$fleet" up
    ip -n "$fleet-$n" addr add "$net.1$n/24" dev eth0
    ip -n "$fleet-$n" link set lo up
    ip -n "$fleet-$n" link set eth0 up
done
on() { ip netns exec "$fleet-$1" "${@:2}"; }

[ -e "$dir/pki/ca.key" ] || pmctl cluster init --dir "$dir/pki" --name example --replicas 3 >/dev/null
[ -s "$dir/admin.token" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$dir/admin.token"
registries=https://$net.11:7481,https://$net.12:7481,https://$net.13:7481
monitor=https://$net.1:$((port + 1))

for n in 1 2 3; do
    keep "registry-$n" ip netns exec "$fleet-$n" registry-svc --tls-dir "$dir/pki/registry-$n" \
        --tls-ca-key "$dir/pki/ca.key" --data-dir "$dir/registry-$n" --allow-remote \
        --listen "$net.1$n:7481" --ops-listen 127.0.0.1:7491 --advertise "https://$net.1$n:7481" \
        --peers "$registries" --replicas 3 --heartbeat-interval 500ms --lease 4s
done
keep monitor monitor-svc --tls-dir "$dir/pki/monitor" --allow-remote --listen "$net.1:$((port + 1))" \
    --ops-listen "127.0.0.1:$((port + 2))"
keep gateway gateway --tls-dir "$dir/pki/gateway" --admin-token-file "$dir/admin.token" --registry "$registries" \
    --monitor "$monitor" --listen "127.0.0.1:$port" --ops-listen "127.0.0.1:$((port + 3))"

# shellcheck source=/dev/null
. "$dir/env"
until pmctl nodes >/dev/null 2>&1; do
    for keeper in "${keepers[@]}"; do kill -0 "$keeper" 2>/dev/null || end 1; done
    sleep 0.2
done
for n in 1 2 3; do
    if [ ! -d "$dir/runner-$n/identity" ]; then
        # The line that would be pasted on the new machine.
        line=$(pmctl nodes join-command --node "node-$n" --monitor "$monitor" | grep '^PM_JOIN_TOKEN=')
        on "$n" bash -c "$line --state-dir $dir/runner-$n" >>"$dir/runner-$n.log" 2>&1
    fi
    keep "runner-$n" ip netns exec "$fleet-$n" runner-svc --state-dir "$dir/runner-$n" --log-dir "$dir/logs-$n" \
        --on-stop drain --listen 127.0.0.1:7483 --ops-listen 127.0.0.1:7493
done
nodes_ready 3
cat <<TEXT
the fleet is up; in another terminal:
  . $dir/env
  pmctl nodes                              # three, each with a registry and a runner
  pmctl cluster status                     # who leads, term, lag
  $root/examples/cluster/lose-node.sh      # a node is cut off, comes back, dies, comes back; and what was promised
by hand, on node 3:
  ip -n $fleet-3 link set eth0 down        # cut it off; "up" brings it back
  ip netns pids $fleet-3 | xargs kill -9   # everything on it dies
logs are in $dir; Ctrl-C ends all
TEXT
wait
