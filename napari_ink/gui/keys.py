"""Keys for the tools, under the left hand and free in napari's own bindings for viewer, image and labels layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

KEYS = {"ink": "Q", "papyrus": "W", "edge": "A", "not edge": "S"}


def bind(viewer: Viewer, take_tool: Callable[[str], None]) -> None:
    """Bind the tools' keys in a viewer, in place of any binding that an earlier panel left."""
    for tool, key in KEYS.items():

        def take(_viewer: Viewer, tool: str = tool) -> None:
            take_tool(tool)

        take.__doc__ = f"napari-ink: paint {tool}"
        viewer.bind_key(key, take, overwrite=True)


def unbind(viewer: Viewer) -> None:
    """Take the tools' keys away again."""
    for key in KEYS.values():
        viewer.bind_key(key, None, overwrite=True)
