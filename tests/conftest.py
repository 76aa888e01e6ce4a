"""Shared by all tests: the choice of Qt, and no reading or writing of the user's napari settings."""

import os

from hypothesis import settings

os.environ.setdefault("QT_API", "pyqt6")
os.environ["NAPARI_CONFIG"] = ""
# Threads of torch that wait for each other on a busy machine turn seconds of a test into minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A first example imports what it tests, which takes longer than Hypothesis grants an example.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
