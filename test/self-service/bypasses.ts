import { deployment } from "./tenant.ts";

/** What a tenant tries; words of what they are told. */
export interface Attempt {
  readonly title: string;
  readonly args: readonly string[];
  readonly input?: object;
  readonly told: string;
}

const creates = (title: string, spec: object, told: string, metadata: object = {}): Attempt => ({
  title,
  args: ["create", "-f", "-"],
  input: deployment("attempt", spec, metadata),
  told,
});
const patches = (title: string, patch: object, told: string, ...more: readonly string[]): Attempt => ({
  title,
  args: ["patch", "mimo", "mine", "--type=merge", "-p", JSON.stringify(patch), ...more],
  told,
});
const runs = (title: string, args: readonly string[], told: string, input?: object): Attempt => ({
  title,
  args,
  told,
  ...(input !== undefined && { input }),
});

const model = (source: object): object => ({ model: source });
const patched = (...patches: object[]): object => ({ podTemplate: { patches } });
const scheduling = (fields: object): object => ({ scheduling: fields });
const fleet = { hardware: "GB300", variant: "MiMo-V2.5" };
const sentence = {
  hardware:
    "spec.hardware: GB300 is for namespaces labelled team=research, which team-a is not; take other hardware, or ask your platform team for the label",
  groups: (count: number) =>
    `spec.replicas: ${count} serving groups are more than the 2 that MiMoPlatform limits.groupsPerDeployment allows; write 2 or less, or ask your platform team`,
};
const forbidden = 'User "alice-of-team-a" cannot';
const binding = (role: string): object => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: { name: "more" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "alice-of-team-a" }],
});

/** Beyond the platform's limits: each is refused by a sentence that says what to write instead. */
export const beyondLimits: readonly Attempt[] = [
  creates("hardware of another team", fleet, sentence.hardware),
  patches("hardware of another team, by an edit", { spec: fleet }, sentence.hardware),
  creates(
    "a variant that isn't offered",
    { variant: "MiMo-V2.5-Pro" },
    "spec.variant: MiMo-V2.5-Pro is not allowed, for MiMoPlatform limits.variants has MiMo-V2-Flash, MiMo-V2.5; take one of those, or ask your platform team",
  ),
  creates(
    "a profile that isn't offered",
    { profile: "Throughput" },
    "spec.profile: Throughput is not allowed, for MiMoPlatform limits.profiles has Balanced, Latency; take one of those, or ask your platform team",
  ),
  creates(
    "a runtime that isn't offered",
    { runtime: "v0.5.23" },
    "spec.runtime: v0.5.23 is not allowed, for MiMoPlatform limits.runtimes has day0, v0.5.18; take one of those, or ask your platform team",
  ),
  creates(
    "an image from elsewhere",
    { image: { repository: "evil.example.com/sglang", tag: "v0.5.18" } },
    "spec.image.repository: evil.example.com/sglang is not allowed, for MiMoPlatform limits.imageRepositories has registry.example.com/models; take one of those, or ask your platform team",
  ),
  patches(
    "an image from a repository whose name begins like one that is allowed",
    { spec: { image: { repository: "registry.example.com/models-evil/sglang", tag: "v0.5.18" } } },
    "spec.image.repository: registry.example.com/models-evil/sglang is not allowed",
  ),
  creates(
    "a checkpoint in an image from elsewhere",
    model({ image: { reference: "evil.example.com:5000/checkpoint:1@sha256:00" } }),
    "spec.model.image.reference: evil.example.com:5000/checkpoint is not allowed, for MiMoPlatform limits.imageRepositories has registry.example.com/models",
  ),
  creates(
    "a checkpoint with somebody's code in it",
    model({ huggingFace: { repository: "XiaomiMiMo-evil/MiMo-V2-Flash" } }),
    "spec.model.huggingFace.repository: XiaomiMiMo-evil/MiMo-V2-Flash is not allowed, for MiMoPlatform limits.modelRepositories has XiaomiMiMo",
  ),
  creates(
    "a folder of the nodes",
    model({ hostPath: { path: "/etc/kubernetes" } }),
    "spec.model.hostPath.path: /etc/kubernetes is not below a folder of MiMoPlatform's allowedHostPaths (/mnt/models); use spec.model.persistentVolumeClaim, or ask your platform team for the folder",
  ),
  creates(
    "a folder whose name begins like one that is allowed",
    model({ hostPath: { path: "/mnt/models-private" } }),
    "spec.model.hostPath.path: /mnt/models-private is not below a folder",
  ),
  creates(
    "a folder that steps back out of one that is allowed",
    model({ hostPath: { path: "/mnt/models/../../etc" } }),
    "model.hostPath.path may not step back with '..': write the folder itself",
  ),
  creates(
    "a folder of the nodes, by a patch",
    patched({ op: "add", path: "/spec/volumes/-", value: '{"name":"host","hostPath":{"path":"/"}}' }),
    "spec.podTemplate.patches: /spec/volumes/- may not be patched, for MiMoPlatform allowedPodTemplatePaths has /spec/hostAliases, /spec/containers, /spec/initContainers; leave the patch out, or ask your platform team",
  ),
  patches(
    "a part of pods whose name begins like one that is allowed",
    { spec: patched({ op: "add", path: "/spec/containersAndMore", value: "1" }) },
    "spec.podTemplate.patches: /spec/containersAndMore may not be patched",
  ),
  patches(
    "a part of pods behind one that is allowed",
    {
      spec: patched(
        { op: "add", path: "/spec/hostAliases", value: "[]" },
        { op: "replace", path: "/spec/serviceAccountName", value: '"theirs"' },
      ),
    },
    "spec.podTemplate.patches: /spec/serviceAccountName may not be patched",
  ),
  creates(
    "a priority above everybody's",
    scheduling({ priorityClassName: "system-node-critical" }),
    "spec.scheduling.priorityClassName: system-node-critical is not allowed, for MiMoPlatform limits.priorityClassNames has no entry; leave it out, or ask your platform team",
  ),
  creates(
    "nodes of the control plane",
    scheduling({ tolerations: [{ key: "node-role.kubernetes.io/control-plane", operator: "Exists" }] }),
    "spec.scheduling.tolerations: node-role.kubernetes.io/control-plane may not be tolerated, for MiMoPlatform limits.tolerationKeys has spot; leave it out, or ask your platform team",
  ),
  patches(
    "every taint there is",
    { spec: scheduling({ tolerations: [{ operator: "Exists" }] }) },
    "spec.scheduling.tolerations: every taint may not be tolerated",
  ),
  creates(
    "another team's queue",
    scheduling({ queue: "team-b" }),
    "spec.scheduling.queue: team-b is not allowed, for MiMoPlatform limits.queues has team-a; take one of those, or ask your platform team",
  ),
  creates(
    "another team's queue, by a label that its scheduler reads",
    { podTemplate: { labels: { "kai.scheduler/queue": "team-b" } } },
    "spec.podTemplate: kai.scheduler/queue may not be set on pods, for MiMoPlatform limits.podMetadataDomains has example.com; leave it out, or ask your platform team",
  ),
  creates(
    "a network of another namespace",
    { podTemplate: { annotations: { "k8s.v1.cni.cncf.io/networks": "team-b/storage" } } },
    "spec.podTemplate: k8s.v1.cni.cncf.io/networks may not be set on pods",
  ),
  patches(
    "pods that no AppArmor profile confines, by an edit",
    {
      spec: {
        podTemplate: {
          annotations: {
            "example.com/note": "x",
            "container.apparmor.security.beta.kubernetes.io/sglang": "unconfined",
          },
        },
      },
    },
    "spec.podTemplate: container.apparmor.security.beta.kubernetes.io/sglang may not be set on pods",
  ),
  creates("more groups than allowed", { replicas: 3 }, sentence.groups(3)),
  patches("more groups, by an edit", { spec: { replicas: 4 } }, sentence.groups(4)),
  runs("more groups, by kubectl scale", ["scale", "mimo", "mine", "--replicas=5"], sentence.groups(5)),
  patches(
    "more groups, by the scale subresource",
    { spec: { replicas: 6 } },
    sentence.groups(6),
    "--subresource=scale",
  ),
  runs(
    "more groups, as somebody else's field",
    ["apply", "--server-side", "--force-conflicts", "--field-manager=autoscaler", "-f", "-"],
    sentence.groups(7),
    deployment("mine", { replicas: 7 }),
  ),
  creates(
    "more groups for the length of an update",
    { rollout: { maxSurge: 1000 } },
    "spec.rollout.maxSurge: 1000 more serving groups are more than the 2 that MiMoPlatform limits.groupsPerDeployment allows",
  ),
];

