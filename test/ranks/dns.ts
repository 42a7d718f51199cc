/** DNS of the stand-ins, as CoreDNS gives names to the pods of headless Services: from EndpointSlices. */
import { renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import type { ApiResource } from "../../charts/kubernetes.ts";

export const endpointSlices: ApiResource = {
  group: "discovery.k8s.io",
  version: "v1",
  plural: "endpointslices",
  kind: "EndpointSlice",
  namespaced: true,
};

const endpoint = z.object({
  addresses: z.array(z.string()),
  hostname: z.string().optional(),
  conditions: z.object({ ready: z.boolean().default(true) }).prefault({}),
});
export const sliceView = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
  endpoints: z.array(endpoint).nullish(),
});
export type SliceView = z.output<typeof sliceView>;

/** The API server takes no loopback address for an endpoint, so pods show one of a usual pod network. */
export const loopback = (podIp: string): string => podIp.replace(/^10\./, "127.");

/** An endpoint that isn't ready has no name, unless its Service publishes those too (then the API calls it ready). */
export function writeHosts(file: string, slices: readonly SliceView[], clusterDomain: string): void {
  const hosts = slices.flatMap(({ metadata: { labels, namespace }, endpoints }) =>
    (endpoints ?? []).flatMap(({ addresses: [podIp], hostname, conditions }) => {
      if (podIp === undefined || hostname === undefined || !conditions.ready) return [];
      const name = `${hostname}.${labels["kubernetes.io/service-name"]}.${namespace}.svc.${clusterDomain}`;
      return [[name, loopback(podIp)]];
    }),
  );
  // A reader sees the old names or the new.
  writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(hosts)));
  renameSync(`${file}.new`, file);
}
