import { type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFile, chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { findPostgres } from "../../packages/records/embedded-binaries.ts";
import { type Cluster, prepareCluster, SUPERUSER } from "../../packages/records/embedded-cluster.ts";
import { type RunAs, runAs } from "../../packages/records/embedded-user.ts";
import { sendSignal } from "../servers/send-signal.ts";
import type { Host } from "./network.ts";

const PORT = 5432;

/** A PostgreSQL on a host of its own, with durable writes, that can be killed and started again with its data. */
export class DatabaseHost implements AsyncDisposable {
  readonly host: Host;
  readonly url: string;
  readonly #folder: string;
  readonly #postgres: string;
  readonly #cluster: Cluster;
  readonly #as: RunAs;
  #server: ChildProcess | undefined;

  private constructor(host: Host, folder: string, postgres: string, cluster: Cluster, as: RunAs) {
    this.host = host;
    this.#folder = folder;
    this.#postgres = postgres;
    this.#cluster = cluster;
    this.#as = as;
    this.url = `postgres://${SUPERUSER}:${cluster.password}@${host.address}:${PORT}/postgres`;
  }

  static async start(host: Host): Promise<DatabaseHost> {
    const folder = await mkdtemp(join(tmpdir(), "gakuen-chaos-postgres-"));
    // The server runs as another user than root.
    await chmod(folder, 0o755);
    const { initdb, postgres } = await findPostgres();
    const as = await runAs(postgres, folder, join(folder, "data"));
    const cluster = await prepareCluster(folder, initdb, as);
    await appendFile(join(cluster.data, "pg_hba.conf"), "host all all 10.213.0.0/16 scram-sha-256\n");
    const database = new DatabaseHost(host, folder, postgres, cluster, as);
    await database.restart();
    return database;
  }

  /** Ends all processes of the server at once. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const closed = once(server, "exit");
    for (const pid of await this.host.pids()) sendSignal(pid, "SIGKILL");
    await closed;
  }

  /** Starts it and waits until it answers. */
  async restart(): Promise<void> {
    await rm(join(this.#cluster.data, "postmaster.pid"), { force: true });
    const settings = {
      listen_addresses: this.host.address,
      port: PORT,
      unix_socket_directories: "",
      max_connections: 100,
      io_method: "sync",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    // The words that let the server die with us are the last two of the prefix; `ip netns exec` keeps the pid.
    const [command, ...args] = [...this.#as.prefix, this.#postgres, "-D", this.#cluster.data];
    this.#server = this.host.start(command, [...args, ...options], { stdio: "ignore", cwd: "/" });
    for (let tries = 0; ; tries++) {
      try {
        await this.query("select 1");
        return;
      } catch (error) {
        if (tries > 300) throw error;
        await delay(100);
      }
    }
  }

  async query<Row extends Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const client = new Client({ connectionString: this.url, connectionTimeoutMillis: 2000 });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return (await client.query<Row>(text, [...values])).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
