-- A role for encoders that may use the queue and nothing else: it cannot read titles, plans or receipts, and can make
-- no tables. Run it as the role of GAKUEN_DATABASE_URL, which owns the queue's tables, when Kaichou has made them:
--
--   psql "$GAKUEN_DATABASE_URL" -f packages/engine/encoder-role.sql
--   psql "$GAKUEN_DATABASE_URL" -c "alter role gakuen_encoder password 'choose-another'"

-- Making roles needs the right to (createrole); an administrator may run this line alone.
create role gakuen_encoder login;

grant usage on schema gakuen_queue to gakuen_encoder;
grant select, insert, update, delete on all tables in schema gakuen_queue to gakuen_encoder;
grant usage on all sequences in schema gakuen_queue to gakuen_encoder;
-- What later versions of the queue add.
alter default privileges in schema gakuen_queue grant select, insert, update, delete on tables to gakuen_encoder;
alter default privileges in schema gakuen_queue grant usage on sequences to gakuen_encoder;
