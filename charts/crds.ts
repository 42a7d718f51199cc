import {
  type CustomResourceDefinition,
  mimoDeploymentDefinition,
  mimoPlatformDefinition,
} from "../crds/definition.ts";
import { catalogueRules } from "../synth/rules.ts";

/** The CustomResourceDefinitions, with what the catalogue knows to be impossible as rules of the API server. */
export function customResourceDefinitions(): CustomResourceDefinition[] {
  return [mimoDeploymentDefinition(catalogueRules()), mimoPlatformDefinition()];
}
