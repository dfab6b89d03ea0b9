import { PipelineError, TitleId, TitleList, TitleState, TitleView, Plan, Inspection } from "@gakuen/contracts";
import type { HttpServer } from "@gakuen/platform";
import { getInspection, getPlan, getTitle, listTitles, type Records, type TitleRow } from "@gakuen/records";
import { z } from "zod";
import { viewTitle } from "./catalogue.ts";
import type { CatalogueEvent, LiveCatalogue } from "./live-catalogue.ts";

const params = z.object({ id: TitleId });
const KEEP_ALIVE_MS = 15_000;

/** The reading half of `/api/titles`; Kaichou answers the writing half. */
export function titleRoutes(server: HttpServer, records: Records, live: LiveCatalogue): void {
  server.get(
    "/api/titles",
    {
      schema: {
        summary: "The catalogue, newest first",
        querystring: z.object({
          search: z.string().max(200).optional().meta({ description: "part of the name" }),
          state: TitleState.optional(),
          limit: z.coerce.number().int().min(1).max(200).default(50),
          after: z.string().optional().meta({ description: "`next` of the page before" }),
        }),
        response: { 200: TitleList },
      },
    },
    async (request) => {
      const { search, state, limit, after } = request.query;
      const { rows, next } = await listTitles(records, {
        limit,
        ...(search === undefined ? {} : { search }),
        ...(state === undefined ? {} : { state }),
        ...(after === undefined ? {} : { after }),
      });
      return { titles: await Promise.all(rows.map((row) => viewTitle(records, row))), next };
    },
  );
  server.get(
    "/api/titles/:id",
    { schema: { summary: "One title", params, response: { 200: TitleView } } },
    async (request) => viewTitle(records, await existing(records, request.params.id)),
  );
  server.get(
    "/api/titles/:id/plan",
    { schema: { summary: "The title's plan, whole", params, response: { 200: Plan } } },
    async (request) => {
      const row = await existing(records, request.params.id);
      const plan = row.plan ? await getPlan(records, row.id, row.plan) : undefined;
      if (plan) return plan;
      throw new PipelineError("title.wrong-state", `${row.id} is ${row.state} and has no plan yet`);
    },
  );
  server.get(
    "/api/titles/:id/inspection",
    { schema: { summary: "What was found in the title's source", params, response: { 200: Inspection } } },
    async (request) => {
      const row = await existing(records, request.params.id);
      const inspection = await getInspection(records, row.id);
      if (inspection) return inspection;
      throw new PipelineError("title.wrong-state", `${row.id} is ${row.state} and was not inspected yet`);
    },
  );
  server.get(
    "/api/events",
    {
      schema: {
        summary: "Changes of all titles as server-sent events",
        description: "`title` with a Title each time one changes, `removed` with its id.",
        querystring: z.object({ title: TitleId.optional().meta({ description: "only this title" }) }),
      },
    },
    (request, reply) => {
      const { title } = request.query;
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      raw.write(": welcome\n\n");
      const unsubscribe = live.subscribe((event) => {
        if (title === undefined || title === idOf(event)) raw.write(asServerSentEvent(event));
      });
      const keepAlive = setInterval(() => raw.write(": still here\n\n"), KEEP_ALIVE_MS);
      raw.once("close", () => {
        clearInterval(keepAlive);
        unsubscribe();
      });
    },
  );
}

const idOf = (event: CatalogueEvent): TitleId => (event.kind === "title" ? event.title.id : event.id);

function asServerSentEvent(event: CatalogueEvent): string {
  const data = event.kind === "title" ? event.title : { id: event.id };
  return `event: ${event.kind}\ndata: ${JSON.stringify(data)}\n\n`;
}

async function existing(records: Records, id: TitleId): Promise<TitleRow> {
  const row = await getTitle(records, id);
  if (row) return row;
  throw new PipelineError("title.not-found", `there is no title ${id}`);
}
