import { readFileSync } from "node:fs";
import { Client } from "pg";

/** Makes the role of the encoders, which may use the queue and nothing else, unless it is there; sets its password. */

const client = new Client({ connectionString: readFileSync("/keys/database-url", "utf8") });
await client.connect();
const { rowCount } = await client.query("select from pg_roles where rolname = 'gakuen_encoder'");
if (rowCount === 0) {
  const sql = readFileSync(new URL("../../packages/engine/encoder-role.sql", import.meta.url), "utf8");
  // All or nothing: statements in one query are one transaction.
  await client.query(sql);
}
const password = client.escapeLiteral(readFileSync("/keys/encoder-password", "utf8"));
await client.query(`alter role gakuen_encoder password ${password}`);
await client.end();
console.log("the role gakuen_encoder is there");
