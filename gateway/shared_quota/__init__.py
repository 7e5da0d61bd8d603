"""Quotas counted together with the other replicas, in a Valkey or Redis that all of them reach.

valkey   the server: all that is asked of it, in two scripts
quota    the `Quota` of one of several replicas, and what it does while the server is away
opening  the quota that the settings ask for
"""

from gateway.shared_quota.opening import open_quota
from gateway.shared_quota.quota import SharedQuota
from gateway.shared_quota.valkey import Valkey

__all__ = ["SharedQuota", "Valkey", "open_quota"]
