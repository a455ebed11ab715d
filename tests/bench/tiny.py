"""A suite small enough for tests: three generated donors, two folds, six genes that are scored."""

from __future__ import annotations

TINY = """\
id = "tiny"
version = "1"

[heading]
en = "SYNTHETIC: 3 generated donors"
zh = "合成数据：3 名程序生成的供者"

[data]
source = "synthetic-donors"

[data.options]
n_donors = 3
seed = 5
size_um = 800
mpp = 4.0
genes = { gland = 4, null = 3, rest = 60 }

[split]
kind = "donor-folds"
k = 2

[panel]
rule = "all"
exclude = "^REST"

[[subsets]]
name = "structural"
include = "^GLAND"
heading.en = "structural genes"
heading.zh = "结构基因"

[[methods]]
method = "mean"

[[methods]]
method = "ridge"
encoder = "colour"
size_um = [112]

[expect]
sections = 3
donors = 3
folds = 2
genes = 7
"""


def write_suite(folder, text=TINY, **changes):
    """Write the suite, with some of its text replaced, and return its path."""
    for old, new in changes.get("replace", {}).items():
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{changes.get('name', 'tiny')}.toml"
    path.write_text(text, encoding="utf-8")
    return path
