#!/bin/sh
# socat as a plain TCP forwarder: one process for each connection. Says on standard error where it listens.
exec socat -d -d -b 65536 \
    TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay,backlog=1024 \
    "TCP:127.0.0.1:${BACKEND_PORT:?}",nodelay
