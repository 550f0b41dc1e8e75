#!/usr/bin/env bash
# A real UPnP gateway, Debian's miniupnpd, as a home router in network namespaces of its own.
#
#   igd_lab.sh COMMAND [ARG...]   runs COMMAND on the home side; the exit code is COMMAND's
#
# The home's machine is 192.168.77.2, a second one in it 192.168.77.3 (namespace $LAB_SECOND), the router 192.168.77.1, its
# public address 203.0.114.7 (nothing is behind it). COMMAND finds in $LAB_ROUTER the router's namespace and in $LAB_LOG
# its log, and may kill -HUP $LAB_PID to have the router restarted. Needs root. Ends only its own processes and namespaces.
set -euo pipefail
