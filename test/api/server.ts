/** A real API server with the CustomResourceDefinitions in it, and what it says to a document. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { apiGroup, apiVersion } from "../../crds/names.ts";
import { askApi } from "../controlplane/api.ts";
import { bootControlPlane, type ControlPlane } from "../controlplane/boot.ts";
import { kubectl } from "../controlplane/kubectl.ts";
import type { Document } from "./documents.ts";

export const crdsFile = join(import.meta.dirname, "../../charts/generated/crds.yaml");

/** Boots a control plane in a folder of its own. */
export async function bootServer(): Promise<ControlPlane> {
  const directory = await mkdtemp(join(tmpdir(), "mimo-api-"));
  return bootControlPlane({
    directory,
    audit: false,
    scheduler: false,
    controllerManagerFlags: ["--horizontal-pod-autoscaler-sync-period=1s"],
    onProgress: (line) => console.error(line),
  });
}

export async function stopServer(server: ControlPlane): Promise<void> {
  await server.stop();
  await rm(server.directory, { recursive: true, force: true });
}

/** kubectl that has to succeed. @returns its output. */
export async function run(server: ControlPlane, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(server, args, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

export interface Verdict {
  readonly accepted: boolean;
  /** The API server's words; empty when accepted. */
  readonly message: string;
}

/** What `kubectl apply --dry-run=server` is told about a document that isn't there yet. */
export async function submit(server: ControlPlane, document: Document): Promise<Verdict> {
  const collection =
    document.kind === "MiMoPlatform" ? "mimoplatforms" : "namespaces/default/mimodeployments";
  const path = `/apis/${apiGroup}/${apiVersion}/${collection}?dryRun=All&fieldValidation=Strict`;
  const { status, body } = await askApi(server, path, { method: "POST", body: document });
  if (status === 201) return { accepted: true, message: "" };
  if (status === 400 || status === 422) return { accepted: false, message: messageOf(body) };
  throw new Error(`POST ${path} answered ${status}: ${body}`);
}

function messageOf(body: string): string {
  const answer: unknown = JSON.parse(body);
  return typeof answer === "object" && answer !== null && "message" in answer ? String(answer.message) : body;
}

/** Asks until the answer is right. @throws Error with the last answer after `seconds`. */
export async function eventually<Answer>(
  seconds: number,
  ask: () => Promise<Answer>,
  isRight: (answer: Answer) => boolean,
): Promise<Answer> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(`not so after ${seconds} s; last seen: ${JSON.stringify(answer)}`);
    await delay(100);
  }
}
