import { PipelineError } from "@gakuen/contracts";
import { DatabaseError } from "pg";
import { describe, expect, test } from "vitest";
import { asUnavailable } from "./database-unavailable.ts";

const URL = "postgres://gakuen:secret@db.example:5433/films";

const answered = (code: string): Error => Object.assign(new DatabaseError("as the server says", 0, "error"), { code });
const system = (code: string): Error =>
  Object.assign(new Error(`connect ${code} 10.0.0.1:5433`), { code, errno: -1, syscall: "connect" });

describe("an outage", () => {
  test.each([
    ["a refused connection", system("ECONNREFUSED")],
    ["several addresses, all refused", new AggregateError([system("ECONNREFUSED"), system("ENETUNREACH")])],
    ["a route that leads nowhere", system("EINVAL")],
    ["a network that is gone", system("ENETUNREACH")],
    ["a host that is gone", system("EHOSTUNREACH")],
    ["a firewall on this machine", system("EPERM")],
    ["a cut connection", new Error("Connection terminated unexpectedly")],
    [
      "a cut connection, noticed by the next statement",
      new Error("Client has encountered a connection error and is not queryable"),
    ],
    ["a crash", answered("57P02")],
    ["a full disk", answered("53100")],
    ["a broken disk", answered("58030")],
    ["a failed connection", answered("08006")],
  ])("%s is told as such, without the password", (_, error) => {
    const told = asUnavailable(error, URL);
    expect(told).toBeInstanceOf(PipelineError);
    expect(told).toMatchObject({ code: "database.unavailable", retry: true, cause: error });
    expect((told as Error).message).toMatch(/^the database at db\.example:5433\/films cannot be used: .+/);
    expect((told as Error).message).not.toContain("secret");
  });
});

test.each([
  ["a row that is there already", answered("23505")],
  ["a table that is not there", answered("42P01")],
  ["a deadlock", answered("40P01")],
  ["a defect of ours", new TypeError("x is not a function")],
])("%s is no outage", (_, error) => {
  expect(asUnavailable(error, URL)).toBe(error);
});
