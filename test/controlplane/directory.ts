/** What one run keeps in its directory: who owns it, and the secrets its components share. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, isAlive } from "./liveness.ts";

const USERS = {
  admin: { name: "admin", group: "system:masters" },
  kwok: { name: "kwok", group: "system:masters" },
  "kube-controller-manager": { name: "system:kube-controller-manager", group: "" },
  "kube-scheduler": { name: "system:kube-scheduler", group: "" },
} as const;

/** One string per user of the control plane itself. */
export type Tokens = Readonly<Record<keyof typeof USERS, string>>;

function ownerFile(directory: string): string {
  return join(directory, "controlplane.pid");
}

/** Takes the directory for this process and clears what an earlier run left. */
export async function claimDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const owner = ownerFile(directory);
  try {
    const pid = Number(await readFile(owner, "utf8"));
    if (pid > 0 && isAlive(pid)) {
      throw new Error(
        `a control plane of process ${pid} runs in ${directory}: stop it or choose another directory ` +
          `(if that process is something else, remove ${owner})`,
      );
    }
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    if (existsSync(join(directory, "etcd"))) {
      throw new Error(
        `${directory}/etcd exists and is not known to be of a control plane: choose another directory`,
      );
    }
  }
  await writeFile(owner, String(process.pid));
  const logs = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"].map(
    (n) => `${n}.log`,
  );
  for (const leftover of ["etcd", "certificates", "audit.log", ...logs]) {
    await rm(join(directory, leftover), { recursive: true, force: true });
  }
}

/** Lets another run use the directory. What is in it stays for reading; the empty owner file says whose it was. */
export async function releaseDirectory(directory: string): Promise<void> {
  await writeFile(ownerFile(directory), "");
}

/** Writes the ServiceAccount key pair and the bearer tokens kube-apiserver accepts; returns the tokens. */
export async function writeCredentials(directory: string): Promise<Tokens> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const secret = (): string => randomBytes(24).toString("hex");
  const tokens: Tokens = {
    admin: secret(),
    kwok: secret(),
    "kube-controller-manager": secret(),
    "kube-scheduler": secret(),
  };
  const rows = (Object.keys(USERS) as (keyof typeof USERS)[]).map((key) => {
    const { name, group } = USERS[key];
    return `${tokens[key]},${name},${name}${group === "" ? "" : `,${group}`}\n`;
  });
  await writeFile(join(directory, "service-account.key"), privateKey, { mode: 0o600 });
  await writeFile(join(directory, "service-account.pub"), publicKey);
  await writeFile(join(directory, "tokens.csv"), rows.join(""), { mode: 0o600 });
  return tokens;
}
