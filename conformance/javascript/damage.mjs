// What is wrong with a chunk, and how many bytes one may take.

import { wrong } from "./wrong.mjs";

/** A chunk that cannot be read; `reason` is one of the reasons of `damaged_chunks`. */
export class Damaged extends Error {
  constructor(reason, detail = reason) {
    super(detail);
    this.reason = reason;
  }
}

/** What follows where a checksum is not that of the bytes. */
export function mismatch() {
  if (!wrong("checksums")) throw new Damaged("checksum");
}

/** The most bytes that are decoded at once. */
export const MOST = 512 << 20;

/** Bytes of which `size` are expected (null: any number); throws `Damaged` where there are fewer or more. */
export function sized(bytes, size) {
  if (size === null || bytes.length === size) return bytes;
  throw new Damaged(bytes.length < size ? "truncated" : "wrong-length", `expected ${size} bytes, found ${bytes.length}`);
}

/** Checks that a size that a header claims is the one that is expected, before anything is decoded. */
export function claimed(claim, size) {
  if (claim > MOST) throw new Damaged("over-limit", `claims ${claim} bytes`);
  if (size !== null && claim !== size) throw new Damaged("wrong-length", `claims ${claim} bytes, expected ${size}`);
}

export const undecodable = (detail) => new Damaged("undecodable", detail);

/** What a decoder returns; what it throws becomes `Damaged`. */
export function decoded(decode) {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Damaged) throw error;
    throw undecodable(String(error?.message ?? error));
  }
}
