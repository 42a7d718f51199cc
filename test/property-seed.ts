/**
 * Property tests draw the same cases in every run, so that a change is judged by what it changes.
 * `PROPERTY_SEED=random npx vitest run --project unit` looks for new ones; a number repeats a run that failed.
 */
import fc from "fast-check";

const asked = process.env.PROPERTY_SEED ?? "20261124";
if (asked !== "random") fc.configureGlobal({ seed: Number(asked) });
