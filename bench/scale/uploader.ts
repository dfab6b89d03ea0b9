import { createKaikeishi, ingestRoutes } from "@gakuen/kaikeishi-uploader";
import { createHttpServer, createLog, createTokens, listen } from "@gakuen/platform";
import { openRecords } from "@gakuen/records";
import { openFileStore } from "@gakuen/storage";

/** Kaikeishi in a process of its own, with a folder as the store. */
export interface UploaderTask {
  readonly databaseUrl: string;
  readonly folder: string;
  readonly secret: string;
}

const log = createLog({ level: "error", format: "json" });

async function serve({ databaseUrl, folder, secret }: UploaderTask): Promise<string> {
  const records = await openRecords({ url: databaseUrl, log });
  const store = await openFileStore(folder);
  const server = createHttpServer({ log, service: "kaikeishi", version: "0" });
  ingestRoutes(server, createKaikeishi({ records, store, tokens: createTokens(secret), log }));
  return listen(server, { host: "127.0.0.1", port: 0 });
}

// A parent that was killed leaves nothing behind.
process.once("disconnect", () => process.exit());
process.on("message", (message: UploaderTask | "mark" | "stop") => {
  const { user, system } = process.cpuUsage();
  if (message === "mark") process.send?.((user + system) / 1000);
  else if (message === "stop") process.exit(0);
  else void serve(message).then((url) => process.send?.(url));
});
