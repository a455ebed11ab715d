"""Read and compare identifiers: DOI, arXiv id, repository address, title."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

__all__ = [
    "ARXIV_DOI",
    "arxiv_of",
    "arxiv_year",
    "doi_of",
    "is_arxiv",
    "is_doi",
    "normalise_title",
    "normalise_url",
    "repository_of",
    "slug",
]

#: DOIs that arXiv registers for its own papers.
ARXIV_DOI = "10.48550/arxiv."

_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
_ARXIV = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7}")
_HOSTS = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")


def is_doi(text: str) -> bool:
    """Say whether `text` is a bare DOI (no ``https://doi.org/`` in front)."""
    return _DOI.fullmatch(text) is not None


def is_arxiv(text: str) -> bool:
    """Say whether `text` is a bare arXiv id, new or old style, without a version."""
    return _ARXIV.fullmatch(text) is not None and _month_is_real(text)


def _month_is_real(text: str) -> bool:
    digits = text.rpartition("/")[2]
    return 1 <= int(digits[2:4]) <= 12


def doi_of(text: str) -> str | None:
    """Find the DOI in a DOI, ``doi:`` string or address; None where there is none."""
    found = _DOI.search(text)
    return found.group().rstrip(".,;)") if found else None


def arxiv_of(text: str) -> str | None:
    """Find the arXiv id in an id, ``arXiv:`` string, arXiv DOI or arxiv.org address, without its version."""
    text = text.strip()
    if is_arxiv(re.sub(r"v\d+$", "", text)):
        return re.sub(r"v\d+$", "", text)
    pattern = rf"(?:arxiv[.:/]\s*|arxiv\.org/(?:abs|pdf|html)/)({_ARXIV.pattern})"
    found = re.search(pattern, text, flags=re.IGNORECASE)
    return found.group(1) if found and is_arxiv(found.group(1)) else None


def arxiv_year(arxiv: str) -> int:
    """Return the year in which arXiv gave the number out."""
    two = int(arxiv.rpartition("/")[2][:2])
    return 1900 + two if two > 90 else 2000 + two


def normalise_title(title: str) -> str:
    """Reduce a title to lowercase letters and digits with single blanks, so that two spellings compare equal."""
    plain = unicodedata.normalize("NFKD", title)
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return " ".join(re.findall(r"[^\W_]+", plain))


def normalise_url(url: str) -> str:
    """Reduce an address to ``host/path?query``: no scheme, ``www.``, fragment or trailing slash, lowercase host."""
    parts = urlsplit(url.strip())
    host = parts.netloc.lower().removeprefix("www.")
    path = parts.path.rstrip("/").removesuffix(".git")
    return f"{host}{path}" + (f"?{parts.query}" if parts.query else "")


def repository_of(url: str) -> str | None:
    """Return ``host/owner/name`` in lowercase for a repository's address; None for any other address."""
    parts = urlsplit(url.strip())
    host = parts.netloc.lower().removeprefix("www.")
    names = [name for name in parts.path.split("/") if name]
    if host not in _HOSTS or len(names) < 2:
        return None
    return f"{host}/{names[0]}/{names[1].removesuffix('.git')}".lower()


def slug(text: str) -> str:
    """Write `text` as a lowercase id of letters, digits and hyphens."""
    return "-".join(normalise_title(text.replace("&", " and ")).encode("ascii", "ignore").decode().split())
