import { platformName, ranksSuffix } from "./names.ts";

/** One rule on metadata.name, said twice like `Rule`: CEL reaches the name only from the root of the object. */
export interface NameRule {
  readonly rule: string;
  readonly message: string;
  readonly check: (name: string) => boolean;
}

/** A StatefulSet `<name>-<group id>` whose pods' revision label exceeds 63 characters is accepted and makes no pods. */
const nameMax = 40;
const serviceName = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

export const nameRules: readonly NameRule[] = [
  {
    rule: `self.metadata.name.size() <= ${nameMax}`,
    message: `metadata.name is at most ${nameMax} characters, since pods and Services are named after it: write a shorter one, for example "mimo-pro"`,
    check: (name) => name.length <= nameMax,
  },
  {
    rule: `self.metadata.name.matches('${serviceName.source}')`,
    message:
      'metadata.name begins with a lower case letter, goes on with lower case letters, digits and "-", and has no ".", since a Service is named after it: for example "mimo-v2-5"',
    check: (name) => serviceName.test(name),
  },
  {
    rule: `!self.metadata.name.endsWith('${ranksSuffix}')`,
    message: `metadata.name doesn't end in "${ranksSuffix}", for the Service of a deployment's ranks is called so: write another one, for example "mimo-pro"`,
    check: (name) => !name.endsWith(ranksSuffix),
  },
];

export const platformNameRules: readonly NameRule[] = [
  {
    rule: `self.metadata.name == '${platformName}'`,
    message: `metadata.name of the one MiMoPlatform is "${platformName}": edit that one`,
    check: (name) => name === platformName,
  },
];
