// What a person chooses or drops: a file, or a folder with all files below it, as [path, File].

const MOST = 100_000;

function checked(files) {
  if (files.length > MOST) throw new Error(`expected at most ${MOST} files, found more: use vizschema view`);
  if (!files.length) throw new Error("expected a file or a folder, found nothing");
  return files;
}

/** The files of an input. */
export const picked = (input) => checked([...input.files].map((file) => [file.webkitRelativePath || file.name, file]));

/** The files of a drop; the entries have to be taken before the first wait. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length !== 1) throw new Error(`expected one archive, found ${entries.length}`);
  const files = [];
  await walk(entries[0], entries[0].name, files);
  return checked(files);
}

async function walk(entry, path, files) {
  if (files.length > MOST) return;
  if (entry.isFile) {
    files.push([path, await new Promise((resolve, reject) => entry.file(resolve, reject))]);
    return;
  }
  const reader = entry.createReader();
  const count = files.length;
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    for (const each of some) await walk(each, `${path}/${each.name}`, files);
  }
  if (files.length === count) files.push([`${path}/`, null]);
}
