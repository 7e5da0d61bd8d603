"""The open interoperability API gateway of the national emergency regulation platform."""

__version__ = "0.1.0"
