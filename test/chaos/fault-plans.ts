import { serviceNames } from "./cluster.ts";
import {
  cut,
  databaseAway,
  databaseKilled,
  degraded,
  type Fault,
  frozen,
  kaichousAway,
  killed,
  moody,
  storeKilled,
  wrongClock,
} from "./faults.ts";

/** Each kind of fault; those of encoders, which are counted one by one, first. */
export const shortFaults: readonly Fault[] = [
  killed("otetsudai-1"),
  frozen("otetsudai-2"),
  cut("otetsudai-1", "front"),
  wrongClock("otetsudai-2", 5),
  killed("kaikeishi-1"),
  killed("kaichou-1"),
  databaseKilled,
  moody("full", 5),
  storeKilled,
];

const pairs = [
  ...(["otetsudai-1", "otetsudai-2"] as const).flatMap((name) => [cut(name, "front"), cut(name, "database")]),
  ...(["kaichou-1", "kaikeishi-1", "shoki-1", "kaikeishi-2"] as const).flatMap((name) => [
    cut(name, "database"),
    cut(name, "store"),
    cut(name, "front"),
  ]),
  cut("otetsudai-1", "kaichou-1"),
];

/** One kill after another of every kind of process, in random order, with everything else between them. */
export function longFaults(random: () => number): readonly Fault[] {
  const everyKill = [...serviceNames.map(killed), databaseKilled, storeKilled];
  const kills = Array.from({ length: 11 }, () => shuffled(everyKill, random)).flat();
  const others = [
    ...pairs,
    frozen("otetsudai-1"),
    frozen("otetsudai-2"),
    frozen("kaikeishi-1"),
    frozen("kaichou-2"),
    degraded({ megabitsPerSecond: 5, queueMs: 100, lossPercent: 2 }, 15),
    moody("errors", 15),
    moody("slow", 15),
    moody("full", 15),
    wrongClock("otetsudai-1", 7),
    wrongClock("kaikeishi-1", -7),
    wrongClock("kaichou-1", 7),
    wrongClock("shoki-1", -7),
    databaseAway(60),
    kaichousAway(60),
  ];
  return shuffled([...kills, ...others], random);
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((item) => ({ item, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

/** Random numbers that a seed repeats (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
