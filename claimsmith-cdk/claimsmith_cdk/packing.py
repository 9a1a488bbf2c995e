"""Packs the functions' assets so that what several of them have in common is stored once.

Most of an asset is packages that others have too. Each is a zip archive, cut into pieces: a file of it with its name,
and after the last one the directory. Equal pieces are stored once, one after the other. An asset is put together by
copying pieces, without compressing anything, so it has the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PIECES: Final = "pieces"

#: For each asset where its pieces are: pairs of a first byte and the one after the last.
_INDEX: Final = "index.json"

#: The first moment that a zip archive can express, and what every entry has as its time.
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def pack(assets: Mapping[str, Path], folder: Path) -> None:
    """Pack assets; equal ones make equal files.

    Args:
        assets: the folder of each, by its name.
        folder: an empty one, which they are written to.
    """
    index: dict[str, list[list[int]]] = {}
    known: dict[bytes, int] = {}
    with Path(folder, _PIECES).open("wb") as pieces:
        for name, asset in sorted(assets.items()):
            ranges = index[name] = []
            for piece in _cut(_archive(asset)):
                start = known.setdefault(hashlib.sha256(piece).digest(), pieces.tell())
                if start == pieces.tell():
                    pieces.write(piece)
                if ranges and ranges[-1][1] == start:
                    ranges[-1][1] += len(piece)
                else:
                    ranges.append([start, start + len(piece)])
    Path(folder, _INDEX).write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")


def packed(folder: Path) -> list[str]:
    """The names of the assets in a folder; none if it does not exist."""
    return sorted(_index(folder))


def unpack(folder: Path, name: str, target: Path) -> None:
    """Write an asset, as a zip archive.

    Args:
        folder: where it is packed.
        name: its name.
        target: the file to write.

    Raises:
        KeyError: it is not packed there.
    """
    ranges = _index(folder)[name]
    with Path(folder, _PIECES).open("rb") as pieces, target.open("wb") as archive:
        for start, end in ranges:
            pieces.seek(start)
            archive.write(pieces.read(end - start))


def _index(folder: Path) -> dict[str, list[list[int]]]:
    try:
        index: dict[str, list[list[int]]] = json.loads(Path(folder, _INDEX).read_bytes())
    except FileNotFoundError:
        return {}
    return index


def _archive(asset: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted(path for path in asset.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(asset).as_posix(), _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes())
    return content.getvalue()


def _cut(archive: bytes) -> Iterator[bytes]:
    """Cut an archive before each of its files; the directory stays with the last."""
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        starts = [entry.header_offset for entry in content.infolist()]
    for start, end in zip(starts, [*starts[1:], len(archive)], strict=True):
        yield archive[start:end]
