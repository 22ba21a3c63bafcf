"""Reads the cases of the Autobahn test suite out of its source package and makes them run on Python 3.

The suite was written for Python 2 and stays there. Its cases are small classes, so nothing is
installed or rewritten on disk: each file is read from the archive, changed in memory where Python 3
reads it differently, and run as a module.

The one idea: a Python 2 string is a row of octets. Decoding everything as Latin-1 gives Python 3
strings in which one character is one octet, and the cases' own slicing and comparing still holds.
`drive.py` turns octets into such strings, and back, where the cases meet the socket.
"""

import importlib.abc
import importlib.util
import re
import sys
import tarfile

from autobahn.websocket import utf8validator

# What the pinned release holds outside compression (sections 12 and 13). A conversion that lost
# some of them must not look like a pass.
CASES_EXPECTED = 301

_FOLDER = "autobahntestsuite/case/"

# Left out: 12 and 13 need the compression extension, 9.9 is switched off by the suite itself.
_EMPTY = {
    "case12_x_x": "Case12_X_X, Case13_X_X = [], []\nCase12_X_X_CaseSubCategories, Case13_X_X_CaseSubCategories = {}, {}\n",
    "case9_9_1": "",
}

_CHANGES = [
    # Only in the suite's own self-checks, which are not called.
    (re.compile(r"^(\s*)print\b.*$", re.M), r"\1pass"),
    # Python 3 cannot order these bases; Case derives from object anyway.
    (re.compile(r"\(object, Case,?\s*\)"), "(Case, )"),
    (re.compile(r"binascii\.b2a_hex\("), "_hex("),
    (re.compile(r"^from autobahn\.websocket\.utf8validator import Utf8Validator\s*$", re.M), ""),
    # The only division in the cases: a count of frames.
    (re.compile(r"/ self\.p\.autoFragmentSize"), "// self.p.autoFragmentSize"),
]


def octets(text):
    """The octets that a case means by `text`; octets and None pass through."""
    return text.encode("latin-1") if isinstance(text, str) else text


def load(archive):
    """All cases of the suite in `archive`, by id: {"1.1.1": class}. In the suite's own order."""
    sys.meta_path.insert(0, _Finder(_sources(archive)))
    listing = importlib.import_module("autobahn_cases")
    base = importlib.import_module("case").Case
    # The original compares pickles, which on Python 3 tell apart equal values that are not the
    # same object.
    base.compare = lambda self, one, other: one == other
    cases = {kind.__name__.removeprefix("Case").replace("_", "."): kind for kind in listing.Cases}
    if len(cases) != CASES_EXPECTED:
        raise SystemExit(f"autobahn: {len(cases)} cases came out of {archive}, not {CASES_EXPECTED}")
    return cases


def _sources(archive):
    sources = {}
    with tarfile.open(archive) as package:
        for member in package.getmembers():
            _, _, name = member.name.partition("/")
            if name.startswith(_FOLDER) and name.endswith(".py"):
                text = package.extractfile(member).read().decode("latin-1")
                sources[name.removeprefix(_FOLDER).removesuffix(".py")] = text.replace("\r\n", "\n")
    # The package's own listing would hide its module of the same name.
    sources["autobahn_cases"] = sources.pop("__init__")
    sources.update(_EMPTY)
    return sources


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Python 2 let the cases import each other by bare names; so does this."""

    def __init__(self, sources):
        self._sources = sources

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name in self._sources else None

    def exec_module(self, module):
        text = self._sources[module.__name__]
        for pattern, replacement in _CHANGES:
            text = pattern.sub(replacement, text)
        module.__dict__.update(xrange=range, unichr=chr, _hex=_hex, Utf8Validator=_Utf8Validator)
        exec(compile(text, f"<autobahn {module.__name__}>", "exec", dont_inherit=True), module.__dict__)


def _hex(text):
    return (octets(text) or b"").hex()


class _Utf8Validator(utf8validator.Utf8Validator):
    def validate(self, text):
        return super().validate(octets(text))
