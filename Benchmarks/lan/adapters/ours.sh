#!/bin/bash
# Baton, found as $BATON. The limits of bytes are raised, since what is measured is the program and not its settings.
. "$(dirname "$0")/lib.sh"
config=$LB_STATE/baton.yaml
case $1 in
info) echo "version=$("$BATON" --version)
transport=quic datagrams
encryption=AES-128-GCM, TLS 1.3
mtu=1500";;
prepare)
    [ -x "${BATON:-}" ] || { echo "BATON is no program"; exit 77; }
    cat >"$config" <<END
lan:
  listen: "$LB_RELAY_IP:$LB_RELAY_PORT"
  public_address: "$LB_RELAY_IP:$LB_RELAY_PORT"
  identity: $LB_STATE/identity.pem
  bytes_per_second: 1000000000
  bytes_burst: 100000000
END
    "$BATON" lan link "$LB_ROOM" --config "$config" --no-qr >"$LB_STATE/link";;
start)
    case $2 in
    relay) bg "$BATON" serve --config "$config";;
    gateway) bg "$BATON" lan gateway "$(cat "$LB_STATE/link")" --interface "$LB_LAN_IF" --identity "$LB_STATE/gw.json";;
    client)
        bg "$BATON" lan join "$(cat "$LB_STATE/link")" --tap "$LB_TAP_IF" --mac "$LB_MAC" \
            --identity "$LB_STATE/$LB_NODE.json"
        wait_if "$LB_TAP_IF" 10;;
    esac;;
stop) true;;
esac
