"""Judge SGLang commands with one SGLang wheel: its argument parser, then its own start-up checks.

Usage: python3 -S parse.py SOURCE_DIR [LIBRARY_DIR...]
stdin:  JSON lines {"id": str, "argv": [str, ...], "env"?: object, "checkpoint"?: object}
        argv and env as the container gets them; checkpoint: the fields of config.json that
        the checks read (without it only the parser judges)
stdout: JSON lines {"id", "verdict", "values"?, "error"?}
        accepted | refused (parsed, but the server would stop at one of its checks) | unparsed

SOURCE_DIR holds the wheel's Python files. Only the standard library, SOURCE_DIR and the
LIBRARY_DIRs are importable, whatever else the machine has; the rest is inert, so no GPU
stack is needed. "values" maps each parser destination that differs from its default.
"""

import argparse
import contextlib
import functools
import io
import json
import logging
import os
import sys
import types
from pathlib import Path

import inert


def load_server_args(source):
    package = types.ModuleType("sglang")
    package.__path__ = [str(source / "sglang")]  # sglang/__init__.py would pull in the engine
    sys.modules["sglang"] = package
    inert.install()
    from sglang.srt.server_args import ServerArgs

    return ServerArgs


def server_arguments(argv):
    for entry in (["sglang", "serve"], ["python3", "-m", "sglang.launch_server"]):
        if argv[: len(entry)] == entry:
            return argv[len(entry) :]
    raise ValueError(f"not an SGLang server command: {' '.join(argv[:3])}")


def plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return repr(value)


@contextlib.contextmanager
def environment(variables):
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def judge(parser, start_up_error, command):
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parsed = parser.parse_args(server_arguments(command["argv"]))
    except (SystemExit, ValueError) as error:
        lines = said.getvalue().strip().splitlines()
        return {"verdict": "unparsed", "error": lines[-1] if lines else str(error)}
    defaults = vars(parser.parse_args(["--model-path", ""]))
    values = {k: plain(v) for k, v in vars(parsed).items() if v != defaults[k]}
    if "checkpoint" not in command:
        return {"verdict": "accepted", "values": values}
    with environment(command.get("env", {})):
        refusal = start_up_error(parsed, command["checkpoint"])
    if refusal is None:
        return {"verdict": "accepted", "values": values}
    return {"verdict": "refused", "values": values, "error": refusal}


def main():
    logging.disable(logging.CRITICAL)
    source = Path(sys.argv[1])
    sys.path[:0] = sys.argv[2:]
    server_args = load_server_args(source)
    from startup import start_up_error

    parser = argparse.ArgumentParser(prog="sglang serve")
    server_args.add_cli_args(parser)
    check = functools.partial(start_up_error, source, server_args)
    for line in sys.stdin:
        command = json.loads(line)
        verdict = judge(parser, check, command)
        print(json.dumps({"id": command["id"], **verdict}), flush=True)


main()
