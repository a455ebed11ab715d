"""Verify whether the files of a data set's folder are still what was fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoscribe.core.progress import progress
from histoscribe.io.data._checksum import checksum_of
from histoscribe.io.data._manifest import MANIFEST, WORK, Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.io.data._plan import Plan

__all__ = ["Verdict", "verify"]


@dataclass(frozen=True)
class Verdict:
    """Paths by what is the matter with them; `good` is a number.

    `damaged` have other bytes than were fetched, `outdated` are not what the registry says they should be, `missing`
    are gone, and `extra` were never fetched.
    """

    good: int
    damaged: list[str]
    outdated: list[str]
    missing: list[str]
    extra: list[str]

    @property
    def ok(self) -> bool:
        """True where nothing is damaged, outdated, missing or extra."""
        return not (self.damaged or self.outdated or self.missing or self.extra)


def verify(folder: Path, plan: Plan | None = None, *, show: bool | None = None) -> Verdict:
    """Read every file again and compare it with the manifest and, where `plan` is given, with the registry.

    Raises
    ------
    DataError
        If the folder has no manifest.
    """
    manifest = Manifest(folder)
    known = {item.path: item.remote.checksum for item in plan.items if not item.archive} if plan else {}
    good, damaged, outdated, missing = 0, [], [], []
    total = int(sum(about["size"] for about in manifest.files.values()) / 1e6)
    with progress(f"verifying {manifest.body['data_set']}", total, unit="MB", show=show) as advance:
        for path, about in sorted(manifest.files.items()):
            target = folder / path
            if not target.is_file():
                missing.append(path)
                continue
            expected = known.get(path) or about.get("checksum")
            sums = checksum_of(target, expected) if target.stat().st_size == about["size"] else None
            if sums is None or sums.sha256 != about["sha256"]:
                damaged.append(path)
            elif not sums.ok:
                outdated.append(path)
            else:
                good += 1
            advance(int(about["size"] / 1e6))
    found = (p.relative_to(folder) for p in sorted(folder.rglob("*")) if p.is_file())
    extra = [str(p) for p in found if p.parts[0] != WORK and str(p) != MANIFEST and p.as_posix() not in manifest.files]
    return Verdict(good, damaged, outdated, missing, extra)
