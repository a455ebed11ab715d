/** The `k`-th smallest (from 0) of values without NaN, in linear time; they are reordered. Many may be equal, as counts are. */
export function select(values: Float32Array, k: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = middle(values[low]!, values[(low + high) >> 1]!, values[high]!);
    // Smaller ones to the front, larger ones to the back, equal ones between: `below` to `above`.
    let [below, above, i] = [low, high, low];
    while (i <= above) {
      const value = values[i]!;
      if (value < pivot) {
        values[i++] = values[below]!;
        values[below++] = value;
      } else if (value > pivot) {
        values[i] = values[above]!;
        values[above--] = value;
      } else {
        i++;
      }
    }
    if (k < below) {
      high = below - 1;
    } else if (k > above) {
      low = above + 1;
    } else {
      return pivot;
    }
  }
  return values[k]!;
}

function middle(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
