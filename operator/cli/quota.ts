import type { Readable } from "node:stream";
import { namespaceQuotas } from "../../charts/quota.ts";
import { toYaml } from "../../charts/yaml.ts";
import { formatFinding } from "./finding.ts";
import { readPlatformFile } from "./requests.ts";

/** ResourceQuotas of the platform in a file, as YAML; or every reason why there are none. */
export async function quota(
  platformFile: string,
  namespaces: readonly string[],
  stdin: Readable,
): Promise<{ readonly yaml: string } | { readonly refusals: readonly string[] }> {
  const { spec, findings } = await readPlatformFile(platformFile, stdin);
  if (findings.length > 0) return { refusals: findings.map(formatFinding) };
  const gpus = spec?.limits?.gpusPerNamespace;
  if (gpus === undefined)
    return { refusals: [`${platformFile}: spec.limits.gpusPerNamespace is missing: write how many GPUs`] };
  return { yaml: toYaml(namespaceQuotas(gpus, namespaces)) };
}
