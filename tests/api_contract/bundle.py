"""An asset with two readers that never end: one can be recovered, the other cannot."""

from __future__ import annotations

import io
import json
import zipfile

from tests.api_contract.work import ASSET

_SLICER = '''
from sliceworks.operations import Slicer


class Endless(Slicer):
    """One slice after the other."""

    def is_recoverable(self):
        return {recoverable}

    def slice(self):
        return {{"work": 1}}
'''
_FETCHER = '''
from sliceworks.operations import Fetcher


class One(Fetcher):
    """One record."""

    def fetch(self, request):
        return [request]
'''


def make_bundle(version: str = "1.0.0") -> bytes:
    """The zip; the same bytes each time."""
    about = {"name": ASSET, "version": version, "description": "for the contract tests"}
    files = {"asset.json": json.dumps(about)}
    for name, recoverable in (("recoverable_reader", True), ("forgetful_reader", False)):
        files[f"{name}/slicer.py"] = _SLICER.format(recoverable=recoverable)
        files[f"{name}/fetcher.py"] = _FETCHER
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for path, text in files.items():
            bundle.writestr(zipfile.ZipInfo(path), text)
    return buffer.getvalue()
