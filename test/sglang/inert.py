"""Inert stand-ins for libraries that are not installed (torch, transformers, CUDA bindings)."""

import abc
import importlib.abc
import importlib.machinery
import sys
import types

# What a missing library must answer for the code above it to see a machine without accelerators.
KNOWN = {
    "torch.version.cuda": None,
    "torch.version.hip": None,
    "torch.library.Library().m.name": "sglang",
    "dill.dumps": lambda value: b"",
}
ABSENT = frozenset({"torch.npu", "torch.version.musa"})


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
    """First on sys.meta_path: the wheel's GPU layers, whose import compiles kernels."""

    PACKAGES = ("sglang.srt.layers", "sglang.jit_kernel", "sglang.kernels.jit")

    def find_spec(self, name, path=None, target=None):
        if any(name == package or name.startswith(f"{package}.") for package in self.PACKAGES):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None


def install():
    """From here on every import that nobody else answers gives an inert module."""
    sys.meta_path.insert(0, NoKernels())
    sys.meta_path.append(InertFinder())
