/** What of a namespace's state does not depend on the way that led there: no numbers of groups, formations and revisions. */
import { z } from "zod";
import type { State } from "./state.ts";

const kept = z
  .looseObject({ annotations: z.record(z.string(), z.unknown()).default({}) })
  .transform(({ annotations: _, ...rest }) => rest);

export function lasting(state: State): unknown {
  const children = Object.entries(state).filter(
    ([name]) => !name.startsWith("mimodeployments/") && !name.startsWith("controllerrevisions/"),
  );
  const text = JSON.stringify(children.map(([name, object]) => [name, kept.parse(object)]));
  const groups = [...new Set([...text.matchAll(/"pro-(\d+)"/g)].map(([, id]) => Number(id)))].sort(
    (a, b) => a - b,
  );
  const plain = text
    .replace(/revision-\d+|a former revision/g, "revision")
    .replace(/pro-(\d+)/g, (_, id) => `pro-#${groups.indexOf(Number(id))}`)
    .replace(/"mimo\.dev\/group":"(\d+)"/g, (_, id) => `"mimo.dev/group":"#${groups.indexOf(Number(id))}"`);
  return Object.fromEntries(z.array(z.tuple([z.string(), z.unknown()])).parse(JSON.parse(plain)));
}
