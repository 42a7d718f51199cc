/** What can be done to any write of any story, and how the story then has to end. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { askApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { deploymentsPath } from "../e2e/cluster.ts";
import { deploymentName } from "../lifecycle/stories.ts";
import type { Action, Asked } from "./actions.ts";
import type { Fault } from "./proxy.ts";
import { touched } from "./state.ts";

export interface Disturbance {
  readonly name: string;
  /** Row of the catalogue. */
  readonly row: number;
  readonly fault: (controlPlane: ControlPlane) => Omit<Fault, "write">;
  /** Which writes it can befall; absent: all. */
  readonly befalls?: (what: string, story: string) => boolean;
  /** The operator is killed once every lane has met it. */
  readonly kills?: true;
  /** It was done and nobody said so: only by asking again can it be known. */
  readonly isAskedTwice?: true;
  /** The story ends with nothing instead: the deployment is deleted. */
  readonly endsEmpty?: true;
  /** Only in the full run: it takes minutes. */
  readonly isLong?: true;
}

const act = (action: Action, times = 1): Disturbance["fault"] => {
  return () => ({ action, times });
};
const answer = (code: number, reason: string, retryAfterSeconds?: number): Action => ({
  do: "answer",
  code,
  reason,
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
});

const answers = [
  answer(409, "Conflict"),
  answer(409, "AlreadyExists"),
  answer(422, "Invalid"),
  answer(429, "TooManyRequests", 1),
  answer(500, "InternalError"),
  answer(503, "ServiceUnavailable"),
  answer(504, "Timeout"),
];
const name = (action: Action): string =>
  action.do === "answer" ? `${action.code} ${action.reason}` : action.do;

/** A refusal of this kind is not tried again for half a minute. */
const isRefusal = (action: Action): boolean => action.do === "answer" && action.code === 422;

/** The pod that "delete" ends with would be gone. */
const isDeletion = (what: string, story: string): boolean =>
  what.startsWith("DELETE pods/") && story !== "delete";

export const disturbances: readonly Disturbance[] = [
  {
    name: "killed before",
    row: 1,
    fault: () => ({ action: { do: "lose" }, isTheEnd: true }),
    kills: true,
  },
  {
    name: "killed after",
    row: 2,
    fault: () => ({ action: { do: "lose the answer" }, isTheEnd: true }),
    kills: true,
  },
  { name: "answer lost", row: 3, fault: act({ do: "lose the answer" }), isAskedTwice: true },
  { name: "connection lost", row: 4, fault: act({ do: "lose" }) },
  { name: "connection lost 20 times", row: 4, fault: act({ do: "lose" }, 20), isLong: true },
  { name: "never answered", row: 4, fault: act({ do: "swallow" }) },
  { name: "late by 5 s", row: 4, fault: act({ do: "delay", seconds: 5 }) },
  ...answers.map((each) => ({ name: name(each), row: 4, fault: act(each) })),
  ...answers.map((each) => ({
    name: `${name(each)} ${isRefusal(each) ? 3 : 20} times`,
    row: 4,
    fault: act(each, isRefusal(each) ? 3 : 20),
    isLong: true as const,
  })),
  {
    name: "object changed by another",
    row: 5,
    befalls: (what) => !what.startsWith("POST"),
    fault: (controlPlane) => ({ action: { do: "meddle", first: (asked) => touch(controlPlane, asked) } }),
  },
  {
    name: "pod replaced by its namesake",
    row: 6,
    befalls: isDeletion,
    fault: (controlPlane) => ({
      action: { do: "meddle", first: (asked) => replacePod(controlPlane, asked) },
    }),
  },
  {
    name: "deployment deleted",
    row: 35,
    fault: (controlPlane) => ({
      action: { do: "meddle", first: ({ namespace }) => remove(controlPlane, namespace) },
    }),
    endsEmpty: true,
  },
];

const touchedShape = z.object({
  metadata: z.object({ uid: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
});
const touches: { readonly path: string; readonly uid: string }[] = [];

/** Somebody else's write comes between the operator's look and its write. */
async function touch(controlPlane: ControlPlane, asked: Asked): Promise<void> {
  const path = asked.path.replace(/\/status$/, "");
  const { status, body } = await askApi(controlPlane, path, {
    method: "PATCH",
    body: { metadata: { annotations: { [touched]: "yes" } } },
    contentType: "application/merge-patch+json",
  });
  if (status === 200) touches.push({ path, uid: touchedShape.parse(JSON.parse(body)).metadata.uid });
}

/** Objects that are still there and have lost what somebody else wrote on them. */
export async function lostTouches(controlPlane: ControlPlane): Promise<string[]> {
  const lost: string[] = [];
  for (const { path, uid } of touches.splice(0)) {
    const { status, body } = await askApi(controlPlane, path);
    if (status !== 200) continue;
    const { metadata } = touchedShape.parse(JSON.parse(body));
    if (metadata.uid === uid && metadata.annotations[touched] !== "yes") lost.push(path);
  }
  return lost;
}

const uidOf = async (controlPlane: ControlPlane, path: string): Promise<string | undefined> => {
  const { status, body } = await askApi(controlPlane, path);
  const shape = z.object({ metadata: z.object({ uid: z.string() }) });
  return status === 200 ? shape.parse(JSON.parse(body)).metadata.uid : undefined;
};

/** The pod is gone, and its controller has made the next of its name, before the operator's deletion arrives. */
async function replacePod(controlPlane: ControlPlane, { path, method }: Asked): Promise<void> {
  if (method !== "DELETE") return;
  const before = await uidOf(controlPlane, path);
  await askApi(controlPlane, path, { method: "DELETE", body: { gracePeriodSeconds: 0 } });
  const deadline = performance.now() + 5000;
  // A StatefulSet that is being removed makes no other.
  while (performance.now() < deadline) {
    const now = await uidOf(controlPlane, path);
    if (now !== undefined && now !== before) return;
    await delay(50);
  }
}

const remove = (controlPlane: ControlPlane, namespace: string): Promise<unknown> =>
  askApi(controlPlane, deploymentsPath(namespace, deploymentName), { method: "DELETE" });
