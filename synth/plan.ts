import type { DeploymentSpec } from "../crds/deployment.ts";
import type { PlatformSpec } from "../crds/platform.ts";
import { resolveBatch } from "./batch.ts";
import { hardware } from "./catalogue/hardware.ts";
import { models } from "./catalogue/models.ts";
import { type Recipe, recipes } from "./catalogue/recipes.ts";
import type { RuntimeImage } from "./catalogue/runtimes.ts";
import { resolveContext } from "./context.ts";
import { type Findings, noFindings } from "./errors.ts";
import { checkExtraArguments, checkExtraEnv } from "./extras.ts";
import { resolveFabric } from "./fabric.ts";
import { resolveFeatures } from "./features.ts";
import { resolveNodes } from "./hardware-nodes.ts";
import { resolveImage, selectRuntime } from "./image.ts";
import { launchArguments, launchEnv } from "./launch.ts";
import { memoryLayout } from "./memory.ts";
import { cacheEnv, resolveCache, resolveModelSource } from "./model-source.ts";
import { resolveNvlink } from "./nvlink.ts";
import { resolvePlacement } from "./placement.ts";
import { checkPodPatches } from "./pod-patches.ts";
import { podSecurityWarnings } from "./pod-security.ts";
import { resolveQueue } from "./queue.ts";
import { resolveResources } from "./resources.ts";
import type { PlanResult, Provenance, ServingPlan } from "./serving-plan.ts";
import { startupBudgetSeconds } from "./startup.ts";

export interface PlanRequest {
  readonly name: string;
  readonly namespace: string;
  readonly spec: DeploymentSpec;
}

const defaultPort = 30_000;
const defaultClusterDomain = "cluster.local";

/**
 * Resolves a request into everything that a serving group runs with, or into every reason why it can't.
 * Pure and deterministic. An undefined platform stands for a cluster that names nothing: the catalogue's labels, no store.
 */
export function planDeployment(request: PlanRequest, platform: PlatformSpec | undefined): PlanResult {
  const findings = noFindings();
  const image = selectRuntime(request.spec, findings);
  const plan = image === undefined ? undefined : resolve(request, platform ?? {}, image, findings);
  const [first, ...others] = findings.refusals;
  if (first !== undefined) return { accepted: false, refusals: [first, ...others] };
  if (plan === undefined) throw new Error(`no runtime and no refusal for ${request.spec.variant}`);
  return { accepted: true, plan };
}

