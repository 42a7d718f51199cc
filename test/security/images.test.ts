import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { installObjects } from "../../charts/install.ts";
import { installValues } from "../../charts/install-values.ts";
import { renderDeployment } from "../../charts/render.ts";
import { hardwareKinds, runtimes, variants } from "../../crds/names.ts";
import { platformSpec } from "../../crds/platform.ts";
import type { ServingPlan } from "../../synth/serving-plan.ts";
import { accepted, planOf } from "../unit/synth/requests.ts";

/** Every image among objects: of containers and of volumes. */
function imagesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(imagesOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const volume = z.object({ reference: z.string() }).safeParse(inner);
    if (key !== "image") return imagesOf(inner);
    return typeof inner === "string" ? [inner] : volume.success ? [volume.data.reference] : imagesOf(inner);
  });
}
const imagesOfPlan = (plan: ServingPlan): string[] => imagesOf(renderDeployment({ plan, replicas: 1 }));

/** A digest, or a tag that isn't called after the last build. */
const versioned = /(@sha256:[0-9a-f]{64}|:(?!latest(-|$))[A-Za-z0-9_][A-Za-z0-9._-]*)$/;

describe("every image that is rendered names its version", () => {
  test("of each combination of the catalogue", () => {
    const plans = variants.flatMap((variant) =>
      hardwareKinds.flatMap((hardware) =>
        runtimes.flatMap((runtime) => {
          const result = planOf({ variant, hardware, runtime });
          return result.accepted ? [result.plan] : [];
        }),
      ),
    );
    const images = new Set(plans.flatMap(imagesOfPlan));
    expect(images.size).toBeGreaterThan(5);
    for (const image of images) expect(image).toMatch(versioned);
  });

  test("of the operator itself", async () => {
    const operator = imagesOf(installObjects(installValues.parse({}), "mimo-system"));
    expect(operator).toHaveLength(1);
    expect(operator[0]).toMatch(versioned);
    const dockerfile = await readFile(resolve(import.meta.dirname, "../../Dockerfile"), "utf8");
    const bases = [...dockerfile.matchAll(/^FROM (?:--\S+ )?(\S+)/gm)].map(([, base]) => base);
    expect(bases).toHaveLength(2);
    for (const base of bases) expect(base).toMatch(versioned);
  });

  test("or its digest, where the platform pins the tag", () => {
    const image = "lmsysorg/sglang:dev-mimo-v2.5";
    const digest = `sha256:${"a".repeat(64)}`;
    const platform = platformSpec.parse({ images: { digests: [{ image, digest }] } });
    const plan = accepted({ variant: "MiMo-V2.5", hardware: "H200" }, platform);
    expect(imagesOfPlan(plan)).toEqual([`${image}@${digest}`]);
    expect(plan.warnings.join("\n")).not.toContain("can move");
  });
});

describe("a user who names none is warned, or refused:", () => {
  const flash = { variant: "MiMo-V2-Flash", hardware: "H200" };
  const repository = "registry.example.com/models/flash";

  test.each([repository, `${repository}:latest`, "registry.example.com:5000/flash"])(
    "a checkpoint in %s",
    (reference) => {
      const { warnings } = accepted({ ...flash, model: { image: { reference } } });
      expect(warnings.join("\n")).toContain(`spec.model.image.reference ${reference} names no version`);
    },
  );

  test.each([`${repository}:1`, "registry.example.com:5000/flash:latest-1", `${repository}@sha256:00`])(
    "not a checkpoint in %s",
    (reference) => {
      const { warnings } = accepted({ ...flash, model: { image: { reference } } });
      expect(warnings.join("\n")).not.toContain("names no version");
    },
  );

  test("a server of tag latest", () => {
    const image = { repository: "registry.example.com/sglang", tag: "latest" };
    expect(accepted({ ...flash, image }).warnings.join("\n")).toContain("is a tag that can move");
    expect(planOf({ variant: "MiMo-V2.5", hardware: "H200", image: { tag: "latest" } }).accepted).toBe(false);
  });

  test("a server without a tag", () => {
    expect(() => planOf({ ...flash, image: { repository: "registry.example.com/sglang" } })).toThrow(
      "image.repository needs image.tag or image.digest",
    );
  });
});
