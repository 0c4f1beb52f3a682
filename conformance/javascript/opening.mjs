// What is at a path, by its content.

import { readAsdf } from "./asdf.mjs";
import { isAsdf } from "./asdf_blocks.mjs";
import { readHdf5 } from "./hdf5.mjs";
import { isNpz, readNpz } from "./npz.mjs";
import { isSafetensors, readSafetensors } from "./safetensors.mjs";
import { readZarr, versionOf } from "./zarr.mjs";
import { folderOf, readZip } from "./zip.mjs";

/** The tree of an archive; null where there is none. */
export async function open(entry) {
  if (entry.type === "folder") return (await versionOf(await entry.list())) ? readZarr(entry, "directory") : null;
  if (entry.type !== "file") return null;
  const head = await entry.read(0, 16);
  if (isAsdf(head)) return readAsdf(entry);
  if (isSafetensors(head, entry.size)) return readSafetensors(entry);
  const hdf5 = await readHdf5(entry);
  if (hdf5) return hdf5;
  const zip = await readZip(entry);
  return zip ? inZip(entry, zip) : null;
}

async function inZip(file, zip) {
  const { root, outside } = folderOf(file, zip.members);
  const entries = await root.list();
  const zarr = (await hasDocument(entries)) ? root : await below(entries);
  if (zarr) return readZarr(zarr, "zip", { outside: zarr === root ? outside : [], readings: zip.readings });
  if (isNpz(zip.members)) return readNpz(file, zip);
  return (await versionOf(entries)) ? readZarr(root, "zip", { outside, readings: zip.readings }) : null;
}

const hasDocument = async (entries) => ["zarr.json", ".zgroup", ".zarray"].some((name) => entries.has(name));

/** The only top-level folder that has a document of Zarr. */
async function below(entries) {
  const found = [];
  for (const entry of entries.values()) if (entry.type === "folder" && (await hasDocument(await entry.list()))) found.push(entry);
  return found.length === 1 ? found[0] : null;
}
