import { badFabrics } from "./bad/fabrics.ts";
import { badImages, badModels } from "./bad/images-and-models.ts";
import { badNames, badShapes } from "./bad/names-and-shapes.ts";
import { badPlatforms } from "./bad/platforms.ts";
import { badPodTemplates, badScheduling, badServers } from "./bad/servers-and-pods.ts";
import { badChoices, badLifecycles, badNumbers } from "./bad/values.ts";
import type { Document } from "./documents.ts";

/** What is wrong; the document; the field that the refusal names; words of the refusal that say what to write. */
export type BadCase = readonly [title: string, document: Document, field: string, remedy: string];

/** Documents that the API server and the command line both refuse. */
export const badCases: readonly BadCase[] = [
  ...badNames,
  ...badShapes,
  ...badChoices,
  ...badNumbers,
  ...badImages,
  ...badModels,
  ...badServers,
  ...badScheduling,
  ...badPodTemplates,
  ...badLifecycles,
  ...badPlatforms,
  ...badFabrics,
];
