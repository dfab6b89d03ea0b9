import { type Kysely, sql } from "kysely";

const statements = [
  sql`create table gakuen.titles (
    id text primary key,
    name text not null,
    source jsonb not null,
    settings jsonb not null,
    priority integer not null,
    state text not null check (state in ('waiting', 'preparing', 'encoding', 'failed', 'cancelled', 'removing')),
    error jsonb,
    plan text,
    inspection jsonb,
    -- Milliseconds, so that a time survives the way through a JavaScript Date and back in a cursor.
    created_at timestamptz(3) not null default clock_timestamp(),
    updated_at timestamptz(3) not null default clock_timestamp()
  )`,
  sql`create index titles_newest on gakuen.titles (created_at desc, id desc)`,
  sql`create index titles_state on gakuen.titles (state)`,
  sql`create index titles_source on gakuen.titles using hash (source)`,

  sql`create table gakuen.plans (
    title text not null references gakuen.titles on delete cascade,
    id text not null,
    body jsonb not null,
    segments integer not null,
    created_at timestamptz(3) not null default clock_timestamp(),
    primary key (title, id)
  )`,

  sql`create table gakuen.claims (
    title text not null,
    plan text not null,
    chunk text not null,
    attempt integer not null,
    claimed_at timestamptz(3) not null default clock_timestamp(),
    primary key (title, plan, chunk),
    foreign key (title, plan) references gakuen.plans on delete cascade
  )`,

  sql`create table gakuen.receipts (
    title text not null,
    plan text not null,
    track text not null,
    number integer not null check (number >= 0),
    chunk text not null,
    attempt integer not null,
    key text not null,
    bytes bigint not null,
    sha256 text not null,
    start bigint not null,
    duration integer not null,
    stored_at timestamptz(3) not null default clock_timestamp(),
    primary key (title, plan, track, number),
    foreign key (title, plan) references gakuen.plans on delete cascade
  )`,
  sql`create index receipts_chunk on gakuen.receipts (title, plan, chunk)`,

  sql`create table gakuen.publications (
    title text not null,
    plan text not null,
    published_at timestamptz(3) not null default clock_timestamp(),
    primary key (title, plan),
    foreign key (title, plan) references gakuen.plans on delete cascade
  )`,
];

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await statement.execute(db);
}
