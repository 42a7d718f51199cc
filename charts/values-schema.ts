import { z } from "zod";
import { installValues } from "./install-values.ts";

/** The part of a JSON schema that options and charts are made from. */
const valueSchema = z.looseObject({
  type: z.string().optional(),
  enum: z.array(z.string()).optional(),
  description: z.string().default(""),
  default: z.json().optional(),
  get properties() {
    return z.record(z.string(), valueSchema).optional();
  },
  get items() {
    return valueSchema.optional();
  },
});
export type ValueSchema = z.output<typeof valueSchema>;

/** JSON schema of what users write, in the draft that every Helm reads. */
export const installValuesSchema = (): ValueSchema =>
  valueSchema.parse(z.toJSONSchema(installValues, { io: "input", target: "draft-7" }));

/** A value with a name of its own: ["image", "tag"]. */
export interface Leaf {
  readonly path: readonly string[];
  readonly schema: ValueSchema;
}

/** Every value, in the order of the schema; objects with fields of their own are gone into. */
export function leaves({ properties = {} }: ValueSchema, path: readonly string[] = []): Leaf[] {
  return Object.entries(properties).flatMap(([key, schema]) =>
    isGroup(schema) ? leaves(schema, [...path, key]) : [{ path: [...path, key], schema }],
  );
}

/** Has fields of its own, each with its meaning; an object with a meaning as a whole is one value. */
export const isGroup = ({ properties, description }: ValueSchema): boolean =>
  properties !== undefined && description === "";
