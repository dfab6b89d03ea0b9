import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../node_modules/azurite/dist/src/blob/main.js", import.meta.url));

/** The account that every Azurite has; its key is public. */
const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

export interface Azurite extends AsyncDisposable {
  /** The account's own address, as in a connection string. */
  readonly endpoint: string;
  readonly account: string;
  readonly key: string;
  readonly connectionString: string;
}

/** Microsoft's own Azure Storage emulator on a free port; it keeps everything in memory. */
export async function startAzurite(): Promise<Azurite> {
  const options = [
    "--blobPort",
    "0",
    "--inMemoryPersistence",
    "--skipApiVersionCheck",
    "--silent",
    "--disableTelemetry",
  ];
  const child = spawn(process.execPath, [program, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let said = "";
  let address: string | undefined;
  for await (const text of child.stdout.setEncoding("utf8")) {
    said += text;
    address = /successfully listen(?:s|ing) (?:on|at) (http:\S+)/i.exec(said)?.[1];
    if (address !== undefined) break;
  }
  if (address === undefined) throw new Error(`Azurite did not start: ${said}`);
  const endpoint = `${address}/${account}`;
  return {
    endpoint,
    account,
    key,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=${endpoint};`,
    async [Symbol.asyncDispose]() {
      process.off("exit", kill);
      const exited = once(child, "exit");
      kill();
      await exited;
    },
  };
}
