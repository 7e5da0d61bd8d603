"""Software for trying the suite itself: a plain client that does everything right, and seven that each break one rule.

`python -m publishers.conformance.subjects NAME`, as the command of `gateway conformance software --command`.
"""
