// The schemas of a profile, made ready for an engine that reports errors: each subschema is told the rule of its assertions.

const MAPS = new Set(["properties", "patternProperties", "$defs"]);
const SCHEMAS = new Set(["allOf", "prefixItems", "items", "additionalProperties", "propertyNames", "then"]);
const DECIDED = new Set(["if", "not"]);
const WORDS = new Set(["$comment", "title", "description"]);

/**
 * A copy of a schema, without words, in which every subschema has `rule`: the nearest `$anchor` around it.
 *
 * What is within `if`, `anyOf` and `not` has none, since nothing there is a failure. `anyOf` becomes `not` of `not` of
 * it, so that no engine reports what failed in its branches, by references too.
 */
export function labelled(schema, rule = null) {
  if (typeof schema !== "object") return schema;
  const own = rule === undefined ? undefined : (schema.$anchor ?? rule);
  const copy = own ? { rule: own } : {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (WORDS.has(keyword) || keyword === "anyOf") continue;
    if (MAPS.has(keyword)) copy[keyword] = mapped(value, own);
    else if (SCHEMAS.has(keyword)) copy[keyword] = Array.isArray(value) ? value.map((each) => labelled(each, own)) : labelled(value, own);
    else copy[keyword] = DECIDED.has(keyword) ? labelled(value, undefined) : value;
  }
  if (schema.anyOf) {
    const whole = { not: { not: { anyOf: schema.anyOf.map((each) => labelled(each, undefined)) } }, ...(own && { rule: own }) };
    copy.allOf = [...(copy.allOf ?? []), whole];
  }
  return copy;
}

const mapped = (schemas, rule) =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, labelled(schema, rule)]));
