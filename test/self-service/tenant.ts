import { callApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { type KubectlResult, kubectl } from "../controlplane/kubectl.ts";
import { eventually } from "../e2e/eventually.ts";

/** Somebody who has one of Kubernetes' own roles in a namespace. */
export interface Tenant {
  readonly namespace: string;
  readonly user: string;
  /** kubectl as they would run it, in their namespace unless the arguments name another. */
  kubectl(args: readonly string[], input?: string | object): Promise<KubectlResult>;
  /** The same, for what has to succeed. @returns standard output. */
  run(args: readonly string[], input?: string | object): Promise<string>;
}

/** Makes a namespace with labels, and binds the user to the ClusterRole in it. */
export async function createTenant(
  controlPlane: ControlPlane,
  namespace: string,
  labels: Readonly<Record<string, string>> = {},
  role: "edit" | "admin" = "edit",
  user = `alice-of-${namespace}`,
): Promise<Tenant> {
  const post = (path: string, body: object) => callApi(controlPlane, path, { method: "POST", body });
  await post("/api/v1/namespaces", { metadata: { name: namespace, labels } });
  await post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: role },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
  });
  const as = [`--as=${user}`, "--as-group=system:authenticated", `--namespace=${namespace}`];
  const asTenant = (args: readonly string[], input?: string | object) =>
    kubectl(
      controlPlane,
      [...as, ...args],
      input === undefined ? {} : { input: typeof input === "string" ? input : JSON.stringify(input) },
    );
  await eventually("kube-controller-manager has aggregated the role", async () =>
    (await asTenant(["auth", "can-i", "create", "mimodeployments"])).code === 0 ? true : undefined,
  );
  return {
    namespace,
    user,
    kubectl: asTenant,
    run: async (args, input) => {
      const { code, stdout, stderr } = await asTenant(args, input);
      if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}`);
      return stdout;
    },
  };
}

/** A MiMoDeployment within the limits, with more in its specification. */
export const deployment = (name: string, spec: object = {}, metadata: object = {}): object => ({
  apiVersion: "mimo.dev/v1alpha1",
  kind: "MiMoDeployment",
  metadata: { name, ...metadata },
  spec: { variant: "MiMo-V2-Flash", hardware: "H200", ...spec },
});
