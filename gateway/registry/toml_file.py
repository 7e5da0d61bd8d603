"""A TOML file with its lines: `tomllib` says where a syntax error is, but not where a value stands."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.model import JsonObject

_HEADER = re.compile(r"\s*\[{1,2}\s*([\w.\s-]+?)\s*\]{1,2}")
_KEY = re.compile(r"\s*([\w.\s\"'-]+?)\s*=")
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")
_AT_END = " (at end of document)"
_ENDLESS_NUMBER = re.compile(r"[0-9_]{4300}")  # more digits than Python turns into an int


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What a file says, and its text to find lines in."""

    path: Path
    text: str
    values: JsonObject

    def at(self, key: str, value: str = "") -> str:
        """Where a dotted key stands, as `file:line`; with `value`, where this item of its list does."""
        return f"{self.path}:{self._line(key, value)}"

    def _line(self, key: str, value: str) -> int:
        lines = self.text.splitlines()
        while key:
            number = _key_line(lines, key)
            if number:
                return _item_line(lines, number, value)
            key = key.rpartition(".")[0]  # inside an inline table: its own line is the nearest
        return 1


def read_toml(path: Path) -> TomlFile:
    """Read a file. Raises ConfigurationError with file and line."""
    try:
        text = path.read_bytes().decode()
        return TomlFile(path, text, tomllib.loads(text))
    except OSError as error:
        raise ConfigurationError(f"{path}:1: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}:{line}: not UTF-8") from error
    except RecursionError:
        raise ConfigurationError(f"{path}:1: nested too deeply") from None
    except ValueError as error:  # beside TOMLDecodeError, Python's own of a number with thousands of digits
        said = str(error)
        if endless := _ENDLESS_NUMBER.search(text):
            line = text.count("\n", 0, endless.start()) + 1
            raise ConfigurationError(f"{path}:{line}: a number has too many digits") from None
        at = _AT_LINE.search(said)
        line = int(at[1]) if at else max(len(text.splitlines()), 1)
        raise ConfigurationError(
            f"{path}:{line}: not TOML: {_AT_LINE.sub('', said).removesuffix(_AT_END)}"
        ) from error


def _key_line(lines: list[str], wanted: str) -> int:
    """The first line that speaks of a dotted key: its own, its table's, or that of a key below it. 0 = none."""
    table = ""
    for number, line in enumerate(lines, 1):
        header, key = _HEADER.fullmatch(line.partition("#")[0].rstrip()), _KEY.match(line)
        if header:
            table = found = header[1]
        elif key:
            found = ".".join(filter(None, [table, key[1].strip("\"'")]))
        else:
            continue
        if found == wanted or found.startswith(wanted + "."):
            return number
    return 0


def _item_line(lines: list[str], number: int, value: str) -> int:
    if value:
        for later, line in enumerate(lines[number - 1 :], number):
            if f'"{value}"' in line or f"'{value}'" in line:
                return later
    return number
