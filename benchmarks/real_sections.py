"""Accuracy on real sections, by the command line alone: train, predict, judge, report.

Data: the development folder (HISTOSCRIBE_DATA, default ../shared/data); nothing is downloaded.
Runs, each with seed 0:

- ``her2st``: one donor; fit on C2, C3, C4, predict C5 from its slide at its spots' positions. 250 genes of highest mean
  count in the training sections, full-library normalisation, truth not smoothed.
- ``mob``: olfactory bulb, two animals; leave one animal out, both ways. 250 genes.
- ``kidney``: one donor, one Visium HD section at 64 um; train on columns >= 56, test on columns < 45 (0.7 mm gap).
  All 700 genes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from histoscribe.core.files import read_json, write_json

SETTINGS = {
    "colour-112": ["--encoder", "colour"],
    "lite0-112": ["--encoder", "efficientnet-lite0"],
    "lite0+colour-112": [],
    "lite0+colour-112,224,448": ["--size-um", "112,224,448"],
}


def runs(data: Path) -> dict[str, dict]:
    """Return train, test and extra options of every run."""
    her2st = [f"st-array:{data}/her2st?section=C{i}&species=human" for i in (2, 3, 4, 5)]
    mob = [f"st-array:{data}/mob_st2k?section=MOB{i}" for i in (1, 2, 3, 4)]
    kidney = (
        f"h5ad:{data}/visium_hd_kidney/derived/section_064um_700genes.h5ad?image={data}/visium_hd_kidney/upstream/"
        "Visium_HD_Human_Kidney_FFPE/pyramid_images/cells.dzi&mpp=2.0067&donor=kidney-1&depth=total_umi_all_genes"
        "&species=human&spot_um=64&pitch_um=64&name={name}&where=array_col{where}"
    )
    east, west = kidney.format(name="kidney-left", where=">=56"), kidney.format(name="kidney-right", where="<45")
    return {
        "her2st": {"train": her2st[:3], "test": her2st[3:], "genes": "250"},
        "mob-animal-2": {"train": mob[:2], "test": mob[2:], "genes": "250"},
        "mob-animal-1": {"train": mob[2:], "test": mob[:2], "genes": "250"},
        # Podocyte genes fill the glomeruli, UMOD the thick limb, ALDOB the proximal tubule: maps one can check.
        "kidney": {"train": [east], "test": [west], "genes": "700", "show": "NPHS2,PODXL,UMOD,ALDOB"},
    }


def histoscribe(*words: str) -> float:
    """Run a command; return its seconds."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "histoscribe", *words], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Run everything that was asked for and print one table a run."""
    default = Path(os.environ.get("HISTOSCRIBE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--only", nargs="*", help="Names of runs.")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--out", type=Path, default=Path(".bench/real-sections"), help="Bundles, predictions, reports.")
    parser.add_argument("--records", type=Path, default=Path("results/real-sections"), help="Run records, kept.")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"no development data at {args.data}; set HISTOSCRIBE_DATA")
        return
    for name, run in runs(args.data).items():
        if args.only and name not in args.only:
            continue
        for setting in args.settings:
            one(args.out / name / setting, name, run, setting)
            (record,) = (args.out / name / setting).glob("record-*.json")
            write_json(args.records / name / f"{setting}.json", read_json(record))


def one(out: Path, name: str, run: dict, setting: str) -> None:
    """Fit, predict every test section, evaluate them together, report the first."""
    bundle = str(out / "model.bundle")
    print(f"\n== {name}, {setting}", flush=True)
    fit = histoscribe("fit", *run["train"], "--genes", run["genes"], "--out", bundle, *SETTINGS[setting])
    for old in out.glob("record-*.json"):
        old.unlink()
    predictions, pairs = [], []
    for index, test in enumerate(run["test"]):
        path = str(out / f"prediction-{index}.h5ad")
        histoscribe("predict", bundle, test, "--out", path)
        predictions.append(path)
        pairs += [path, test]
    seconds = histoscribe("evaluate", *pairs, "--out", str(out))
    show = ["--genes", run["show"]] if "show" in run else []
    histoscribe("report", predictions[0], "--measured", run["test"][0], "--out", str(out / "report.html"), *show)
    print(json.dumps({"run": name, "setting": setting, "fit_s": round(fit, 1), "evaluate_s": round(seconds, 1)}))


if __name__ == "__main__":
    main()
