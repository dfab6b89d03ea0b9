"""From ffmpeg's pipe to the title's CMAF track (docs/contracts/encoding.md, E-7 to E-9)."""

import struct

DROPPED = {b"sidx", b"ssix", b"free", b"skip", b"wide", b"uuid", b"mfra"}


class Malformed(Exception):
    pass


def track_parts(job, index, read):
    """What is sent of a track, part by part; `read` gives the pipe's next bytes, none at its end."""
    parts = split(read)
    return packed_anew(job, parts) if job["kind"] == "audio" else retimed(job, index, parts)


def split(read):
    """The init segment, then each moof with its mdat."""
    part, kinds = b"", []
    for box in boxes(read):
        kind = box[4:8]
        if kind in DROPPED and b"moof" not in kinds:
            continue
        part, kinds = part + box, kinds + [kind]
        if kind in (b"moov", b"mdat"):
            yield part
            part, kinds = b"", []
    if part:
        raise Malformed("the track ends inside a fragment")


def boxes(read):
    buffer = bytearray()
    while True:
        size = int.from_bytes(buffer[:4], "big")
        if len(buffer) >= 8 and size < 8:
            raise Malformed(f"a box claims {size} bytes")
        if len(buffer) >= max(8, size):
            yield bytes(buffer[:size])
            del buffer[:size]
        elif data := read():
            buffer += data
        elif buffer:
            raise Malformed("the track ends inside a box")
        else:
            return


def body_of(data, *path):
    """Where the body of a box begins and ends; each box of the path lies in the one before it."""
    start, end = 0, len(data)
    for wanted in path:
        at = start
        while data[at + 4 : at + 8] != wanted:
            at += int.from_bytes(data[at : at + 4], "big")
            if at >= end:
                raise Malformed(f"there is no {wanted.decode()}")
        start, end = at + 8, at + int.from_bytes(data[at : at + 4], "big")
    return start, end


def init_of(parts):
    for part in parts:
        return part
    raise Malformed("ffmpeg made nothing")


def retimed(job, index, parts):
    """E-8: each fragment is a segment; its time counts from the chunk and shall count from the title."""
    yield init_of(parts)
    ticks = job["chunk"]["startFrame"] * job["tracks"][index]["sampleTicks"]
    for number, part in enumerate(parts, job["chunk"]["firstSegment"]):
        fragment = bytearray(part)
        struct.pack_into(">I", fragment, body_of(part, b"moof", b"mfhd")[0] + 4, number)
        tfdt = body_of(part, b"moof", b"traf", b"tfdt")[0]
        form = ">Q" if fragment[tfdt] == 1 else ">I"
        struct.pack_into(form, fragment, tfdt + 4, struct.unpack_from(form, part, tfdt + 4)[0] + ticks)
        yield bytes(fragment)


def packed_anew(job, parts):
    """E-9: the packets from `preroll` on, in the planned segments."""
    init = init_of(parts)
    yield init
    chunk, track = job["chunk"], job["tracks"][0]
    ticks, number = track["sampleTicks"], chunk["firstSegment"]
    lengths = [run["ticks"] // ticks for run in track["timeline"] for _ in range(run["count"])]
    track_id, skip, at, waiting = track_id_of(init), chunk["preroll"], chunk["startPacket"], []
    for packet in packets(init, parts):
        if skip > 0 or not lengths:
            skip -= 1
            continue
        waiting.append(packet)
        if len(waiting) == lengths[0]:
            yield audio_fragment(track_id, number, at * ticks, ticks, waiting)
            number, at, waiting = number + 1, at + lengths.pop(0), []
    if lengths:
        raise Malformed("the encoder made too few packets of sound")


def packets(init, parts):
    trex = body_of(init, b"moov", b"mvex", b"trex")[0]
    for part in parts:
        tfhd, trun = (body_of(part, b"moof", b"traf", kind)[0] for kind in (b"tfhd", b"trun"))
        flags, size = int.from_bytes(part[tfhd + 1 : tfhd + 4], "big"), init[trex + 16 : trex + 20]
        at = tfhd + 8 + sum(length for flag, length in ((1, 8), (2, 4), (8, 4)) if flags & flag)
        size = int.from_bytes(part[at : at + 4] if flags & 0x10 else size, "big")
        flags, (count,) = int.from_bytes(part[trun + 1 : trun + 4], "big"), struct.unpack_from(">I", part, trun + 4)
        row = sum(4 for flag in (0x100, 0x200, 0x400, 0x800) if flags & flag)
        at = trun + 8 + sum(4 for flag in (1, 4) if flags & flag) + (4 if flags & 0x100 else 0)
        data = body_of(part, b"mdat")[0]
        for i in range(count):
            length = struct.unpack_from(">I", part, at + i * row)[0] if flags & 0x200 else size
            yield part[data : data + length]
            data += length


def track_id_of(init):
    tkhd = body_of(init, b"moov", b"trak", b"tkhd")[0]
    return struct.unpack_from(">I", init, tkhd + (20 if init[tkhd] == 1 else 12))[0]


def box(kind, *fields):
    content = b"".join(field if isinstance(field, bytes) else struct.pack(">I", field) for field in fields)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def audio_fragment(track_id, number, time, ticks, samples):
    def moof(offset):
        tfhd = box(b"tfhd", 0x020028, track_id, ticks, 0x02000000)
        tfdt = box(b"tfdt", 0x01000000, struct.pack(">Q", time))
        trun = box(b"trun", 0x000201, len(samples), offset, *map(len, samples))
        return box(b"moof", box(b"mfhd", 0, number), box(b"traf", tfhd, tfdt, trun))

    return moof(len(moof(0)) + 8) + box(b"mdat", *samples)
