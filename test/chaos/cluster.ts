import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { AddedTitle, type AddTitle, TitleView } from "@gakuen/contracts";
import { openStore, type ObjectStore } from "@gakuen/storage";
import { type Ceph, startCeph } from "../servers/ceph.ts";
import { DatabaseHost } from "./database.ts";
import { MoodyStore } from "./moody-store.ts";
import { type Host, Network } from "./network.ts";

const bin = fileURLToPath(new URL("../../node_modules/.bin/gakuen", import.meta.url));
const balancer = fileURLToPath(new URL("balancer.ts", import.meta.url));

/** Two of everything that works; each on a host of its own. */
export const serviceNames = [
  "kaichou-1",
  "kaichou-2",
  "kaikeishi-1",
  "kaikeishi-2",
  "shoki-1",
  "shoki-2",
  "otetsudai-1",
  "otetsudai-2",
] as const;
export type ServiceName = (typeof serviceNames)[number];

const ports = { kaichou: 8081, kaikeishi: 8082, shoki: 8083 } as const;
const BUCKET = "gakuen";
const JSON_HEADERS = { "content-type": "application/json" };

/** One service on its host. */
export class Service {
  readonly host: Host;
  readonly #command: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #down = false;
  /** The last of what it logged, over all its lives. */
  log = "";

