import type { Hardware } from "../crds/names.ts";
import type { HardwareNodes, PlatformSpec } from "../crds/platform.ts";
import { presets } from "./catalogue/platforms.ts";
import type { Findings } from "./errors.ts";

/**
 * What is known of a kind's nodes on this platform: each field that MiMoPlatform writes, else the preset's, and absent what
 * neither says. A preset describes the pod network, so none of its fabric goes with hostNetwork.
 */
export function resolveNodes(
  platform: PlatformSpec,
  kind: Hardware,
  spansNodes: boolean,
  findings: Findings,
): HardwareNodes {
  const written: HardwareNodes = platform.hardware?.find((nodes) => nodes.kind === kind) ?? {};
  if (platform.preset === undefined) return written;
  const known = presets[platform.preset][kind];
  if (known === undefined) {
    if (written.nodeSelector === undefined) {
      findings.warnings.push(
        `preset ${platform.preset} has no ${kind} nodes: nodes are looked for by NVIDIA's labels; write MiMoPlatform hardware[${kind}]`,
      );
    }
    return written;
  }
  const { source: _, nodesNotEstablished, fabricNotEstablished, fabric: preset, ...nodes } = known;
  const note = (what: string) =>
    findings.warnings.push(`preset ${platform.preset}, ${kind} (not established): ${what}`);
  if (written.nodeSelector === undefined) nodesNotEstablished.forEach(note);
  if (spansNodes && written.fabric === undefined) fabricNotEstablished.forEach(note);
  const fabric =
    written.fabric?.hostNetwork === undefined ? { ...preset, ...written.fabric } : written.fabric;
  return { ...nodes, ...written, fabric };
}
