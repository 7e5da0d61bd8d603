"""The ports of the sandbox: the gateway, the simulated core, and the operations listener, in one process and one event loop."""

import socket

from gateway.server import Beside as Server

__all__ = ["GRACE", "HOST", "PortTaken", "Server", "listen"]

HOST = "127.0.0.1"
GRACE = 3  # seconds for open requests, such as long polls, when stopping


class PortTaken(Exception):
    """Somebody else listens on a port that the sandbox needs."""


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface. Raises PortTaken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"port {port} cannot be used: {error.strerror}. Choose another with --port."
        ) from None
    return listening
