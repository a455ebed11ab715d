"""Time catalogue searches: on the shipped records, and on 100,000 records made by shuffling their titles.

Prints n, seed, and the median and slowest time of each query, ms. Needs no data; one thread.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

from histoscribe.catalogue import Catalogue
from histoscribe.catalogue.index import Index
from histoscribe.catalogue.query import Filters

QUERIES = {
    "triplex": Filters(),
    "spatial": Filters(),
    "spatial transcriptomics": Filters(),
    "spatial domains": Filters(),
    "空间域": Filters(),
    "乳腺癌 表达预测": Filters(),
    "graph contrastive learning": Filters(),
    "foundation model pathology": Filters(),
    "zzqqy": Filters(),
    "histology": Filters(organs=("乳腺",), years=(2024, None), has_code=True),
    "": Filters(tasks=("expression-prediction",), years=(2024, 2025)),
}


def grown(n: int, seed: int) -> Catalogue:
    """Return the catalogue with copies of its papers, titles drawn from all their words, up to `n` records."""
    catalogue = Catalogue.load()
    rng = random.Random(seed)
    papers = list(catalogue.papers.values())
    words = [word for paper in papers for word in paper.title.split()]
    for number in range(n - len(catalogue.papers) - len(catalogue.datasets)):
        paper = rng.choice(papers)
        title = " ".join(rng.choices(words, k=len(paper.title.split())))
        changes = {"id": f"{paper.id}-x{number}", "title": title, "year": rng.randint(2016, 2026)}
        catalogue.add(paper.model_copy(update=changes))
    return catalogue


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="Records of the large catalogue.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    for catalogue in (Catalogue.load(), grown(args.n, args.seed)):
        start = time.perf_counter()
        index = Index.build(catalogue)
        print(f"n = {len(index)} records, seed {args.seed}: index built in {time.perf_counter() - start:.1f} s")
        slowest = 0.0
        for query, filters in QUERIES.items():
            times = []
            for _ in range(args.repeats):
                start = time.perf_counter()
                index.search(query, filters)
                times.append(1e3 * (time.perf_counter() - start))
            slowest = max(slowest, *times)
            print(
                f"  {query or '(no words)':<30} median {statistics.median(times):7.1f} ms, slowest {max(times):7.1f} ms"
            )
        print(f"  slowest of all: {slowest:.1f} ms")


if __name__ == "__main__":
    main()
