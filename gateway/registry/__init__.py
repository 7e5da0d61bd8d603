"""The registry of publishers: who may call, send for which ids, and own which inboxes.

A registration is one TOML file (`publishers/registry/README.md` explains its keys). A `Registry` is a snapshot of all
of them that never changes; a `RegistryHolder` swaps one for the next.
"""

from gateway.registry.ids import Ids, is_actor_id
from gateway.registry.reading import load
from gateway.registry.snapshot import Registry, RegistryHolder
from gateway.registry.watch import fingerprint, watched

__all__ = ["Ids", "Registry", "RegistryHolder", "fingerprint", "is_actor_id", "load", "watched"]
