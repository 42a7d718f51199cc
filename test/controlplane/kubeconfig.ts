/** Kubeconfigs: the file every client of the control plane is pointed at. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { type ApiAccess, callApi } from "./api.ts";

const TOKEN_LIFETIME_SECONDS = 24 * 3600;

const tokenRequest = z.object({ status: z.object({ token: z.string() }) });

/** Writes a kubeconfig that carries the CA, readable by its owner only. */
export async function writeKubeconfig(
  path: string,
  access: Pick<ApiAccess, "server" | "certificateAuthority">,
  user: { readonly name: string; readonly token: string; readonly namespace?: string },
): Promise<string> {
  const { name, token, namespace = "default" } = user;
  const cluster = {
    server: access.server,
    "certificate-authority-data": Buffer.from(access.certificateAuthority).toString("base64"),
  };
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "loopback", cluster }],
    users: [{ name, user: { token } }],
    contexts: [{ name: "loopback", context: { cluster: "loopback", user: name, namespace } }],
    "current-context": "loopback",
  };
  await writeFile(path, stringify(kubeconfig), { mode: 0o600 });
  return path;
}

/**
 * A kubeconfig that acts as a ServiceAccount (which has to exist), by a token the API server issues for a day.
 * @param server where it points to: the API server itself unless a proxy stands before it.
 * @returns its path, one for each account and server
 */
export async function serviceAccountKubeconfig(
  controlPlane: ApiAccess & { readonly directory: string },
  namespace: string,
  name: string,
  server: string = controlPlane.server,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: TOKEN_LIFETIME_SECONDS },
  };
  const { status } = tokenRequest.parse(await callApi(controlPlane, path, { method: "POST", body }));
  const port = server === controlPlane.server ? "" : `.${new URL(server).port}`;
  const file = join(controlPlane.directory, `${namespace}.${name}${port}.kubeconfig`);
  const { certificateAuthority } = controlPlane;
  return await writeKubeconfig(
    file,
    { server, certificateAuthority },
    {
      name: `${namespace}:${name}`,
      token: status.token,
      namespace,
    },
  );
}
