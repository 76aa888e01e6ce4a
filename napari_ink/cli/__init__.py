"""The command line: one module a command, with `add_arguments` and `run`; here they are put together.

Results go to standard output, progress to standard error. Rooms are imported inside the functions that need them, so
that help and wrong arguments answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from napari_ink import __version__
from napari_ink.cli import convert, demo, evaluate, export, info, models, open, phantom, predict, probe, train
from napari_ink.errors import BadInputError, DiskFullError, NapariInkError

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_COMMANDS = (demo, open, info, convert, probe, predict, export, train, evaluate, phantom, models)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        code: int | None = arguments.run(arguments)
        sys.stdout.flush()
    except BadInputError as error:
        _say(str(error))
        return FAILED if isinstance(error, DiskFullError) else BAD_INPUT
    except NapariInkError as error:
        _say(str(error))
        return FAILED
    except MemoryError:
        _say("This takes more memory than there is here; choose a smaller size or region.")
        return FAILED
    except KeyboardInterrupt:
        _say(arguments.if_interrupted)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the results (`| head`) has enough; the interpreter must not stumble over it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code or DONE


def _say(sentence: str) -> None:
    print("napari-ink:", " ".join(sentence.split()), file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line that says what to do."""

    def error(self, message: str) -> NoReturn:
        _say(f"{message}; `{self.prog} --help` shows how.")
        raise SystemExit(BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="napari-ink", description="Read ink in CT scans of carbonised papyri.")
    parser.add_argument("--version", action="version", version=f"napari-ink {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    for module in _COMMANDS:
        says = (module.run.__doc__ or "").strip()
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=says.rstrip("."), description=says)
        command.set_defaults(run=module.run, if_interrupted="Interrupted.")
        module.add_arguments(command)
    return parser
