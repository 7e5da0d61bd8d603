// The translate page. Credentials live in its fields alone: nothing is put into a URL, a cookie or the browser's storage.
"use strict";

const field = (id) => document.getElementById(id);

// A refusal that the page shows: the text for the status line, and the issues where the answer has some.
class Refusal extends Error {
  constructor(text, issues = []) {
    super(text);
    this.issues = issues;
  }
}

async function asked(path, options) {
  let answer;
  try {
    answer = await fetch(path, {...options, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer"});
  } catch {
    throw new Refusal("The gateway does not answer. Is it running?");
  }
  const told = await answer.json().catch(() => null);
  if (answer.ok) return told;
  if (told?.resourceType === "OperationOutcome") throw new Refusal(`Refused (${answer.status}).`, told.issue);
  throw new Refusal(`Refused (${answer.status}). ${told?.error_description ?? told?.error ?? ""}`);
}

async function accessToken() {
  const given = field("token").value.trim();
  if (given) return given;
  const [client, secret] = [field("client").value.trim(), field("secret").value.trim()];
  if (!client || !secret) throw new Refusal("Give a client id and its secret, or an access token.");
  const pair = [client, secret].map(encodeURIComponent).join(":");
  const headers = {Authorization: `Basic ${btoa(pair)}`};
  const told = await asked("/oauth2/token", {
    method: "POST", headers, body: new URLSearchParams({grant_type: "client_credentials", scope: "message.send"}),
  });
  return told.access_token;
}

function mediaType(text) {
  if (text.trimStart().startsWith("<")) return "application/xml";
  try {
    return JSON.parse(text)?.resourceType === "Bundle" ? "application/fhir+json" : "application/json";
  } catch {
    return "application/json"; // the gateway says what is wrong with it
  }
}

async function post(operation, query = {}) {
  const text = field("message").value;
  if (!text.trim()) throw new Refusal("Paste a message first, or insert the example.");
  const headers = {Authorization: `Bearer ${await accessToken()}`, "Content-Type": mediaType(text)};
  if (field("model").value) headers["Model-Version"] = field("model").value;
  const parameters = new URLSearchParams(query).toString();
  return asked(`/v1/messages/${operation}${parameters && "?" + parameters}`, {method: "POST", headers, body: text});
}

function target() {
  const [to, version] = field("target").value.split(" ");
  return version ? {to, version, format: field("format").value} : {to};
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

const shown = (content) => typeof content === "string" ? content : JSON.stringify(content, null, 2);

function element(tag, text = "", name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

function extension(issue, name) {
  const found = (issue.extension ?? []).find((one) => one.url.endsWith(`/StructureDefinition/${name}`));
  return found && (found.valueString ?? found.valueCode ?? found.valueUrl ?? found.valueUri);
}

function issueItem(issue) {
  const item = element("li");
  const code = issue.details?.coding?.[0]?.code ?? issue.code;
  item.append(element("strong", issue.severity, issue.severity === "error" ? "bad" : ""), ` ${code}: ${issue.diagnostics ?? ""}`);
  const pointer = extension(issue, "pointer");
  if (pointer) item.append(element("br"), element("span", pointer, "pointer"));
  const retry = extension(issue, "retry");
  if (retry) item.append(element("br"), `What to do: ${retry}.`);
  const reference = extension(issue, "reference");
  if (reference && new URL(reference, location.href).pathname.startsWith("/docs/")) {
    const link = element("a", "The field's page");
    const there = new URL(reference, location.href);
    link.href = there.pathname + there.hash; // on this gateway, whatever name it is reached by
    item.append(" ", link);
  }
  return item;
}

function showIssues(issues) {
  field("issues").replaceChildren(...issues.map(issueItem));
  field("found").hidden = issues.length === 0;
}

function showTranslation(told) {
  const parts = [told, ...told.further];
  field("sent").textContent = pretty(field("message").value);
  field("made").textContent = parts.map((part) => shown(part.content)).join("\n\n");
  field("loss").replaceChildren(...told.loss.map((loss) => {
    const row = element("tr");
    row.append(...[loss.path, loss.target, loss.reason].map((text) => element("td", text)));
    return row;
  }));
  field("lossless").hidden = told.loss.length > 0;
  field("losses").hidden = told.loss.length === 0;
  field("result").hidden = false;
  const more = parts.length > 1 ? ` ${parts.length} messages,` : "";
  say(`Translated:${more} ${told.contentType}, ${told.loss.length || "no"} loss${told.loss.length > 1 ? "es" : ""}.`, "good");
}

function showVerdict(told) {
  const issues = told.issue.filter((issue) => issue.severity !== "success" && issue.diagnostics !== undefined);
  const errors = issues.filter((issue) => ["error", "fatal"].includes(issue.severity));
  showIssues(issues);
  say(errors.length ? `It would be refused: ${errors.length} error${errors.length > 1 ? "s" : ""}.` : "It would be accepted.", errors.length ? "bad" : "good");
}

function say(text, name = "") {
  field("status").textContent = text;
  field("status").className = name;
}

async function attempt(step) {
  say("Working…");
  showIssues([]);
  field("result").hidden = true;
  try {
    await step();
  } catch (problem) {
    if (!(problem instanceof Refusal)) throw problem;
    say(problem.message, "bad");
    showIssues(problem.issues);
  }
}

field("form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => showTranslation(await post("$translate", target())));
});
field("validate").addEventListener("click", () => attempt(async () => showVerdict(await post("$validate"))));
field("example").addEventListener("click", () => attempt(async () => {
  field("message").value = shown(await asked("/docs/examples/rs-eda.json", {}));
  say("Example inserted.");
}));
field("target").addEventListener("change", () => {
  field("format").disabled = field("target").value === "fhir";
});
field("format").disabled = true;
