"""Entry point of `python -m napari_ink.cli`, for systems where the command is not on the path."""

import sys

from napari_ink.cli import main

sys.exit(main())
