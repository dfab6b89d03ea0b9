import type { SourceAddress } from "@gakuen/contracts";

/**
 * Containers that hold media themselves. Playlists (HLS, DASH, concat, …) are left out: a crafted one makes a demuxer
 * open whatever files and addresses it names.
 */
const demuxers = [
  ..."mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,asf,flv,ogg,mxf,mxf_opatom,gxf,nut,dv,rm,wtv,ivf".split(
    ",",
  ),
  ..."h264,hevc,obu,av1,m4v,mpegvideo,vc1,yuv4mpegpipe,dirac".split(","),
  ..."wav,w64,aiff,caf,flac,mp3,aac,ac3,eac3,dts,amr,au,ape,tta,wv,truehd,mlp,dsf".split(","),
].join(",");

/** ffmpeg's name of a source. `file:` keeps a colon or a leading dash in a path from being read as something else. */
export function sourceUrl(address: SourceAddress): string {
  return address.kind === "file" ? `file:${address.path}` : address.url;
}

/**
 * Input options that ffmpeg and ffprobe need for a source, to stand before its `-i`: only the protocol that the address
 * itself uses, only demuxers of media, and a connection that is taken up again where it broke.
 */
export function sourceInputOptions(address: SourceAddress): readonly string[] {
  if (address.kind === "file") return ["-protocol_whitelist", "file", "-format_whitelist", demuxers];
  return [
    ["-protocol_whitelist", "http,https,tcp,tls", "-format_whitelist", demuxers],
    ["-reconnect", "1", "-reconnect_on_network_error", "1", "-reconnect_on_http_error", "5xx"],
    ["-reconnect_delay_max", "4", "-rw_timeout", "20000000"],
  ].flat();
}
