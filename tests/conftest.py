"""What all tests share: which Qt, and that nobody's own napari settings are read or written."""

import os

os.environ.setdefault("QT_API", "pyqt6")
os.environ["NAPARI_CONFIG"] = ""
# Threads of torch that wait for each other on a busy machine make a test of seconds take minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
