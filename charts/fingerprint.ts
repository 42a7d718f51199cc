import { createHash } from "node:crypto";

/** Sixteen consonants, one per four bits: never a number, a date or a word to any reader of YAML. */
const letters = "bcdfghjklmnpqrst";
/** 48 bits. */
const length = 12;

/** Names a JSON value by its content, in the order of its keys. */
export function fingerprint(value: unknown): string {
  const digest = createHash("sha256").update(JSON.stringify(value)).digest("hex");
  return [...digest.slice(0, length)].map((digit) => letters[Number.parseInt(digit, 16)]).join("");
}
