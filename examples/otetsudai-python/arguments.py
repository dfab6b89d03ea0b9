"""ffmpeg's arguments for a chunk, as docs/contracts/encoding.md has them (E-4 to E-6)."""

import math

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,asf,flv,ogg,mxf,mxf_opatom,gxf,nut,dv,rm,wtv,ivf,"
    "h264,hevc,obu,av1,m4v,mpegvideo,vc1,yuv4mpegpipe,dirac,"
    "wav,w64,aiff,caf,flac,mp3,aac,ac3,eac3,dts,amr,au,ape,tta,wv,truehd,mlp,dsf"
)
COUNTED_TIMES = (
    "st(3,eq(SR,48000)*eq(mod(S+312,480),0));st(4,S+312*ld(3));st(5,PTS-312*ld(3));"
    "if(eq(N,0),st(0,round(ld(5)/ld(4))*ld(4)-ld(5)));"
    "if(eq(N,0)*gt(abs(ld(0)),(0.00105+0.00095*ld(3))*SR),st(0,0));"
    "st(1,if(gt(N,0)*lt(abs(PTS+ld(0)-ld(2)),0.1*SR),ld(2),PTS+ld(0)));st(2,ld(1)+S);ld(1)"
)
QUIET = "-hide_banner -nostdin -loglevel error".split()
PLAIN = "-map_metadata -1 -map_chapters -1 -fflags +bitexact".split()


def chunk_arguments(job, only=None, decoder_threads=1, pipes=range(3, 64)):
    """The whole command line after `ffmpeg`; `only` picks tracks by their index, each gets the next of `pipes`."""
    return video(job, only, decoder_threads, pipes) if job["kind"] == "video" else audio(job, pipes[0])


def source(address):
    if address["kind"] == "file":
        return ["-protocol_whitelist", "file", "-format_whitelist", DEMUXERS], "file:" + address["path"]
    network = ["-protocol_whitelist", "http,https,tcp,tls", "-format_whitelist", DEMUXERS]
    network += "-reconnect 1 -reconnect_on_network_error 1 -reconnect_on_http_error 5xx".split()
    return network + "-reconnect_delay_max 4 -rw_timeout 20000000".split(), address["url"]


def seek_to(seconds):
    return ["-noaccurate_seek", "-ss", f"{seconds:.6f}"] if seconds > 0 else []


def number(value):
    """As JSON writes it: 23 and not 23.0."""
    return str(int(value)) if value == int(value) else str(value)


def video(job, only, decoder_threads, pipes):
    options, url = source(job["source"])
    seek = job["chunk"]["seek"]
    graph = picture_filters(job)
    wanted = range(len(job["tracks"])) if only is None else only
    graph += "".join(f";[v{n}]nullsink" for n in range(len(job["tracks"])) if n not in wanted)
    command = [*QUIET, "-filter_complex_threads", "1", "-threads", str(decoder_threads), "-copyts", "-start_at_zero"]
    command += [*options, *seek_to(0 if seek["mode"] == "start" else seek["seconds"]), "-i", url]
    command += ["-filter_complex", graph]
    for n, pipe in zip(sorted(wanted), pipes):
        track, colour, group = job["tracks"][n], job["picture"]["colour"], str(job["picture"]["framesPerSegment"])
        encoder = track["encoder"]
        command += ["-map", f"[v{n}]", "-an", "-sn", "-dn", "-fps_mode", "passthrough"]
        command += ["-c:v", encoder["name"], "-preset", encoder["preset"], "-crf", number(encoder["crf"])]
        command += ["-maxrate", str(encoder["maxrate"]), "-bufsize", str(encoder["bufsize"])]
        command += ["-g", group, "-keyint_min", group, "-sc_threshold", "0"]
        command += ["-x264-params", "stitchable=1:open-gop=0:8x8dct=1", "-profile:v", encoder["profile"]]
        command += ["-level:v", str(encoder["level"]), "-pix_fmt", encoder["pixelFormat"]]
        command += ["-color_primaries", colour["primaries"], "-color_trc", colour["transfer"]]
        command += ["-colorspace", colour["matrix"], "-color_range", colour["range"], "-threads", "1"]
        command += ["-video_track_timescale", str(track["timescale"]), *PLAIN]
        command += "-movflags +cmaf+frag_keyframe+skip_trailer -f mp4 -flush_packets 1".split() + [f"pipe:{pipe}"]
    return command


