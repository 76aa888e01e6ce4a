"""Draw the plugin's icon, napari_ink/icon.png: a letter in ink on the crossed fibres of papyrus.

python tools/icon.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE, FINER = 256, 4
OUT = Path(__file__).parents[1] / "napari_ink/icon.png"
# Okabe and Ito's orange, as ink in the window; a letter alpha of three strokes.
INK, LIGHT, DARK = (230, 159, 0), (84, 78, 70), (44, 41, 38)
STROKES = (((0.28, 0.78), (0.5, 0.2)), ((0.5, 0.2), (0.72, 0.78)), ((0.38, 0.58), (0.62, 0.58)))


def draw() -> Image.Image:
    """Return the icon, drawn finer and then reduced."""
    side = SIZE * FINER
    rng = np.random.default_rng(0)
    threads = rng.random((2, 1, 64)).repeat(side // 64, axis=2)
    weave = 0.6 * threads[0].T + 0.4 * threads[1]
    greys = np.array(DARK) + weave[..., None] * (np.array(LIGHT) - np.array(DARK))
    icon = Image.fromarray(greys.astype(np.uint8)).filter(ImageFilter.GaussianBlur(FINER))
    pen = ImageDraw.Draw(icon)
    width = round(0.095 * side)
    for start, end in STROKES:
        ends = [(round(x * side), round(y * side)) for x, y in (start, end)]
        pen.line(ends, fill=INK, width=width)
        for x, y in ends:
            pen.ellipse((x - width // 2, y - width // 2, x + width // 2, y + width // 2), fill=INK)
    rounded = Image.new("L", (side, side))
    ImageDraw.Draw(rounded).rounded_rectangle((0, 0, side - 1, side - 1), side // 6, fill=255)
    icon.putalpha(rounded)
    return icon.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    draw().quantize(64).save(OUT, optimize=True)
    print(OUT)
