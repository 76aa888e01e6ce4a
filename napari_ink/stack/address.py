"""Recognition and parsing of stack addresses, without the network or its libraries."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit


def is_address(source: str | os.PathLike[str]) -> bool:
    """Return whether a source is an address, such as ``https://`` or ``s3://``, rather than a path."""
    return "://" in os.fspath(source)


def address_path(address: str) -> PurePosixPath:
    """Return the decoded path of an address, without the query and fragment of a web address."""
    scheme, _, rest = address.partition("://")
    if scheme.lower() in ("http", "https"):
        try:
            return PurePosixPath(unquote(urlsplit(address).path))
        except ValueError:  # such as a bracket in the server's name; opening the address reports it
            return PurePosixPath(rest)
    return PurePosixPath(rest)
