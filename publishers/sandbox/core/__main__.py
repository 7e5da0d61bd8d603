"""The simulated core as a process of its own: `python -m publishers.sandbox.core --port 8401 --gateway URL --keys DIR`."""

import argparse
import sys
from pathlib import Path

import uvicorn

from publishers.sandbox.core import Poisoned, SimulatedCore, create_core
from publishers.sandbox.core.opening import http_client, settings
from publishers.sandbox.local import local_only


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m publishers.sandbox.core", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8401)
    parser.add_argument("--gateway", default="http://127.0.0.1:8400", help="the gateway's URL")
    parser.add_argument(
        "--keys", type=Path, required=True, help="the folder with core.json and gateway-jwks.json"
    )
    parser.add_argument(
        "--journal", type=Path, help="keep arrivals in this file, and begin with those it holds"
    )
    parser.add_argument(
        "--poison", metavar="TEXT", help="always fail messages whose distributionID holds this text"
    )
    wanted = parser.parse_args()
    url = f"http://{wanted.host}:{wanted.port}"
    try:
        told = settings(url, wanted.gateway.rstrip("/"), wanted.keys)
    except OSError as error:
        sys.stderr.write(f"core: {error.filename}: {error.strerror}\n")
        return 1
    script = Poisoned(wanted.poison) if wanted.poison else None
    # "critical": a dropped answer is an error in uvicorn's eyes, and ordered here
    config = uvicorn.Config(
        local_only(create_core(SimulatedCore(told, http_client(), wanted.journal, script=script))),
        host=wanted.host, port=wanted.port, log_level="critical", access_log=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    uvicorn.Server(config).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
