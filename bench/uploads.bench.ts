import { setImmediate as turn } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { type ObjectStore, openStore } from "@gakuen/storage";
import { startCeph } from "../test/servers/ceph.ts";
import { median } from "./measure-command.ts";

const PARALLEL = [1, 16, 128] as const;
/** Four parts each. */
const BODY_MIB = 20;
const PIECE = Buffer.alloc(64 * 1024, "media");
const MIB = 1024 * 1024;

/**
 * Does memory grow with the number of uploads at once? Bodies of unknown length to a real S3 store on this machine, from
 * this process: more of them take longer, not more memory. Buffers are what the bodies themselves hold.
 */
export async function run({ runs }: { runs: number }): Promise<void> {
  await using ceph = await startCeph();
  process.env["AWS_ACCESS_KEY_ID"] = ceph.accessKeyId;
  process.env["AWS_SECRET_ACCESS_KEY"] = ceph.secretAccessKey;
  const client = new S3Client({ ...ceph, forcePathStyle: true, credentials: ceph });
  await client.send(new CreateBucketCommand({ Bucket: "bench" }));
  client.destroy();
  const store = await openStore(`s3://bench?endpoint=${ceph.endpoint}`);
  await upload(store, 1);

  console.log(`uploads of ${BODY_MIB} MiB at once | MiB/s | peak of buffers, MiB | peak resident size, MiB`);
  for (const parallel of PARALLEL) {
    const measured: Measured[] = [];
    for (let index = 0; index < runs; index++) measured.push(await upload(store, parallel));
    const of = (value: keyof Measured): string => median(measured.map((one) => one[value])).toFixed(0);
    console.log([parallel, of("rate"), of("buffers"), of("resident")].join(" | "));
  }
}

interface Measured {
  readonly rate: number;
  readonly buffers: number;
  readonly resident: number;
}

async function* body(): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < BODY_MIB * MIB; sent += PIECE.byteLength) {
    await turn();
    yield Buffer.from(PIECE);
  }
}

async function upload(store: ObjectStore, parallel: number): Promise<Measured> {
  let [buffers, resident] = [0, 0];
  const sampling = setInterval(() => {
    const usage = process.memoryUsage();
    buffers = Math.max(buffers, usage.arrayBuffers / MIB);
    resident = Math.max(resident, usage.rss / MIB);
  }, 10);
  const began = performance.now();
  await Promise.all(Array.from({ length: parallel }, async (_, index) => await store.put(`uploads/${index}`, body())));
  const seconds = (performance.now() - began) / 1000;
  clearInterval(sampling);
  await store.deletePrefix("uploads/");
  return { rate: (parallel * BODY_MIB) / seconds, buffers, resident };
}
