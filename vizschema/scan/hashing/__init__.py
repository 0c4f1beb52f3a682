"""The hash of an array's values, as `spec/1.0.0/digest.md` defines it: from blocks in any order, in bounded memory."""
