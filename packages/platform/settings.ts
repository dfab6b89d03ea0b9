/** One thing that can be configured, told once for the command line's help and the documentation. */
export interface Setting {
  /** Environment variable. */
  readonly env: `GAKUEN_${string}`;
  /** Option of the command line; it wins over the environment. */
  readonly flag: `--${string}`;
  /** What stands for the value in help texts. */
  readonly value: string;
  readonly description: string;
  /** What holds when nothing is given, in words. */
  readonly default: string;
  /** The value must not appear in logs and messages. */
  readonly secret?: true;
}

/** Every setting of Gakuen, by its name in {@link Config} and in `loadConfig`'s flags. */
export const settings = {
  dataDir: {
    env: "GAKUEN_DATA_DIR",
    flag: "--data-dir",
    value: "folder",
    description: "folder of the embedded database, the file store and the secret",
    default: "./data",
  },
  databaseUrl: {
    env: "GAKUEN_DATABASE_URL",
    flag: "--database-url",
    value: "url",
    description: "PostgreSQL database, postgres://user:password@host/name",
    default: "an embedded PostgreSQL in the data folder",
    secret: true,
  },
  queueUrl: {
    env: "GAKUEN_QUEUE_URL",
    flag: "--queue-url",
    value: "url",
    description:
      "where jobs wait, when that is not the database: Redis or Valkey, redis://user:password@host/0 (rediss:// with TLS), or another PostgreSQL",
    default: "the database",
    secret: true,
  },
  storeUrl: {
    env: "GAKUEN_STORE_URL",
    flag: "--store-url",
    value: "url",
    description: "where media lies, for instance file:///srv/media",
    default: "the folder store in the data folder",
  },
  replicaUrl: {
    env: "GAKUEN_REPLICA_URL",
    flag: "--replica-url",
    value: "url",
    description: "a second store, to which every published title is copied",
    default: "none",
  },
  watch: {
    env: "GAKUEN_WATCH",
    flag: "--watch",
    value: "places",
    description:
      "folders and buckets whose films are taken in by themselves, with commas between them: /srv/incoming,s3://bucket/prefix?endpoint=http://host:port",
    default: "none",
  },
  host: {
    env: "GAKUEN_HOST",
    flag: "--host",
    value: "address",
    description: "address to listen on; 0.0.0.0 for all of IPv4",
    default: "127.0.0.1",
  },
  port: {
    env: "GAKUEN_PORT",
    flag: "--port",
    value: "port",
    description: "port to listen on; 0 takes any that is free",
    default:
      "8080 for the front door; the other services: the port of their URL below; an encoder listens only where this is set",
  },
  secret: {
    env: "GAKUEN_SECRET",
    flag: "--secret",
    value: "text",
    description: "signs the tokens between services, so all of them need the same; at least 32 characters",
    default: "made once and kept in the file secret in the data folder",
    secret: true,
  },
  slots: {
    env: "GAKUEN_SLOTS",
    flag: "--slots",
    value: "number",
    description: "chunks that one encoder works on at once",
    default: "number of available CPUs",
  },
  logLevel: {
    env: "GAKUEN_LOG_LEVEL",
    flag: "--log-level",
    value: "level",
    description: "least weight that is logged: trace, debug, info, warn, error, fatal or silent",
    default: "info",
  },
  logFormat: {
    env: "GAKUEN_LOG_FORMAT",
    flag: "--log-format",
    value: "format",
    description: "pretty for people, json for programs",
    default: "pretty",
  },
  kaichouUrl: {
    env: "GAKUEN_KAICHOU_URL",
    flag: "--kaichou-url",
    value: "url",
    description: "where Kaichou (intake) is",
    default: "http://127.0.0.1:8081",
  },
  kaichouOwnUrl: {
    env: "GAKUEN_KAICHOU_OWN_URL",
    flag: "--kaichou-own-url",
    value: "url",
    description:
      "where this very Kaichou is, when several share the URL above: the others read its local sources there",
    default: "the URL above",
  },
  kaikeishiUrl: {
    env: "GAKUEN_KAIKEISHI_URL",
    flag: "--kaikeishi-url",
    value: "url",
    description: "where Kaikeishi (uploader) is",
    default: "http://127.0.0.1:8082",
  },
  shokiUrl: {
    env: "GAKUEN_SHOKI_URL",
    flag: "--shoki-url",
    value: "url",
    description: "where Shoki (publisher) is",
    default: "http://127.0.0.1:8083",
  },
  ffmpeg: {
    env: "GAKUEN_FFMPEG",
    flag: "--ffmpeg",
    value: "command",
    description: "ffmpeg's executable",
    default: "ffmpeg",
  },
  ffprobe: {
    env: "GAKUEN_FFPROBE",
    flag: "--ffprobe",
    value: "command",
    description: "ffprobe's executable",
    default: "ffprobe",
  },
  publicUrl: {
    env: "GAKUEN_PUBLIC_URL",
    flag: "--public-url",
    value: "url",
    description:
      "where viewers, and encoders of other machines, reach the front door, when that is not the address it listens on",
    default: "links are relative to the request",
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