function resolve(
  { name, namespace, spec }: PlanRequest,
  platform: PlatformSpec,
  image: RuntimeImage,
  findings: Findings,
): ServingPlan {
  const profile = spec.profile ?? "Balanced";
  const model = models[spec.variant];
  const gpu = hardware[spec.hardware];
  const recipe = recipes[spec.variant][spec.hardware];
  const nodes = resolveNodes(platform, spec.hardware, recipe.nodes > 1, findings);

  const features = resolveFeatures({ spec, profile, model, gpu, recipe, image }, findings);
  const layout = memoryLayout(model, recipe, image, features);
  const { contextLength, swaFullTokensRatio, memory } = resolveContext(
    spec,
    model,
    gpu,
    recipe,
    layout,
    findings,
  );
  const batch = resolveBatch(profile, recipe, features, memory.tokensPerDataParallelRank, findings);
  const source = resolveModelSource(spec, platform, model, findings);
  const cache = resolveCache(platform, findings);
  const fabric = resolveFabric(spec, nodes, gpu, recipe, features, findings);
  const resources = {
    ...resolveResources(spec, nodes, gpu, recipe, source.plan, findings),
    ...(fabric.devices !== undefined && { devices: fabric.devices }),
  };
  const startupSeconds = startupBudgetSeconds(source, cache, resources, features, image);
  const { queue, schedulerName } = resolveQueue(spec, platform, findings);
  const nvlink = resolveNvlink(spec, nodes, gpu, recipe, findings);
  const server = spec.server ?? {};
  const port = server.port ?? defaultPort;
  const servedModelName = server.servedModelName ?? spec.variant;
  const launch = {
    model,
    gpu,
    recipe,
    image,
    features,
    batch,
    source,
    contextLength,
    ...(swaFullTokensRatio !== undefined && { swaFullTokensRatio }),
    servedModelName,
    port: fabric.hostPort ?? port,
    apiKey: server.apiKeySecret !== undefined,
    startupSeconds,
    nvlink: nvlink !== undefined,
  };
  const env = { ...fabric.env, ...cacheEnv(cache, image.runtime), ...launchEnv(launch) };
  checkExtraArguments(spec, image, findings);
  checkExtraEnv(server.extraEnv ?? [], env, fabric.env, findings);
  const podPatches = spec.podTemplate?.patches ?? [];
  checkPodPatches(podPatches, platform.allowedPodTemplatePaths ?? [], findings);
  if (source.plan.source === "Ephemeral" && recipe.nodes > 1) {
    findings.warnings.push(
      "ranks give up when one node has its weights 8 minutes after another (a bound of SGLang's): downloads on several nodes may drift apart that far; a shared or local store does not",
    );
  }

  const plan: Omit<ServingPlan, "provenance" | "warnings"> = {
    name,
    namespace,
    variant: spec.variant,
    hardware: spec.hardware,
    profile,
    runtime: image.runtime,
    image: resolveImage(spec, platform, image, model, findings),
    nodes: recipe.nodes,
    gpusPerNode: recipe.gpusPerNode,
    tensorParallel: recipe.tensorParallel,
    dataParallel: features.dataParallel,
    expertParallel: features.expertParallel,
    contextLength,
    command: [...launchArguments(launch), ...(server.extraArgs ?? [])],
    env: sorted({
      ...env,
      ...Object.fromEntries((server.extraEnv ?? []).map((item) => [item.name, item.value])),
    }),
    secretEnv: [
      ...source.secretEnv,
      ...(server.apiKeySecret === undefined
        ? []
        : [{ name: "SGLANG_API_KEY", secret: server.apiKeySecret.name, key: server.apiKeySecret.key }]),
    ],
    port,
    ...(fabric.hostPort !== undefined && { hostPort: fabric.hostPort }),
    servedModelName,
    memory,
    model: source.plan,
    cache,
    resources,
    placement: {
      ...resolvePlacement(spec, nodes, gpu, findings),
      ...(schedulerName !== undefined && { schedulerName }),
    },
    ...(queue !== undefined && { queue }),
    ...(nvlink !== undefined && { nvlink }),
    startupSeconds,
    podLabels: sorted(spec.podTemplate?.labels ?? {}),
    podAnnotations: sorted({ ...spec.podTemplate?.annotations, ...fabric.annotations }),
    ...(podPatches.length > 0 && { podPatches }),
    clusterDomain: platform.clusterDomain ?? defaultClusterDomain,
  };
  return {
    ...plan,
    provenance: provenance(recipe, image, findings),
    warnings: [...new Set([...findings.warnings, ...podSecurityWarnings(plan)])],
  };
}

/** The recipe's provenance, lowered to Derived by what this plan changes. */
function provenance(recipe: Recipe, image: RuntimeImage, findings: Findings): Provenance {
  const era = image.runtime === "day0" ? "day0" : "release";
  const differences = recipe.differences
    .filter((difference) => difference.era === era || difference.era === "both")
    .map(({ setting, published, ours }) => `${setting}: ${ours} (published: ${published})`);
  const { level, source, note } = recipe.provenance;
  const pinned =
    era === "release" && level === "Verified" ? ["verified by its publisher on another SGLang version"] : [];
  return {
    level: findings.derivations.length > 0 ? "Derived" : pinned.length > 0 ? "Published" : level,
    source,
    note: [note, ...pinned, ...differences, ...findings.derivations].filter((text) => text !== "").join("; "),
  };
}

const sorted = (map: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
