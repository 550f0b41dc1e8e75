#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>

/* Asks the network for routers, for `milliseconds`: all kinds at once, or each kind would take that long. */
static inline struct UPNPDev *cminiupnp_discover(int milliseconds)
{
    static const char *const kinds[] = {
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
        "urn:schemas-upnp-org:service:WANIPConnection:1",
        "urn:schemas-upnp-org:service:WANPPPConnection:1",
        0,
    };
    int error = 0;

    return upnpDiscoverDevices(kinds, milliseconds, 0, 0, UPNP_LOCAL_PORT_ANY, 0, 2, &error, 1);
}
