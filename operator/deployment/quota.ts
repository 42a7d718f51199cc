import { gpuQuotaKey } from "../../charts/quota.ts";
import type { Quota } from "./objects.ts";

/** GPUs that the pods of a namespace may ask for together. */
export interface GpuQuota {
  readonly name: string;
  readonly hard: number;
  readonly used: number;
}

/** What a ResourceQuota says of GPUs; undefined when it says nothing, or only of pods of one kind. */
export function gpuQuotaOf({ metadata, spec, status }: Quota): GpuQuota | undefined {
  if ((spec.scopes ?? []).length > 0 || spec.scopeSelector !== undefined) return undefined;
  const hard = Number(status?.hard?.[gpuQuotaKey] ?? Number.NaN);
  const used = Number(status?.used?.[gpuQuotaKey] ?? Number.NaN);
  return Number.isFinite(hard) && Number.isFinite(used) ? { name: metadata.name, hard, used } : undefined;
}

export interface Room {
  /** New serving groups that can be made. */
  readonly groups: number;
  /** Why there are fewer than wanted. */
  readonly shortage?: string;
}

/**
 * How many of the wanted groups a namespace's quotas have room for, so that none is made whose pods would be refused.
 * @param promised GPUs that pods will ask for which groups still lack
 */
export function quotaRoom(
  quotas: readonly GpuQuota[],
  wanted: number,
  gpusPerGroup: number,
  promised: number,
): Room {
  const left = ({ hard, used }: GpuQuota): number => hard - used - promised;
  const [tightest] = [...quotas].sort((a, b) => left(a) - left(b));
  if (tightest === undefined || wanted === 0) return { groups: wanted };
  const groups = Math.min(wanted, Math.max(0, Math.floor(left(tightest) / gpusPerGroup)));
  if (groups === wanted) return { groups };
  const { name, hard, used } = tightest;
  const shortage = `${wanted - groups} of the wanted serving groups would need ${gpusPerGroup} GPUs each; ResourceQuota ${name} allows the namespace ${hard}, of which ${used + promised} are taken. Raise the ResourceQuota or scale something else down`;
  return { groups, shortage };
}
