import { expect, test } from "vitest";
import { kindOfName } from "./film-name.ts";

test.each([
  ["film.mp4", "film"],
  ["Season 1/Film.Part.2.MKV", "film"],
  ["notes.txt", "other"],
  ["film.srt", "other"],
  ["film", "other"],
  ["film.mp4.part", "hidden"],
  ["film.mp4.crdownload", "hidden"],
  ["film.mp4~", "hidden"],
  ["~film.mp4", "hidden"],
  [".film.mp4.Xa81Zq", "hidden"],
  [".trash/film.mp4", "hidden"],
  ["titles/film-abc234/0123456789abcdef0123/v1080/init.mp4", "hidden"],
  ["backup/titles/film-abc234/0123456789abcdef0123/v1080/init.mp4", "hidden"],
  ["titles/film.mp4", "film"],
] as const)("%s is taken for: %s", (name, kind) => {
  expect(kindOfName(name)).toBe(kind);
});
