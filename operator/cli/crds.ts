import { customResourceDefinitions } from "../../charts/crds.ts";
import { toYaml } from "../../charts/yaml.ts";

export const crds = (): string => toYaml(customResourceDefinitions());
