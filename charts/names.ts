import { ranksSuffix } from "../crds/names.ts";

/** Labels, annotations and names of everything that is rendered for a deployment. */

export const labels = {
  name: "app.kubernetes.io/name",
  managedBy: "app.kubernetes.io/managed-by",
  component: "app.kubernetes.io/component",
  /** Name of the MiMoDeployment. Pods are selected by it. */
  deployment: "mimo.dev/deployment",
  /** Id of the serving group within its deployment. */
  group: "mimo.dev/group",
  revision: "mimo.dev/revision",
  /**
   * Name of the MiMoDeployment, on its ControllerRevisions. Not `deployment`: a StatefulSet takes ControllerRevisions that
   * its selector could match for its own.
   */
  revisionOf: "mimo.dev/revision-of",
  /** UID of the MiMoDeployment, on what has no ownerReference. */
  ownerUid: "mimo.dev/owner-uid",
  /** Ordinal of a pod, set by the StatefulSet controller: the rank. */
  podIndex: "apps.kubernetes.io/pod-index",
} as const;

export const annotations = {
  /** On a StatefulSet the formation as JSON; on a pod the id of the formation that it joined. */
  formation: "mimo.dev/formation",
  /** Port at which the ranks of the pod's formation meet. */
  distPort: "mimo.dev/dist-port",
  /** On a StatefulSet: its losses within the recovery window, as JSON. */
  recovery: "mimo.dev/recovery",
  /** On a StatefulSet that is on its way out: why. */
  stopping: "mimo.dev/stopping",
  /** On a StatefulSet: the restart that it took up last and the pods that go for it, as JSON. */
  restarted: "mimo.dev/restarted",
  /** On a ControllerRevision that did not become Ready: why. */
  failed: "mimo.dev/failed",
  /** On a MiMoDeployment, by a person: a new value lets a group that was given up try again. */
  retry: "mimo.dev/retry",
  /** On a MiMoDeployment, by a person: a new value restarts every group once, as a rollout would. */
  restart: "mimo.dev/restart",
  /** On a MiMoDeployment, by a person: "true" frees the GPUs, as spec.suspend does. */
  suspended: "mimo.dev/suspended",
  /** On a MiMoDeployment, by a person: "<revision>:<revision>", run the second where the request resolves to the first. */
  rollback: "mimo.dev/rollback",
  /** On a MiMoDeployment, by a person: the revision of UpdateAvailable to adopt. */
  adopt: "mimo.dev/adopt",
  /** Hash of the object as it was rendered. */
  applied: "mimo.dev/applied",
  /** Hash of the request that a ControllerRevision was resolved from. */
  specHash: "mimo.dev/spec-hash",
} as const;

/** Holds the ranks of a multi-node group until all of them exist. */
export const schedulingGate = "mimo.dev/formation";

/** On a MiMoDeployment: its ComputeDomains go after its pods, and then it goes. */
export const computeDomainFinalizer = "mimo.dev/compute-domain";
/** Name within a pod of its claim to an IMEX channel. */
export const channelClaim = "compute-domain-channel";

export const httpPortName = "http";
/** Container of a rank's pod in which SGLang runs. */
export const serverContainer = "sglang";

export const groupName = (name: string, groupId: number): string => `${name}-${groupId}`;
export const podName = (name: string, groupId: number, rank: number): string =>
  `${groupName(name, groupId)}-${rank}`;
/** ResourceClaimTemplate that the DRA driver makes for the ComputeDomain of a group. */
export const channelTemplateName = (name: string, groupId: number): string =>
  `${groupName(name, groupId)}-channel`;
export const apiServiceName = (name: string): string => name;
export const ranksServiceName = (name: string): string => `${name}${ranksSuffix}`;
export const revisionName = (name: string, revision: string): string => `${name}-${revision}`;

/** On every object; never `app.kubernetes.io/instance`, by which Argo CD tells whose an object is. */
export const commonLabels = (name: string): Record<string, string> => ({
  [labels.name]: "mimo",
  [labels.managedBy]: "mimo-operator",
  [labels.deployment]: name,
});

/** Every rank of every group. */
export const deploymentSelector = (name: string): Record<string, string> => ({ [labels.deployment]: name });

/** Every rank of one group. */
export const groupSelector = (name: string, groupId: number): Record<string, string> => ({
  [labels.deployment]: name,
  [labels.group]: String(groupId),
});

/** Rank 0 of every group: the only rank that answers requests. */
export const rank0Selector = (name: string): Record<string, string> => ({
  [labels.deployment]: name,
  [labels.podIndex]: "0",
});
