"""What an address is, and what it says by itself: nothing here needs the network or what reaches it."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit


def is_address(source: str | os.PathLike[str]) -> bool:
    """Whether a source is an address rather than a path."""
    return "://" in os.fspath(source)


def address_path(address: str) -> PurePosixPath:
    """Return the path in an address, without the query and fragment of a web address, as people read it."""
    scheme, _, rest = address.partition("://")
    if scheme.lower() in ("http", "https"):
        try:
            return PurePosixPath(unquote(urlsplit(address).path))
        except ValueError:  # a bracket in the name of the server, say; it is refused where it is opened
            return PurePosixPath(rest)
    return PurePosixPath(rest)