/** Out of the reach of the role edit: Kubernetes itself says so. */
const beyondRole: readonly Attempt[] = [
  patches("a status of their own", { status: { replicas: 9 } }, forbidden, "--subresource=status"),
  runs("another team's namespace", ["create", "-n", "team-b", "-f", "-"], forbidden, deployment("attempt")),
  runs("another team's deployments", ["get", "mimo", "-n", "team-b"], forbidden),
  runs("everybody's deployments", ["delete", "mimo", "--all", "--all-namespaces"], forbidden),
  runs(
    "other limits",
    ["patch", "mimoplatform", "default", "--type=merge", "-p", '{"spec":{"limits":null}}'],
    forbidden,
  ),
  runs("no platform", ["delete", "mimoplatform", "default"], forbidden),
  runs("no policy", ["delete", "validatingadmissionpolicybinding", "mimo-limits"], forbidden),
  runs(
    "a label of their namespace",
    ["label", "namespace", "team-a", "team=research", "--overwrite"],
    forbidden,
  ),
  runs("no quota", ["delete", "resourcequota", "mimo-gpus"], forbidden),
  runs("the cluster's administrator", ["create", "-f", "-"], forbidden, binding("cluster-admin")),
  runs("the operator's rights", ["create", "-f", "-"], forbidden, binding("mimo-operator")),
  runs("the operator's token", ["create", "token", "mimo-operator", "-n", "mimo-system"], forbidden),
  runs("a forged plan", ["create", "-f", "-"], forbidden, {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: { name: "mine-forged", labels: { "mimo.dev/revision-of": "mine" } },
    revision: 99,
  }),
];

/** What the definitions refuse on any platform: marks by which the operator knows its own. */
const beyondSchema: readonly Attempt[] = [
  creates(
    "pods that pass for another deployment's",
    { podTemplate: { labels: { "mimo.dev/deployment": "theirs" } } },
    "podTemplate.labels may not begin with mimo.dev/",
  ),
  creates(
    "pods of a formation that never was",
    { podTemplate: { annotations: { "mimo.dev/formation": "1" } } },
    "podTemplate.annotations may not begin with mimo.dev/",
  ),
];

export const refusedAttempts: readonly Attempt[] = [...beyondLimits, ...beyondRole, ...beyondSchema];
