# What somebody has in a terminal who looks after a cluster with certificates.
export PM_ENDPOINT=https://127.0.0.1:7480 PM_CA_FILE=/etc/pm/ca.crt PM_TOKEN_FILE=/etc/pm/admin.token

# Starts replica N, as `pm-registry.service` of another server.
replica() {
    systemd-run --quiet --unit="pm-registry-$1" --property=Restart=always --property=RestartSec=1 \
        --property='RestartPreventExitStatus=65 78' registry-svc --data-dir "/var/lib/pm/registry-$1" \
        --tls-dir "/etc/pm/registry-$1" --tls-ca-key /etc/pm/ca.key --heartbeat-interval 500ms --lease 3s \
        --peers https://127.0.0.1:7481,https://127.0.0.1:17481,https://127.0.0.1:27481 \
        --listen "127.0.0.1:$(($1 - 1))7481" --ops-listen "127.0.0.1:$(($1 - 1))7491" \
        --advertise "https://127.0.0.1:$(($1 - 1))7481" "${@:2}"
}

# A fresh one, which joins.
fresh_replica() {
    pmctl cluster issue --dir pki "registry/registry-$1" && cp -r "pki/registry-$1" /etc/pm/ && replica "$1" --join &&
        until curl -s "http://127.0.0.1:$(($1 - 1))7491/readyz"; do sleep 0.1; done
}

# Stops the one with this number.
stop_replica() {
    case $(pmctl cluster status | awk -v number="$1" '$1 == number { print $3 }') in
    *:17481) systemctl stop pm-registry-2 ;;
    *:27481) systemctl stop pm-registry-3 ;;
    *) systemctl stop pm-registry ;;
    esac
}
