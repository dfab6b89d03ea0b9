import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes what the containers of compose.yaml need to know of each other, once: passwords, and files in the form that
 * each wants them in. They stay in two volumes, one of which is all that encoders see. What is there already is left
 * as it is.
 */

interface Passwords {
  readonly secret: string;
  readonly database: string;
  readonly encoder: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

const [keys = "/keys", encoderKeys = "/encoder-keys"] = process.argv.slice(2);

function make(path: string, text: string): void {
  if (existsSync(path)) return;
  // PostgreSQL and the store run as users of their own; who sees the volume at all may read it.
  writeFileSync(`${path}.new`, text, { mode: 0o444, flush: true });
  renameSync(`${path}.new`, path);
}

const random = (): string => randomBytes(24).toString("base64url");
// All from one draw: files of two interrupted runs would not fit together.
const drawn = join(keys, "passwords.json");
make(
  drawn,
  JSON.stringify({
    secret: random(),
    database: random(),
    encoder: random(),
    accessKey: process.env["S3_ACCESS_KEY"] ?? random(),
    secretKey: process.env["S3_SECRET_KEY"] ?? random(),
  } satisfies Passwords),
);
const { secret, database, encoder, accessKey, secretKey } = JSON.parse(readFileSync(drawn, "utf8")) as Passwords;
const actions = ["Admin", "Read", "Write", "List", "Tagging"];

make(join(keys, "secret"), secret);
make(join(keys, "database-password"), database);
make(join(keys, "database-url"), `postgres://gakuen:${database}@postgres/gakuen`);
make(join(keys, "s3-access-key"), accessKey);
make(join(keys, "s3-secret-key"), secretKey);
make(
  join(keys, "seaweedfs.json"),
  JSON.stringify({ identities: [{ name: "gakuen", credentials: [{ accessKey, secretKey }], actions }] }),
);
make(join(keys, "encoder-password"), encoder);
make(join(encoderKeys, "queue-url"), `postgres://gakuen_encoder:${encoder}@postgres/gakuen`);
