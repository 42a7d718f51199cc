/** Sum of a metric's samples in Prometheus' text format, of those with the label value where one is given; 0 without any. */
export function metricTotal(
  text: string,
  metric: string,
  [label, value]: [string, string] | [] = [],
): number {
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .filter((line) => label === undefined || line.includes(`${label}="${value}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
