#!/usr/bin/env bash
# A real UPnP gateway, Debian's miniupnpd, as a home router in network namespaces of its own.
#
#   igd_lab.sh COMMAND [ARG...]     runs COMMAND at home; the exit code is COMMAND's
#
#   internet 203.0.114.9 --- 203.0.114.7 router 192.168.77.1 --- 192.168.77.2 home
#
# COMMAND finds the names of the other namespaces in LAB_ROUTER and LAB_INTERNET, what starts the gateway in LAB_GATEWAY
# and its process in LAB_GATEWAY_PID. (A public address of a range for documentation would count as "not connected".)
# Needs root; ends only its own processes and namespaces.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 77; }

work=$(mktemp -d)
home=upnp$$-home router=upnp$$-router internet=upnp$$-internet
gateway_pid=
clean() {
    [ -z "$gateway_pid" ] || kill "$gateway_pid" 2>/dev/null || true
    for namespace in "$home" "$router" "$internet"; do
        ip netns pids "$namespace" 2>/dev/null | xargs -r kill 2>/dev/null || true
        ip netns del "$namespace" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean EXIT INT TERM

# The package would set up a service, so the program is taken out of it.
daemon=$(command -v miniupnpd || true)
if [ -z "$daemon" ]; then
    kept=$(cd "$(dirname "$0")/../../.." && pwd)/.build/interop/miniupnpd
    daemon=$kept/usr/sbin/miniupnpd
    if [ ! -x "$daemon" ]; then
        (cd "$work" && apt-get -qq download miniupnpd-nftables 2>/dev/null && dpkg -x miniupnpd-nftables_*.deb unpacked)
        mkdir -p "$(dirname "$kept")"
        rm -rf "$kept"
        mv "$work/unpacked" "$kept"
    fi
fi

for namespace in "$home" "$router" "$internet"; do
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
done
link() { # NAMESPACE DEVICE ADDRESS NAMESPACE DEVICE ADDRESS
    ip link add "$2" netns "$1" type veth peer name "$5" netns "$4"
    ip -n "$1" addr add "$3/24" dev "$2" && ip -n "$1" link set "$2" up
    ip -n "$4" addr add "$6/24" dev "$5" && ip -n "$4" link set "$5" up
}
link "$router" lan0 192.168.77.1 "$home" eth0 192.168.77.2
link "$router" wan0 203.0.114.7 "$internet" eth0 203.0.114.9
ip -n "$home" route add default via 192.168.77.1
ip netns exec "$router" sysctl -qw net.ipv4.ip_forward=1

ip netns exec "$router" nft -f - <<'RULES'
table inet filter {
    chain miniupnpd {
    }
    chain prerouting_miniupnpd {
    }
    chain postrouting_miniupnpd {
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iif "lan0" accept
        jump miniupnpd
    }
    chain prerouting {
        type nat hook prerouting priority -100;
        jump prerouting_miniupnpd
    }
    chain postrouting {
        type nat hook postrouting priority 100;
        jump postrouting_miniupnpd
    }
}
RULES

cat >"$work/miniupnpd.conf" <<'CONFIGURATION'
ext_ifname=wan0
listening_ip=lan0
ext_ip=203.0.114.7
port=0
enable_upnp=yes
secure_mode=yes
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
uuid=6e8b7c1a-0f2d-4c57-9d3e-6a4b1f0c9e21
allow 1024-65535 192.168.77.0/24 1024-65535
CONFIGURATION
export LAB_ROUTER=$router LAB_INTERNET=$internet
export LAB_GATEWAY="ip netns exec $router $daemon -d -f $work/miniupnpd.conf -P $work/miniupnpd.pid"
$LAB_GATEWAY >"$work/log" 2>&1 &
gateway_pid=$!
export LAB_GATEWAY_PID=$gateway_pid
for _ in $(seq 50); do
    ip netns exec "$router" ss -Hltn | grep -q . && break
    sleep 0.1
done
kill -0 "$gateway_pid" 2>/dev/null || { echo "the gateway did not start:" >&2; tail -3 "$work/log" >&2; exit 1; }

status=0
ip netns exec "$home" "$@" || status=$?
[ "$status" -eq 0 ] || { echo "--- the gateway's last words" >&2; tail -40 "$work/log" >&2; }
exit "$status"
