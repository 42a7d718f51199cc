/** Command lines of the components. Everything listens on loopback or not at all. */
import { join } from "node:path";

/** Above what tests ask for: client-side throttling must not be what a test measures. */
const CLIENT_QPS = 1000;
/** kube-apiserver rotates at 100 MB unless told otherwise, and a rotated log would look like lost writes. */
const AUDIT_LOG_MEGABYTES = 100_000;

export function etcdFlags(directory: string, clientPort: number, peerPort: number): string[] {
  const client = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  return [
    `--data-dir=${join(directory, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

export function apiServerFlags(directory: string, port: number, etcdPort: number): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    `--cert-dir=${join(directory, "certificates")}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    `--secure-port=${port}`,
    // An Endpoints object for `kubernetes` must not hold a loopback address.
    "--endpoint-reconciler-type=none",
    "--authorization-mode=Node,RBAC",
    `--token-auth-file=${join(directory, "tokens.csv")}`,
    `--service-account-key-file=${join(directory, "service-account.pub")}`,
    `--service-account-signing-key-file=${join(directory, "service-account.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--allow-privileged=true",
  ];
}

/** Blocking mode: a write is in the log before its caller has the answer. */
export function auditFlags(path: string): string[] {
  return [
    `--audit-policy-file=${join(import.meta.dirname, "audit-policy.yaml")}`,
    `--audit-log-path=${path}`,
    `--audit-log-maxsize=${AUDIT_LOG_MEGABYTES}`,
    "--audit-log-format=json",
    "--audit-log-mode=blocking",
  ];
}

export function controllerManagerFlags(directory: string, kubeconfig: string): string[] {
  return [
    ...clientFlags(kubeconfig),
    "--controllers=*",
    // Each controller acts as its own ServiceAccount, as in a real cluster: the audit log tells them apart.
    "--use-service-account-credentials=true",
    `--service-account-private-key-file=${join(directory, "service-account.key")}`,
    `--root-ca-file=${join(directory, "certificates", "apiserver.crt")}`,
  ];
}

export function schedulerFlags(kubeconfig: string): string[] {
  return clientFlags(kubeconfig);
}

function clientFlags(kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    "--secure-port=0",
    "--leader-elect=false",
    `--kube-api-qps=${CLIENT_QPS}`,
    `--kube-api-burst=${2 * CLIENT_QPS}`,
  ];
}
