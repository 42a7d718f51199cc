const units = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
] as const;

/** "12s", "5m", "3h", "4d": as kubectl, two of a unit before the next larger one. */
export function formatAge(since: string | undefined, now: Date): string {
  if (since === undefined) return "";
  const seconds = Math.max(0, Math.floor((now.getTime() - Date.parse(since)) / 1000));
  const [unit, size] = units.find((each) => seconds >= 2 * each[1]) ?? ["s", 1];
  return `${Math.floor(seconds / size)}${unit}`;
}
