/** Environment and argv of a container, as the kubelet makes them of its spec and the pod's metadata. */
import type { PodView } from "./pod-view.ts";

/**
 * Values in the order of definition: a later one may refer to an earlier one by `$(NAME)`.
 * @throws Error for a source that the mini kubelet doesn't know, such as a Secret
 */
export function containerEnv(pod: PodView, podIp: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of pod.spec.containers[0].env) {
    if (valueFrom === undefined) env[name] = expand(value, env);
    else if (valueFrom.fieldRef === undefined)
      throw new Error(`env ${name}: this kubelet reads fieldRef only`);
    else env[name] = field(pod, valueFrom.fieldRef.fieldPath, podIp);
  }
  return env;
}

/** `$(NAME)` becomes its value, stays as it is when there is none, and `$$` is a plain dollar. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^)]+)\)/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : (env[name] ?? whole),
  );
}

function field({ metadata, spec }: PodView, path: string, podIp: string): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed?.[2] !== undefined)
    return (keyed[1] === "labels" ? metadata.labels : metadata.annotations)[keyed[2]] ?? "";
  const fields: Record<string, string | undefined> = {
    "metadata.name": metadata.name,
    "metadata.namespace": metadata.namespace,
    "metadata.uid": metadata.uid,
    "spec.nodeName": spec.nodeName,
    "status.podIP": podIp,
  };
  const value = fields[path];
  if (value === undefined) throw new Error(`fieldPath ${path}: this kubelet doesn't know it`);
  return value;
}
