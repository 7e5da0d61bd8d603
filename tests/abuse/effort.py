"""How much work a call is, without a clock: the bytecode instructions that Python executes for it."""

import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any


async def instructions(work: Callable[[], Awaitable[object]]) -> int:
    """How many instructions are executed until `work` has ended, in all frames that it opens."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        await work()
    finally:
        sys.settrace(before)
    return count
