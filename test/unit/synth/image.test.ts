import { describe, expect, it } from "vitest";
import { accepted, optionsOf, refused } from "./requests.ts";

const v25 = { variant: "MiMo-V2.5", hardware: "H200" };
const digest = `sha256:${"a".repeat(64)}`;
const other = `sha256:${"b".repeat(64)}`;
const mirror = { images: { registry: "registry.example.com/mirror/" } };

describe("the image", () => {
  it("comes by way of the platform's mirror, pinned where the platform knows a digest", () => {
    const platform = {
      images: {
        ...mirror.images,
        digests: [{ image: "lmsysorg/sglang:dev-mimo-v2.5", digest }],
        pullSecrets: ["mirror"],
      },
    };
    const { image, warnings } = accepted(v25, platform);
    expect(image).toEqual({
      reference: `registry.example.com/mirror/lmsysorg/sglang:dev-mimo-v2.5@${digest}`,
      pullPolicy: "IfNotPresent",
      leastDriver: "525.60.13",
      pullSecrets: ["mirror"],
    });
    expect(warnings.join("\n")).not.toContain("can move");
  });

  it("of the request wins, and another repository than the catalogue's isn't mirrored", () => {
    const own = { repository: "registry.example.com/ml/sglang", tag: "v0.5.18" };
    expect(accepted({ ...v25, image: own }, mirror).image.reference).toBe(
      "registry.example.com/ml/sglang:v0.5.18",
    );
    const pinned = accepted({ ...v25, image: { ...own, digest: other } }, mirror).image.reference;
    expect(pinned).toBe(`registry.example.com/ml/sglang@${other}`);
    const tagOnly = accepted({ ...v25, image: { tag: "v0.5.18" } }, mirror).image.reference;
    expect(tagOnly).toBe("registry.example.com/mirror/lmsysorg/sglang:v0.5.18");
    const digestOnly = accepted({ ...v25, image: { digest } }, mirror).image.reference;
    expect(digestOnly).toBe(`registry.example.com/mirror/lmsysorg/sglang@${digest}`);
  });

  it.each(["MiMo-V2.5", "MiMo-V2.5-Pro"])("may not be lmsysorg/sglang:latest for %s", (variant) => {
    for (const image of [
      { tag: "latest" },
      { repository: "lmsysorg/sglang", tag: "latest" },
      { repository: "registry.example.com/lmsysorg/sglang", tag: "latest" },
    ]) {
      const [refusal] = refused({ variant, hardware: "H200", image });
      expect(refusal).toMatchObject({ code: "ImageUnsupported", field: "spec.image.tag" });
      expect(refusal?.message).toMatch(/latest.*write tag v0\.5\.18/);
    }
    const pinned = { repository: "lmsysorg/sglang", tag: "latest", digest };
    expect(accepted({ variant, hardware: "H200", image: pinned }).image.reference).toContain(digest);
  });

  it("with a tag that moves is planned with a warning", () => {
    for (const tag of ["latest", "dev", "nightly-dev-20260511-044bb88a"]) {
      const { warnings } = accepted({ variant: "MiMo-V2-Flash", hardware: "H200", image: { tag } });
      expect(warnings.join("\n")).toMatch(/tag that can move.*spec\.image\.digest/);
    }
  });

  it("older than the architecture is refused", () => {
    const [refusal] = refused({ ...v25, image: { tag: "v0.5.9" } });
    expect(refusal).toMatchObject({ code: "ImageUnsupported", field: "spec.image.tag" });
    expect(refusal?.message).toContain("from 0.5.11 on");
  });

  it("of a version decides the words of the command line", () => {
    const options = (tag: string) =>
      optionsOf(accepted({ variant: "MiMo-V2.5-Pro", hardware: "H200", image: { tag } }).command);
    expect(options("v0.5.23")).toMatchObject({ "--attn-dp-size": "2", "--cuda-graph-max-bs-decode": "64" });
    expect(options("v0.5.16-cu129")).toMatchObject({ "--dp-size": "2", "--cuda-graph-max-bs-decode": "64" });
    expect(options("v0.5.12.post1")).toMatchObject({ "--dp-size": "2", "--cuda-graph-max-bs": "64" });
  });

  it("may not contradict the runtime", () => {
    const [refusal] = refused({ ...v25, runtime: "v0.5.18", image: { tag: "v0.5.23" } });
    expect(refusal).toMatchObject({ code: "ImageRuntimeMismatch", field: "spec.image.tag" });
    expect(refusal?.message).toContain("spec.runtime: v0.5.23");
  });

  it("of a repository with versions of its own says nothing about SGLang", () => {
    const image = { repository: "registry.example.com/team/serving", tag: "v0.5.3" };
    const plan = accepted({ ...v25, runtime: "v0.5.18", image });
    expect(plan.warnings.join("\n")).toContain("options are written for runtime v0.5.18");
  });
});
