import { AddedTitle, type AddTitle, type ChangeTitle, type TitleId, TitleList, TitleView } from "@gakuen/contracts";
import { requestJson } from "@gakuen/platform";
import { z } from "zod";

/** The front door's API, as the command line uses it. Errors: what the API answers, or `service.unreachable`. */
export function apiClient(baseUrl: string) {
  const url = (path: string): URL => new URL(path, baseUrl);
  const nothing = z.undefined();
  return {
    add: (wish: AddTitle) => requestJson(url("/api/titles"), { body: wish, schema: AddedTitle }),
    async *list(): AsyncGenerator<TitleView> {
      let after: string | null = "";
      while (after !== null) {
        const page: TitleList = await requestJson(
          url(`/api/titles?limit=200${after && `&after=${encodeURIComponent(after)}`}`),
          {
            schema: TitleList,
          },
        );
        yield* page.titles;
        after = page.next;
      }
    },
    show: (id: TitleId) => requestJson(url(`/api/titles/${id}`), { schema: TitleView }),
    change: (id: TitleId, change: ChangeTitle) =>
      requestJson(url(`/api/titles/${id}`), { method: "PATCH", body: change, schema: nothing }),
    pause: (id: TitleId) => requestJson(url(`/api/titles/${id}/pause`), { method: "POST", schema: nothing }),
    resume: (id: TitleId) => requestJson(url(`/api/titles/${id}/resume`), { method: "POST", schema: nothing }),
    cancel: (id: TitleId) => requestJson(url(`/api/titles/${id}/cancel`), { method: "POST", schema: nothing }),
    retry: (id: TitleId) => requestJson(url(`/api/titles/${id}/retry`), { method: "POST", schema: nothing }),
    remove: (id: TitleId) => requestJson(url(`/api/titles/${id}`), { method: "DELETE", schema: nothing }),
    address: (path: string) => url(path).href,
  };
}
