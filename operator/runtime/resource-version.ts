/**
 * Order of two resourceVersions of the same resource type: negative, 0 or positive.
 * They are decimal integers of any length and comparable since Kubernetes 1.35 (KEP-5504); etcd-backed
 * servers have always behaved so. "" and "0" stand for "none" and sort first.
 */
export function compareResourceVersions(left: string, right: string): number {
  const a = significant(left);
  const b = significant(right);
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

function significant(version: string): string {
  if (!/^\d*$/.test(version)) {
    throw new Error(
      `resourceVersion ${JSON.stringify(version)} is not a decimal integer: this API server does not follow KEP-5504, so the age of a cached object can't be told`,
    );
  }
  return version.replace(/^0+/, "");
}
