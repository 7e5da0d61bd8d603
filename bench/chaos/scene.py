"""Where it happens: a folder with keys and registrations, free ports, and the environment of each gateway."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from publishers.sandbox import environment
from publishers.sandbox import publishers as demo

PER_SECOND = 6  # of each publisher: less than its senders want, so that the quota refuses all the time
LIMITS = {
    "per_second": PER_SECOND,
    "per_minute": 60_000,
    "per_day": 10_000_000,
    "in_flight": 1_000,
    "reserve": 0,
}
WIDE = {**LIMITS, "per_second": 100_000}
HOST = "127.0.0.1"
POISON = "poison"  # what the distributionID of a message holds that the core always fails
OPERATIONS = 2  # a replica's operations listener is so many ports above it


@dataclass(frozen=True, slots=True)
class Scene:
    """`front` is the gateways' public URL, `replicas` their own ones."""

    folder: Path
    publishers: tuple[demo.DemoPublisher, ...]
    database: str
    quota_url: str
    front: str
    replicas: tuple[str, ...]
    core: str

    def told(self, replica: str) -> dict[str, str]:
        """The whole environment of one gateway."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        told = environment(self.front, self.core, self.folder) | {
            "GATEWAY_PORT": replica.rpartition(":")[2],
            "GATEWAY_OPS_PORT": str(int(replica.rpartition(":")[2]) + OPERATIONS),
            "GATEWAY_DATABASE_URL": self.database,
            "GATEWAY_RETRY_BASE": "0.05",
            "GATEWAY_RETRY_MAX": "0.5",
            "GATEWAY_LOG_LEVEL": "info",
        }
        if self.quota_url:
            told["GATEWAY_QUOTA_URL"] = self.quota_url
        return {**ours, **told}


def free_url() -> str:
    """A URL at a port that nobody listens on just now, nor on the one of its operations listener."""
    while True:
        with socket.socket() as probe, socket.socket() as operations:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                operations.bind((HOST, port + OPERATIONS))
                return f"http://{HOST}:{port}"


def make(
    folder: Path, database: str, quota_url: str, replicas: int, publishers: int, limits: dict[str, int]
) -> Scene:
    """Keys, publishers with one id each, and ports."""
    made = tuple(
        demo.demo(f"chaos-{number}", f"Publisher {number}", (ident,), (ident,), "json")
        for number in range(publishers)
        for ident in [f"fr.health.samu{number + 1:03d}"]
    )
    demo.write(folder, made, demo.generate_keys())
    for one in made:
        (folder / "registry" / f"{one.id}.toml").write_text(demo.registration(one, limits=limits))
    urls = tuple(free_url() for _ in range(replicas))
    return Scene(folder, made, database, quota_url, free_url(), urls, free_url())
