import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { createHttpServer, listen } from "@gakuen/platform";
import { chunkReceipts } from "@gakuen/records";
import { Client } from "pg";
import { expect, test } from "vitest";
import { GakuenProcess, temporaryFolder } from "../../test/e2e/gakuen-process.ts";
import { ingestRoutes } from "../../services/kaikeishi-uploader/index.ts";
import { chunkJob, openTestParts, plannedFilm, titleInEncoding } from "../../services/kaikeishi-uploader/testing.ts";
import { openEngine } from "./engine.ts";

test("an encoder needs the queue alone: it works as a role that may read nothing of ours, and opens nothing else", async () => {
  await using stack = new AsyncDisposableStack();
  const [parts, film] = await Promise.all([openTestParts(), plannedFilm()]);
  stack.use(parts);
  const engine = stack.use(await openEngine({ url: parts.databaseUrl, log: parts.log }));
  const server = createHttpServer({ log: parts.log, service: "kaikeishi", version: "0" });
  ingestRoutes(server, parts.kaikeishi);
  const kaikeishi = await listen(server, { host: "127.0.0.1", port: 0 });
  stack.defer(() => {
    server.server.closeAllConnections();
    return server.close();
  });

  const owner = await connected(parts.databaseUrl, stack);
  await owner.query(await readFile(new URL("./encoder-role.sql", import.meta.url), "utf8"));
  await owner.query("alter role gakuen_encoder password 'for-encoders'");
  const queue = new URL(parts.databaseUrl);
  queue.username = "gakuen_encoder";
  queue.password = "for-encoders";

  const folder = stack.use(await temporaryFolder());
  const env = { GAKUEN_QUEUE_URL: queue.href, GAKUEN_KAIKEISHI_URL: kaikeishi, GAKUEN_SLOTS: "1" };
  const encoder = stack.use(await GakuenProcess.service("otetsudai", { env, cwd: folder.path }));

  const job = await chunkJob(parts, film, await titleInEncoding(parts, film), "v1");
  await engine.addGraph({ title: job.ref.title, plan: job.ref.plan }, [{ job, priority: 1 }]);
  const ports = new Set<number>();
  for (let left = 1; left > 0; await delay(20)) {
    for (const port of await remotePorts(encoder.pid)) ports.add(port);
    const { encode } = await engine.counts();
    left = encode.waiting + encode.active;
  }
  // Two tracks of eleven segments, and their init segments.
  expect(await chunkReceipts(parts.records, job.ref)).toHaveLength(24);

  expect(ports).toEqual(new Set([Number(queue.port), Number(new URL(kaikeishi).port)]));
  const held = await owner.query("select application_name from pg_stat_activity where usename = 'gakuen_encoder'");
  expect(held.rowCount).toBe(1);
  expect(await readdir(folder.path)).toEqual([]);

  const asEncoder = await connected(queue.href, stack);
  await expect(asEncoder.query("select * from gakuen.titles")).rejects.toThrow("permission denied for schema gakuen");
  await expect(asEncoder.query("create table gakuen_queue.mine (n int)")).rejects.toThrow("permission denied");
});

async function connected(url: string, stack: AsyncDisposableStack): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  stack.defer(() => client.end());
  return client;
}

/** Ports of what a process is connected to over TCP (proc(5), /proc/net/tcp). */
async function remotePorts(pid: number): Promise<number[]> {
  const fds = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
  const inodes = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const lines = (await readFile(`/proc/${pid}/net/tcp`, "utf8")).trim().split("\n").slice(1);
  return lines.flatMap((line) => {
    const [, , remote = "", , , , , , , inode = ""] = line.trim().split(/\s+/);
    return inodes.has(inode) ? [Number.parseInt(remote.split(":")[1] ?? "", 16)] : [];
  });
}
