# shellcheck shell=bash
# What the scripts of this example share; to be sourced. Finds the programs, makes
# the folder $dir, and keeps services alive as systemd would.

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

keepers=()
# Keeps a service alive: keep NAME COMMAND…
# While the file $dir/NAME.down is there, it is not started again.
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
            while [ -e "$dir/$name.down" ]; do sleep 0.2; done
        done
    ) &
    keepers+=($!)
}

# Waits until so many nodes are ready.
nodes_ready() {
    until [ "$({ pmctl nodes -o json 2>/dev/null || true; } | grep -o NODE_STATE_READY | wc -l)" -ge "$1" ]; do
        # A keeper that has gone has said why.
        for keeper in "${keepers[@]}"; do kill -0 "$keeper" 2>/dev/null || end 1; done
        sleep 0.2
    done
}
