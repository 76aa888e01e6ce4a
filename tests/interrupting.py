"""A command in a separate process that is interrupted while it works."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable


def interrupted(
    command: list[str],
    interrupt: Callable[[int], None],
    sigint: signal.Handlers = signal.SIG_DFL,
    own_group: bool = False,
) -> str:
    """Run the command line, interrupt it once it predicts or trains, and return the rest of its standard error.

    `interrupt` gets the number of the process, which inherits `sigint` as its reaction to Ctrl-C: a background job
    ignores it. With `own_group` the process starts a group of its own, as in a terminal.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "napari_ink.cli", *command],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_group,
        preexec_fn=lambda: signal.signal(signal.SIGINT, sigint),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Runs on"):
                break
        interrupt(process.pid)
        rest = process.stderr.read()
        assert process.wait(60) == 130, rest
    assert "Traceback" not in rest
    return rest
