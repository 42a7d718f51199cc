import { type Hardware, hardwareKinds, type Variant } from "../crds/names.ts";
import { hardware } from "./catalogue/hardware.ts";
import { models } from "./catalogue/models.ts";
import { recipes } from "./catalogue/recipes.ts";
import { attentionRanksRefusal } from "./features.ts";
import { imagesFor } from "./image.ts";
import { memoryLayout, tokensAtLeastRatio } from "./memory.ts";

/** The longest context that any runtime and switch lets a pair plan with memoryCheck: Enforce; the estimate's margin counts. */
export const mostContext = (variant: Variant, kind: Hardware): number => capacity(variant, kind, true);

/** Hardware kinds whose recipe holds a request of so many tokens. */
export const hardwareThatHolds = (variant: Variant, tokens: number): readonly Hardware[] =>
  hardwareKinds.filter((kind) => capacity(variant, kind, false) >= tokens);

function capacity(variant: Variant, kind: Hardware, withMargin: boolean): number {
  const model = models[variant];
  const recipe = recipes[variant][kind];
  const tokens = imagesFor(variant, kind).flatMap((image) =>
    [...new Set([1, 2, recipe.dataParallel])]
      .filter(
        (dataParallel) =>
          attentionRanksRefusal(model.fusedQkvRanks, recipe.tensorParallel / dataParallel, image) ===
          undefined,
      )
      .map((dataParallel) => memoryLayout(model, recipe, image, { dataParallel }))
      .map((layout) => tokensAtLeastRatio(model, hardware[kind], layout, withMargin)),
  );
  return Math.min(model.maxContextLength, Math.max(0, ...tokens));
}
