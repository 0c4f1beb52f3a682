// Zip files: the directory, compared with each member's own header, and members as entries like those of `files.mjs`.

import { Inflate } from "fflate";
import { crc32 } from "./checksums.mjs";
import { inflate } from "./compressors.mjs";
import { Damaged, decoded, mismatch, sized } from "./damage.mjs";
import { Unreadable } from "./json.mjs";

const MEMBERS = 1_000_000;
const DIRECTORY = 64 << 20;
const PADDING = 1 << 20;
const READINGS = 16;
const RATIO = 1032; // no deflated byte stands for more
const VERSION = 63;
const FULL = 0xffffffff;
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const long = (view, at) => Number(view.getBigUint64(at, true));

/** The members of a zip file, and where readers of it differ: {members, readings}; null where it is none. */
export async function readZip(file) {
  const end = await endOf(file);
  if (!end) return null;
  const directory = await file.read(end.offset, end.size);
  const members = membersOf(directory, end.count);
  if (!members) return null;
  const zip = { file, members, readings: [...end.readings] };
  await compareHeaders(zip);
  await accountFor(zip, end);
  for (const { damage, differs } of members) if (!damage) for (const each of differs) zip.readings.push(each);
  return { members, readings: zip.readings.slice(0, READINGS) };
}

/** Where the directory is: {offset, size, count, start, readings}; `start` is where the end records begin. Null where that is not to be found. */
async function endOf(file) {
  const from = Math.max(0, file.size - 22 - 65535 - PADDING);
  const tail = await file.read(from);
  const view = viewOf(tail);
  const places = [];
  for (let at = tail.length - 22; at >= 0; at -= 1) if (tail[at] === 80 && view.getUint32(at, true) === 0x06054b50) places.push(at);
  const behind = (at) => at + 22 + view.getUint16(at + 20, true);
  const place = places.find((at) => behind(at) <= tail.length && isZero(tail.subarray(behind(at)))) ?? places[0];
  if (place === undefined) return null;
  const readings = [];
  if (behind(place) > tail.length || !isZero(tail.subarray(behind(place)))) readings.push("bytes behind the end");
  if (places.some((at) => at > place && at < behind(place))) readings.push("another end record in the comment");
  const end = { count: view.getUint16(place + 10, true), size: view.getUint32(place + 12, true), offset: view.getUint32(place + 16, true), start: from + place, readings };
  if (view.getUint16(place + 4, true) || view.getUint16(place + 6, true)) return null;
  if (place >= 20 && view.getUint32(place - 20, true) === 0x07064b50 && !(await wideEnd(file, end, long(view, place - 12)))) return null;
  if (end.count > MEMBERS || end.size > DIRECTORY) return null;
  if (end.offset + end.size > end.start || !isZero(await file.read(end.offset + end.size, end.start - end.offset - end.size))) return null;
  return end;
}

/** Takes over what the zip64 end record at an offset says; false where it is none. */
async function wideEnd(file, end, offset) {
  if (offset + 56 > file.size) return false;
  const view = viewOf(await file.read(offset, 56));
  if (view.getUint32(0, true) !== 0x06064b50) return false;
  const found = { count: long(view, 32), size: long(view, 40), offset: long(view, 48) };
  for (const [name, full] of [["count", 0xffff], ["size", FULL], ["offset", FULL]])
    if (end[name] !== full && end[name] !== found[name]) end.readings.push(`another ${name} in the zip64 end record`);
  Object.assign(end, found, { start: offset });
  return true;
}

const isZero = (bytes) => bytes.every((byte) => byte === 0);

function membersOf(directory, count) {
  const view = viewOf(directory);
  const members = [];
  let at = 0;
  for (let number = 0; number < count; number += 1) {
    if (at + 46 > directory.length || view.getUint32(at, true) !== 0x02014b50) return null;
    const [names, extras, comments] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
    const end = at + 46 + names + extras;
    if (end + comments > directory.length) return null;
    const raw = directory.subarray(at + 46, at + 46 + names);
    const member = {
      raw, extra: directory.subarray(at + 46 + names, end), need: view.getUint16(at + 6, true) & 255, flags: view.getUint16(at + 8, true), method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true), packed: view.getUint32(at + 20, true), size: view.getUint32(at + 24, true), offset: view.getUint32(at + 42, true),
      mode: view.getUint16(at + 40, true) & 0xf000,
    };
    widen(member, member.extra, ["size", "packed", "offset"]);
    members.push({ ...member, name: nameOf(raw, member.flags), damage: null, differs: [] });
    at = end + comments;
  }
  return at === directory.length ? members : null;
}

