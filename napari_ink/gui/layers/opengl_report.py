"""Description of the display and OpenGL as JSON, for `napari-ink doctor`, which runs it as a process of its own.

Qt ends the process if it cannot open the display, and some drivers crash.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_MAX_TEXTURE_SIZE = 0x0D33
# What napari's tiles and the edit window need.
_SMALLEST_TEXTURE = 4096


def opengl_facts() -> dict[str, Any]:
    """Return the display, Qt and OpenGL that windows use; whatever is wrong is a sentence in ``problems``."""
    from qtpy import API_NAME, QT_VERSION
    from qtpy.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext

    app = QGuiApplication([])
    facts: dict[str, Any] = {"display": app.platformName(), "Qt": f"{QT_VERSION} ({API_NAME})"}
    surface, context = QOffscreenSurface(), QOpenGLContext()
    surface.create()
    if not (context.create() and context.makeCurrent(surface)):
        return {**facts, "problems": ["OpenGL cannot be used, and napari needs it; install the graphics driver."]}
    return {**facts, **_context_facts()}


def _context_facts() -> dict[str, Any]:
    """Return the facts of the current context."""
    # PyOpenGL comes with vispy and so with napari; it answers for every binding of Qt, whose own functions differ.
    from OpenGL import GL

    texture = int(GL.glGetIntegerv(_MAX_TEXTURE_SIZE))
    names = (GL.glGetString(GL.GL_VERSION), GL.glGetString(GL.GL_RENDERER))
    version, renderer = (name.decode(errors="replace") for name in names)
    facts: dict[str, Any] = {"OpenGL": version, "renderer": renderer, "largest texture": f"{texture} pixels"}
    if texture < _SMALLEST_TEXTURE:
        facts["problems"] = [f"Textures of {texture} pixels are too small for the window; update the graphics driver."]
    return facts


if __name__ == "__main__":
    json.dump(opengl_facts(), sys.stdout)
