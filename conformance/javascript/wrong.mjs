// Faults that this implementation can be given by name, so that a suite can show that it notices them.

export const FAULTS = {
  "byte-order": "byte order ignored",
  "memory-order": "transpositions and order F ignored",
  fill: "fill values taken for 0",
  checksums: "checksums not compared",
  damage: "damaged chunks of Zarr read as zeros",
  "first-chunk": "only the first chunk of an array of Zarr read",
};

let chosen = null;

/** Commits a fault from now on; null for none. Throws where no fault has this name. */
export function commit(name) {
  if (name !== null && !Object.hasOwn(FAULTS, name)) throw new Error(`--wrong ${name}: expected one of ${Object.keys(FAULTS).join(", ")}`);
  chosen = name;
}

export const wrong = (name) => chosen === name;
