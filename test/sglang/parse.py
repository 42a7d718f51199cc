"""Parse SGLang command lines with the argument parser of one SGLang wheel.

Usage: python3 -S parse.py SOURCE_DIR [EXTRA_DIR...]
stdin:  JSON lines {"id": str, "argv": [str, ...]} (argv as the container gets it)
stdout: JSON lines {"id", "ok", "error"?, "values"?, "unchecked"?}

SOURCE_DIR holds the wheel's Python files. Only the standard library, SOURCE_DIR and
EXTRA_DIR are importable; everything else (torch, transformers, CUDA bindings) is an
inert stand-in, so no GPU stack is needed. `values` maps each parser destination that
differs from the parser's default to its value.
"""

import abc
import argparse
import contextlib
import importlib.abc
import importlib.machinery
import io
import json
import logging
import sys
import types
from pathlib import Path


# What a missing library must answer for the code above it to see a machine without accelerators.
KNOWN = {
    "torch.version.cuda": None,
    "torch.version.hip": None,
    "torch.library.Library().m.name": "sglang",
    "dill.dumps": lambda value: b"",
}
ABSENT = frozenset({"torch.npu", "torch.hpu", "torch.version.musa"})


def attribute_of(owner, name):
    path = f"{owner}.{name}"
    if path in ABSENT or (name.startswith("__") and name.endswith("__")):
        raise AttributeError(path)
    return KNOWN[path] if path in KNOWN else Inert(path)


class Inert:
    """Stands for any value of a missing library: callable, iterable, comparable, never true."""

    def __init__(self, name):
        self.__name__ = name
        self.__qualname__ = name

    def __getattr__(self, name):
        return attribute_of(self.__name__, name)

    def __setitem__(self, key, value):
        pass

    def __call__(self, *args, **kwargs):
        # A bare decorator (@torch.compile) must hand its function back.
        if len(args) == 1 and not kwargs and callable(args[0]) and not isinstance(args[0], Inert):
            return args[0]
        return Inert(f"{self.__name__}()")

    def __mro_entries__(self, bases):
        return (InertBase,)

    def __getitem__(self, key):
        return self

    def _same(self, *_):
        return self

    __or__ = __ror__ = __add__ = __radd__ = __sub__ = __rsub__ = __neg__ = _same
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = _same

    def __iter__(self):
        return iter(())

    def __bool__(self):
        return False

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)

    def __lt__(self, other):
        return False

    __gt__ = __le__ = __ge__ = __lt__

    def __int__(self):
        return 0

    def __float__(self):
        return 0.0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False

    def __repr__(self):
        return f"<inert {self.__name__}>"


class InertMeta(abc.ABCMeta):
    def __getattr__(cls, name):
        return attribute_of(cls.__name__, name)


class InertBase(metaclass=InertMeta):
    """Base class for classes that inherit from something of a missing library."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__()


class InertModule(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name == "__version__":
            return "0.0.0"
        return attribute_of(self.__name__, name)


class InertFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last on sys.meta_path: answers for every import that nobody else could."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sglang":
            return None  # a hole in the wheel itself must show
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return InertModule(spec.name)

    def exec_module(self, module):
        pass


class NoKernels(InertFinder):
    """First on sys.meta_path: GPU kernel modules whose import runs code on torch objects."""

    MODULES = frozenset({"sglang.srt.layers.attention.fla.chunk_delta_h"})

    def find_spec(self, name, path=None, target=None):
        if name in self.MODULES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None


def load_parser(source):
    package = types.ModuleType("sglang")
    package.__path__ = [str(source / "sglang")]  # sglang/__init__.py pulls in the engine
    sys.modules["sglang"] = package
    sys.meta_path.insert(0, NoKernels())
    sys.meta_path.append(InertFinder())
    from sglang.srt.server_args import ServerArgs

    parser = argparse.ArgumentParser(prog="sglang serve")
    ServerArgs.add_cli_args(parser)
    return parser


def server_arguments(argv):
    for entry in (["sglang", "serve"], ["python3", "-m", "sglang.launch_server"]):
        if argv[: len(entry)] == entry:
            return argv[len(entry):]
    raise ValueError(f"not an SGLang server command: {' '.join(argv[:3])}")


def plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return repr(value)


def main():
    logging.disable(logging.CRITICAL)
    for directory in sys.argv[2:]:
        sys.path.insert(0, directory)
    parser = load_parser(Path(sys.argv[1]))
    defaults = {action.dest: action.default for action in parser._actions}
    for line in sys.stdin:
        command = json.loads(line)
        answer = {"id": command["id"], "ok": True}
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                parsed = vars(parser.parse_args(server_arguments(command["argv"])))
            answer["values"] = {k: plain(v) for k, v in parsed.items() if v != defaults.get(k)}
        except (SystemExit, ValueError) as error:
            text = said.getvalue().strip()
            answer["ok"] = False
            answer["error"] = text.splitlines()[-1] if text else str(error)
        print(json.dumps(answer), flush=True)


main()
