/** AAC Low Complexity: object type 2 of MPEG-4 audio (RFC 6381 §3.3, ISO/IEC 14496-3 Table 1.17). */
export const AAC_LC_CODEC = "mp4a.40.2";

/**
 * RFC 6381 §3.3 codecs parameter of progressive High profile H.264 as x264 writes it: profile_idc 100, no constraint
 * flag set, level_idc = level × 10 (Rec. ITU-T H.264 §7.4.2.1.1).
 */
export function avcHighCodec(level: number): string {
  return `avc1.6400${level.toString(16).padStart(2, "0")}`;
}
