import { setTimeout as delay } from "node:timers/promises";
import type { ClusterOfHosts, ServiceName } from "./cluster.ts";
import type { Mood } from "./moody-store.ts";
import type { BadLink } from "./network.ts";

/** Something that happens to clusters. */
export interface Fault {
  readonly name: string;
  /** Does it, and undoes it: when it resolves everything is there again. */
  readonly strike: (cluster: ClusterOfHosts) => Promise<void>;
  /** An encoder that must have a chunk in hand when it strikes; at most that chunk may be encoded again. */
  readonly encoder?: ServiceName;
}

const LEASE_MS = 4000;

const encoderOf = (name: ServiceName): Pick<Fault, "encoder"> =>
  name.startsWith("otetsudai") ? { encoder: name } : {};

/** A process that is killed is started again by whatever watches over it. */
export const killed = (name: ServiceName): Fault => ({
  name: `kill -9 ${name}`,
  strike: async ({ services }) => {
    const left = await services[name].kill();
    if (left.length > 0) throw new Error(`${name} left processes behind: ${left.join(", ")}`);
    await delay(1000);
    services[name].start();
  },
  ...encoderOf(name),
});

export const databaseKilled: Fault = {
  name: "kill -9 PostgreSQL",
  strike: async ({ database }) => {
    await database.kill();
    await database.restart();
  },
};

export const databaseAway = (seconds: number): Fault => ({
  name: `PostgreSQL away for ${seconds} s`,
  strike: async ({ database }) => {
    await database.kill();
    await delay(seconds * 1000);
    await database.restart();
  },
});

/** Nobody gives encoders the source. */
export const kaichousAway = (seconds: number): Fault => ({
  name: `every Kaichou away for ${seconds} s`,
  strike: async ({ services }) => {
    const kaichous = [services["kaichou-1"], services["kaichou-2"]];
    await Promise.all(kaichous.map((kaichou) => kaichou.kill()));
    await delay(seconds * 1000);
    for (const kaichou of kaichous) kaichou.start();
  },
});

export const storeKilled: Fault = {
  name: "kill -9 the store",
  strike: async ({ ceph }) => {
    await ceph.killHard();
    await ceph.restart();
  },
};

/** Frozen beyond its lease, and woken again: another has its chunk by then. */
export const frozen = (name: ServiceName): Fault => ({
  name: `${name} frozen for ${LEASE_MS / 500} s`,
  strike: async ({ services }) => {
    services[name].signal("SIGSTOP");
    await delay(2 * LEASE_MS);
    services[name].signal("SIGCONT");
  },
  ...encoderOf(name),
});

type Peer = ServiceName | "front" | "database" | "store";

function addressOf(cluster: ClusterOfHosts, peer: Peer): { readonly address: string } {
  if (peer === "front") return cluster.front;
  if (peer === "database") return cluster.database.host;
  if (peer === "store") return cluster.storeHost;
  return cluster.services[peer].host;
}

export const cut = (name: ServiceName, peer: Peer, seconds = 6): Fault => ({
  name: `${name} cut off from ${peer} for ${seconds} s`,
  strike: async (cluster) => {
    const { host } = cluster.services[name];
    await host.cut(addressOf(cluster, peer));
    await delay(seconds * 1000);
    await host.heal(addressOf(cluster, peer));
  },
  ...encoderOf(name),
});

/** Narrow and crowded links between all hosts, which lose packets. */
export const degraded = (link: BadLink, seconds: number): Fault => ({
  name: `${link.queueMs} ms and ${link.lossPercent} % loss at ${link.megabitsPerSecond} Mbit/s everywhere for ${seconds} s`,
  strike: async ({ services }) => {
    const hosts = Object.values(services).map(({ host }) => host);
    await Promise.all(hosts.map((host) => host.degrade(link)));
    await delay(seconds * 1000);
    await Promise.all(hosts.map((host) => host.restore()));
  },
});

export const moody = (mood: Exclude<Mood, "well">, seconds: number): Fault => ({
  name: { errors: "half of the store's answers 500 or 503", slow: "a slow store", full: "a full store" }[mood],
  strike: async ({ moody }) => {
    moody.mood = mood;
    await delay(seconds * 1000);
    moody.mood = "well";
  },
});

/** Starts a service with a clock that is wrong; it stays so until it is started again. */
export const wrongClock = (name: ServiceName, minutes: number): Fault => ({
  name: `${name}'s clock ${minutes > 0 ? "ahead" : "behind"} by ${Math.abs(minutes)} min`,
  strike: async ({ services }) => {
    await services[name].kill();
    services[name].start({
      // Debian's faketime; the loader knows what $LIB is on this machine.
      LD_PRELOAD: "/usr/$LIB/faketime/libfaketimeMT.so.1",
      FAKETIME: `${minutes > 0 ? "+" : "-"}${Math.abs(minutes) * 60}`,
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    });
  },
});
