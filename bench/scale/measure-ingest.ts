import { openEngine } from "@gakuen/engine";
import { openRecords } from "@gakuen/records";
import { inspected } from "../../packages/pipeline/sample-inspection.ts";
import { makeFakeFfmpeg } from "./fake-media.ts";
import { titleOf } from "./load.ts";
import { measureFleet, printFleet } from "./measure-fleet.ts";
import { postgresServer } from "./queue-servers.ts";
import { queueTitle, startUploader } from "./uploads.ts";

/** Of the recorded encodes. Bytes are not scaled, so their rate is twice as high as it would be. */
const SCALE = 1 / 2;

const none = (): void => undefined;
const log = { debug: none, info: none, warn: none, error: none };

/** Whole encoders with a stand-in for ffmpeg, and a whole Kaikeishi with PostgreSQL and a folder as the store. */
export async function measureIngest(short: boolean): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await postgresServer());
  const engine = stack.use(await openEngine({ url: server.url, log }));
  const records = stack.use(await openRecords({ url: server.url, log }));
  const uploader = await startUploader(server.url, stack);
  const film = titleOf("film", 3 * 3600, { sound: false });
  const longest = film.encodes.map(({ job }) => job).reduce((a, b) => (a.chunk.segments >= b.chunk.segments ? a : b));
  if (longest.kind !== "video") throw new Error("the film has no video");
  const ffmpeg = stack.use(await makeFakeFfmpeg(longest, SCALE));
  await queueTitle(engine, records, film, inspected({}, []));
  console.log(
    `\nwith Otetsudai's and Kaikeishi's own work, ${(ffmpeg.bytes / 1e6).toFixed(1)} MB per chunk into a folder, encodes at half their length:`,
  );
  const whole = { ffmpeg: ffmpeg.path, segmentMs: ffmpeg.segmentMs, kaikeishi: uploader.url };
  const look = { warmUpMs: 10_000, windowMs: 50_000 };
  for (const fleet of [{ hosts: 2, slots: 4 }, ...(short ? [] : [{ hosts: 8, slots: 8 }])]) {
    const before = await uploader.cpuMs();
    const found = await measureFleet(server, fleet, { scale: SCALE, whole }, look);
    printFleet(fleet, found);
    const perChunk =
      (((await uploader.cpuMs()) - before) / found.chunks) * (found.wallMs / (found.wallMs + look.warmUpMs));
    const perMegabyte = perChunk / (ffmpeg.bytes / 1e6);
    console.log(`     and ${perChunk.toFixed(0)} ms of Kaikeishi's CPU per chunk, ${perMegabyte.toFixed(1)} ms per MB`);
  }
}
