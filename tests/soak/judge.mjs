// Is a series of samples flat? Knows nothing of where they come from.
//
// What was sampled before `warm` is thrown away: caches and pools fill. The rest is cut into windows, and of each window only its
// median counts, so that a burst of work that happened to be sampled counts for nothing. Through these medians goes the line of
// Theil and Sen (the median of the slopes between all pairs), which does not care what a quarter of them are. What it rises from
// the first window to the last must stay below the bound; a line that falls is flat.

const WINDOWS = 16;
export const WARM = 0.25;
const MIB = 1024 * 1024;

// Most that a series may rise after its warm-up: so much, or so many parts of its own level, whichever is more.
export const BOUNDS = {
  heap: { most: MIB / 4, part: 0.03 },
  rss: { most: MIB, part: 0.05 },
  fds: { most: 4, part: 0 },
  entries: { most: 50, part: 0 },
  rows: { most: 50, part: 0 },
  redis: { most: 2 * MIB, part: 0.1 },
};

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Rise of the line through equally distant values, from the first to the last. */
export function riseOf(values) {
  const slopes = [];
  for (let i = 0; i < values.length; i++) {
    for (let j = i + 1; j < values.length; j++) slopes.push((values[j] - values[i]) / (j - i));
  }
  return median(slopes) * (values.length - 1);
}

/** The medians of the windows after the warm-up. `points` are [time, value]; fewer than three for a window is no measurement. */
export function windowsOf(points, begin, end) {
  const from = begin + (end - begin) * WARM;
  const windows = Array.from({ length: WINDOWS }, () => []);
  for (const [t, value] of points) {
    if (t < from || t > end) continue;
    windows[Math.min(WINDOWS - 1, Math.floor(((t - from) / (end - from)) * WINDOWS))].push(value);
  }
  return windows.some((w) => w.length < 3) ? null : windows.map(median);
}

/** {name, kind, level, rise, bound, flat} of a series {name, kind, points} between two times. */
export function judge({ name, kind, points }, begin, end) {
  const windows = windowsOf(points, begin, end);
  if (!windows) return { name, kind, flat: false, why: `too few samples (${points.length})` };
  const level = median(windows);
  const rise = riseOf(windows);
  const bound = Math.max(BOUNDS[kind].most, BOUNDS[kind].part * level);
  return { name, kind, first: windows[0], last: windows.at(-1), level, peak: Math.max(...points.map(([, v]) => v)), rise, bound, flat: rise <= bound };
}
