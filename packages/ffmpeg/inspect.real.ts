import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Inspection } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import * as fixtures from "../../test/fixtures/index.ts";
import { inspectSource } from "./inspect.ts";
import { findTools } from "./tools.ts";

const tools = await findTools({ ffmpeg: "ffmpeg", ffprobe: "ffprobe" });
const inspect = (path: string) => inspectSource({ kind: "file", path }, { tools, signal: AbortSignal.timeout(60_000) });

async function video(path: string) {
  const inspection = Inspection.parse(await inspect(path));
  if (inspection.video === null) throw new Error("no video was found");
  return inspection.video;
}

describe("inspection of what is there", () => {
  test("counts frames and finds the rate and keyframes in MP4 and Matroska alike", async () => {
    for (const container of ["mp4", "mkv"] as const) {
      const path = await fixtures.numberedVideo({ rate: "30000/1001", frames: 100, gop: 30, container });
      expect(await video(path)).toMatchObject({
        frames: 100,
        frameRate: { num: 30000, den: 1001 },
        timing: "constant",
        interlacing: "progressive",
      });
      expect((await video(path)).keyframes.map((time) => Math.round(time * 29.97))).toEqual([0, 30, 60, 90]);
      expect((await video(path)).end).toBeCloseTo(100 / 29.97, 2);
    }
  });

  test("gives a variable rate a grid that is not below the average, and says so", async () => {
    const path = await fixtures.numberedVideo({ rate: "24", frames: 120, times: "N/24+0.01*mod(N,3)" });
    const inspection = await inspect(path);
    expect(inspection.video).toMatchObject({ timing: "variable", frames: 120, frameRate: { num: 24000, den: 1001 } });
    expect(inspection.warnings.join()).toContain("frame rate varies");
  });

  test("sees interlacing, whatever the headers say", async () => {
    expect((await video(await fixtures.interlaced())).interlacing).toBe("interlaced");
  });

  test("turns and stretches the picture as a viewer sees it", async () => {
    expect(await video(await fixtures.rotated(90))).toMatchObject({
      width: 256,
      displayWidth: 144,
      displayHeight: 256,
    });
    expect(await video(await fixtures.rotated(180))).toMatchObject({ rotation: 180, displayWidth: 256 });
    expect(await video(await fixtures.anamorphic())).toMatchObject({
      width: 720,
      displayWidth: 1024,
      displayHeight: 576,
    });
    expect(await video(await fixtures.oddSize())).toMatchObject({ width: 321, height: 181 });
  });

  test("keeps HDR's colour and assumes what is not said, saying that it does", async () => {
    const colour = { primaries: "bt2020", transfer: "smpte2084", matrix: "bt2020nc", range: "tv", assumed: false };
    expect(await video(await fixtures.hdr10())).toMatchObject({ bitDepth: 10, colour });
    expect(await video(await fixtures.anamorphic())).toMatchObject({ colour: { matrix: "bt470bg", assumed: true } });
  });

  test("lists every sound track with its language in BCP 47", async () => {
    const { audio } = await inspect(await fixtures.manyAudioTracks());
    expect(audio.map((track) => [track.language, track.label, track.default])).toEqual([
      ["en", null, true],
      ["de", null, false],
      ["ja", null, false],
      ["en", "Commentary", false],
    ]);
  });

  test("finds where each sound ends by its packets", async () => {
    const files = [fixtures.filmWithBeeps(10, "mp4"), fixtures.filmWithBeeps(10, "mkv")];
    const sounds = (["m4a", "mp3", "flac"] as const).map((container) => fixtures.audioOnly(container));
    for (const file of await Promise.all([...files, ...sounds])) {
      const [sound] = (await inspect(file)).audio;
      // One packet of MP3 and the encoder's own delay are the most that any of them is longer.
      expect(Math.abs((sound?.end ?? 0) - 10), file).toBeLessThan(0.08);
    }
  });

  test("takes sound without a picture, a picture without sound, and no cover for a film", async () => {
    expect(await inspect(await fixtures.audioOnly())).toMatchObject({ video: null, audio: [{ codec: "aac" }] });
    expect(await inspect(await fixtures.noAudio())).toMatchObject({ video: { frames: 100 }, audio: [] });
    expect(await inspect(await fixtures.withCoverArt())).toMatchObject({ video: null, audio: [{ codec: "aac" }] });
  });

  test("counts only frames that an edit list shows", async () => {
    const path = await fixtures.editList();
    const shown = await fixtures.readFrameNumbers(path);
    expect(await video(path)).toMatchObject({ frames: shown.length, frameRate: { num: 25, den: 1 } });
  });

  test("does not trust a transport stream's seeking", async () => {
    const path = await fixtures.numberedVideo({ rate: "25", frames: 100, container: "ts" });
    expect(await inspect(path)).toMatchObject({ seekable: false, video: { frames: 100, keyframes: [] } });
  });

  test.each(["mp4", "mkv"])("finds out about a film behind http without downloading it (%s)", async (container) => {
    const path = await fixtures.madeByFfmpeg(`noise.${container}`, [
      ...["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24000/1001:d=150,noise=alls=60:allf=t"],
      ...["-c:v", "libx264", "-preset", "ultrafast", "-qp", "28", "-g", "48", "-pix_fmt", "yuv420p"],
    ]);
    await using server = await rangeServer(path);
    const options = { tools, signal: AbortSignal.timeout(60_000) };
    const byHttp = await inspectSource({ kind: "http", url: server.url }, options);
    const byFile = await inspect(path);
    expect(byHttp).toMatchObject({
      fingerprint: byFile.fingerprint,
      duration: byFile.duration,
      video: { frames: byFile.video?.frames, frameRate: byFile.video?.frameRate, timing: "constant" },
    });
    if (container === "mp4") expect(byHttp).toEqual(byFile);
    const { size } = await stat(path);
    expect(size).toBeGreaterThan(50_000_000);
    // Windows of pictures and the fingerprint have to be read, and sockets hold what was not asked for any more.
    expect(server.sentBytes()).toBeLessThan(size * 0.7);
  });
});

/** A web server with ranges, for one file; counts the bytes that left it. */
async function rangeServer(path: string): Promise<{ url: string; sentBytes(): number } & AsyncDisposable> {
  const { size } = await stat(path);
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const [, from = "0", to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "") ?? [];
    const end = to === undefined || to === "" ? size - 1 : Math.min(Number(to), size - 1);
    response.writeHead(206, {
      "accept-ranges": "bytes",
      "content-range": `bytes ${from}-${end}/${size}`,
      "content-length": end - Number(from) + 1,
    });
    createReadStream(path, { start: Number(from), end }).pipe(response);
  });
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/film`,
    sentBytes: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("inspection of what cannot become a title", () => {
  const refused: readonly (readonly [string, () => Promise<string>, string])[] = [
    ["an MP4 whose media is cut off", () => fixtures.truncated("start"), "source.truncated"],
    ["an MP4 whose index is cut off", () => fixtures.truncated("end"), "source.truncated"],
    ["a Matroska file that is cut off", () => fixtures.truncated("start", "mkv"), "source.truncated"],
    ["random bytes", fixtures.randomBytes, "source.not-media"],
    ["text", fixtures.textFile, "source.not-media"],
    ["a playlist that names other files", () => fixtures.playlist("/etc/hostname"), "source.not-media"],
    ["nothing", fixtures.emptyFile, "source.empty"],
  ];
  test.for(refused)("%s is refused", async ([, make, code]) => {
    await expect(inspect(await make())).rejects.toMatchObject({ code });
  });
});
