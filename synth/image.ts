import type { DeploymentSpec } from "../crds/deployment.ts";
import type { Hardware, Runtime, Variant } from "../crds/names.ts";
import type { PlatformSpec } from "../crds/platform.ts";
import { hardware } from "./catalogue/hardware.ts";
import type { ModelFacts } from "./catalogue/models.ts";
import { firstRelease, type RuntimeImage, runtimeImages } from "./catalogue/runtimes.ts";
import type { Findings } from "./errors.ts";
import type { ImagePlan } from "./serving-plan.ts";

/** The catalogue's images for a pair, the default first. */
export const imagesFor = (variant: Variant, kind: Hardware): readonly RuntimeImage[] =>
  runtimeImages.filter(
    (image) => image.generation === hardware[kind].generation && image.variants.includes(variant),
  );

/** The runtime that a pair uses when the request names none: day0 where its image exists, else the oldest release. */
export const defaultRuntime = (variant: Variant, kind: Hardware): Runtime | undefined =>
  imagesFor(variant, kind)[0]?.runtime;

/** Patch number of a 0.5.x version tag such as "v0.5.18-cu129". */
const patchOf = (tag: string | undefined): number | undefined => {
  const found = tag === undefined ? null : /^v?0\.5\.(\d+)([.-]|$)/.exec(tag);
  return found === null ? undefined : Number(found[1]);
};

/** SGLang's patch number where the request's image says it: of a repository named sglang, by its tag. */
const patchAsked = ({ image }: DeploymentSpec): number | undefined =>
  image?.repository === undefined || /(^|\/)sglang$/.test(image.repository) ? patchOf(image?.tag) : undefined;

/** Picks the runtime: the one asked for, else the one that spec.image.tag is a version of, else the pair's default. */
export function selectRuntime(spec: DeploymentSpec, findings: Findings): RuntimeImage | undefined {
  const candidates = imagesFor(spec.variant, spec.hardware);
  const patch = patchAsked(spec);
  const inSpan = ({ versions: [from, to] }: RuntimeImage) =>
    patch !== undefined && patch >= from && patch <= to;
  if (spec.runtime === undefined) return candidates.find(inSpan) ?? candidates[0];

  const chosen = candidates.find(({ runtime }) => runtime === spec.runtime);
  if (chosen === undefined) {
    findings.refusals.push({
      code: "RuntimeUnavailable",
      field: "spec.runtime",
      message: runtimeUnavailable(spec.variant, spec.hardware, spec.runtime),
    });
  } else if (patch !== undefined && !inSpan(chosen)) {
    const fitting = candidates.find(inSpan);
    findings.refusals.push({
      code: "ImageRuntimeMismatch",
      field: "spec.image.tag",
      message: `spec.image.tag ${spec.image?.tag} is SGLang 0.5.${patch}, which doesn't take the options of runtime ${spec.runtime}. ${fitting === undefined ? "Write a tag of that runtime" : `Write spec.runtime: ${fitting.runtime}`}, or leave spec.image out`,
    });
  }
  return chosen;
}

export function runtimeUnavailable(variant: Variant, kind: Hardware, runtime: Runtime): string {
  const { generation } = hardware[kind];
  const elsewhere = runtimeImages.find(
    (image) => image.runtime === runtime && image.variants.includes(variant),
  );
  const others = imagesFor(variant, kind).map((image) => image.runtime);
  return `${variant} on ${kind} has no image of runtime ${runtime}${elsewhere === undefined ? "" : `: ${elsewhere.repository}:${elsewhere.tag} is for ${elsewhere.generation}, ${kind} is ${generation}`}. Write runtime: ${others.join(" or ")}, or leave it out`;
}

/** The reference that pods pull: the catalogue's or the request's, by way of the platform's mirror, pinned where a digest is known. */
export function resolveImage(
  spec: DeploymentSpec,
  platform: PlatformSpec,
  entry: RuntimeImage,
  model: ModelFacts,
  findings: Findings,
): ImagePlan {
  const asked = spec.image;
  const ownRepository = asked?.repository !== undefined;
  const repository = asked?.repository ?? entry.repository;
  const tag = asked?.tag ?? (ownRepository ? undefined : entry.tag);
  const pinned = platform.images?.digests?.find(({ image }) => image === `${repository}:${tag}`)?.digest;
  const digest = asked?.digest ?? pinned;
  const registry = platform.images?.registry?.replace(/\/+$/, "");
  const place = !ownRepository && registry !== undefined ? `${registry}/${repository}` : repository;
  const custom = ownRepository || asked?.tag !== undefined || asked?.digest !== undefined;

  if (digest === undefined && tag !== undefined) judgeTag(spec, repository, tag, custom, model, findings);
  if (custom && patchAsked(spec) === undefined) {
    findings.warnings.push(
      `spec.image: options are written for runtime ${entry.runtime} (SGLang ${entry.sglang}); set spec.runtime to the version that the image holds`,
    );
  }
  if (!custom) noteImage(spec.hardware, entry, findings);
  return {
    reference: `${place}${asked?.digest !== undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`,
    pullPolicy: asked?.pullPolicy ?? "IfNotPresent",
    pullSecrets: [...new Set([...(asked?.pullSecrets ?? []), ...(platform.images?.pullSecrets ?? [])])],
    ...(platform.images?.runAsUser !== undefined && { runAsUser: platform.images.runAsUser }),
    ...(!custom && { leastDriver: entry.leastDriver }),
  };
}

function judgeTag(
  spec: DeploymentSpec,
  repository: string,
  tag: string,
  custom: boolean,
  model: ModelFacts,
  findings: Findings,
): void {
  const refuse = (reason: string) =>
    findings.refusals.push({
      code: "ImageUnsupported",
      field: "spec.image.tag",
      message: `${reason}. Leave spec.image out for the catalogue's image, or write tag v0.5.18`,
    });
  const since = firstRelease[model.architecture];
  const patch = patchAsked(spec);
  if (patch !== undefined && patch < since) {
    refuse(`${repository}:${tag} can't load ${spec.variant}: SGLang knows it from 0.5.${since} on`);
  } else if (
    /^latest(-|$)/.test(tag) &&
    /(^|\/)lmsysorg\/sglang$/.test(repository) &&
    model.architecture === "MiMoV2ForCausalLM"
  ) {
    refuse(
      `${repository}:${tag} is not what ${spec.variant} was published with: its launch page says that latest won't load the checkpoint, and the tag moves`,
    );
  } else if (patch === undefined && !/^v?\d+\.\d+/.test(tag)) {
    findings.warnings.push(
      `${repository}:${tag} is a tag that can move, so two nodes may run different builds; pin it by ${custom ? "spec.image.digest" : "MiMoPlatform images.digests"}`,
    );
  }
}

function noteImage(kind: Hardware, entry: RuntimeImage, findings: Findings): void {
  const name = `${entry.repository}:${entry.tag}`;
  if (entry[hardware[kind].architecture] === "unproven") {
    findings.warnings.push(
      `${name} is published for ${kind}, but its ${hardware[kind].architecture} build is not proven; "no match for platform" in a pod's events means there is none: take runtime v0.5.18 then`,
    );
  }
  if (entry.cuda === "13.0") {
    const older = hardware[kind].generation === "Hopper" ? "; runtime v0.5.18 runs on older ones" : "";
    findings.warnings.push(
      `${name} is built on CUDA 13.0: nodes need NVIDIA driver ${entry.leastDriver} or newer${older}`,
    );
  }
}
