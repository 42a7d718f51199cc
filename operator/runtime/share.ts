const isParent = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/**
 * `now` with each part that equals the same part of `sample` put in that one's place, so that memory holds it once: objects
 * of one kind hardly differ. All of `sample` when nothing differs. Both are JSON; `now` is changed and must be nobody else's.
 */
export function share<T>(now: T, sample: T): T;
export function share(now: unknown, sample: unknown): unknown {
  if (now === sample) return sample;
  if (!isParent(now) || !isParent(sample) || Array.isArray(now) !== Array.isArray(sample)) return now;
  const keys = Object.keys(now);
  let isSame = keys.length === Object.keys(sample).length;
  for (const key of keys) {
    const known = Object.hasOwn(sample, key);
    // Equal strings are put in place, too: each that was parsed has memory of its own.
    const part = known ? share(now[key], sample[key]) : now[key];
    if (known) now[key] = part;
    isSame &&= known && part === sample[key];
  }
  return isSame ? sample : now;
}
