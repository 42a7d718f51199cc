"""Unpack the Python files of a wheel's sglang package. Usage: python3 unpack.py WHEEL DIRECTORY"""

import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel:
    names = [n for n in wheel.namelist() if n.startswith("sglang/") and n.endswith(".py")]
    wheel.extractall(sys.argv[2], names)
print(len(names))
