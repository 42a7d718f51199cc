/** What can happen to a deployment under faults: the stories of test/lifecycle, and some more. */
import type { TestCluster } from "../e2e/cluster.ts";
import { deploymentName, stories as lifecycle, pro, type Story } from "../lifecycle/stories.ts";

const apply =
  (spec: Readonly<Record<string, unknown>>): Story["act"] =>
  (cluster: TestCluster, namespace) =>
    cluster.apply(namespace, deploymentName, spec);

export const stories: readonly Story[] = [
  ...lifecycle,
  { name: "scale-up", given: pro, act: apply({ ...pro, replicas: 2 }) },
  // From one node to two.
  { name: "topology", given: { ...pro, variant: "MiMo-V2.5" }, act: apply(pro) },
  { name: "resume", given: pro, prepare: apply({ ...pro, suspend: true }), act: apply(pro) },
];
