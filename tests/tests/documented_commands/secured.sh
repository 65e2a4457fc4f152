# The server of docs/systemd.md gets certificates: three replicas of the registry, monitor, gateway, and two nodes that join.
set -euo pipefail
# shellcheck source=/dev/null
. ~/terminal
pki=$PWD/pki
systemctl stop pm-runner pm-gateway pm-monitor pm-registry
rm -rf /var/lib/pm/registry /var/lib/pm/runner
cp -r "$pki/registry-1" /etc/pm/tls
cp -r "$pki"/{registry-2,registry-3,monitor,gateway,ca.key,ca.crt} /etc/pm/
chown -R pm: /etc/pm/{tls,monitor,gateway,ca.key}
peers=https://127.0.0.1:7481,https://127.0.0.1:17481,https://127.0.0.1:27481

cat >> /etc/pm/registry.env <<END
PM_TLS_DIR=/etc/pm/tls
PM_TLS_CA_KEY=/etc/pm/ca.key
PM_REGISTRY_ADVERTISE=https://127.0.0.1:7481
PM_REGISTRY_PEERS=$peers
PM_REGISTRY_REPLICAS=3
PM_HEARTBEAT_INTERVAL=500ms
PM_LEASE=3s
END
printf 'PM_TLS_DIR=/etc/pm/monitor\n' >> /etc/pm/monitor.env
printf 'PM_TLS_DIR=/etc/pm/gateway\nPM_GATEWAY_REGISTRY=%s\nPM_GATEWAY_MONITOR=https://127.0.0.1:7482\n' "$peers" >> /etc/pm/gateway.env
systemctl start pm-monitor pm-gateway pm-registry &
replica 2 --replicas 3
replica 3 --replicas 3
wait
until pmctl cluster check > ~/check; do sleep 0.1; done

# Node NAME joins, with its state in FOLDER.
joins() {
    line=$(pmctl nodes join-command --node "$1" --monitor https://127.0.0.1:7482 | grep '^PM_JOIN_TOKEN=')
    export PM_RUNNER_STATE_DIR=$2
    eval "$line"
    unset PM_RUNNER_STATE_DIR
}
joins node-a /var/lib/pm/runner
systemctl start pm-runner
joins node-b /var/lib/pm/node-b
systemd-run --quiet --unit=pm-node-b --property=KillMode=process runner-svc --state-dir /var/lib/pm/node-b \
    --log-dir /var/log/pm-b --listen 127.0.0.1:17483 --ops-listen 127.0.0.1:17493
until [ "$(pmctl nodes | grep -c ' ready ')" = 2 ]; do sleep 0.1; done
pmctl apply -f processes.yaml --wait
pmctl apply -f app.yaml && pmctl wait web --for=rollout
