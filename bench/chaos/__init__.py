"""Replicas under fire: gateways on one PostgreSQL, killed with all that they lean on, while publishers send.

scene      where it happens: keys, registrations, ports
processes  what can be killed: the gateways and the core
balancer   the one address behind which the gateways are
senders    publishers' software: round robin, a receipt on disk for every message
quota      what was admitted in each second against the limit
poison     messages that the core always fails
judge      receipts against the core's arrivals and the recipients' inboxes
play       the run with the kills
quiet      its two quieter sisters: the same message everywhere at once, a rolling restart
"""