  constructor(host: Host, command: readonly string[], env: NodeJS.ProcessEnv) {
    this.host = host;
    this.#command = command;
    this.#env = env;
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** @param more environment for this life only */
  start(more: NodeJS.ProcessEnv = {}): void {
    const child = this.host.start(process.execPath, this.#command, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], ...this.#env, ...more },
    });
    const collect = (bytes: Buffer): void => void (this.log = (this.log + bytes.toString()).slice(-200_000));
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    this.#child = child;
    // As any supervisor does: what ends by itself is started again.
    child.once("exit", () => {
      if (this.#child === child && !this.#down) setTimeout(() => !this.#down && this.start(more), 500);
    });
    this.#down = false;
  }

  /** Ends it at once; resolves with the programs of its host that are still there two seconds later. */
  async kill(): Promise<number[]> {
    const child = this.#child;
    this.#down = true;
    if (child && child.exitCode === null && child.signalCode === null) {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }
    const giveUp = Date.now() + 2000;
    for (;;) {
      const left = await this.host.pids();
      if (left.length === 0 || Date.now() > giveUp) return left;
      await delay(50);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }
}

/**
 * All of Gakuen on hosts of their own, with a PostgreSQL on another and a Ceph on this one; a balancer before each kind
 * of service. Encoders know the queue and the balancer, nothing else.
 */
export class ClusterOfHosts implements AsyncDisposable {
  readonly database: DatabaseHost;
  readonly ceph: Ceph;
  readonly moody: MoodyStore;
  readonly services: Readonly<Record<ServiceName, Service>>;
  /** The objects, seen past the moody store. */
  readonly store: ObjectStore;
  /** Where everybody reaches every kind of service. */
  readonly front: Host;
  /** The host of the store: this process's own. */
  readonly storeHost: { readonly address: string };
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: {
    database: DatabaseHost;
    ceph: Ceph;
    moody: MoodyStore;
    services: Readonly<Record<ServiceName, Service>>;
    store: ObjectStore;
    front: Host;
    storeHost: { readonly address: string };
    stack: AsyncDisposableStack;
  }) {
    this.database = parts.database;
    this.ceph = parts.ceph;
    this.moody = parts.moody;
    this.services = parts.services;
    this.store = parts.store;
    this.front = parts.front;
    this.storeHost = parts.storeHost;
    this.#stack = parts.stack;
  }

  static async start(): Promise<ClusterOfHosts> {
    await using stack = new AsyncDisposableStack();
    const network = stack.use(await Network.open());
    const front = await network.add("front");
    const databaseHost = await network.add("database");
    const [database, ceph] = await Promise.all([
      DatabaseHost.start(databaseHost),
      startCeph({ host: network.address }),
    ]);
    stack.use(database);
    stack.use(ceph);
    const moody = stack.use(new MoodyStore(ceph.endpoint));
    const endpoint = await moody.listen(network.address);
    const keys = {
      AWS_ACCESS_KEY_ID: ceph.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ceph.secretAccessKey,
      AWS_REGION: ceph.region,
    };
    Object.assign(process.env, keys);
    await makeBucket(ceph);
    const store = await openStore(`s3://${BUCKET}?endpoint=${ceph.endpoint}`);

    const url = (port: number): string => `http://${front.address}:${port}`;
    const secret = randomBytes(24).toString("hex");
    const common = {
      GAKUEN_LOG_FORMAT: "json",
      GAKUEN_HOST: "0.0.0.0",
      GAKUEN_KAICHOU_URL: url(ports.kaichou),
      GAKUEN_KAIKEISHI_URL: url(ports.kaikeishi),
      GAKUEN_SHOKI_URL: url(ports.shoki),
    };
    const hosts = new Map<ServiceName, Host>();
    for (const name of serviceNames) hosts.set(name, await network.add(name));
    const make = (name: ServiceName): [ServiceName, Service] => {
      const host = hosts.get(name);
      if (!host) throw new Error(`no host for ${name}`);
      const [kind = ""] = name.split("-");
      const env: NodeJS.ProcessEnv =
        kind === "otetsudai"
          ? { ...common, GAKUEN_QUEUE_URL: database.url, GAKUEN_SLOTS: "1" }
          : {
              ...common,
              ...keys,
              GAKUEN_SECRET: secret,
              GAKUEN_DATABASE_URL: database.url,
              GAKUEN_STORE_URL: `s3://${BUCKET}?endpoint=${endpoint}`,
              ...(kind === "kaichou" ? { GAKUEN_KAICHOU_OWN_URL: `http://${host.address}:${ports.kaichou}` } : {}),
            };
      return [name, new Service(host, [bin, kind], env)];
    };
    const services = Object.fromEntries(serviceNames.map(make)) as Record<ServiceName, Service>;
    for (const service of Object.values(services)) service.start();
    const rules = Object.entries(ports).map(([kind, port]) => {
      const backends = serviceNames.filter((name) => name.startsWith(`${kind}-`));
      return `${port}=${backends.map((name) => `${services[name].host.address}:${port}`).join(",")}`;
    });
    front.start(process.execPath, [balancer, ...rules], { stdio: "ignore" });
    const storeHost = { address: network.address };
    const cluster = new ClusterOfHosts({
      database,
      ceph,
      moody,
      services,
      store,
      front,
      storeHost,
      stack: stack.move(),
    });
    await cluster.#ready();
    return cluster;
  }

  /** Takes a source in, however often that must be tried. */
  async add(wish: Pick<AddTitle, "source"> & { readonly settings: Partial<AddTitle["settings"]> }): Promise<string> {
    const body = JSON.stringify(wish);
    for (;;) {
      const answer = await this.#ask("kaichou", "/api/titles", { method: "POST", headers: JSON_HEADERS, body });
      if (answer) return AddedTitle.parse(answer).id;
      await delay(500);
    }
  }

  /** What a person does with a title; resolves when it is done on all hosts. */
  async control(
    id: string,
    action: "cancel" | "retry" | "pause" | "resume" | "remove" | "priority",
    priority?: number,
  ): Promise<void> {
    const path = `/api/titles/${id}`;
    const change = { method: "PATCH", headers: JSON_HEADERS, body: JSON.stringify({ priority }) };
    let answer: unknown;
    if (action === "remove") answer = await this.#ask("kaichou", path, { method: "DELETE" });
    else if (action === "priority") answer = await this.#ask("kaichou", path, change);
    else answer = await this.#ask("kaichou", `${path}/${action}`, { method: "POST" });
    if (answer === undefined) throw new Error(`${action} of ${id} was refused`);
  }

  /** The title as Shoki tells of it; undefined while nobody can be asked. */
  async title(id: string): Promise<TitleView | undefined> {
    const answer = await this.#ask("shoki", `/api/titles/${id}`);
    return answer === undefined ? undefined : TitleView.parse(answer);
  }

  async #ready(): Promise<void> {
    const giveUp = Date.now() + 60_000;
    for (const kind of ["kaichou", "kaikeishi", "shoki"] as const) {
      while (!(await this.#ask(kind, "/healthz"))) {
        if (Date.now() > giveUp) throw new Error(`no ${kind} came up:\n${this.services[`${kind}-1`].log}`);
        await delay(200);
      }
    }
  }

  async #ask(kind: keyof typeof ports, path: string, init: RequestInit = {}): Promise<unknown> {
    try {
      const url = `http://${this.front.address}:${ports[kind]}${path}`;
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(5000) });
      if (response.status === 204) return null;
      const answer: unknown = await response.json();
      return response.ok ? answer : undefined;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.services).map((service) => service.kill()));
    await this.#stack.disposeAsync();
  }
}

async function makeBucket({ endpoint, region, accessKeyId, secretAccessKey }: Ceph): Promise<void> {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
}
