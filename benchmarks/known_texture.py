"""Measure the texture of what a checkpoint that ships already was trained on, into a table beside the checkpoints.

    python benchmarks/known_texture.py ink-tiny-4

`benchmarks/ship_checkpoint.py` measures the same for a new one, and writes it into its card.
"""

from __future__ import annotations

import argparse
import json

import torch
from ship_checkpoint import trained_on

from napari_ink.model import read_card
from napari_ink.model.loading import KNOWN_TEXTURE, SHIPPED_FOLDER
from napari_ink.phantom import WORLDS


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--worlds", nargs="*", default=["gaussian"], choices=tuple(WORLDS), help="those trained on")
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = SHIPPED_FOLDER / KNOWN_TEXTURE
    rows = json.loads(table.read_text()) if table.exists() else {}
    (rows[args.name],) = trained_on(read_card(args.name).contract, args.worlds, 0).model_dump()["places"]
    table.write_text(json.dumps(rows, indent=1) + "\n")
    print(rows[args.name])


if __name__ == "__main__":
    main()
