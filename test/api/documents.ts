/** Documents for the tests of the API: two valid ones, and overlays of them. */
import { apiGroup, apiVersion, platformName } from "../../crds/names.ts";

export interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec?: unknown;
}

export function deployment(spec: object, metadata: Readonly<Record<string, unknown>> = {}): Document {
  return {
    apiVersion: `${apiGroup}/${apiVersion}`,
    kind: "MiMoDeployment",
    metadata: { name: "mimo", ...metadata },
    spec: { variant: "MiMo-V2.5", hardware: "H200", ...spec },
  };
}

export function platform(spec: object, metadata: Readonly<Record<string, unknown>> = {}): Document {
  return {
    apiVersion: `${apiGroup}/${apiVersion}`,
    kind: "MiMoPlatform",
    metadata: { name: platformName, ...metadata },
    spec,
  };
}

export function withoutSpec({ apiVersion, kind, metadata }: Document): Document {
  return { apiVersion, kind, metadata };
}
