// What is at a path, by its content.

import { readZarr, versionOf } from "./zarr.mjs";

/** The tree of an archive; null where there is none. */
export async function open(entry) {
  if (entry.type === "folder") return (await versionOf(await entry.list())) ? readZarr(entry, "directory") : null;
  return null;
}
