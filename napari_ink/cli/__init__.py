"""The command line: each command is a module with `add_arguments` and `run`, and this module combines them.

Results go to standard output, progress to standard error. Other packages are imported inside the functions that need
them, so that help and errors in arguments appear at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NoReturn

from napari_ink import __version__
from napari_ink.cli import (
    adapt,
    calibrate,
    convert,
    demo,
    doctor,
    evaluate,
    export,
    info,
    models,
    open,
    phantom,
    predict,
    probe,
    store,
    teach,
    train,
)
from napari_ink.cli.signals import terminated_as_interrupted
from napari_ink.decoding import reason_of
from napari_ink.errors import BadInputError, DiskFullError, NapariInkError

# Characters of a name or a word in a message.
_LONGEST_NAME, _LONGEST_WORD = 200, 1000
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_COMMANDS = (
    demo,
    open,
    info,
    convert,
    probe,
    predict,
    store,
    export,
    train,
    teach,
    adapt,
    evaluate,
    calibrate,
    phantom,
    models,
    doctor,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    _allow_any_text()
    arguments = _parser().parse_args(argv)
    try:
        _check_text(sys.argv[1:] if argv is None else argv)
        # Not for a window: an exception from a signal handler must not be raised inside Qt's event loop.
        with nullcontext() if _opens_window(arguments) else terminated_as_interrupted():
            code: int | None = arguments.run(arguments)
        # Here, so that a closed pipe or a full disk is handled below, and not when the interpreter ends.
        sys.stdout.flush()
    except BadInputError as error:
        _say(str(error))
        # A full disk makes an output impossible, but the input was fine.
        return FAILED if isinstance(error, DiskFullError) else BAD_INPUT
    except NapariInkError as error:
        _say(str(error))
        return FAILED
    except MemoryError:
        _say("The command needs more memory than this machine has; choose a smaller size or region.")
        return FAILED
    except KeyboardInterrupt:
        _say(arguments.if_interrupted)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has closed the pipe; without this, the interpreter's last flush would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except UnicodeEncodeError as error:
        _say(f"A name contains bytes that are not text ({_short(str(error.object))}); rename the file or folder.")
        return BAD_INPUT
    except OSError as error:  # an error that no command expects, such as a path that is too long
        where = "A file" if error.filename is None else _short(str(error.filename))
        is_denied = isinstance(error, PermissionError)
        remedy = "ask for the right to use it" if is_denied else "check the path"
        _say(f"{where} cannot be used: {reason_of(error)}; {remedy}.")
        return BAD_INPUT
    return code or DONE


def _opens_window(arguments: argparse.Namespace) -> bool:
    return arguments.run is open.run or (arguments.run is demo.run and not arguments.headless)


def _allow_any_text() -> None:
    """Make standard output escape what it cannot encode: bytes in names, and characters the terminal lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _check_text(argv: Sequence[str]) -> None:
    for argument in argv:
        if "\0" in argument:
            shown = _short(argument.replace("\0", "\\0"))
            raise BadInputError(f"{shown} contains a NUL character, which paths cannot; check the path.")
        if not argument.strip():
            # A path that is empty would be read as the current folder.
            raise BadInputError("An argument is empty, perhaps because a variable is not set; give a path or a value.")


def _short(text: str, longest: int = _LONGEST_NAME) -> str:
    """Return a text, shortened if it is too long for a message."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def _say(sentence: str) -> None:
    print("napari-ink:", " ".join(_short(word, _LONGEST_WORD) for word in sentence.split()), file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line with a remedy, without printing the usage."""

    def error(self, message: str) -> NoReturn:
        _say(f"{message}; run `{self.prog} --help` for the arguments.")
        raise SystemExit(BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="napari-ink", description="Read ink in CT scans of carbonised papyri.")
    parser.add_argument("--version", action="version", version=f"napari-ink {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    for module in _COMMANDS:
        # The first docstring line of `run` is the help text of its command.
        says = (module.run.__doc__ or "").strip()
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=says.rstrip("."), description=says)
        command.set_defaults(run=module.run, if_interrupted="Interrupted.")
        module.add_arguments(command)
    return parser
