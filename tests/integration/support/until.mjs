// Waiting for a condition, never for a time.
const PAUSE_MS = 50;
// Under valgrind everything takes longer: so many times more patience, and so many times less load.
export const SLOW = Number(process.env.WA_TEST_SLOW ?? 1);

/** Call `probe` until it gives something truthy and return that; throw with `what` after `timeoutMs`. */
export async function until(what, probe, timeoutMs = 30_000) {
  const end = Date.now() + timeoutMs * SLOW;
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
      throw new Error(`waited ${timeoutMs * SLOW} ms in vain for: ${what} (last: ${seen})`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
