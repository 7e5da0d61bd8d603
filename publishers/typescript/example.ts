// One case on its way through a sandbox, with types made from openapi/gateway.yaml and no code written by hand for the API.
//
//     make sandbox                                   (in another terminal)
//     npm ci && npm run generate && npm run build && npm run example -- ../../.sandbox/sandbox.json

import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./generated/gateway.js";

type Schemas = components["schemas"];
type Publisher = { client_id: string; client_secret: string };

const sandbox = JSON.parse(readFileSync(process.argv[2] ?? "sandbox.json", "utf8")) as {
  gateway: string;
  publishers: [Publisher, Publisher];
};

/** A client with a token of this publisher. Tokens live ten minutes; real software gets a new one before. */
async function login({ client_id, client_secret }: Publisher): Promise<Client<paths>> {
  const client = createClient<paths>({ baseUrl: sandbox.gateway });
  const basic = Buffer.from(`${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret)}`).toString("base64");
  const { data, error } = await client.POST("/oauth2/token", {
    body: { grant_type: "client_credentials" },
    headers: { Authorization: `Basic ${basic}`, "Content-Type": "application/x-www-form-urlencoded" },
  });
  if (!data) throw new Error(`no token: ${JSON.stringify(error)}`);
  const token = data.access_token;
  client.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${token}`);
    },
  });
  return client;
}

function instant(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "+00:00");
}

function caseFor(sender: string, recipient: string): Schemas["Envelope"] {
  const distributionID = `${sender}_${randomUUID()}`;
  const sent = new Date();
  return {
    distributionID,
    senderID: sender,
    dateTimeSent: instant(sent),
    dateTimeExpires: instant(new Date(sent.getTime() + 24 * 3600 * 1000)),
    distributionStatus: "Actual",
    distributionKind: "Report",
    descriptor: {
      language: "fr-FR",
      explicitAddress: { explicitAddressScheme: "hubex", explicitAddressValue: recipient },
    },
    content: [
      {
        jsonContent: {
          embeddedJsonContent: {
            message: {
              messageId: distributionID,
              sender: { name: sender, URI: `hubex:${sender}` },
              sentAt: instant(sent),
              kind: "Report",
              status: "Actual",
              recipient: [{ name: recipient, URI: `hubex:${recipient}` }],
              createCaseHealth: {
                caseId: `${sender}.DRFR154402632800017`,
                creation: instant(sent),
                qualification: { details: { priority: "P2" } },
                location: { name: "Place du Marché" },
                owner: sender,
              },
            },
          },
        },
      },
    ],
  };
}

/** Read the inbox until the item is there, and take it over. */
async function take(client: Client<paths>, distributionID: string): Promise<Schemas["Acknowledgement"]> {
  let cursor: string | undefined;
  for (;;) {
    const { data, error } = await client.GET("/v1/inbox", {
      params: { query: { wait: 30, ...(cursor === undefined ? {} : { cursor }) } },
    });
    if (!data) throw new Error(`no inbox: ${JSON.stringify(error)}`);
    const item = data.items.find((one) => one.distributionID === distributionID);
    if (item) {
      console.log(`${item.messageType} ${item.modelVersion} ${item.contentType}`);
      const answer = await client.POST("/v1/inbox/{id}/ack", {
        params: { path: { id: item.id } },
        body: { step: "INTEGRE" },
      });
      if (!answer.data) throw new Error(`not acknowledged: ${JSON.stringify(answer.error)}`);
      return answer.data;
    }
    cursor = data.cursor;
  }
}

const [first, second] = await Promise.all(sandbox.publishers.slice(0, 2).map((one) => login(one)));
if (!first || !second) throw new Error("two publishers are needed");
const message = caseFor("fr.health.samu440", "fr.health.samu750");
const { data: receipt, error } = await first.POST("/v1/messages", { body: message });
if (!receipt) throw new Error(`not accepted: ${JSON.stringify(error)}`);
console.log(`${receipt.status} ${receipt.distributionID}`);
const { reference } = await take(second, receipt.distributionID);
if (!reference) throw new Error("no RC-REF was sent");
await take(first, reference);
for (;;) {
  const { data: told } = await first.GET("/v1/messages/{id}", { params: { path: { id: receipt.id } } });
  if (told?.status === "acknowledged") break;
  if (told?.status === "refused") throw new Error("the recipient refused the message");
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log("acknowledged");