/** The name of a member: UTF-8 where its flags say so, else code page 437. */
function nameOf(raw, flags) {
  if (!(flags & 0x800)) return Array.from(raw, (byte) => (byte < 128 ? String.fromCharCode(byte) : CP437[byte - 128])).join("");
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(raw);
  if (!text.includes("\ufffd")) return text;
  return Array.from(new TextDecoder("latin1").decode(raw), (character, at) => (raw[at] < 128 ? character : String.fromCharCode(0xdc00 + raw[at]))).join("");
}

/** Each extra field: [kind, its bytes]. */
function fieldsOf(extra) {
  const found = [];
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = view.getUint16(at + 2, true);
    found.push([view.getUint16(at, true), extra.subarray(at + 4, at + 4 + length)]);
    at += 4 + length;
  }
  return found;
}

/** Replaces numbers that do not fit 32 bits by those of the zip64 field. */
function widen(header, extra, names) {
  const [, field] = fieldsOf(extra).find(([kind]) => kind === 1) ?? [];
  let at = 0;
  for (const name of names) {
    if (header[name] !== FULL || !field || at + 8 > field.length) continue;
    header[name] = long(viewOf(field), at);
    at += 8;
  }
}

/** Compares each member with its own header, and sets where its data are. */
async function compareHeaders({ file, members }) {
  for (const member of members) {
    const differs = (what) => member.differs.push(`${member.name}: another ${what} in its own header`);
    const fixed = member.offset + 30 <= file.size ? await file.read(member.offset, 30) : new Uint8Array();
    if (fixed.length < 30 || viewOf(fixed).getUint32(0, true) !== 0x04034b50) {
      member.damage = "no header where the directory says";
      continue;
    }
    const view = viewOf(fixed);
    const [names, extras] = [26, 28].map((at) => view.getUint16(at, true));
    const more = await file.read(member.offset + 30, names + extras);
    const local = { crc: view.getUint32(14, true), packed: view.getUint32(18, true), size: view.getUint32(22, true), extra: more.subarray(names) };
    widen(local, local.extra, ["size", "packed"]);
    member.data = member.offset + 30 + names + extras;
    member.end = member.data + member.packed;
    if (!sameBytes(more.subarray(0, names), member.raw)) differs("name");
    if (view.getUint16(8, true) !== member.method) differs("method");
    if ((view.getUint16(6, true) ^ member.flags) & 1) differs("encryption");
    if (member.flags & 8) await describedBehind(file, member, local, differs);
    else for (const name of ["crc", "packed", "size"]) if (local[name] !== member[name]) differs(name);
    if ((view.getUint16(4, true) & 255) > VERSION || member.need > VERSION) differs("version");
    if (member.name.includes("\0")) differs("name, by a NUL");
    for (const [kind, field] of [...fieldsOf(member.extra), ...fieldsOf(local.extra)])
      if (kind === 0x7075 && !sameBytes(field.subarray(5), member.raw)) differs("name, in Unicode");
    if (member.end > file.size) member.damage = "ends behind the file";
    else if (member.method === 8 && member.size > member.packed * RATIO + 64) member.damage = `claims ${member.size} bytes`;
    else if (member.method === 0 && member.size !== member.packed) member.damage = "two sizes of stored data";
  }
}

const sameBytes = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

/** The data descriptor of a member, with or without its signature, of 32 or 64 bits. */
async function describedBehind(file, member, local, differs) {
  for (const name of ["crc", "packed", "size"]) if (local[name] && local[name] !== member[name] && local[name] !== FULL) differs(name);
  const bytes = await file.read(member.end, 24);
  const view = viewOf(bytes);
  for (const [start, width] of [[4, 4], [4, 8], [0, 4], [0, 8]]) {
    if (start + 4 + 2 * width > bytes.length || (start && view.getUint32(0, true) !== 0x08074b50)) continue;
    const numbers = [view.getUint32(start, true), ...[0, 1].map((at) => (width === 4 ? view.getUint32(start + 4 + 4 * at, true) : long(view, start + 4 + 8 * at)))];
    if (numbers[0] !== member.crc || numbers[1] !== member.packed || numbers[2] !== member.size) continue;
    member.end += start + 4 + 2 * width;
    return;
  }
  differs("data descriptor");
}

