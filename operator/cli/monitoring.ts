import { type MonitoringOptions, monitoringObjects } from "../../charts/monitoring/objects.ts";
import { toYaml } from "../../charts/yaml.ts";

export const monitoring = (options: MonitoringOptions): string => toYaml(monitoringObjects(options));
