import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** SHA-256 of every file in a folder and below, by its path from there. */
export async function folderChecksums(folder: string): Promise<Record<string, string>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const pairs = files.map(async (file): Promise<[string, string]> => {
    const path = join(file.parentPath, file.name);
    const hash = createHash("sha256").update(await readFile(path));
    return [relative(folder, path), hash.digest("hex")];
  });
  return Object.fromEntries((await Promise.all(pairs)).sort(([a], [b]) => (a < b ? -1 : 1)));
}
