/** The list of titles with live progress: one page without a build step. The script is small on purpose. */
export const dashboardPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gakuen</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --line: #d9dce3; --soft: #5c6270; --accent: #2f5bea; --bad: #b3261e; --bar: #e7e9ef; }
  @media (prefers-color-scheme: dark) { :root { --line: #2b2f39; --soft: #a4a9b6; --accent: #9db8ff; --bad: #ffb4a8; --bar: #23262e; } }
  body { margin: 0 auto; max-width: 56rem; padding: 2rem 1rem; font: 16px/1.5 system-ui, sans-serif; }
  h1 { font-size: 1.4rem; margin: 0 0 1.5rem; } h1 small { font-weight: 400; color: var(--soft); font-size: 1rem; }
  form { display: flex; gap: .5rem; margin-bottom: 1.5rem; flex-wrap: wrap; }
  input { flex: 1; min-width: 14rem; font: inherit; padding: .45rem .6rem; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit; }
  button { font: inherit; padding: .45rem .9rem; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit; cursor: pointer; }
  button.main { background: var(--accent); color: Canvas; border-color: transparent; }
  ul { list-style: none; margin: 0; padding: 0; } li { border-top: 1px solid var(--line); padding: .9rem 0; }
  .row { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; } .name { font-weight: 600; flex: 1; min-width: 12rem; overflow-wrap: anywhere; }
  .state { color: var(--soft); font-variant-numeric: tabular-nums; } .error { color: var(--bad); margin: .3rem 0 0; overflow-wrap: anywhere; }
  progress { width: 100%; height: 6px; margin-top: .5rem; appearance: none; border: 0; background: var(--bar); border-radius: 3px; overflow: hidden; }
  progress::-webkit-progress-bar { background: var(--bar); } progress::-webkit-progress-value { background: var(--accent); } progress::-moz-progress-bar { background: var(--accent); }
  .buttons { display: flex; gap: .5rem; } [hidden] { display: none; }
  a { color: var(--accent); } .empty { color: var(--soft); } #note { color: var(--bad); min-height: 1.5rem; margin: 0; }
</style>
</head>
<body>
<h1>学園 Gakuen <small>titles</small></h1>
<form id="add"><input id="source" name="source" required aria-label="Source" placeholder="/path/on/the/server/film.mkv or https://…"><button class="main">Add</button></form>
<p id="note" role="status"></p>
<ul id="titles" aria-label="Titles"></ul>
<p id="empty" class="empty" hidden>Nothing here yet. Add a file or a URL above.</p>
<script>
const list = document.getElementById("titles");
const note = document.getElementById("note");
const items = new Map();
const words = { waiting: "waiting", preparing: "inspecting", encoding: "encoding", paused: "paused", ready: "ready", failed: "failed", cancelled: "cancelled", removing: "removing" };
const actions = { waiting: ["pause", "cancel"], preparing: ["pause", "cancel"], encoding: ["pause", "cancel"], paused: ["resume", "cancel"], ready: ["remove"], failed: ["retry", "remove"], cancelled: ["retry", "remove"], removing: [] };
const element = (name, properties, ...children) => { const node = Object.assign(document.createElement(name), properties); node.append(...children); return node; };

async function ask(method, path, body) {
  const response = await fetch(path, { method, headers: body ? { "content-type": "application/json" } : {}, body: body && JSON.stringify(body) });
  if (response.ok) { note.textContent = ""; return true; }
  const problem = await response.json().catch(() => ({}));
  note.textContent = problem.detail || "The server answered " + response.status + ".";
  return false;
}
function act(title, action) {
  if (action === "remove" && !confirm("Remove “" + title.name + "” and all its media?")) return;
  ask(action === "remove" ? "DELETE" : "POST", "/api/titles/" + title.id + (action === "remove" ? "" : "/" + action));
}
// A row is made once and then changed in place, so that what has the focus keeps it.
function makeItem(id) {
  const item = { name: element("span", { className: "name" }), watch: element("a", {}), state: element("span", { className: "state" }), buttons: element("span", { className: "buttons" }), bar: element("progress", { max: 1 }), error: element("p", { className: "error" }) };
  item.root = element("li", {}, element("div", { className: "row" }, item.name, item.watch, item.state, item.buttons), item.bar, item.error);
  items.set(id, item);
  list.prepend(item.root);
  return item;
}
function show(title) {
  const item = items.get(title.id) ?? makeItem(title.id);
  const stopped = ["failed", "cancelled", "removing"].includes(title.state);
  item.name.textContent = title.name;
  item.watch.hidden = !title.plan || stopped;
  item.watch.href = title.links.watch;
  item.watch.textContent = title.playable ? "Watch" : "Watch (starting)";
  item.state.textContent = words[title.state] + (title.progress > 0 && ["encoding", "paused"].includes(title.state) ? " " + Math.floor(title.progress * 100) + " %" : "");
  item.bar.hidden = !["encoding", "paused"].includes(title.state);
  item.bar.value = title.progress;
  item.bar.setAttribute("aria-label", "Progress of " + title.name);
  item.error.hidden = !title.error;
  item.error.textContent = title.error ? title.error.code + ": " + title.error.message : "";
  if (item.root.dataset.state !== title.state) {
    item.root.dataset.state = title.state;
    item.buttons.replaceChildren(...actions[title.state].map((action) => element("button", { textContent: action[0].toUpperCase() + action.slice(1), onclick: () => act(title, action) })));
  }
  document.getElementById("empty").hidden = true;
}
async function load() {
  const { titles } = await (await fetch("/api/titles?limit=200")).json();
  list.replaceChildren(); items.clear();
  for (const title of titles.reverse()) show(title);
  document.getElementById("empty").hidden = titles.length > 0;
}
document.getElementById("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const source = document.getElementById("source");
  if (await ask("POST", "/api/titles", { source: source.value.trim() })) source.value = "";
});
const events = new EventSource("/api/events");
// After a lost connection anything may have changed.
events.onopen = load;
events.addEventListener("title", (event) => show(JSON.parse(event.data)));
events.addEventListener("removed", (event) => { const { id } = JSON.parse(event.data); items.get(id)?.root.remove(); items.delete(id); });
</script>
</body>
</html>
`;
