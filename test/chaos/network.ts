import { execFile, type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { promisify } from "node:util";
import { sendSignal } from "../servers/send-signal.ts";

const run = promisify(execFile);

const ip = async (...args: readonly string[]): Promise<string> => (await run("ip", args)).stdout;

const pidsIn = async (space: string): Promise<number[]> =>
  (await ip("netns", "pids", space)).split("\n").filter(Boolean).map(Number);

/** Why this machine cannot have network hosts of its own, for a test's `skip`; undefined when it can. */
export async function networkMissing(): Promise<string | undefined> {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  const probe = `gk-probe-${process.pid}`;
  try {
    await ip("netns", "add", probe);
    await ip("netns", "delete", probe);
    return undefined;
  } catch (error) {
    return `no network namespace can be made here (root and Debian's iproute2 are needed): ${String(error)}`;
  }
}

/** A congested link: what does not fit into its queue is lost too. */
export interface BadLink {
  readonly megabitsPerSecond: number;
  readonly queueMs: number;
  readonly lossPercent: number;
}

/** A host of a {@link Network}: a network namespace with an address of its own. */
export interface Host {
  readonly name: string;
  readonly address: string;
  /** Starts a program on the host; the child's pid is the program's. */
  start(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Cuts off what is sent to another host, or brings it back; what is under way is lost as with a pulled cable. */
  cut(other: { readonly address: string }): Promise<void>;
  heal(other: { readonly address: string }): Promise<void>;
  /** Narrows the host's way out, so that what it sends waits in a queue of up to `queueMs`, and loses some of it. */
  degrade(link: BadLink): Promise<void>;
  restore(): Promise<void>;
  /** Everything that runs on the host. */
  pids(): Promise<number[]>;
}

/** Several hosts on one machine: network namespaces on a bridge, with this process at its address `.1`. */
export class Network implements AsyncDisposable {
  readonly #bridge: string;
  readonly #prefix: string;
  readonly #hosts: string[] = [];
  /** The address of this process's own host. */
  readonly address: string;

  private constructor(number: number) {
    this.#bridge = `gk${number}`;
    this.#prefix = `10.213.${number}`;
    this.address = `${this.#prefix}.1`;
  }

  static async open(): Promise<Network> {
    const network = new Network(process.pid % 250);
    await ip("link", "add", network.#bridge, "type", "bridge");
    await ip("address", "add", `${network.address}/24`, "dev", network.#bridge);
    await ip("link", "set", network.#bridge, "up");
    return network;
  }

  async add(name: string): Promise<Host> {
    const number = this.#hosts.length + 2;
    const space = `${this.#bridge}-${name}`;
    const [inside, outside] = [`${this.#bridge}i${number}`, `${this.#bridge}o${number}`];
    const address = `${this.#prefix}.${number}`;
    await ip("netns", "add", space);
    this.#hosts.push(space);
    await ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", space);
    await ip("link", "set", outside, "master", this.#bridge, "up");
    await ip("-n", space, "address", "add", `${address}/24`, "dev", inside);
    await ip("-n", space, "link", "set", inside, "up");
    await ip("-n", space, "link", "set", "lo", "up");
    const onLink = (verb: string, ...args: readonly string[]) =>
      run("tc", ["-n", space, "qdisc", verb, "dev", inside, "root", ...args]);
    const filter = (...args: readonly string[]) => run("ip", ["netns", "exec", space, "iptables", ...args]);
    return {
      name,
      address,
      start: (command, args, options) => spawn("ip", ["netns", "exec", space, command, ...args], options),
      cut: async (other) => void (await ip("-n", space, "route", "add", "blackhole", `${other.address}/32`)),
      heal: async (other) => void (await ip("-n", space, "route", "delete", "blackhole", `${other.address}/32`)),
      // Not netem, which many kernels are made without.
      degrade: async ({ megabitsPerSecond, queueMs, lossPercent }) => {
        await onLink("add", "tbf", "rate", `${megabitsPerSecond}mbit`, "burst", "16kb", "latency", `${queueMs}ms`);
        const some = ["-m", "statistic", "--mode", "random", "--probability", `${lossPercent / 100}`];
        await filter("-A", "OUTPUT", "-o", inside, ...some, "-j", "DROP");
      },
      restore: async () => {
        await onLink("delete");
        await filter("-F", "OUTPUT");
      },
      pids: () => pidsIn(space),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const space of this.#hosts) {
      for (const pid of await pidsIn(space)) sendSignal(pid, "SIGKILL");
      await ip("netns", "delete", space);
    }
    await ip("link", "delete", this.#bridge);
  }
}
