"""Members of zip and tar files, with passwords, and never a path that leads out of the folder."""

from __future__ import annotations

import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from histoscribe.core.errors import DataError
from histoscribe.io.data._aes import SALT_BYTES, TAG_BYTES, AesStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    _Found = tuple[str, int, Callable[[], Iterator[bytes]]]

__all__ = ["Member", "members", "safe_name"]

_CHUNK = 1 << 18
_AES_METHOD, _AES_FIELD = 99, 0x9901
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    struct.error,
    NotImplementedError,
)


@dataclass(frozen=True)
class Member:
    """One file of an archive: its name there, its size in bytes, and a function that gives its bytes in pieces."""

    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


def safe_name(name: str, *, archive: Path) -> str:
    """Return a member's name with ``/`` between parts, or refuse one that leads out of the folder.

    Raises
    ------
    DataError
        If the name is absolute, holds ``..`` or a drive, or signs that no file name should have.
    """
    plain = name.replace("\\", "/")
    parts = plain.split("/")
    bad = plain.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", plain) or re.search(r"[\x00-\x1f]", plain)
    if bad or not plain.strip("./ "):
        msg = (
            f"{archive} holds a member called {name!r}, which would be written outside of the folder. Nothing was "
            "unpacked: such an archive is broken or malicious. Tell whoever offers it."
        )
        raise DataError(msg)
    return "/".join(part for part in parts if part not in {"", "."})


def members(archive: Path, *, password: str | None = None) -> Iterator[Member]:
    """Yield the files of a zip or tar archive, in order; folders are left out and links are refused.

    Raises
    ------
    DataError
        If the archive is damaged, the password is wrong, or a member is no plain file or leads out of the folder.
    """
    with _reading(archive):
        if zipfile.is_zipfile(archive):
            found = _zip_members(archive, password)
        elif tarfile.is_tarfile(archive):
            found = _tar_members(archive)
        else:
            msg = f"{archive} is neither a zip nor a tar file: it is damaged. Download it again."
            raise DataError(msg)
        for name, size, chunks in found:
            yield Member(name, size, partial(_guarded, archive, chunks))


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as err:
        msg = f"{archive} is damaged ({err}). Download it again."
        raise DataError(msg) from err


def _guarded(archive: Path, chunks: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    with _reading(archive):
        yield from chunks()


def _zip_members(archive: Path, password: str | None) -> Iterator[_Found]:
    secret = None if password is None else password.encode()
    with zipfile.ZipFile(archive) as file:
        infos = [info for info in file.infolist() if not info.is_dir()]
        for info in infos:
            name = safe_name(info.filename, archive=archive)
            if (info.external_attr >> 16) & 0o170000 == 0o120000:
                raise DataError(_no_links(archive, info.filename))
            if info.flag_bits & 1 and secret is None:
                msg = f"{archive} is encrypted and no password is known for it. Give one, or ask the data's authors."
                raise DataError(msg)
            yield name, info.file_size, partial(_zip_chunks, archive, file, info, secret)


def _zip_chunks(archive: Path, file: zipfile.ZipFile, info: zipfile.ZipInfo, password: bytes | None) -> Iterator[bytes]:
    if info.compress_type == _AES_METHOD:
        assert password is not None
        yield from _aes_chunks(archive, info, password)
        return
    try:
        with file.open(info, pwd=password if info.flag_bits & 1 else None) as handle:
            yield from _pieces(handle)
    except RuntimeError as err:
        # zipfile's words for a wrong password.
        raise DataError(_wrong_password(archive)) from err


def _aes_chunks(archive: Path, info: zipfile.ZipInfo, password: bytes) -> Iterator[bytes]:
    version, strength, method = _aes_field(info)
    if strength not in SALT_BYTES or method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        msg = f"{archive}: {info.filename} is packed in a way that is not known ({strength}, {method}). Use 7-Zip."
        raise DataError(msg)
    with archive.open("rb") as raw:
        raw.seek(info.header_offset + 26)
        raw.seek(sum(struct.unpack("<HH", raw.read(4))), 1)
        salt = raw.read(SALT_BYTES[strength])
        stream = AesStream(password, salt, strength)
        if raw.read(2) != stream.verifier:
            raise DataError(_wrong_password(archive))
        inflate = zlib.decompressobj(-15) if method == zipfile.ZIP_DEFLATED else None
        left, size, crc = info.compress_size - len(salt) - 2 - TAG_BYTES, 0, 0
        while left > 0:
            data = raw.read(min(_CHUNK, left))
            if not data:
                msg = f"{info.filename} ends early"
                raise zipfile.BadZipFile(msg)
            left -= len(data)
            plain = stream.decrypt(data)
            plain = plain if inflate is None else inflate.decompress(plain)
            size, crc = size + len(plain), zlib.crc32(plain, crc)
            yield plain
        if inflate is not None and (tail := inflate.flush()):
            size, crc = size + len(tail), zlib.crc32(tail, crc)
            yield tail
        # AE-2 leaves the CRC out: the tag says more.
        if raw.read(TAG_BYTES) != stream.tag or size != info.file_size or (version == 1 and crc != info.CRC):
            msg = f"{info.filename} is not what was packed"
            raise zipfile.BadZipFile(msg)


def _aes_field(info: zipfile.ZipInfo) -> tuple[int, int, int]:
    """Return version, strength and real compression from the extra field that names AES."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == _AES_FIELD and size >= 7:
            version, _, strength, method = struct.unpack("<H2sBH", extra[4:11])
            return version, strength, method
        extra = extra[4 + size :]
    msg = f"{info.filename} does not say how it is encrypted"
    raise zipfile.BadZipFile(msg)


def _tar_members(archive: Path) -> Iterator[_Found]:
    with tarfile.open(archive) as file:
        for info in file:
            name = safe_name(info.name, archive=archive) if not info.isdir() else ""
            if info.isdir():
                continue
            if not info.isfile():
                raise DataError(_no_links(archive, info.name))
            handle: Any = file.extractfile(info)
            yield name, info.size, partial(_pieces, handle)


def _pieces(handle: IO[bytes]) -> Iterator[bytes]:
    while chunk := handle.read(_CHUNK):
        yield chunk


def _no_links(archive: Path, name: str) -> str:
    return (
        f"{archive} holds {name!r}, which is a link or a device, not a file. Nothing was unpacked: such an archive is "
        "broken or malicious. Tell whoever offers it."
    )


def _wrong_password(archive: Path) -> str:
    return f"the password does not open {archive}: its authors changed it, or the file is damaged. Ask them for it."