def picture_filters(job):
    picture, chunk, origin = job["picture"], job["chunk"], job["originMicroseconds"]
    rungs = sorted(enumerate(job["tracks"]), key=lambda rung: -rung[1]["width"] * rung[1]["height"])
    (n, largest), smaller = rungs[0], rungs[1:]
    filters = ["bwdif=mode=send_frame"] if picture["deinterlace"] else []
    filters += ["settb=AVTB"] + ([f"setpts=PTS-({origin})"] if origin else [])
    zero = ":start_time=0" if chunk["seek"]["mode"] == "start" else ""
    filters.append("fps={num}/{den}:round=near:eof_action=pass".format(**picture["frameRate"]) + zero)
    if chunk["endFrame"] == picture["frames"]:
        filters.append("tpad=stop_mode=clone:stop=2")
    filters.append(f"trim=start_pts={chunk['startFrame']}:end_pts={chunk['endFrame']}")
    filters += [f"setpts=PTS-({chunk['startFrame']})", *sizing(picture, largest)]
    graph, output = f"[0:{picture['stream']}]" + ",".join(filters), n
    for i, (next_output, track) in enumerate(smaller):
        graph += f",split=2[v{output}][c{i}];[c{i}]scale={track['width']}:{track['height']}:flags=bicubic,setsar=1"
        output = next_output
    return f"{graph}[v{output}]"


def sizing(picture, track):
    tags = "range={range}:color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}".format
    given, wanted, (w, h) = picture["sourceColour"], picture["colour"], (track["width"], track["height"])
    zscale = f"zscale=w={w}:h={h}:filter=bicubic"
    if picture["toneMap"]:
        scaled = [zscale, "zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709"]
        scaled += ["tonemap=tonemap=hable:desat=0", f"zscale=transfer=bt709:matrix=bt709:range={wanted['range']}"]
    elif any(given[what] != wanted[what] for what in ("primaries", "transfer", "matrix")):
        scaled = [zscale + ":primaries={primaries}:transfer={transfer}:matrix={matrix}:range={range}".format(**wanted)]
    else:
        scaled = [f"scale={w}:{h}:flags=bicubic"]
        if given["range"] != wanted["range"]:
            scaled[0] += f":in_range={given['range']}:out_range={wanted['range']}"
    return ["setparams=" + tags(**given), *scaled, "format=yuv420p", "setparams=field_mode=prog:" + tags(**wanted), "setsar=1"]


def audio(job, pipe):
    chunk, track, origin = job["chunk"], job["tracks"][0], job["originMicroseconds"]
    encoder, options_and_url = track["encoder"], source(job["source"])
    rate = encoder["sampleRate"]
    first = (chunk["startPacket"] - chunk["preroll"] + 1) * 1024
    end = (chunk["endPacket"] + 3) * 1024
    anchor = max(0, math.floor(first / rate - 1))
    seek = 0 if chunk["seek"]["mode"] == "start" else min(chunk["seek"]["seconds"], anchor + origin / 1e6 - 0.5)
    filters = [f"asetpts='{COUNTED_TIMES}'", f"asetpts=PTS-round({origin + anchor * 1_000_000}*SR/1000000)"]
    filters += ["atrim=start_pts=0", "aresample=async=1:first_pts=0", f"aresample={rate}"]
    filters += [f"aformat=sample_fmts=fltp:sample_rates={rate}:channel_layouts={encoder['channelLayout']}"]
    if "padding" in chunk:
        filters += [f"apad=pad_len={chunk['padding'] + 3 * 1024 + math.floor(0.25 * rate + 0.5)}"]
    else:
        filters += [f"apad=whole_len={end - anchor * rate}"]
    filters += [f"atrim=start_sample={first - anchor * rate}:end_sample={end - anchor * rate}", "asetpts=N"]
    command = [*QUIET, "-threads", "1", "-copyts", "-start_at_zero", *options_and_url[0], *seek_to(seek)]
    command += ["-i", options_and_url[1], "-map", f"0:{track['stream']}", "-vn", "-sn", "-dn", "-af", ",".join(filters)]
    command += ["-c:a", encoder["name"], "-b:a", str(encoder["bitrate"]), "-threads", "1", *PLAIN]
    return command + "-frag_duration 500000 -movflags +cmaf+skip_trailer -f mp4 -flush_packets 1".split() + [f"pipe:{pipe}"]


if __name__ == "__main__":
    # Compares with the jobs and command lines of docs/contracts/examples/arguments.json, given on standard input.
    import json
    import sys

    for example in json.load(sys.stdin):
        made = chunk_arguments(example["job"], example.get("only"), example.get("decoderThreads", 1))
        if made != example["arguments"]:
            sys.exit(f"{example['about']}:\n{made}\nis not\n{example['arguments']}")
