import { TitleId } from "@gakuen/contracts";
import { describe, expect, test } from "vitest";
import { nameFromSource, newTitleId } from "./title-name.ts";

const slug = (name: string): string => newTitleId(name).slice(0, -7);

describe("a title's id", () => {
  test.each([
    ["Der Ärger über Öl", "der-arger-uber-ol"],
    ["Amélie (2001) [1080p]", "amelie-2001-1080p"],
    ["🎬🍿", "title"],
    ["千と千尋の神隠し", "title"],
    ["...", "title"],
    ["", "title"],
    ["--a--", "a"],
    ["../../etc/passwd", "etc-passwd"],
    ["long ".repeat(40), "long-long-long-long-long-long-long-long"],
    ["x".repeat(500), "x".repeat(40)],
  ])("of %j reads %s and is valid", (name, expected) => {
    expect(slug(name)).toBe(expected);
    expect(TitleId.parse(newTitleId(name))).toMatch(/-[a-z2-9]{6}$/);
  });

  test("is another each time", () => {
    expect(new Set(Array.from({ length: 200 }, () => newTitleId("film"))).size).toBe(200);
  });
});

describe("a title without a name", () => {
  test.each([
    [{ kind: "file", path: "/films/Big Buck Bunny.mkv" }, "Big Buck Bunny"],
    [{ kind: "file", path: "/films/no-ending" }, "no-ending"],
    [{ kind: "file", path: "/films/.mp4" }, ".mp4"],
    [{ kind: "file", path: "/films/ .mp4" }, "untitled"],
    [{ kind: "http", url: "https://example.org/a%20film.mp4?token=1" }, "a film"],
    [{ kind: "http", url: "https://example.org/100%.mp4" }, "100%"],
    [{ kind: "http", url: "https://example.org/" }, "untitled"],
  ] as const)("is called by its source: %j", (source, expected) => {
    expect(nameFromSource(source)).toBe(expected);
  });
});
