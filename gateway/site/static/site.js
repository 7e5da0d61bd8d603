// Menus are open where there is room beside the text; without this script they open by a click.
for (const [selector, width] of [[".menu", "60rem"], [".contents", "75rem"]]) {
  const menu = document.querySelector(selector);
  if (!menu) continue;
  const room = window.matchMedia(`(min-width: ${width})`);
  const set = () => { menu.open = room.matches; };
  room.addEventListener("change", set);
  set();
}

// The search looks through an index that is fetched when the box is first used; nothing typed leaves the page.
const box = document.getElementById("search");
const hits = document.getElementById("search-hits");
const MOST = 30;
let index;

function hit([what, where, url]) {
  const [item, link] = [document.createElement("li"), document.createElement("a")];
  link.href = url;
  link.textContent = what;
  if (where) link.append(Object.assign(document.createElement("span"), {textContent: where}));
  item.append(link);
  return item;
}

async function search() {
  index ??= fetch("/docs/search.json").then((answer) => answer.json());
  const places = await index;
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? places.filter(([what, where]) => words.every((word) => `${what} ${where}`.toLowerCase().includes(word))) : [];
  found.sort((a, b) => a[0].length - b[0].length);
  hits.replaceChildren(...found.slice(0, MOST).map(hit));
  document.getElementById("search-found").textContent = words.length ? `${found.length} found` : "";
}

box.closest(".search").hidden = false;
box.addEventListener("input", search);
box.closest(".search").addEventListener("keydown", (event) => {
  if (event.key === "Escape") { box.value = ""; search(); box.focus(); }
});
