// Waiting for a condition, never for a time.
const PAUSE_MS = 50;

/** Call `probe` until it gives something truthy and return that; throw with `what` after `timeoutMs`. */
export async function until(what, probe, timeoutMs = 30_000) {
  const end = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`waited ${timeoutMs} ms in vain for: ${what} (last: ${seen})`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
