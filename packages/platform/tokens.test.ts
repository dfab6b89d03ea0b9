import { createHmac } from "node:crypto";
import { expect, test, vi } from "vitest";
import { createTokens } from "./tokens.ts";

const secret = "a secret of more than thirty-two characters";
const tokens = createTokens(secret);
const claims = { title: "t-1", attempt: 3, tracks: ["v1080", "a1"] };

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
function signByHand(header: unknown, payload: unknown): string {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
const soon = Math.floor(Date.now() / 1000) + 60;

test("what was signed for a purpose is what is verified for it", async () => {
  const token = await tokens.sign("ingest", claims, 60);
  expect(await tokens.verify("ingest", token)).toEqual(claims);
  expect(await createTokens(secret).verify("ingest", token)).toEqual(claims);
});

test("a token is a plain JWT that any implementation can make and check", async () => {
  const token = await tokens.sign("ingest", claims, 60);
  const [header, payload] = token
    .split(".")
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>);
  expect(header).toEqual({ alg: "HS256", typ: "JWT" });
  expect(payload).toMatchObject({ ...claims, aud: "ingest" });
  expect(token).toBe(signByHand(header, payload));
  expect(await tokens.verify("ingest", signByHand({ alg: "HS256" }, { aud: "ingest", exp: soon, a: 1 }))).toEqual({
    a: 1,
  });
});

const refusals: [why: string, token: () => string | Promise<string>, reason: RegExp][] = [
  ["has expired", () => tokens.sign("ingest", claims, -1), /it has expired/],
  ["is for another purpose", () => tokens.sign("source", claims, 60), /made for another purpose/],
  ["is for no purpose", () => signByHand({ alg: "HS256" }, { exp: soon }), /made for another purpose/],
  ["never expires", () => signByHand({ alg: "HS256" }, { aud: "ingest" }), /its claim exp is missing/],
  [
    "is of another secret",
    () => createTokens(`not ${secret}`).sign("ingest", claims, 60),
    /signature is wrong.*GAKUEN_SECRET/,
  ],
  ["is unsigned", () => `${encode({ alg: "none" })}.${encode({ aud: "ingest", exp: soon })}.`, /malformed/],
  ["is of another algorithm", () => signByHand({ alg: "HS512" }, { aud: "ingest", exp: soon }), /malformed/],
  ["is no token", () => "let me in", /malformed/],
  ["is empty", () => "", /malformed/],
];

test.each(refusals)("a token that %s is refused with the reason", async (_why, token, reason) => {
  const verifying = tokens.verify("ingest", await token());
  await expect(verifying).rejects.toMatchObject({ code: "ingest.unauthorized" });
  await expect(verifying).rejects.toThrow(reason);
});

test("a token whose claims were changed is refused", async () => {
  const [header, , signature] = (await tokens.sign("ingest", claims, 60)).split(".");
  const forged = [header, encode({ ...claims, attempt: 4, aud: "ingest", exp: soon }), signature].join(".");
  await expect(tokens.verify("ingest", forged)).rejects.toThrow(/signature is wrong/);
});

test("a token holds until its time and not longer", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000_000_000 });
  try {
    const token = await tokens.sign("ingest", claims, 60);
    vi.setSystemTime(1_000_000_059_000);
    await expect(tokens.verify("ingest", token)).resolves.toEqual(claims);
    vi.setSystemTime(1_000_000_060_000);
    await expect(tokens.verify("ingest", token)).rejects.toThrow(/expired/);
  } finally {
    vi.useRealTimers();
  }
});
