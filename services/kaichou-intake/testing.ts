import { setTimeout as delay } from "node:timers/promises";
import type { TitleId } from "@gakuen/contracts";
import { openEngine } from "@gakuen/engine";
import { inspectSource } from "@gakuen/ffmpeg";
import { createHttpServer, type HttpServer, listen } from "@gakuen/platform";
import { getTitle, type TitleRow } from "@gakuen/records";
import { type TestParts, tools } from "../kaikeishi-uploader/testing.ts";
import { sourceFromKaichou } from "./encoder-address.ts";
import { createKaichou, type Kaichou, type KaichouDeps } from "./kaichou.ts";
import { sourceRoutes } from "./source-bytes.ts";

export interface TestKaichou extends AsyncDisposable {
  readonly kaichou: Kaichou;
  readonly url: string;
  readonly server: HttpServer;
  /** Begins to prepare, to reconcile and to watch. */
  start(): Promise<void>;
  readonly engine: KaichouDeps["engine"];
}

/** A Kaichou as it stands on a machine of its own: its own connection to the queue, its own address. */
export async function openTestKaichou(
  parts: TestParts,
  {
    watch = [],
    at = {},
  }: { readonly watch?: KaichouDeps["watch"]; readonly at?: { host?: string; port?: number } } = {},
): Promise<TestKaichou> {
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await openEngine({ url: parts.databaseUrl, log: parts.log }));
  const server = createHttpServer({ log: parts.log, service: "kaichou", version: "0" });
  // The routes come before the address, and the address before the Kaichou: that is told when it is asked.
  const own = { url: "", lost: undefined as Kaichou["sourceLost"] | undefined };
  sourceRoutes(server, parts.records, parts.tokens, {
    get ownUrl() {
      return own.url;
    },
    lost: async (title, error) => own.lost?.(title, error),
  });
  own.url = await listen(server, { host: "127.0.0.1", port: 0, ...at });
  stack.defer(async () => {
    server.server.closeAllConnections();
    await server.close();
  });
  const kaichou = createKaichou({
    ...parts,
    engine,
    watch,
    ownUrl: own.url,
    inspect: (source, signal) => inspectSource(source, { tools, signal }),
    encoderAddress: sourceFromKaichou(parts.tokens, () => own.url),
  });
  own.lost = kaichou.sourceLost;
  const opened = stack.move();
  return {
    kaichou,
    engine,
    server,
    url: own.url,
    async start() {
      const running = await kaichou.start();
      opened.defer(() => running.stop());
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export async function untilState(parts: TestParts, id: TitleId, ...states: TitleRow["state"][]): Promise<TitleRow> {
  for (;;) {
    const row = await getTitle(parts.records, id);
    if (row && states.includes(row.state)) return row;
    await delay(20);
  }
}

/** All titles, oldest first, as soon as there are `count`, each inspected: none waits or is being prepared. */
export async function untilTitles(parts: TestParts, count: number): Promise<TitleRow[]> {
  for (;;) {
    const ids = await parts.records.db.selectFrom("titles").select("id").orderBy("created_at").execute();
    const rows = (await Promise.all(ids.map(({ id }) => getTitle(parts.records, id)))).filter(
      (row) => row !== undefined,
    );
    if (rows.length >= count && rows.every(({ state }) => state !== "waiting" && state !== "preparing")) return rows;
    await delay(20);
  }
}
