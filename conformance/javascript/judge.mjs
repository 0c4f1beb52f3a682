// A description judged by functions that Ajv compiled: their errors as failures, and these as findings. Runs in a page.

import { findingsOf, tokensOf } from "./findings.mjs";

/** The findings about a description; `validators` are [function, severity], as `profiles` of a built module has them. */
export function judge(description, validators) {
  const failures = validators.flatMap(([validate, severity]) =>
    validate(description) ? [] : failuresOf(validate.errors, severity));
  return findingsOf(description, failures);
}

/** The failures among the errors of Ajv, which reports `if` and `propertyNames` beside what failed because of them. */
function failuresOf(errors, severity) {
  return errors
    .filter(({ keyword, parentSchema }) => parentSchema.rule && keyword !== "if" && keyword !== "propertyNames")
    .map(({ keyword, parentSchema, instancePath, params, propertyName }) => {
      const name = keyword === "required" ? params.missingProperty : propertyName;
      const tokens = tokensOf(instancePath);
      return {
        rule: parentSchema.rule,
        severity,
        tokens: name === undefined ? tokens : [...tokens, name],
        misnamed: propertyName !== undefined,
      };
    });
}
