// Hyperjump's JSON Schema, an interpreter that shares no code with Ajv: its output as failures, and these as findings.

import { registerSchema, validate } from "@hyperjump/json-schema/draft-2020-12";
import { findingsOf, tokensOf } from "./findings.mjs";
import { documents } from "./documents.mjs";
import { labelled } from "./labelled.mjs";

const known = Object.fromEntries(Object.entries(documents()).map(([url, schema]) => [url, labelled(schema)]));
for (const schema of Object.values(known)) registerSchema(structuredClone(schema));
const compiled = {};

/** The findings about a description; `schemas` are [URL, severity], as `profiles` of `documents.mjs` has them. */
export async function judge(description, schemas) {
  const failures = [];
  for (const [url, severity] of schemas) {
    compiled[url] ??= await validate(url);
    const { errors = [] } = compiled[url](description, "BASIC");
    failures.push(...errors.flatMap((error) => failuresOf(error, description, severity)));
  }
  return findingsOf(description, failures);
}

function failuresOf({ absoluteKeywordLocation, instanceLocation }, description, severity) {
  const [url, pointer] = absoluteKeywordLocation.split("#");
  const steps = tokensOf(decodeURIComponent(pointer));
  const keyword = steps.pop();
  const schema = at(known[url], steps);
  if (!schema.rule) return [];
  const misnamed = instanceLocation.startsWith("#*"); // the place of a name, not of its value
  const tokens = tokensOf(decodeURIComponent(instanceLocation.slice(misnamed ? 2 : 1)));
  const failure = { rule: schema.rule, severity, tokens, misnamed };
  if (keyword !== "required") return [failure];
  const found = at(description, tokens);
  return schema.required.filter((name) => !Object.hasOwn(found, name)).map((name) => ({ ...failure, tokens: [...tokens, name] }));
}

const at = (value, tokens) => tokens.reduce((inner, token) => inner[token], value);
