#!/usr/bin/env bash
# A node is cut off and comes back; then everything on it dies, and it comes back.
# Shows and checks what was promised to each program of fleet.yaml, and what the
# events tell of it.
# usage: lose-node.sh     needs: fleet.sh in another terminal, root, ip, jq
#
#   PM_CLUSTER_DIR  as of fleet.sh  [./pm-fleet]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PM_CLUSTER_DIR:-pm-fleet}/env"

say() { printf '\n== %s\n' "$*"; }
# Waits until a test holds: holds WHAT COMMAND…
holds() {
    local what=$1 left=300
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "it does not come to that: $what" >&2; pmctl list >&2; exit 1; }
        sleep 0.2
    done
    echo "$what"
}
# Instances of a process that are ready, with their nodes.
ready() { pmctl list "$1" -o json | jq -r '.items[] | select(.ready) | .node'; }
ready_is() { [ "$(ready "$1" | wc -l)" -eq "$2" ]; }
elsewhere() { [ "$(ready "$1" | grep -vcx "$2")" -eq "$3" ]; }
node_is() { [ "$(pmctl nodes -o json | jq -r --arg n "$1" '.items[] | select(.name == $n) | .state')" = "NODE_STATE_$2" ]; }
# Processes with this argument, on whichever node.
copies() { pgrep -fxc "sleep $1" || true; }
copies_are() { [ "$(copies "$1")" -eq "$2" ]; }

pmctl apply -f "$here/fleet.yaml" >/dev/null
holds 'everything runs' eval 'ready_is web 3 && ready_is store 3 && ready_is leader 1'
node=$(ready leader)
number=${node#node-}
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)

say "$node, which has the leader, is cut off"
ip -n "$PM_FLEET_NAME-$number" link set eth0 down
holds "$node is lost" node_is "$node" LOST
holds 'web: three serve elsewhere' elsewhere web "$node" 3
holds 'leader: it runs elsewhere' elsewhere leader "$node" 1
copies_are 1000002 1 || { echo "the leader runs $(copies 1000002) times" >&2; exit 1; }
echo 'leader: its first copy had ended before, there is one'
copies_are 1000001 3 || { echo 'store was touched' >&2; exit 1; }
echo 'store: goes on where it is, unseen'

say "$node comes back"
ip -n "$PM_FLEET_NAME-$number" link set eth0 up
holds "$node is ready" node_is "$node" READY
holds 'web: the copy that was left there has ended, three are left' copies_are 1000000 3
holds 'store: all three are seen again' ready_is store 3
copies_are 1000002 1 || { echo "the leader runs $(copies 1000002) times" >&2; exit 1; }
echo 'leader: still one'

node=$(ready leader)
number=${node#node-}
say "everything on $node dies"
touch "$PM_FLEET_DIR/registry-$number.down" "$PM_FLEET_DIR/runner-$number.down"
ip netns pids "$PM_FLEET_NAME-$number" | xargs kill -9
holds "$node is lost" node_is "$node" LOST
holds 'web: three serve elsewhere' elsewhere web "$node" 3
holds 'leader: it runs elsewhere' elsewhere leader "$node" 1

say "$node is switched on again"
rm -f "$PM_FLEET_DIR/registry-$number.down" "$PM_FLEET_DIR/runner-$number.down"
holds "$node is ready" node_is "$node" READY
holds 'store: runs on its node again' ready_is store 3
holds 'web: three' copies_are 1000000 3
holds 'leader: one' copies_are 1000002 1

say 'what the events tell'
pmctl events --since "$began" --tail 200 --type 'node.*' --type 'instance.lost' --type 'instance.replaced' \
    --type 'instance.assigned' --type 'instance.returned' --type 'instance.left*'
say 'everything is as it was promised'
