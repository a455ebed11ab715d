"""The rules of `papers check`: one function a rule; each yields one finding a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.catalogue.rules import authority, code, data, identity, record, venue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from histoscribe.catalogue.finding import Finding
    from histoscribe.catalogue.store import Catalogue

__all__ = ["RULES"]

#: Rule id to the function that applies it, in the order in which findings are shown.
RULES: Mapping[str, Callable[[Catalogue], Iterator[Finding]]] = {
    "schema": record.schema,
    "file-name": record.file_name,
    "vocabulary": record.vocabulary,
    "provenance": record.provenance,
    "conflict": record.conflict,
    "id-form": identity.id_form,
    "duplicate-doi": identity.duplicate_doi,
    "duplicate-arxiv": identity.duplicate_arxiv,
    "duplicate-title": identity.duplicate_title,
    "same-url": identity.same_url,
    "url-identifier": identity.url_identifier,
    "alias-collision": identity.alias_collision,
    "fragile-url": identity.fragile_url,
    "same-code": code.same_code,
    "code-cites": code.code_cites,
    "licence": code.licence,
    "result-context": code.result_context,
    "venue-doi": venue.venue_doi,
    "venue-url": venue.venue_url,
    "year-arxiv": venue.year_arxiv,
    "authority-title": authority.title,
    "authority-venue": authority.venue,
    "authority-year": authority.year,
    "dangling-dataset": data.dangling,
    "duplicate-dataset": data.duplicate,
    "dataset-size": data.size,
    "dataset-paper": data.paper,
}