/** Every byte before the directory belongs to one member, or is 0; members that share bytes are damaged. */
async function accountFor({ file, members, readings }, { offset }) {
  const placed = members.filter(({ data }) => data !== undefined).sort((one, other) => one.offset - other.offset);
  const gaps = [];
  let [last, at] = [null, 0];
  for (const member of [...placed, { offset, end: offset }]) {
    if (last && member.offset < at && member.raw) member.damage = last.damage = "shares bytes with another member";
    else if (last && member.offset < at) last.damage = "shares bytes with the directory";
    else if (!isZero(await file.read(at, member.offset - at))) gaps.push("bytes between members");
    else if (member.offset - at > PADDING) gaps.push("more than 1 MiB of zeros between members");
    if (member.end >= at) [last, at] = [member, member.end];
  }
  if (!members.some(({ damage }) => damage)) for (const each of gaps) readings.push(each); // where a member is lost, its bytes belong to none
}

const TYPES = { 0xa000: "internal-link", 0x1000: "special", 0x2000: "special", 0x6000: "special", 0xc000: "special" };

/** A member as an entry; `type` is "twice" where another one has its name. */
export class Member {
  constructor(file, member, name) {
    Object.assign(this, { file, member, name, size: member.damage ? 0 : member.size, type: TYPES[member.mode] ?? "file" });
  }

  /** The bytes of the member; throws `Damaged`, or `Unreadable` where it is packed in an unknown way. */
  async read(start = 0, length = this.size) {
    const { size, packed, method, crc } = this.member;
    const raw = await this.raw(packed);
    const bytes = method === 0 ? sized(raw, size) : inflate(raw, size);
    if (crc32(bytes) !== crc) mismatch();
    return bytes.subarray(start, start + length);
  }

  /** The first bytes, at most `length`, without a look at the checksum. */
  async head(length) {
    await this.raw(0);
    if (this.member.method === 0) return this.raw(Math.min(length, this.member.packed));
    const found = [];
    let total = 0;
    const stream = new Inflate((part) => (found.push(part), (total += part.length)));
    for (let at = 0; at < this.member.packed && total < length; at += 4096) {
      const part = await this.raw(Math.min(4096, this.member.packed - at), at);
      decoded(() => stream.push(part, at + 4096 >= this.member.packed));
    }
    const whole = new Uint8Array(total);
    found.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
    return whole.subarray(0, length);
  }

  async raw(length, start = 0) {
    const { damage, flags, method, data } = this.member;
    if (damage) throw new Damaged("undecodable", damage);
    if (flags & 1) throw new Unreadable("unsupported", "the member is encrypted");
    if (method !== 0 && method !== 8) throw new Unreadable("unsupported", `the method ${method} of packing`);
    return this.file.read(data + start, length);
  }
}

class Folder {
  constructor(name) {
    Object.assign(this, { name, type: "folder", size: 0, members: new Map() });
  }

  async list() {
    return this.members;
  }
}

/** Whether each step of a path leads down, within the archive. */
export const isInside = (steps) => steps.every((step) => step !== "" && step !== "." && step !== "..");
export const isDrive = (steps) => /^[A-Za-z]:$/.test(steps[0]);

/** The members as a folder of entries, and those whose names are not paths of one: {root, outside}. */
export function folderOf(file, members) {
  const root = new Folder("");
  const outside = [];
  for (const member of members) {
    const isFolder = member.name.endsWith("/");
    const steps = (isFolder ? member.name.slice(0, -1) : member.name).split("/");
    if (!isInside(steps) || member.name.includes("\\")) {
      outside.push(member.name);
      continue;
    }
    if (isDrive(steps)) outside.push(member.name);
    let folder = root;
    for (const step of isFolder ? steps : steps.slice(0, -1)) {
      if (folder.members.get(step)?.type !== "folder") folder.members.set(step, new Folder(step));
      folder = folder.members.get(step);
    }
    const name = steps.at(-1);
    if (isFolder) continue;
    if (folder.members.has(name)) folder.members.get(name).type = "twice";
    else folder.members.set(name, new Member(file, member, name));
  }
  return { root, outside };
}
