import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { customResourceDefinitions } from "./crds.ts";
import { apiPage } from "./docs/api.ts";
import { recipesPage } from "./docs/recipes.ts";
import { argocdFolder, argocdPatch } from "./gitops/argocd.ts";
import { ruleGroups } from "./monitoring/alerts.ts";
import { dashboardJson } from "./monitoring/dashboard.ts";
import { dashboards } from "./monitoring/objects.ts";
import { helmChart } from "./packages/helm.ts";
import { kustomizeBase } from "./packages/kustomize.ts";
import { toYaml } from "./yaml.ts";

const heading = "# Written by `npm run generate`: edit its source, not this file.\n";

const below = (folder: string, files: Record<string, string>): Record<string, () => string> =>
  Object.fromEntries(Object.entries(files).map(([path, content]) => [`${folder}/${path}`, () => content]));
const readScript = (path: string): string =>
  readFileSync(join(import.meta.dirname, "gitops", argocdFolder, path), "utf8");

/** Files that are kept in the repository and made from the code: path from charts/generated → content. */
export const generatedFiles: Readonly<Record<string, () => string>> = {
  "crds.yaml": () => `${heading}${toYaml(customResourceDefinitions())}`,
  ...below("helm", helmChart(heading)),
  ...below("kustomize", kustomizeBase(heading)),
  "argocd-cm.yaml": () => `${heading}${argocdPatch(readScript)}`,
  "alerts.yaml": () => `${heading}${stringify(ruleGroups("docs/runbooks"), { lineWidth: 0 })}`,
  ...Object.fromEntries(
    dashboards.map((dashboard) => [
      `dashboards/${dashboard.uid}.json`,
      () => `${JSON.stringify(dashboardJson(dashboard), null, 2)}\n`,
    ]),
  ),
  "../../docs/api.md": apiPage,
  "../../docs/recipes.md": recipesPage,
};

async function writeGeneratedFiles(folder: string): Promise<void> {
  for (const [name, content] of Object.entries(generatedFiles)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content());
  }
}

if (import.meta.main) await writeGeneratedFiles(join(import.meta.dirname, "generated"));
