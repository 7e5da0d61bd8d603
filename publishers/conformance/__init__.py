"""The conformance suite: one command that certifies a gateway against its contract, and a publisher's software against it.

`requirements.toml` says what is required, of whom, and where it is written. A check is a function that names the requirements
it verifies (`checks.py`). `server` holds the checks of a gateway, `software` those of a publisher's software, which it
drives; `report` turns results into a signed verdict. `command.py` is the command line.
"""

NAME = "regulation-gateway-conformance"
VERSION = (
    "1.1.0"  # of the suite: rises with every change of a requirement or a check, and stands in each report
)
