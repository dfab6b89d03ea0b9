import { type Kysely, sql } from "kysely";

const statements = [
  sql`create table gakuen.sources (
    title text primary key references gakuen.titles on delete cascade,
    object text,
    owner text,
    version text,
    firm boolean not null default false
  )`,

  // No foreign key: what was taken in once is not taken in again after its title was removed.
  sql`create table gakuen.watched (
    place text not null,
    name text not null,
    version text not null,
    title text not null,
    taken_at timestamptz(3) not null default clock_timestamp(),
    primary key (place, name, version)
  )`,

  // No foreign key either: a row tells what lies in the other store, also after the title is gone.
  sql`create table gakuen.replicas (
    destination text not null,
    title text not null,
    plan text not null,
    copied_at timestamptz(3),
    objects integer not null default 0,
    bytes bigint not null default 0,
    error jsonb,
    failures integer not null default 0,
    due_at timestamptz(3) not null default clock_timestamp(),
    lease text,
    leased_until timestamptz(3),
    primary key (destination, title, plan)
  )`,
  sql`create index replicas_due on gakuen.replicas (destination, due_at) where copied_at is null`,
];

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await statement.execute(db);
}
