"""Environment variables of Ray. They must be set before `ray` is imported, so this module does not import it."""

from app.deploy.proxy import IMPORT_PATH, VARIABLE
from app.parts import is_loopback
from app.settings import Settings


def client_variables(address: str) -> dict[str, str]:
    """What a program needs that uses a cluster whose head node has this address.

    Ray asks for a token even on loopback, because each replica of Serve opens a port on all addresses.
    """
    found = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
    if is_loopback(address):  # Ray would replace it by an address that other machines reach; the name is historical
        found["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    return found


def node_variables(settings: Settings, address: str) -> dict[str, str]:
    """What Ray's processes on a node need."""
    return client_variables(address) | {
        VARIABLE: IMPORT_PATH,
        "FORWARDED_ALLOW_IPS": settings.forwarded_allow_ips,  # by default, proxies would trust the loopback addresses
    }
