"""Small replies in the forms that the four services document."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

JSON = {"Content-Type": "application/json"}
ATOM = {"Content-Type": "application/atom+xml; charset=utf-8"}


def europepmc(*results: dict, after: str | None = None, hits: int | None = None) -> tuple:
    value = {
        "version": "6.9",
        "hitCount": len(results) if hits is None else hits,
        "resultList": {"result": list(results)},
    }
    if after:
        value["nextCursorMark"] = after
    return 200, JSON, json.dumps(value).encode()


def epmc_article(
    number: int = 1, title: str = "Predicting spatial gene expression from histology", **more: object
) -> dict:
    return {
        "id": str(number),
        "source": "MED",
        "pmid": str(number),
        "doi": f"10.1038/s41467-{number}",
        "title": f"{title}.",
        "authorList": {"author": [{"fullName": "Doe J", "firstName": "Jane", "lastName": "Doe", "initials": "J"}]},
        "journalInfo": {"volume": "16", "journal": {"title": "Nature Communications"}},
        "pubYear": "2025",
        "pageInfo": "12-20",
        "abstractText": "<h4>Background</h4>Whole slide images and spatial transcriptomics.",
        "pubTypeList": {"pubType": ["Journal Article"]},
        "firstPublicationDate": "2025-03-04",
    } | more


def epmc_preprint(
    number: int = 7, title: str = "Predicting spatial gene expression from histology", **more: object
) -> dict:
    return {
        "id": f"PPR{number}",
        "source": "PPR",
        "doi": f"10.1101/2024.01.01.{number:06d}",
        "title": title,
        "authorList": {"author": [{"lastName": "Doe", "initials": "J"}]},
        "bookOrReportDetails": {"publisher": "bioRxiv", "yearOfPublication": 2024},
        "pubYear": "2024",
        "firstPublicationDate": "2024-01-02",
        "pubTypeList": {"pubType": ["Preprint"]},
    } | more


def atom(*entries: str, total: int | None = None) -> tuple:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"<opensearch:totalResults>{len(entries) if total is None else total}</opensearch:totalResults>"
        f"{''.join(entries)}</feed>"
    )
    return 200, ATOM, body.encode()


def atom_entry(
    number: str = "2501.00001",
    title: str = "Predicting spatial gene expression from histology",
    *,
    doi: str = "",
    comment: str = "",
) -> str:
    return (
        f"<entry><id>http://arxiv.org/abs/{number}v2</id><title>{escape(title)}</title>"
        "<published>2025-01-02T10:00:00Z</published><updated>2025-02-01T10:00:00Z</updated>"
        "<summary>We use whole slide images.</summary>"
        "<author><name>Jane van der Doe</name></author><author><name>Bo Li</name></author>"
        + (f'<arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">{doi}</arxiv:doi>' if doi else "")
        + (f'<arxiv:comment xmlns:arxiv="http://arxiv.org/schemas/atom">{comment}</arxiv:comment>' if comment else "")
        + "</entry>"
    )


def crossref(*items: dict, after: str | None = None) -> tuple:
    message = {"total-results": len(items), "items": list(items), "items-per-page": 100}
    if after:
        message["next-cursor"] = after
    return 200, JSON, json.dumps({"status": "ok", "message-type": "work-list", "message": message}).encode()


def crossref_article(
    doi: str = "10.1038/s41467-1", title: str = "Predicting spatial gene expression from histology", **more: object
) -> dict:
    return {
        "DOI": doi,
        "type": "journal-article",
        "title": [title],
        "author": [{"given": "Jane", "family": "Doe"}, {"name": "The Consortium"}],
        "container-title": ["Nature Communications"],
        "published": {"date-parts": [[2025, 3, 4]]},
        "volume": "16",
        "page": "12-20",
    } | more


def openalex(*results: dict, count: int | None = None) -> tuple:
    meta = {"count": len(results) if count is None else count, "page": 1, "per_page": 100}
    return 200, JSON, json.dumps({"meta": meta, "results": list(results)}).encode()


def openalex_work(
    number: int = 1, title: str = "Predicting spatial gene expression from histology", **more: object
) -> dict:
    return {
        "id": f"https://openalex.org/W{number}",
        "doi": f"https://doi.org/10.1038/s41467-{number}",
        "display_name": title,
        "publication_year": 2025,
        "publication_date": "2025-03-04",
        "type": "article",
        "primary_location": {"source": {"display_name": "Nature Communications"}, "version": "publishedVersion"},
        "authorships": [{"author": {"display_name": "Jane Doe"}, "raw_author_name": "Jane Doe"}],
        "biblio": {"volume": "16", "first_page": "12", "last_page": "20"},
        "is_retracted": False,
        "abstract_inverted_index": {"slide": [1], "Whole": [0], "images": [2]},
    } | more
