#!/usr/bin/env bash
# Kills the leading registry again and again (SIGKILL) while a client writes, and
# shows that no acknowledged write is lost and no program notices.
# usage: kill-leader.sh [KILLS]     needs: run.sh in another terminal, curl, jq
#
#   PM_CLUSTER_DIR  as of run.sh  [./pm-cluster]
set -euo pipefail

kills=${1:-5}
dir=$(cd "${PM_CLUSTER_DIR:-pm-cluster}" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$dir/env"

# GET of the gateway's API.
api() { curl -sf -m 5 -H "authorization: Bearer $(cat "$PM_TOKEN_FILE")" "$PM_ENDPOINT/api/v1/$1"; }

# Number of the leading registry, by its address; nothing when there is none.
leader() {
    local address
    address=$(api cluster | jq -r '.leaderId as $id | .members[] | select(.id == $id) | .address') || return 0
    if [ -n "$address" ]; then echo $((${address##*:} - ${PM_ENDPOINT##*:})); fi
}

# Writes 1, 2, 3 … into the variable N of a process that has no instances, and
# notes what was acknowledged. A write that failed is tried again.
writer() {
    local n=1
    while [ ! -e "$dir/stop-writing" ]; do
        if pmctl apply -f - >/dev/null 2>>"$dir/writer.log" \
            <<<"processes: {counter: {command: 'true', instances: 0, env: {N: '$n'}}}"; then
            echo "$n" >"$dir/acknowledged.new" && mv "$dir/acknowledged.new" "$dir/acknowledged"
            n=$((n + 1))
        fi
    done
}

# Process ids of the example's programs, those that run.
pids() { api instances | jq -r '.instances[] | select(.process == "idle" and .pid > 0) | .pid' | sort; }

pmctl apply -f "$here/app.yaml" >/dev/null
for _ in $(seq 100); do
    [ "$(pids | wc -l)" -eq 4 ] && break
    sleep 0.2
done
before=$(pids)
[ "$(wc -l <<<"$before")" -eq 4 ] || { echo "the programs of app.yaml do not run" >&2; exit 1; }

rm -f "$dir/stop-writing" "$dir/acknowledged" "$dir/writer.log"
writer &
writing=$!
trap 'touch "$dir/stop-writing"; wait "$writing" 2>/dev/null || true' EXIT

acknowledged() { cat "$dir/acknowledged" 2>/dev/null || echo 0; }
# Waits until so many more writes were acknowledged.
progress() {
    local goal=$(($(acknowledged) + $1)) left=300
    until [ "$(acknowledged)" -ge "$goal" ]; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "no write is acknowledged any more; see $dir/writer.log" >&2; exit 1; }
        sleep 0.2
    done
}

for kill in $(seq "$kills"); do
    progress 5
    leading=
    for _ in $(seq 150); do
        leading=$(leader)
        [ -n "$leading" ] && break
        sleep 0.2
    done
    [ -n "$leading" ] || { echo "nobody leads" >&2; exit 1; }
    kill -9 "$(cat "$dir/registry-$leading.pid")"
    echo "kill $kill of $kills: registry-$leading led, after $(acknowledged) acknowledged writes"
done
progress 5

touch "$dir/stop-writing"
wait "$writing"
last=$(acknowledged)
stored=$(api processes/counter | jq -r .process.spec.env.N)
echo "acknowledged last: $last; stored: $stored"
# A write whose answer was lost may be there: one more, never one less.
[ "$stored" -eq "$last" ] || [ "$stored" -eq $((last + 1)) ] || { echo "an acknowledged write is lost" >&2; exit 1; }
[ "$(pids)" = "$before" ] || { echo "programs were restarted" >&2; exit 1; }
echo "nothing lost after $kills kills; the programs have the PIDs that they had"
