"""Write the README's results table from stored run records, in both languages; `--check` only compares."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "results" / "real-sections"
START, END = "<!-- results:start -->\n", "<!-- results:end -->\n"

#: Run to its description, English and Chinese.
RUNS = {
    "her2st": (
        "her2st C2, C3, C4 -> C5 (one donor: sister sections, not a new donor; 250 genes)",
        "her2st C2、C3、C4 → C5（同一供者的相邻切片，不是新供者；250 个基因）",
    ),
    "mob-animal-2": (
        "olfactory bulb, animal 1 -> animal 2 (2 sections each; 250 genes)",
        "小鼠嗅球，动物 1 → 动物 2（各 2 张切片；250 个基因）",
    ),
    "mob-animal-1": (
        "olfactory bulb, animal 2 -> animal 1 (2 sections each; 250 genes)",
        "小鼠嗅球，动物 2 → 动物 1（各 2 张切片；250 个基因）",
    ),
    "kidney": (
        "Visium HD kidney at 64 um, one side -> the other, 0.7 mm gap (one donor; 700 genes)",
        "Visium HD 肾脏，64 µm，一侧 → 另一侧，间隔 0.7 mm（同一供者；700 个基因）",
    ),
}
TEXT = {
    "README.md": (
        "## What it reaches on real sections\n",
        "Each cell is `pcc_gene` / `depth_partial_pcc_gene`: mean over genes of the correlation across spots, plain and "
        "with log depth and its square removed. Ridge on `efficientnet-lite0+colour`, tiles of 112, 224 and 448 um; "
        "panel of highest mean count in the training sections, library size over all measured genes, unsmoothed truth, "
        "seed 0. n is small everywhere: no donor-level interval can be given. The oracle sees the measured depth of the "
        "test section. Written from `results/real-sections` by `docs/results.py`; measured by "
        "`benchmarks/real_sections.py`.\n",
        ("run", "n spots", "ridge", "colour ridge", "sister copy", "array kNN", "depth oracle"),
    ),
    "README.zh.md": (
        "## 在真实切片上的表现\n",
        "每格为 `pcc_gene` / `depth_partial_pcc_gene`：各基因在点位间相关系数的平均，以及去除测序深度（对数及其平方）之后的值。"
        "方法为 `efficientnet-lite0+colour` 上的岭回归，图块边长 112、224、448 µm；"
        "基因取训练切片中平均计数最高者，文库大小按全部测量基因计算，真值不平滑，种子 0。"
        "样本都很少，无法给出供者水平的置信区间。深度对照使用了测试切片的实测深度。"
        "由 `docs/results.py` 根据 `results/real-sections` 写出，用 `benchmarks/real_sections.py` 测得。\n",
        ("任务", "点位数", "岭回归", "颜色岭回归", "相邻切片", "阵列 kNN", "深度对照"),
    ),
}
BEATEN = ("**Controls that beat the ridge in `pcc_gene`:** ", "**在 `pcc_gene` 上胜过岭回归的对照：**")
#: After a name, between its controls, between runs, and at the end.
MARKS = ((": ", ", ", "; ", "."), ("：", "、", "；", "。"))
COLUMNS = ("ridge", "colour-ridge", "sister-copy", "array-knn", "log-depth-oracle")
SETTING = "lite0+colour-112,224,448"


def main() -> int:
    """Write both READMEs, or return 1 where one is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Change nothing; fail where a page is stale.")
    check = parser.parse_args().check
    stale = []
    for language, (name, text) in enumerate(TEXT.items()):
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        head, rest = old.split(START)
        new = head + START + "\n" + section(text, language) + "\n" + END + rest.split(END)[1]
        if new != old:
            stale.append(name)
            if not check:
                path.write_text(new, encoding="utf-8")
    if check and stale:
        print(f"stale results in {', '.join(stale)}; run `make docs`")
        return 1
    return 0


def section(text: tuple[str, str, tuple[str, ...]], language: int) -> str:
    """Return the results section in one language."""
    title, sentence, header = text
    colon, comma, semicolon, stop = MARKS[language]
    wins = []
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for run, description in RUNS.items():
        record = json.loads((RECORDS / run / f"{SETTING}.json").read_text(encoding="utf-8"))
        cells = [cell(record["scores"].get(name)) for name in COLUMNS]
        own = record["scores"]["ridge"]["pcc_gene"]
        better = [
            f"{h} {s['pcc_gene']:.3f}"
            for n, h in zip(COLUMNS[1:], header[3:], strict=True)
            if (s := record["scores"].get(n)) and (s.get("pcc_gene") or 0) > own
        ]
        wins += [f"{run}{colon}{comma.join(better)} > {own:.3f}"] if better else []
        lines.append("| " + " | ".join([description[language], str(record["n"]["observations"]), *cells]) + " |")
    first = BEATEN[language] + semicolon.join(wins) + stop + "\n" if wins else ""
    return "\n".join([title, first, sentence, *lines]) + "\n"


def cell(scores: dict[str, float] | None) -> str:
    """Return the two scores of one method, or a dash where it does not apply."""
    if not scores or scores.get("pcc_gene") is None:
        return "–"
    return f"{scores['pcc_gene']:.3f} / {scores['depth_partial_pcc_gene']:.3f}"


if __name__ == "__main__":
    sys.exit(main())
