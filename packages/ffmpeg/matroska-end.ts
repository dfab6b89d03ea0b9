const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;

/**
 * One more than the last byte that a Matroska file says to have (RFC 8794 §5, §6; RFC 9559 §5.1), from its first
 * bytes; null when it is no Matroska file or a live recording, which does not know its size.
 */
export function matroskaEnd(head: Uint8Array): number | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.byteLength < 5 || view.getUint32(0) !== EBML) return null;
  const header = variableInteger(view, 4);
  if (header === null) return null;
  const segment = header.end + header.value;
  if (segment + 5 > view.byteLength || view.getUint32(segment) !== SEGMENT) return null;
  const size = variableInteger(view, segment + 4);
  return size === null ? null : size.end + size.value;
}

/** An EBML element size: the number of leading zero bits says how many bytes follow; all ones means unknown. */
function variableInteger(view: DataView, offset: number): { value: number; end: number } | null {
  const first = view.getUint8(offset);
  const length = Math.clz32(first) - 23;
  if (length > 8 || offset + length > view.byteLength) return null;
  let value = first & (0xff >> length);
  let isUnknown = value === 0xff >> length;
  for (let index = 1; index < length; index++) {
    const byte = view.getUint8(offset + index);
    isUnknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return isUnknown ? null : { value, end: offset + length };
}
