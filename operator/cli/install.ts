import { type InstallOptions, installObjects } from "../../charts/install.ts";
import { toYaml } from "../../charts/yaml.ts";

export const install = (options: InstallOptions): string => toYaml(installObjects(options));
