"""A studio on generated data, and a real headless Chromium that looks at it.

Tests skip with a reason where Chromium or the built page is absent. Every page is watched: an error on the console, an
uncaught exception, or a request that leaves this machine fails the test that caused it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from histoscribe.testing import make_section, write_visium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src" / "histoscribe" / "studio" / "static" / "index.html"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
GENES = {"gland": 2, "nuclear-density": 2, "null": 2, "rest": 20}
#: Of the tests' own Chromium: nothing of it may ask for anything outside.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
#: Machines under load are slow; a test that waits in vain fails all the same.
WAIT_MS = 60_000


@dataclass
class Studio:
    """A running studio."""

    url: str
    folder: Path
    items: dict[str, str] = field(default_factory=dict)
    #: Of the server's process; 0 where it is a thread of this one.
    pid: int = 0


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Folder with a measured section, its prediction, a slide without scale, and a bundle; all SYNTHETIC."""
    from PIL import Image

    from histoscribe.io import read_specs
    from histoscribe.methods.apply import predict
    from histoscribe.methods.train import fit

    root = tmp_path_factory.mktemp("studio")
    specs = []
    for donor in range(3):
        section = make_section(donor, seed=1, size_um=900.0, mpp=2.0, genes=GENES)
        image = write_visium(section, root / f"d{donor}")
        specs.append(f"visium:{root / f'd{donor}'}?image={image}&donor=d{donor}&name=s{donor}&species=synthetic")
    bundle = fit(read_specs(specs[:2]), encoder="colour", genes=10, show=False)
    bundle.save(root / "colour.bundle")
    measured = read_specs(specs[2:])[0]
    predict(measured.blind(), bundle, show=False).write_h5ad(root / "prediction.h5ad")
    Image.open(image).convert("RGB").save(root / "plain.png")
    return root, specs[2]


@pytest.fixture(scope="session")
def studio(study, tmp_path_factory) -> Iterator[Studio]:
    """Start `histoscribe studio` as users do; it is stopped at the end."""
    if not STATIC.is_file():
        pytest.skip("the studio's page is not built (cd web && npm ci && npm run build)")
    folder, spec = study
    given = [spec, str(folder / "prediction.h5ad"), str(folder / "colour.bundle")]
    command = [sys.executable, "-m", "histoscribe", "studio", *given, "--no-browser", "--port", "0"]
    command += ["--records", str(ROOT / "results")]
    log = tmp_path_factory.mktemp("log") / "studio.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=dict(os.environ))
        try:
            yield Studio(_address(process, log), folder, pid=process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _address(process: subprocess.Popen, log: Path) -> str:
    for _ in range(600):
        found = re.search(r"http://[\w.:]+/", log.read_text())
        if found:
            return found[0].rstrip("/")
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    pytest.fail(f"the studio did not start within 60 s:\n{log.read_text()}")


def ask(studio: Studio, path: str) -> dict[str, Any]:
    """Return what the server answers."""
    return json.load(urlopen(f"{studio.url}/api/{path}"))


@contextmanager
def chromium(flags: Sequence[str]) -> Iterator[Browser]:
    """Debian's Chromium, without a window; the test skips where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    import playwright.sync_api as api

    api.expect.set_options(timeout=WAIT_MS)
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(flags))
        yield started
        started.close()


# Ended with each module: while it is open, no other test of this process can run an event loop or open a second one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without WebGL."""
    with chromium(FLAGS) as started:
        yield started


LOCALES = {"en": "en-GB", "zh": "zh-CN"}


@pytest.fixture(scope="module")
def contexts(browser) -> Iterator[Callable[..., BrowserContext]]:
    """Profiles by language and theme: a page opens in half the time in one that has compiled the scripts."""
    known: dict[tuple[str, str], BrowserContext] = {}

    def profile(lang: str, theme: str) -> BrowserContext:
        if (lang, theme) not in known:
            look = {"locale": LOCALES[lang], "color_scheme": theme, "reduced_motion": "reduce"}
            known[lang, theme] = browser.new_context(**look, viewport={"width": 1280, "height": 900})
            known[lang, theme].set_default_timeout(WAIT_MS)
        return known[lang, theme]

    yield profile
    for context in known.values():
        context.close()


@pytest.fixture
def open_page(contexts, studio) -> Iterator[Callable[..., Page]]:
    """Open an address of the studio; `refused` is the status, such as "422", that a test provokes on purpose."""
    pages, wrong, allowed = [], [], []

    def open_at(path: str, *, lang: str = "en", theme: str = "light", refused: str = "") -> Page:
        allowed.append(refused)
        page = contexts(lang, theme).new_page()
        pages.append(page)
        watch(page, wrong)
        page.goto(studio.url + path)
        return page

    yield open_at
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.close()
    assert unexpected(wrong, allowed) == []


def watch(page: Page, wrong: list[str]) -> None:
    """Note every error on the console, uncaught exception and request that leaves this machine."""
    page.on("pageerror", lambda error: wrong.append(f"uncaught: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("request", lambda request: wrong.append(f"left: {request.url}") if _leaves(request.url) else None)


def unexpected(wrong: list[str], allowed: list[str]) -> list[str]:
    """Leave out the statuses that a test provoked: Chromium reports every refused request, expected or not."""
    expected = [f"status of {status} " for status in allowed if status]
    return [line for line in wrong if not any(text in line for text in expected)]


def until(page: Page, script: str) -> None:
    """Wait until a script is true; Playwright's own waiting needs `eval`, which the studio's policy forbids."""
    end = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(script):
        assert time.monotonic() < end, f"never became true: {script}"
        page.wait_for_timeout(50)


def _leaves(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in {"127.0.0.1", "localhost"}


@pytest.fixture
def axe():
    """Return what axe-core finds on a page: one line a rule and element; none is clean."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (cd web && npm ci)")
    source = AXE.read_text(encoding="utf-8")

    def violations(page: Page) -> list[str]:
        page.evaluate(source)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [f"{v['id']}: {n['html'][:160]}" for v in found["violations"] for n in v["nodes"]]

    return violations
