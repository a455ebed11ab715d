"""Visium HD in chunks: peak memory and time of reading generated 2 um bins, for several sizes of the array.

Each array is written as Space Ranger writes it (HDF5 with gzip, bins in no order, positions as Parquet), with genes
drawn from a power law. Each reading runs in a process of its own, whose high-water mark (VmHWM) is the figure; `idle`
is a process that only imports. The script ends with status 1 where a reading takes more than the goal or loses a count.
A whole slide has 3350 x 3350 bins (--side 3350: about 5 minutes). Nothing is kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

N_GENES, MPP, GOAL_GB = 18_000, 0.27, 4.0
READ = """
import json, sys, time
import anndata, h5py, pyarrow.parquet
from histoscribe.io import read
start, cpu = time.perf_counter(), time.process_time()
options = json.loads(sys.argv[2])
section = read("visium-hd", sys.argv[1], image="none", **options) if options else None
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
status = open("/proc/self/status").read()
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
out = {"seconds": seconds, "cpu": cpu, "peak_gb": peak * 1024 / 1e9}
if section is not None:
    counts = section.table.layers["counts"]
    out |= {"n_obs": section.n_obs, "nonzeros": counts.nnz, "sum": int(section.depth.sum())}
print(json.dumps(out))
"""


def main() -> None:
    """Write, read, print; status 1 where memory passes the goal or a count is lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, nargs="+", default=[420, 840, 1680], help="edge of the array, 2 um bins")
    parser.add_argument("--per-bin", type=float, default=20.0, help="mean number of nonzeros in a bin")
    parser.add_argument("--pool-um", type=float, nargs="+", default=[8.0, 64.0])
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    idle, results = measure("", {}), []
    print(f"idle: {idle['peak_gb']:.2f} GB")
    for side in args.side:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            nonzeros, total = write(Path(folder), side, args.per_bin)
            size = sum(p.stat().st_size for p in Path(folder).rglob("*.h5")) / 1e9
            wrote = time.perf_counter() - start
            print(f"{side} x {side} bins, {nonzeros / 1e6:.1f} M nonzeros, {size:.2f} GB file ({wrote:.0f} s to write)")
            for pool in args.pool_um:
                found = measure(folder, {"bin_um": 2, "pool_um": pool, "max_gb": 3.0})
                kept = found["sum"] == total
                results.append({"side": side, "pool_um": pool, "file_nonzeros": nonzeros, "all_counts": kept} | found)
                print(
                    f"  {pool:3g} um: {found['n_obs']} squares, {found['nonzeros'] / 1e6:.1f} M nonzeros, "
                    f"{found['seconds']:.1f} s ({found['cpu']:.1f} s CPU), peak {found['peak_gb']:.2f} GB "
                    f"(counts {found['nonzeros'] * 8e-9:.2f} GB), all counts there: {kept}"
                )
    if args.json:
        args.json.write_text(json.dumps({"idle": idle, "readings": results}, indent=2) + "\n")
    sys.exit(0 if all(r["peak_gb"] <= GOAL_GB and r["all_counts"] for r in results) else 1)


def measure(folder, options):
    """Read in a fresh process."""
    command = [sys.executable, "-c", READ, str(folder), json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def write(folder, side, per_bin):
    """Write a folder square_002um; return its nonzeros and the sum of its counts."""
    bins = folder / "binned_outputs" / "square_002um"
    (bins / "spatial").mkdir(parents=True)
    factors = {"bin_size_um": 2.0, "microns_per_pixel": MPP, "tissue_hires_scalef": 0.1}
    (bins / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
    write_positions(bins / "spatial" / "tissue_positions.parquet", side)
    rng = np.random.default_rng(0)
    order, lengths = rng.permutation(side * side), rng.poisson(per_bin, side * side)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    nonzeros, total, step = int(indptr[-1]), 0, 2_000_000
    with h5py.File(bins / "filtered_feature_bc_matrix.h5", "w") as file:
        group, packed = file.create_group("matrix"), {"compression": "gzip", "compression_opts": 1}
        group["shape"], group["indptr"] = [N_GENES, side * side], indptr
        data = group.create_dataset("data", (nonzeros,), "<i4", chunks=(1 << 16,), **packed)
        indices = group.create_dataset("indices", (nonzeros,), "<i8", chunks=(1 << 16,), **packed)
        for start in range(0, nonzeros, step):
            n = min(step, nonzeros - start)
            values = 1 + (rng.random(n) < 0.1).astype(np.int32)
            # Half of the molecules are of the 1 % highest genes.
            indices[start : start + n] = (N_GENES * rng.random(n) ** 6.6).astype(np.int64)
            data[start : start + n] = values
            total += int(values.sum())
        barcodes = group.create_dataset("barcodes", (side * side,), "S21", chunks=(1 << 14,), **packed)
        for start in range(0, side * side, 1 << 20):
            row, column = np.divmod(order[start : start + (1 << 20)], side)
            barcodes[start : start + len(row)] = names(row, column).view("S21").ravel()
        features = group.create_group("features")
        features["id"] = np.array([f"ENSG{i:011d}" for i in range(N_GENES)], dtype="S")
        features["name"] = np.array([f"G{i}" for i in range(N_GENES)], dtype="S")
        features["feature_type"] = np.array(["Gene Expression"] * N_GENES, dtype="S")
    return nonzeros, total


def names(row, column):
    """Return names as (n, 21) bytes."""
    text = np.tile(np.frombuffer(b"s_002um_00000_00000-1", np.uint8), (len(row), 1))
    for place in range(5):
        text[:, 12 - place] = 48 + row // 10**place % 10
        text[:, 18 - place] = 48 + column // 10**place % 10
    return text


def write_positions(path, side):
    """Write the positions of all bins, one row of the array after the other."""
    writer, rows = None, max(1, (1 << 20) // side)
    for start in range(0, side, rows):
        row, column = (v.ravel() for v in np.mgrid[start : min(start + rows, side), 0:side])
        text = names(row, column)
        offsets = np.arange(0, 21 * (len(row) + 1), 21, dtype=np.int32)
        barcode = pa.StringArray.from_buffers(len(row), pa.py_buffer(offsets), pa.py_buffer(text))
        table = pa.table(
            {
                "barcode": barcode,
                "in_tissue": np.ones(len(row), np.int32),
                "array_row": row.astype(np.int32),
                "array_col": column.astype(np.int32),
                "pxl_row_in_fullres": 100 + 2 / MPP * (row + 0.5),
                "pxl_col_in_fullres": 100 + 2 / MPP * (column + 0.5),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


if __name__ == "__main__":
    main()
