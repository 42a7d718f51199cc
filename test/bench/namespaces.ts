/** Where groups live: as on a shared cluster, each team has some, and no controller of Kubernetes' own walks all of them. */
import { z } from "zod";
import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { eventually } from "../e2e/eventually.ts";
import type { GroupRef } from "./group-pods.ts";

export const groupsPerNamespace = 50;
/** Until all namespaces have what every namespace is given, or all that was in one is gone. */
const limitSeconds = 900;
const path = "/api/v1/namespaces";

export const groupsOf = (prefix: string, count: number): GroupRef[] =>
  Array.from({ length: count }, (_, index) => ({
    namespace: `${prefix}-${Math.floor(index / groupsPerNamespace)}`,
    name: `g${index}`,
  }));

const namesOf = (groups: readonly GroupRef[]): string[] => [
  ...new Set(groups.map(({ namespace }) => namespace)),
];

const named = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string(), namespace: z.string().optional() }) })),
});

/** The namespaces of these groups, with the ServiceAccount without which no pod may be made. */
export async function createNamespaces(
  controlPlane: ControlPlane,
  groups: readonly GroupRef[],
): Promise<void> {
  const names = namesOf(groups);
  for (const name of names)
    await callApi(controlPlane, path, { method: "POST", body: { metadata: { name } } });
  await eventually(
    "every namespace has its ServiceAccount",
    async () => {
      const { items } = named.parse(await callApi(controlPlane, "/api/v1/serviceaccounts"));
      const have = new Set(items.map(({ metadata }) => metadata.namespace));
      return names.every((name) => have.has(name)) ? true : undefined;
    },
    limitSeconds,
  );
}

/** Deletes the namespaces of these groups, and waits until all that was in them is gone. */
export async function removeNamespaces(
  controlPlane: ControlPlane,
  groups: readonly GroupRef[],
): Promise<void> {
  const names = new Set(namesOf(groups));
  for (const name of names) await callApi(controlPlane, `${path}/${name}`, { method: "DELETE" });
  await eventually(
    "the namespaces are gone",
    async () => {
      const { items } = named.parse(await callApi(controlPlane, path));
      return items.some(({ metadata }) => names.has(metadata.name)) ? undefined : true;
    },
    limitSeconds,
  );
}
